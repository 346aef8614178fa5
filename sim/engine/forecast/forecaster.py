"""A forecast: facts by month with prediction intervals, who is alive, peaks, bytes, memory and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import Batch, Stream
from sim.engine.forecast.births import exact_births
from sim.engine.forecast.census import ALIVE, EVERY, NOBODY, Census, Counted
from sim.engine.forecast.cost import SAMPLE, Samples, Stopwatch, memory
from sim.engine.forecast.moments import Estimate, Group, Spread, capped, spread, together, unseen
from sim.engine.forecast.pilot import (
    BUDGET,
    QUICK,
    Pilot,
    first_pilot,
    more_pilots,
    root_initial,
    root_of,
    shared_chance,
)
from sim.engine.forecast.rush import Rush, busiest_hour, busiest_minute
from sim.engine.forecast.thinning import kept_shares
from sim.engine.incidents import Incidents
from sim.engine.randomness import Randomness
from sim.engine.window import windows
from sim.engine.world import World
from sim.maths.spans import Spans
from sim.maths.units import format_duration
from sim.model.model import Model

Floats = NDArray[np.float64]

LEVEL = 0.95
"""The probability with which intervals hold what a run will give, whatever its seed."""


@dataclass(frozen=True, slots=True)
class StreamForecast:
    """One stream: facts of the run and by month, peaks in facts per second of event time, bytes as lines of JSON.

    `existing` are those of the first month that only say who exists at the start; `sample` are a few facts, in order.
    """

    name: str
    facts: float
    low: float
    high: float
    months: tuple[Estimate, ...]
    peak_per_s: float
    minute_per_s: float
    bytes: float
    existing: float = 0.0
    sample: tuple[Batch, ...] = ()


@dataclass(frozen=True, slots=True)
class PopulationForecast:
    """Entities at the end of each month: those alive, and those in each state."""

    name: str
    alive: tuple[Estimate, ...]
    states: Mapping[str, tuple[Estimate, ...]]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect of a run of any seed. `months` are the instants at which they end, in microseconds.

    Intervals are 95% prediction intervals. `seconds` is the processor time of simulating it here, in one process;
    `tick` is in microseconds; `order` says what follows what inside a tick. `pilots` are the worlds that were run for
    it, as many runs as these are together.
    """

    streams: tuple[StreamForecast, ...]
    total: Estimate
    monthly: tuple[Estimate, ...]
    populations: tuple[PopulationForecast, ...]
    months: tuple[int, ...]
    peak_per_s: float
    minute_per_s: float
    memory_bytes: float
    seconds: float
    tick: int
    windows: int
    blocks: int
    order: tuple[str, ...]
    pilots: float

    @property
    def facts(self) -> float:
        """Facts of all streams."""
        return sum(stream.facts for stream in self.streams)


def forecast(model: Model, seed: int | None = None, quick: bool = False) -> Forecast:
    """Forecast the runs of `model`; takes some seconds, whatever their size. `seed` is that of the pilot worlds."""
    return _Forecaster(model, model.seed if seed is None else seed, QUICK if quick else BUDGET).forecast()


