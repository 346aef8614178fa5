"""The attribute tables of a scenario, and what each of their attributes can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from sim.attributes.attribute import Attribute
from sim.attributes.column import STRING_CODES, TIME_TYPE
from sim.attributes.copula import Copula, Correlation
from sim.attributes.replacing import Replacement
from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.errors import Problem, ScenarioError
from sim.model.model import Segmentation
from sim.model.needs import Readers
from sim.scenario.incidents import LABEL
from sim.scenario.schema import Scenario

Types = dict[str, pa.DataType]


class Tables:
    """Makes attribute tables and keeps book of what they read; problems are collected, not raised."""

    def __init__(self, scenario: Scenario, segmentations: Mapping[str, Sequence[Segmentation]]) -> None:
        self.types: dict[str, Types] = {}
        """The attributes of each kind of entity, as soon as its table is made."""
        self.readers = Readers(scenario)
        self.problems: list[Problem] = []
        self._scenario = scenario
        self._segmentations = segmentations

    def make(
        self,
        path: str,
        attributes: Mapping[str, Attribute],
        context: Types,
        subject: str | None = None,
        key: str = "attributes",
        correlations: Sequence[Correlation] = (),
        replacements: Mapping[str, Sequence[Replacement]] | None = None,
    ) -> AttributeTable:
        """The table of the attributes at `path`, under `key`; an empty one where they have problems."""
        copula = Copula(attributes, correlations)
        for place, part, reason in copula.problems:
            where = f"{path}.correlations[{place}].{part}" if place >= 0 else f"{path}.correlations"
            self.problems.append(Problem(0, where, reason))
        references = {other: self._known_of(other) for other in self.types if other != subject}
        try:
            table = AttributeTable(attributes, context, references, subject, f"{path}.{key}", copula, replacements)
        except ScenarioError as error:
            self.problems.extend(error.problems)
            return AttributeTable({}, context)
        self.readers.add(table.needs)
        self.readers.look_up(table.lookups)
        return table

    def of_entity(self, kind: str) -> AttributeTable:
        """The table of the attributes of entities of `kind`; their ancestors' tables are made."""
        entity = self._scenario.entities[kind]
        path, context = f"entities.{kind}", self.context(kind)
        table = self.make(path, entity.attributes, context, kind, correlations=entity.correlations)
        self.types[kind] = table.types
        return table

    def context(self, kind: str, source: Stream | None = None) -> Types:
        """What attributes of rows of `kind` can read: the entity, its ancestors, the time, and the fact before."""
        context: Types = {"event_time": TIME_TYPE, "age": pa.float64()}
        context |= {LABEL: STRING_CODES} if self._scenario.incidents else {}
        for ancestor in self._scenario.ancestors(kind):
            context[f"{ancestor}_id"] = pa.int64()
            for name, type_ in self.types.get(ancestor, {}).items():
                context[f"{ancestor}.{name}"] = type_
            for name, type_ in self._inborn(ancestor).items():
                context[f"{ancestor}.{name}"] = type_
                if ancestor == kind and name != "born_at":
                    context.setdefault(name, type_)
        if source is not None:
            context[f"{source.name}_id"] = pa.int64()
            context |= {f"{source.name}.{field.name}": field.type for field in source.schema if field.name != source.id}
        return context

    def _known_of(self, kind: str) -> Types:
        """What lookups can read of entities of `kind`: not the state, which other shards may not know."""
        inborn = {name: type_ for name, type_ in self._inborn(kind).items() if name not in ("state", "segment")}
        return self.types[kind] | inborn

    def _inborn(self, kind: str) -> Types:
        """What entities of `kind` have besides their attributes."""
        inborn: Types = {"id": pa.int64(), "born_at": TIME_TYPE}
        if self._scenario.entities[kind].lifecycle is not None:
            inborn["state"] = STRING_CODES
        for segmentation in self._segmentations[kind]:
            inborn[segmentation.name] = STRING_CODES
        if self._segmentations[kind]:
            inborn["segment"] = STRING_CODES
        return inborn


def reads_state(table: AttributeTable) -> bool:
    """Whether an attribute reads in which state an entity is."""
    return any(need == "state" or need.endswith(".state") for need in table.needs)


def carried_of(table: AttributeTable, source: str) -> frozenset[str]:
    """The columns of the stream `source` that a table reads of the fact before."""
    prefix = f"{source}."
    return frozenset(need.removeprefix(prefix) for need in table.needs if need.startswith(prefix))
