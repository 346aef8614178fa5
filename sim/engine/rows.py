"""The rows that attributes are drawn for: what they can see of the simulation at their own event times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column
from sim.attributes.replacing import FLAG
from sim.engine.block import Block
from sim.engine.directory import Directory
from sim.engine.incidents import Incidents
from sim.engine.intensity import Intensity
from sim.engine.offspring import Offspring
from sim.engine.randomness import Randomness
from sim.engine.window import Window
from sim.maths.curves import CurveRef
from sim.maths.timecurve import BoundCurve
from sim.maths.units import DAY
from sim.model.incident import Hit
from sim.model.model import Model, Segmentation, Values
from sim.scenario.incidents import LABEL

Times = NDArray[np.int64]


@dataclass(slots=True)
class Surroundings:
    """What all rows of a run share."""

    model: Model
    randomness: Randomness
    directories: Mapping[str, Directory]
    offspring: Callable[[Block, str], Offspring]
    incidents: Incidents
    _inline: dict[str, BoundCurve] = field(default_factory=dict)
    _intensities: dict[int, Intensity] = field(default_factory=dict)
    _window: int = -1

    def intensity(self, curve: BoundCurve, window: Window) -> Intensity:
        """A curve over a window; what has the same curve shares the work."""
        if self._window != window.number:
            self._window = window.number
            self._intensities.clear()
        if id(curve) not in self._intensities:
            self._intensities[id(curve)] = Intensity(curve, window.start, window.until)
        return self._intensities[id(curve)]

    def curve(self, curve: CurveRef) -> BoundCurve:
        """A curve by name, or one that is given inline, bound to the model's time."""
        if isinstance(curve, str):
            return self.model.curves[curve]
        key = repr(curve)
        if key not in self._inline:
            self._inline[key] = curve.bind(self.model.timeline, self.model.curves)
        return self._inline[key]


