"""Activities: what entities do, as points of their intensity, exactly.

One block, one window: candidates are placed under bounds (entities by `Groups`, times by `Intensity`) and accepted with
probability weight / bound at the exact time, which takes care of age, state, birth and curves at no extra cost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.block import Block
from sim.engine.calendar import Calendar, Pending, delays
from sim.engine.facts import check_room
from sim.engine.intensity import Intensity
from sim.engine.rows import Surroundings
from sim.engine.states import StateEffect
from sim.engine.weights import Weights
from sim.engine.window import Window
from sim.model.model import Activity

Times = NDArray[np.int64]
Indices = NDArray[np.int64]

_EMPTY = np.empty(0, dtype=np.int64)


class Points:
    """Samples an activity at a rate. `thinning` below 1 keeps that share of the facts: a forecast's sample."""

    def __init__(self, activity: Activity, thinning: float = 1.0) -> None:
        self.activity = activity
        self._rate = activity.rate * thinning

    def sample(
        self, block: Block, window: Window, intensity: Intensity, rng: np.random.Generator
    ) -> tuple[Times, Indices]:
        """Event times, ascending, and the entities they belong to, int64[n] each."""
        weights = block.weights[self.activity.profile]
        expected = self._rate * weights.groups.total * intensity.mass
        check_room(self.activity.name, expected, block.index, window)
        count = int(rng.poisson(expected)) if expected > 0 else 0
        if count == 0:
            return _EMPTY, _EMPTY
        entities = weights.groups.draw(rng, count)
        times = intensity.place(rng, count)
        return _accept(block, weights, intensity, times, entities, rng.random(count, dtype=np.float32))


def _accept(
    block: Block,
    weights: Weights,
    intensity: Intensity,
    times: Times,
    entities: Indices,
    uniform: NDArray[np.float32],
) -> tuple[Times, Indices]:
    """Keep the candidates for which weight x curve, relative to their bounds, exceeds `uniform`."""
    ranges = weights.range.take(entities)
    accepted = uniform < ranges["most"]
    sure = ranges["least"] if intensity.lowest_ratio == 1 else ranges["least"] * np.float32(intensity.lowest_ratio)
    doubtful = (accepted & (uniform >= sure)).nonzero()[0]
    if len(doubtful):
        at, who = times.take(doubtful), entities.take(doubtful)
        needed = uniform.take(doubtful) / weights.share.take(who)
        accepted[doubtful] = _exceeds(_exact(block, weights, at, who), needed, at, intensity)
    kept = accepted.nonzero()[0]
    return times.take(kept), entities.take(kept)


def _exceeds(
    factor: NDArray[np.float64], needed: NDArray[np.float32], times: Times, intensity: Intensity
) -> NDArray[np.bool_]:
    """Whether factor x curve, relative to its bound, exceeds `needed`: the curve is asked where its bounds differ."""
    if intensity.lowest_ratio == 1:
        return needed < factor
    exceeds = needed < factor * intensity.lowest_ratio
    close = np.flatnonzero(~exceeds & (needed < factor))
    if len(close):
        exceeds[close] = needed[close] < factor[close] * intensity.ratio(times[close])
    return exceeds


def _exact(block: Block, weights: Weights, times: Times, entities: Indices) -> NDArray[np.float64]:
    """age x state, 0 before birth, at exact times."""
    ages = times - block.births.take(entities)
    factor = (ages >= 0).astype(np.float64) if weights.vintage is None else weights.vintage.at(ages)
    for effect in weights.effects:
        factor *= effect.at(entities, times)
    return factor


class Recurrence:
    """An activity on a schedule, in one block: due at regular times, later by its jitter."""

    def __init__(self, activity: Activity, around: Surroundings) -> None:
        assert activity.schedule is not None
        model = around.model
        self._incidents = around.incidents
        self.activity = activity
        self.schedule = activity.schedule
        self._timeline = model.timeline
        self._calendar = Calendar(model.start, model.tick, model.end)

    def sample(self, block: Block, window: Window, rng: np.random.Generator) -> tuple[Times, Indices]:
        """Event times in `window`, ascending, and the entities they belong to, int64[n] each."""
        if self.schedule.anchor == "birth":
            times, entities = self._from_birth(block, window)
        else:
            times, entities = self._from_calendar(block, window)
        factor = self._incidents.factor(self.activity.name, "probability", block, entities, times)
        if self.schedule.probability < 1 or factor is not None:
            probability = self.schedule.probability * (1.0 if factor is None else factor)
            kept = np.flatnonzero(rng.random(len(times)) < probability)
            times, entities = times[kept], entities[kept]
        if self.schedule.jitter is not None:
            times = times + delays(self.schedule.jitter, rng, len(times))
        self._calendar.add(Pending(times, entities, {}))
        due = self._calendar.due(window.number)
        if due is None:
            return _EMPTY, _EMPTY
        allowed = np.flatnonzero((due.times < window.until) & self._possible(block, due.times, due.entities))
        return due.times[allowed], due.entities[allowed]

    def _possible(self, block: Block, times: Times, entities: Indices) -> NDArray[np.bool_]:
        """Whether the states at the exact times allow the facts."""
        possible = np.ones(len(times), dtype=np.bool_)
        for states in self.activity.states:
            possible &= StateEffect(block, states).at(entities, times) > 0
        return possible

    def _from_birth(self, block: Block, window: Window) -> tuple[Times, Indices]:
        """Births plus offset plus whole periods (one at least)."""
        period = self.schedule.duration
        origin = block.births + self.schedule.offset
        first = np.maximum(-((origin - window.start) // period), 1)
        last = np.maximum(-((origin - window.until) // period), 1)
        counts = last - first
        check_room(self.activity.name, float(counts.sum()), block.index, window)
        entities = np.repeat(np.arange(len(origin)), counts)
        rank = np.arange(len(entities)) - np.repeat(np.cumsum(counts) - counts, counts)
        return origin[entities] + (first[entities] + rank) * period, entities

    def _from_calendar(self, block: Block, window: Window) -> tuple[Times, Indices]:
        """The calendar's boundaries, for everybody who is born by then."""
        boundaries = self.schedule.boundaries(window.start, window.until, self._timeline)
        born = np.searchsorted(block.births, boundaries, side="right")
        check_room(self.activity.name, float(born.sum()), block.index, window)
        entities = np.arange(int(born.sum())) - np.repeat(np.cumsum(born) - born, born)
        return np.repeat(boundaries, born), entities
