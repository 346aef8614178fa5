"""The attributes of one stream or population: in which order they are made, of which types, and making them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from graphlib import CycleError, TopologicalSorter
from itertools import chain

import pyarrow as pa

from sim.attributes.attribute import Attribute, AttributeProblem
from sim.attributes.column import Column
from sim.attributes.copula import Copula
from sim.attributes.lookup import Lookup
from sim.attributes.replacing import Replacement, check_type, replaced
from sim.attributes.rows import Rows
from sim.attributes.sequential import Sequential
from sim.attributes.totals import Posted, RunningTotal
from sim.attributes.view import Source, View
from sim.errors import Problem, ScenarioError

Types = Mapping[str, pa.DataType]


class AttributeTable:
    """Attributes in the order in which they read each other.

    An attribute reads, by name: its siblings; `<lookup>.<attribute>` of whom a sibling looks up; and what the rows have
    anyway, the context. Its own name means the context's.

    `types` are the columns that come out, by name (the lookup `product` gives the column `product_id`), `needs` the
    names of the context that are read, `timely` those of them that are read as of the rows' times (not as of birth),
    `lookups` the kinds that are looked up with the attributes read of them, and `sequences` the sequential attributes,
    whose numbers the engine works out between the stages 0 and 1.
    """

    def __init__(
        self,
        attributes: Mapping[str, Attribute],
        context: Types,
        references: Mapping[str, Types] | None = None,
        subject: str | None = None,
        path: str = "",
        copula: Copula | None = None,
        replacements: Mapping[str, Sequence[Replacement]] | None = None,
    ) -> None:
        """Check and order `attributes`.

        `context` are the types of what the rows have, `references` those of each kind that can be looked up, `subject`
        the kind whose newborn entities the rows are, if they are; `path` goes before the places of problems; `copula`
        draws the attributes that are correlated; `replacements` are what takes the place of some, by name. Raises
        ScenarioError with all that is wrong.
        """
        self.attributes = dict(attributes)
        self._replacements = {name: own for name, own in (replacements or {}).items() if name in attributes}
        self._context = context
        self._references = references or {}
        self._subject = subject
        self._path = path
        self._copula = copula or Copula({})
        self._problems: list[Problem] = []
        self._columns = {name: attribute.column_name(name) for name, attribute in self.attributes.items()}
        self._sources = {name: self._resolve(name) for name in self.attributes}
        for name, others in self._replacements.items():
            self._sources |= {f"{name}{other.flag}": self._resolve_other(name, other) for other in others}
        self._order = self._ordered()
        self.types = self._typed()
        self._late = self._after_sequences()
        if self._problems:
            raise ScenarioError(self._problems)
        self.needs = frozenset(self._needed())
        self.timely = frozenset(self._needed(timely=True))
        self.lookups = self._looked_up()
        self.sequences: list[tuple[str, Sequential]] = [
            (name, own) for name, own in self.attributes.items() if isinstance(own, Sequential)
        ]

    @property
    def replaced(self) -> frozenset[str]:
        """The attributes that something else takes the place of at times."""
        return frozenset(self._replacements)

    def strangers(self) -> frozenset[str]:
        """The kinds that are looked up among all, and not among an entity's own."""
        found: set[str] = set()
        waiting = list(self.attributes.values())
        while waiting:
            attribute = waiting.pop()
            waiting += attribute.parts.values()
            if not attribute.parts and getattr(attribute, "of", None) != "own":
                found |= attribute.looks_up()
        return frozenset(found)

    def schema(self) -> list[pa.Field]:
        """One field for each attribute, in the order of the scenario."""
        return [
            pa.field(column, self.types[column], metadata=self.attributes[name].metadata())
            for name, column in self._columns.items()
        ]

    def evaluate(self, rows: Rows, given: Mapping[str, Column] | None = None, stage: int = 0) -> dict[str, Column]:
        """The columns of one stage, by name.

        Stage 0 is all that does not depend on a sequential attribute, stage 1 the rest; for it, `given` holds the
        columns of stage 0, and the numbers of the sequential attributes under their names.
        """
        known = dict(given or {})
        view = View(rows, self._sources, known)
        names = [name for name in self._order if (name in self._late) == bool(stage)]
        drawn = {} if self._copula.names.isdisjoint(names) else self._copula.draw(rows)
        made = {}
        for name in names:
            attribute, column = self.attributes[name], self._columns[name]
            numbers = known[name] if isinstance(attribute, Sequential) else drawn.get(name)
            made[column] = view.make(name, attribute, column, numbers)
            for other in self._replacements.get(name, ()):
                key = f"{name}{other.flag}"
                made[column] = view.redo(key, column, partial(replaced, other, key))
        return made

    def _resolve(self, name: str) -> dict[str, Source]:
        """Where each name that an attribute reads comes from; unknown ones are noted as problems."""
        sources = {}
        for read in sorted(self.attributes[name].needs()):
            source = self._source(name, read)
            if source is None:
                self._problem(name, f"{read!r} is not known here{self._hint(name, read)}")
            else:
                sources[read] = source
        return sources

    def _resolve_other(self, name: str, other: Replacement) -> dict[str, Source]:
        """The same for what replaces an attribute; the attribute's own name means what it replaces."""
        sources = {}
        for read in sorted(other.attribute.needs()):
            own = read in (name, self._columns[name])
            source = Source("sibling", name, self._columns[name]) if own else self._source(name, read)
            if source is None:
                self._problems.append(Problem(0, other.place, f"{read!r} is not known here{self._hint('', read)}"))
            else:
                sources[read] = source
        return sources

    def _source(self, name: str, read: str) -> Source | None:
        if read in self._columns and read != name:
            return Source("sibling", read, self._columns[read])
        for other, column in self._columns.items():
            if column == read and other != name:
                return Source("sibling", other, column)
        prefix, _, attribute = read.partition(".")
        lookup = self.attributes.get(prefix)
        if isinstance(lookup, Lookup) and prefix != name and attribute in self._known_of(lookup.entity):
            return Source("lookup", prefix, attribute, lookup.entity, self._columns[prefix])
        if isinstance(lookup, Lookup) and lookup.of == "parent":
            read = f"{lookup.entity}.{attribute}"
        return Source("context", "", read) if read in self._context else None

    def _known_of(self, entity: str) -> Types:
        """What can be read of whom a lookup finds. The own kind is only just being made, and has nothing yet."""
        return {} if entity == self._subject else self._references.get(entity, {})

    def _hint(self, name: str, read: str) -> str:
        lookups = [
            f"{other}.{column}"
            for other, attribute in self.attributes.items()
            if isinstance(attribute, Lookup)
            for column in self._known_of(attribute.entity)
        ]
        names = [other for other in (*self._columns, *lookups, *self._context) if other != name]
        near = get_close_matches(read, names, 1)
        return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(set(names)))}"

    def _ordered(self) -> list[str]:
        """Names so that what is read comes first, otherwise in the order of the scenario."""
        reads = {
            name: [source.name for source in self._siblings(name) if source.name != name] for name in self.attributes
        }
        try:
            return list(TopologicalSorter(reads).static_order())
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            self._problem(circle[0], f"attributes read each other in a circle: {' -> '.join(circle)}")
            raise ScenarioError(self._problems) from error

    def _siblings(self, name: str) -> Iterator[Source]:
        others = (self._sources[f"{name}{other.flag}"] for other in self._replacements.get(name, ()))
        sources = chain(self._sources[name].values(), *(other.values() for other in others))
        return (source for source in sources if source.kind != "context")

    def _typed(self) -> dict[str, pa.DataType]:
        types: dict[str, pa.DataType] = {}
        for name in self._order:
            seen = {read: self._type_of(source, types) for read, source in self._sources[name].items()}
            if any(kind is None for kind in seen.values()) or len(seen) < len(self.attributes[name].needs()):
                continue  # what it reads has a problem, which is noted already
            self._check(name, self.attributes[name])
            try:
                types[self._columns[name]] = self.attributes[name].result_type(seen)
            except AttributeProblem as problem:
                self._problem(f"{name}.{problem.place}" if problem.place else name, problem.reason)
            for other in self._replacements.get(name, ()):
                self._check_other(name, other, types)
        return {column: types[column] for column in self._columns.values() if column in types}

    def _check_other(self, name: str, other: Replacement, types: Types) -> None:
        """Note where what replaces an attribute gives something else, or is no single draw."""
        kind, sources = types.get(self._columns[name]), self._sources[f"{name}{other.flag}"]
        seen = {read: self._type_of(source, types) for read, source in sources.items()}
        if kind is None or any(own is None for own in seen.values()) or len(seen) < len(other.attribute.needs()):
            return
        try:
            if any(isinstance(own, Sequential) for own in (other.attribute, self.attributes[name])):
                raise ValueError("what depends on an entity's past neither replaces nor is replaced")
            check_type(kind, other.attribute.result_type(seen))
        except ValueError as error:
            self._problems.append(Problem(0, other.place, str(error)))

    def _type_of(self, source: Source, types: Types) -> pa.DataType | None:
        if source.kind == "lookup":
            return self._references[source.entity][source.column]
        return (types if source.kind == "sibling" else self._context).get(source.column)

    def _check(self, name: str, attribute: Attribute) -> None:
        for place, part in attribute.parts.items():
            self._check(f"{name}.{place}", part)
        if not isinstance(attribute, Lookup) or not attribute.match:
            return
        if attribute.entity == self._subject:
            self._problem(f"{name}.match", f"{attribute.entity} cannot match its own kind while it is being born")
            return
        known = self._known_of(attribute.entity)
        for column in attribute.match:
            if column not in known:
                near = get_close_matches(column, known, 1)
                hint = f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(sorted(known))}"
                self._problem(f"{name}.match", f"{attribute.entity} has no {column!r}{hint}")

    def _after_sequences(self) -> frozenset[str]:
        """The sequential attributes, and those that depend on one, however indirectly."""
        late: set[str] = set()
        for name in self._order:
            attribute = self.attributes[name]
            above = {source.name for source in self._siblings(name) if source.name in late and source.name != name}
            if isinstance(attribute, Sequential):
                self._check_sequential(name, attribute, late)
                late.add(name)
            elif above:
                late.add(name)
        return frozenset(late)

    def _check_sequential(self, name: str, attribute: Sequential, late: set[str]) -> None:
        sources = self._sources[name]
        for read in sorted(attribute.first() & sources.keys()):
            if sources[read].name in late:
                self._problem(name, f"{read!r} depends on an entity's past, which cannot be added up again")
        for read in sorted(attribute.of_entity() & sources.keys()):
            owner = read.rpartition(".")[0]
            if sources[read].kind != "context" or f"{owner}.born_at" not in self._context:
                self._problem(name, f"{read!r} must be an attribute of the entity, written <entity>.<attribute>")
        if isinstance(attribute, Posted) and not isinstance(self.attributes.get(attribute.of), RunningTotal):
            self._problem(name, f"{attribute.of!r} is not a running total of this stream")

    def _needed(self, timely: bool = False) -> Iterator[str]:
        for name, sources in self._sources.items():
            attribute = self.attributes.get(name)
            born = attribute.inborn() if timely and isinstance(attribute, Sequential) else frozenset()
            found = (source for read, source in sources.items() if read not in born)
            yield from (source.column for source in found if source.kind == "context")

    def _looked_up(self) -> dict[str, frozenset[str]]:
        read: dict[str, set[str]] = {}
        for name, attribute in self.attributes.items():
            others = (other.attribute for other in self._replacements.get(name, ()))
            for own, entity in ((one, entity) for one in (attribute, *others) for entity in one.looks_up()):
                read.setdefault(entity, set()).update(own.reads_of(entity))
            for source in self._siblings(name):
                if source.kind == "lookup":
                    read.setdefault(source.entity, set()).add(source.column)
        return {entity: frozenset(columns) for entity, columns in read.items()}

    def _problem(self, place: str, reason: str) -> None:
        path = f"{self._path}.{place}" if self._path else place
        self._problems.append(Problem(0, path, reason))
