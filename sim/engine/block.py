"""Blocks: the part of a population that one worker simulates, held as arrays. Entities are local indices 0..n-1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.engine.clocks import NEVER
from sim.engine.growable import Growable, GrowableColumn
from sim.engine.incidents import Incidents
from sim.engine.machine import MachineState
from sim.engine.randomness import Randomness
from sim.engine.roster import Newborn
from sim.engine.varying import Varying
from sim.engine.vintage import Vintage
from sim.engine.weights import Weights
from sim.engine.window import Window
from sim.model.model import Model, Population
from sim.scenario.frailty import GammaFrailty

Indices = NDArray[np.int64]


class Block:
    """One block of one population. `parent` is the block of the same number of the parent population.

    `vintages` are the tabulated curves over age of the population's profiles; `horizon` is the time in which the
    lifecycle's curves are bounded.
    """

    def __init__(
        self,
        model: Model,
        population: Population,
        index: int,
        randomness: Randomness,
        parent: Block | None,
        vintages: Sequence[Vintage | None],
        horizon: tuple[int, int],
        incidents: Incidents,
    ) -> None:
        self.model = model
        self.population = population
        self.index = index
        self.parent = parent
        self.randomness = randomness
        self.columns = {
            name: Varying() if name in population.changing else GrowableColumn() for name in sorted(population.kept)
        }
        self._birth = Growable(np.int64)
        self._id = Growable(np.int64)
        self._parent = Growable(np.int64)
        self._segments = [Growable(np.int8) for _ in population.segmentations]
        self.machine: MachineState | None = None
        if population.machine is not None:
            storm = incidents.storm(self, f"{population.name}_lifecycle")
            self.machine = MachineState(population.machine, self, horizon, storm=storm)
        self.spells: dict[int, MachineState] = {}
        """The incidents that befall the entities one by one, by number."""
        self.weights = [
            Weights(self, profile, vintage) for profile, vintage in zip(population.profiles, vintages, strict=True)
        ]
        self.fresh = slice(0, 0)
        """Local indices of those born in the present window."""

    def __len__(self) -> int:
        return len(self._birth)

    @property
    def births(self) -> NDArray[np.int64]:
        """Birth times, ascending, int64[n] microseconds."""
        return self._birth.values

    @property
    def ids(self) -> NDArray[np.int64]:
        """Ids, ascending, int64[n]."""
        return self._id.values

    @property
    def parents(self) -> Indices:
        """Local indices of the parents in `parent`, int64[n]; empty where the population has no parent."""
        return self._parent.values

    @property
    def segments(self) -> list[NDArray[np.int8]]:
        """Codes of the segments, int8[n] for each segmentation."""
        return [codes.values for codes in self._segments]

    def rng(self, name: str, window: Window) -> np.random.Generator:
        """The random stream of something of this population in this block and window."""
        return self.randomness.generator(f"{self.population.name}/{name}", self.index, window.number)

    def name(self, entity: int) -> str:
        """What to call an entity in a message: `customer 17`."""
        return f"{self.population.name} {int(self.ids[entity])}"

    def lineage(self) -> list[Block]:
        """This block, its parent's, and so on."""
        line = [self]
        while line[-1].parent is not None:
            line.append(line[-1].parent)
        return line

    def ancestors(self, entities: Indices, generations: int) -> Indices:
        """Local indices of the ancestors of `entities`, so many generations up."""
        block: Block | None = self
        for _ in range(generations):
            assert block is not None
            entities, block = block.parents[entities], block.parent
        return entities

    def attribute(self, name: str, entities: Indices, times: NDArray[np.int64] | None = None) -> Column:
        """A kept attribute of entities at times of the present window; when it begins (or at birth) without `times`."""
        kept = self.columns[name]
        if isinstance(kept, Varying):
            return kept.before(entities) if times is None else kept.at(entities, times)
        return kept.column.take(entities)

    def close(self) -> None:
        """End the window: changes of attributes become their values."""
        for name in self.population.changing:
            if isinstance(kept := self.columns.get(name), Varying):
                kept.close()

    @property
    def cuts(self) -> bool:
        """Whether there are states that cut what is under way."""
        return any(own.machine is not None and bool(own.machine.machine.cut.any()) for own in self.lineage())

    def ended(self, entities: Indices, cut: bool = False) -> NDArray[np.int64]:
        """When entities, or one that they belong to, entered a terminal state; NEVER for those who have not yet.

        With `cut`, only terminal states count that cut what is under way.
        """
        ends = np.full(len(entities), NEVER)
        block: Block | None = self
        while block is not None:
            if block.machine is not None:
                ends = np.minimum(ends, block.machine.ended(entities, cut))
            if block.parent is not None:
                entities = block.parents[entities]
            block = block.parent
        return ends

    def admit(self, newborn: Newborn, window: Window) -> None:
        """Take in those who are born in `window`, in no state yet."""
        births = newborn.births
        self.fresh = slice(len(self), len(self) + len(births))
        if len(births) or window.number == 0:
            self._take_in(newborn, births, window)

    def _take_in(self, newborn: Newborn, births: NDArray[np.int64], window: Window) -> None:
        self._id.extend(newborn.ids)
        self._birth.extend(births)
        self._parent.extend(newborn.parents)
        self._draw_segments(len(births), window)
        self._draw_weights(births, window)

    def keep(self, columns: dict[str, Column]) -> None:
        """Remember attributes of the fresh entities, as far as something reads them."""
        for name, kept in self.columns.items():
            kept.extend(columns[name])

    def _draw_segments(self, count: int, window: Window) -> None:
        for segmentation, codes in zip(self.population.segmentations, self._segments, strict=True):
            if segmentation.owner == self.population.index:
                shares = np.cumsum(segmentation.shares)
                uniform = self.rng(f"segments/{segmentation.name}", window).random(count)
                codes.extend(np.searchsorted(shares / shares[-1], uniform, side="right").astype(np.int8))
            else:
                assert self.parent is not None
                names = [own.name for own in self.parent.population.segmentations]
                inherited = self.parent.segments[names.index(segmentation.name)]
                codes.extend(inherited[self.parents[self.fresh]])

    def _draw_weights(self, births: NDArray[np.int64], window: Window) -> None:
        frailty = self._draw_frailty(len(births), window)
        for weights in self.weights:
            weights.admit(frailty, births)

    def _draw_frailty(self, count: int, window: Window) -> NDArray[np.float64]:
        spec = self.population.frailty
        if spec is None or not self.weights:
            return np.ones(count)
        rng = self.rng("frailty", window)
        if isinstance(spec, GammaFrailty):
            return rng.standard_gamma(spec.shape, count) / spec.shape
        return np.exp(rng.normal(-0.5 * spec.sigma**2, spec.sigma, count))
