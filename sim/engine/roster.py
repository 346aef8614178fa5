"""Rosters: who is born when. Every shard computes them alike, for all blocks, so that ids and lookups agree.

Ids count entities in order of birth. A root entity lives in block id mod blocks, a child in its parent's block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.calendar import Calendar, Pending, delays
from sim.engine.growable import Growable
from sim.engine.incidents import Incidents
from sim.engine.intensity import Intensity
from sim.engine.randomness import Randomness
from sim.engine.window import Window
from sim.maths.curves import integral
from sim.maths.units import YEAR
from sim.model.model import Model, Population

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Newborn:
    """Entities of one block: ids and birth times, ascending, and their parents' places in the block."""

    ids: Times
    births: Times
    parents: Times


class Roster:
    """All entities of one population, born so far."""

    def __init__(
        self,
        model: Model,
        population: Population,
        randomness: Randomness,
        incidents: Incidents,
        parent: Roster | None,
    ) -> None:
        self.model = model
        self.population = population
        self.parent = parent
        self._randomness = randomness
        self._incidents = incidents
        self._birth = Growable(np.int64)
        self._parent_id = Growable(np.int64)
        self._block = Growable(np.int16)
        self._local = Growable(np.int64)
        self._counts = np.zeros(model.blocks, dtype=np.int64)
        self._calendar = Calendar(model.start, model.tick, model.end)
        self._remaining = population.arrivals.total if population.arrivals and population.arrivals.total else 0
        self._first = self._initial() if parent is None else np.empty(0, dtype=np.int64)
        self.oldest = model.start - int(self._first[0]) if len(self._first) else 0
        """Age at the start of the oldest entity, in microseconds."""
        self.fresh = slice(0, 0)
        """Ids born in the present window (in the first one, also those that exist at the start)."""

    def __len__(self) -> int:
        return len(self._birth)

    @property
    def births(self) -> Times:
        """Birth times by id, ascending, int64 microseconds."""
        return self._birth.values

    def born(self, times: Times) -> NDArray[Any]:
        """How many are born at or before each time, int64[n]."""
        births = self.births
        if len(times) and (len(births) == 0 or births[-1] <= times.min()):
            return np.full(len(times), len(births), dtype=np.int64)
        return np.searchsorted(births, times, side="right")

    def parents(self, ids: Times) -> Times:
        """The ids of the parents."""
        return self._parent_id.values[ids]

    def blocks(self, ids: Times) -> NDArray[Any]:
        """The blocks in which entities live."""
        return ids % self.model.blocks if self.parent is None else self._block.values[ids]

    def locals(self, ids: Times) -> Times:
        """The places of entities within their blocks."""
        return ids // self.model.blocks if self.parent is None else self._local.values[ids]

    def newborn(self, block: int) -> Newborn:
        """Those of `fresh` who live in `block`."""
        ids = self._members(block)
        parents = np.empty(0, dtype=np.int64) if self.parent is None else self.parent.locals(self.parents(ids))
        return Newborn(ids, self.births[ids], parents)

    def _members(self, block: int) -> Times:
        if self.parent is None:
            blocks = self.model.blocks
            first = self.fresh.start + (block - self.fresh.start) % blocks
            return np.arange(first, self.fresh.stop, blocks, dtype=np.int64)
        return self.fresh.start + np.flatnonzero(self._block.values[self.fresh] == block)

    def advance(self, window: Window) -> None:
        """Bring to life all who are born before the end of `window`."""
        size = len(self)
        if self.parent is not None:
            self._admit_children(window)
        else:
            rng = self._randomness.generator(f"{self.population.name}/births", tick=window.number)
            self._birth.extend(np.concatenate([self._first, self._arrivals(window, rng)]))
            self._first = self._first[:0]
        self.fresh = slice(size, len(self))

    def _initial(self) -> Times:
        """Birth times of those who exist at the start, ascending."""
        initial = self.population.initial
        if initial is None:
            return np.empty(0, dtype=np.int64)
        if initial.age is None:
            return np.full(initial.count, self.model.start, dtype=np.int64)
        rng = self._randomness.generator(f"{self.population.name}/ages")
        ages = np.clip(initial.age.draw(rng, initial.count), 0, _OLDEST)
        return np.sort(self.model.start - ages.astype(np.int64))

    def _arrivals(self, window: Window, rng: np.random.Generator) -> Times:
        arrivals = self.population.arrivals
        if arrivals is None:
            return np.empty(0, dtype=np.int64)
        if arrivals.total is not None:
            return self._share_of_total(window, rng)
        curve = self._incidents.lifted(self.population.name, self.population.arrival_curve, window)
        intensity = Intensity(curve, window.start, window.until)
        count = rng.poisson(self.population.arrival_rate * intensity.mass)
        times = intensity.place(rng, count)
        return times[rng.random(count) < intensity.ratio(times)]

    def _share_of_total(self, window: Window, rng: np.random.Generator) -> Times:
        """Given the births that remain, those of this window are binomial in its share of the remaining mass."""
        curve = self.population.arrival_curve
        here = integral(curve, window.start, window.until)
        later = integral(curve, window.until, self.model.end) if window.until < self.model.end else 0.0
        count = int(rng.binomial(self._remaining, here / (here + later))) if here > 0 else 0
        self._remaining -= count
        intensity = Intensity(curve, window.start, window.until)
        found = np.empty(0, dtype=np.int64)
        while len(found) < count:
            times = rng.permutation(intensity.place(rng, count + 16))
            found = np.concatenate([found, times[rng.random(len(times)) < intensity.ratio(times)]])
        return np.sort(found[:count])

    def _admit_children(self, window: Window) -> None:
        assert self.parent is not None
        arrivals = self.population.arrivals
        assert arrivals is not None
        assert arrivals.per_parent is not None
        rng = self._randomness.generator(f"{self.population.name}/births", tick=window.number)
        parents = np.arange(self.parent.fresh.start, self.parent.fresh.stop, dtype=np.int64)
        parents = np.repeat(parents, arrivals.per_parent.draw(rng, len(parents)))
        births = self.parent.births[parents]
        if arrivals.after is not None:
            births = births + delays(arrivals.after, rng, len(births))
        self._calendar.add(Pending(births, parents, {}))
        due = self._calendar.due(window.number)
        if due is not None:
            self._append(due.times, due.entities)

    def _append(self, births: Times, parents: Times) -> None:
        assert self.parent is not None
        blocks = self.parent.blocks(parents)
        self._birth.extend(births)
        self._parent_id.extend(parents)
        self._block.extend(blocks)
        order = np.argsort(blocks, kind="stable")
        counts = np.bincount(blocks, minlength=self.model.blocks)
        rank = np.empty(len(blocks), dtype=np.int64)
        rank[order] = np.arange(len(blocks)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._local.extend(self._counts[blocks] + rank)
        self._counts += counts


_OLDEST = 1000 * YEAR
"""No entity is older than this at the start, so that sums of times fit int64."""