class _Forecaster:
    def __init__(self, model: Model, seed: int, budget: float) -> None:
        self._model = model
        self._months = month_ends(model)
        self._rush = Rush(model.start, model.end)
        self._samples = Samples()
        self._watch = Stopwatch()
        self._first = first_pilot(model, seed, budget)
        self._kept = kept_shares(model, self._first.thinning)
        self._censuses = [self._census(self._first)]
        more = more_pilots(self._first, seed, self._watch.facts, budget)
        self._censuses += [self._census(pilot) for pilot in more]
        self._exposure = [sum(scales) for scales in zip(*(p.scales for p in (self._first, *more)), strict=True)]

    def forecast(self) -> Forecast:
        """All of it, from what the pilots have shown."""
        model = self._model
        profiles = {stream.name: self._rush.profile(stream.name, self._exposure_of(stream)) for stream in model.streams}
        weights = {stream.name: self._samples.weights(stream.name) for stream in model.streams}
        streams = tuple(self._stream(s, profiles[s.name], weights[s.name][0]) for s in model.streams)
        every = self._estimates((EVERY, ""))
        ticks = sum(1 for _ in windows(model.start, model.end, model.tick))
        arrow = {name: (profile, weights[name][1]) for name, profile in profiles.items()}
        together = sum(profiles.values(), np.zeros(1))
        return Forecast(
            streams=streams,
            total=every[-1],
            monthly=tuple(every[:-1]),
            populations=tuple(self._population(own.name) for own in model.populations),
            months=tuple(int(end) for end in self._months),
            peak_per_s=busiest_hour(together),
            minute_per_s=max(busiest_minute(together), *(s.minute_per_s for s in streams), 0.0),
            memory_bytes=memory(model, arrow),
            seconds=self._watch.seconds(self._first, every[-1].mean),
            tick=model.tick,
            windows=ticks,
            blocks=model.blocks,
            order=(*model.order, *_on(model)),
            pilots=max(self._exposure, default=1.0),
        )

    def _census(self, pilot: Pilot) -> Census:
        """Run a pilot."""
        world = World(pilot.model, pilot.seed, frozenset([0]), pilot.thinning)
        census, last = Census(world, self._months), -1
        tick = pilot.model.tick
        count = -(-(self._model.end - self._model.start) // tick)
        for batch in self._watch.batches(world):
            if batch.start != last:
                census.survey(batch.start, min(batch.start + tick, self._model.end))
                last = batch.start
            census.count(batch)
            self._rush.count(batch)
            self._samples.take(batch, max(SAMPLE // count, 64))
        census.close(self._kept)
        return census

    def _stream(self, stream: Stream, profile: Floats, weight: float) -> StreamForecast:
        found = self._births(stream.name) or self._estimates((stream.name, ""), stream)
        facts, crowd = found[-1], self._rush.crowd(stream.name, self._exposure_of(stream)) / 60
        return StreamForecast(
            name=stream.name,
            facts=facts.mean,
            low=facts.low,
            high=facts.high,
            months=tuple(found[:-1]),
            peak_per_s=busiest_hour(profile),
            minute_per_s=max(busiest_minute(profile), crowd),
            bytes=facts.mean * weight,
            existing=self._rush.existing(stream.name, self._exposure_of(stream)),
            sample=tuple(self._samples.of(stream.name)),
        )

    def _births(self, stream: str) -> list[Estimate] | None:
        edges = [self._model.start, *self._months.tolist()]
        for population in self._model.populations:
            if population.stream is not None and population.stream.name == stream:
                return exact_births(self._model, population, list(pairwise(edges)))
        return None

    def _population(self, name: str) -> PopulationForecast:
        population = self._model.population(name)
        machine = population.machine
        mortal = machine is not None and bool(machine.terminal.any())
        found = {"": self._estimates((name, ALIVE), sure=not mortal)[:-1]}
        for state in machine.states if machine is not None else ():
            found[state] = self._estimates((name, state), sure=False)[:-1]
        if population.parent is None and population.arrivals is None:  # nobody comes to those who are there
            most = float(root_initial(population))
            found = {state: [capped(own, most) for own in estimates] for state, estimates in found.items()}
        alive = tuple(found.pop(""))
        return PopulationForecast(name, alive, {state: tuple(estimates) for state, estimates in found.items()})

    def _estimates(self, what: Counted, stream: Stream | None = None, sure: bool = True) -> list[Estimate]:
        """Estimates by month and, last, of the whole run."""
        kept = 1.0 if stream is None else self._kept.get(stream.name, 1.0)
        parts = [self._spread(what, root, group, kept, sure) for root, group in self._groups(what)]
        if not any(part.mean.any() for part in parts):
            return self._unseen(what, stream)
        if stream is not None and stream.key == "resource":  # so many hours, so many resources
            return [Estimate(float(n), float(n), float(n)) for n in sum((part.mean for part in parts), np.zeros(1))]
        return together(parts, self._shared(what, kept, parts), len(self._censuses))

    def _unseen(self, what: Counted, stream: Stream | None) -> list[Estimate]:
        """Estimates of what no pilot has seen."""
        months = len(self._months) + 1
        if stream is not None and self._model.volumes.get(stream.name, 0.0) > 0:
            return unseen(months, self._exposure_of(stream))
        if stream is None and what[1]:
            return unseen(months, self._exposure[root_of(self._model, what[0]).index])
        return [Estimate(0.0, 0.0, 0.0)] * months

    def _groups(self, what: Counted) -> list[tuple[int, int]]:
        return sorted({key[1:] for census in self._censuses for key in census.sums if key[0] == what})

    def _spread(self, what: Counted, root: int, group: int, kept: float, sure: bool) -> Spread:
        empty = np.zeros((len(self._months) + 1, 4))
        sums = sum((census.sums.get((what, root, group), empty) for census in self._censuses), empty)
        size = sum(census.sizes[root, group] for census in self._censuses)
        return spread(sums, self._group(root, group, size), kept, sure)

    def _group(self, root: int, group: int, size: int) -> Group:
        """A group of roots, with the number of real worlds that those of the pilots are."""
        if root == NOBODY:
            return Group(size, float(len(self._censuses)), False)
        population = self._model.populations[root]
        exposure = self._exposure[root]
        if group == 0:
            initial = root_initial(population)
            return Group(size, size / initial if initial and size else exposure, True)
        total = population.arrivals.total if population.arrivals is not None else None
        return Group(size, size / total, True) if total and size else Group(size, exposure, False)

    def _shared(self, what: Counted, kept: float, parts: list[Spread]) -> Floats | None:
        """Variance between worlds beyond that of their roots: what chance does to all of them at once."""
        count = len(self._censuses)
        if not shared_chance(self._model):
            return None
        worlds = np.zeros((count, len(self._months) + 1))
        for place, census in enumerate(self._censuses):
            for root, group in self._groups(what):
                sums = census.sums.get((what, root, group))
                if sums is not None:
                    exposure = self._group(root, group, census.sizes[root, group]).exposure
                    share = exposure if group == 0 and root != NOBODY else exposure / count
                    worlds[place] += sums[:, 0] / kept / share
        sampling = sum((part.doubt for part in parts), np.zeros(len(self._months) + 1)) * count
        beyond: Floats = np.maximum(worlds.var(axis=0, ddof=1) - sampling, 0.0)
        return beyond

    def _exposure_of(self, stream: Stream) -> float:
        kinds = {f"{own.name}_id": self._exposure[own.index] for own in self._model.populations}
        exposure: float = kinds.get(stream.key, float(len(self._censuses)))
        return exposure * self._kept[stream.name]


def month_ends(model: Model) -> NDArray[np.int64]:
    """The ends of the civil months of a run, the last one its own: int64[m]."""
    breaks = model.timeline.civil_breaks(model.start, model.end, "month")
    return np.append(breaks, model.end).astype(np.int64)


def _on(model: Model) -> list[str]:
    """What the plan says of incidents that are on for everybody, with the scenario's seed."""
    incidents, end = Incidents(model, Randomness(model.seed)), model.end
    return [
        f"{incidents.all[index].name} is on {len(spans)} times, {format_duration(_length(spans, end))} in all"
        for index, spans in incidents.spans.items()
    ]


def _length(spans: Spans, end: int) -> int:
    return int((np.minimum(spans.ends, end) - spans.begins).sum())


def sample_table(stream: StreamForecast) -> pa.Table | None:
    """The sampled facts of a stream as a table; None where the pilot gave none."""
    return pa.Table.from_batches([part.data for part in stream.sample]) if stream.sample else None