class EventRows:
    """Rows at `times` of `entities` (local indices of `block`), as the attributes of a stream see them.

    `name` is the stream's (or, for newborns, the population's), `given` the columns of the fact that they follow from,
    `origins` the incidents that have added them (-1: none), and `steps` those at which cases are, by code.
    """

    def __init__(
        self,
        around: Surroundings,
        block: Block,
        window: Window,
        name: str,
        times: Times,
        entities: NDArray[np.int64],
        ids: Times,
        values: Values,
        given: Mapping[str, Column] | None = None,
        subject: str | None = None,
        number: int = 0,
        origins: NDArray[np.int64] | None = None,
        steps: NDArray[np.int64] | None = None,
    ) -> None:
        self.times = times
        self.ids = ids
        self.subject = subject
        self.entities = entities
        self.block = block
        self._around = around
        self._window = window
        self._name = name
        self._values = values
        self._given = given or {}
        self._origins = origins
        self._steps = steps
        self._levels: dict[int, NDArray[np.float64]] = {}
        self._round = f"/round {number}" if number else ""

    def __len__(self) -> int:
        return len(self.times)

    def part(self, which: NDArray[np.int64], number: int) -> EventRows:
        """Those of the rows that are at `which`, ascending, with random streams of the round `number`."""
        given = {name: column.take(which) for name, column in self._given.items()}
        times, entities, ids = self.times[which], self.entities[which], self.ids[which]
        around, block, window = self._around, self.block, self._window
        part = EventRows(
            around, block, window, self._name, times, entities, ids, self._values, given, self.subject, number
        )
        part._levels = {hit.incident: self.level(hit)[which] for hit in around.incidents.of(self._name)}
        return part

    def rng(self, name: str) -> np.random.Generator:
        """The random stream of one attribute of these rows."""
        name = f"{self._name}/{name}{self._round}"
        return self._around.randomness.generator(name, self.block.index, self._window.number)

    def shared_rng(self, name: str) -> np.random.Generator:
        """A random stream that is the same wherever it is asked for."""
        return self._around.randomness.generator(name)

    def column(self, name: str) -> Column:
        """What is known of the rows; raises KeyError for anything else."""
        if name in self._given:
            return self._given[name]
        if name == f"{self._name}_id":
            return Column.of(self.ids)
        if name == "event_time":
            return Column(self.times, TIME_TYPE)
        if name == "age":
            return Column.of((self.times - self.block.births[self.entities]) / DAY)
        if name == LABEL:
            return self.label()
        if name.startswith(FLAG):
            return Column.of(self._struck(name.removeprefix(FLAG)))
        prefix, _, attribute = name.rpartition(".")
        for generation, block in enumerate(self.block.lineage()):
            entity = block.population.name
            if prefix == entity or (not prefix and attribute == f"{entity}_id"):
                return self._of(block, self.block.ancestors(self.entities, generation), attribute)
        if prefix:
            raise KeyError(name)
        return self._of(self.block, self.entities, attribute)

    def _of(self, block: Block, entities: NDArray[np.int64], name: str) -> Column:
        """Attribute, state, segment, id or birth of entities of `block`, as of the rows' times."""
        if name in block.columns:
            return block.attribute(name, entities, self.times)
        if name in ("id", f"{block.population.name}_id"):
            return Column.of(block.ids[entities])
        if name == "born_at":
            return Column(block.births[entities], TIME_TYPE)
        if name == "state" and block.machine is not None and block.population.machine is not None:
            codes = block.machine.state_at(entities, self.times)
            return Column.coded(codes, block.machine.dictionary)
        for segmentation, codes in zip(block.population.segmentations, block.segments, strict=True):
            if name in ("segment", segmentation.name):
                return Column.coded(codes[entities], segmentation.dictionary)
        raise KeyError(name)

    def level(self, hit: Hit) -> NDArray[np.float64]:
        """How much each row is hit, from 0 to 1."""
        if hit.incident not in self._levels:
            self._levels[hit.incident] = self._level(hit)
        return self._levels[hit.incident]

    def _level(self, hit: Hit) -> NDArray[np.float64]:
        incidents = self._around.incidents
        if hit.extra:
            added = np.zeros(len(self), np.bool_) if self._origins is None else self._origins == hit.incident
            return added.astype(np.float64)
        if incidents.all[hit.incident].single:
            rng = self.rng(f"{FLAG}{incidents.all[hit.incident].name}")
            return incidents.single(hit, self.block, self.entities, self.times, rng)
        return incidents.level(hit, self.block, self.entities, self.times, self._steps)

    def _struck(self, name: str) -> NDArray[np.bool_]:
        """Which rows the incident called `name` has hit."""
        incidents = self._around.incidents
        for hit in incidents.of(self._name):
            if incidents.all[hit.incident].name == name:
                return self.level(hit) > 0
        return np.zeros(len(self), dtype=np.bool_)

    def label(self) -> Column:
        """The name of the first labelled incident that has hit each row, null where none has."""
        incidents = self._around.incidents
        codes = np.full(len(self), -1)
        for hit in incidents.of(self._name):
            if incidents.all[hit.incident].labelled:
                codes[(codes < 0) & (self.level(hit) > 0)] = hit.incident
        return Column.coded(np.maximum(codes, 0), incidents.names, codes < 0)

    def value_factor(self, attribute: str) -> NDArray[np.float64] | None:
        """What segments, age and incidents multiply values by."""
        factor = self._own_factor()
        for hit in self._around.incidents.of(self._name):
            if hit.value != 1.0:
                factor = (1.0 if factor is None else factor) * (1 + (hit.value - 1) * self.level(hit))
        return factor

    def _own_factor(self) -> NDArray[np.float64] | None:
        values = self._values
        if values.trivial:
            return None
        factor = np.ones(len(self))
        for factors, codes in zip(values.segments, self.block.segments, strict=True):
            factor *= factors.take(codes.take(self.entities))
        if values.vintage is not None:
            factor *= values.vintage.at(np.maximum(self.times - self.block.births[self.entities], 0))
        return factor

    def curve(self, curve: CurveRef) -> NDArray[np.float64]:
        """A curve at the rows' times."""
        return self._around.curve(curve).at(self.times)

    def reference(self, entity: str) -> Directory:
        """The population called `entity`."""
        return self._around.directories[entity]

    def own(self, entity: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The children of kind `entity` that the rows' entities have by the rows' times."""
        offspring = self._around.offspring(self.block, entity)
        first, count, ids = offspring.of(self.entities, self.times)
        return offspring.living(first, count, self.times) if offspring.mortal else (first, count, ids)


def segmentation_columns(block: Block, segmentations: tuple[Segmentation, ...]) -> dict[str, Column]:
    """The segments of the fresh entities of `block`, by segmentation."""
    return {
        segmentation.name: Column.coded(codes[block.fresh], segmentation.dictionary)
        for segmentation, codes in zip(segmentations, block.segments, strict=True)
    }
