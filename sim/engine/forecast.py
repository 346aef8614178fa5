"""What a run will give, before it runs: a pilot of the same world in which streams are thinned.

Births and state changes of the pilot are those of the real run, because random streams have names of their own; only
the points of the rate-driven streams are a sample, whose size keeps the error of their counts well under a percent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.batch import TIME, Batch, Stream
from sim.engine.intensity import Intensity
from sim.engine.kernel import run
from sim.engine.window import Window, windows
from sim.engine.world import World
from sim.maths.curves import integral
from sim.maths.spans import Spans
from sim.maths.units import HOUR, MINUTE, SECOND, format_duration
from sim.model.model import Activity, Follower, Model

_SAMPLE = 1_500_000
_ENTITIES = 2_000_000
_ROWS = 256
_SPANS = (SECOND, MINUTE, HOUR)
_CROWD = 30
_BASE_MEMORY = 160_000_000
_COPIES = 4
"""Windows in memory at once: being filled, merged, queued and encoded."""


@dataclass(frozen=True, slots=True)
class StreamForecast:
    """Expected facts of a stream, their peak rate per second of event time, and their size as JSON in bytes."""

    name: str
    facts: float
    peak_per_s: float
    bytes: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What to expect of a run. `tick` is in microseconds, `order` says what follows what inside a tick."""

    streams: tuple[StreamForecast, ...]
    memory_bytes: float
    tick: int
    windows: int
    blocks: int
    order: tuple[str, ...]

    @property
    def facts(self) -> float:
        """Facts of all streams."""
        return sum(stream.facts for stream in self.streams)


@dataclass(slots=True)
class _Tally:
    """What the pilot has seen of one stream."""

    facts: float = 0.0
    busiest: float = 0.0
    json: float = 0.0
    arrow: float = 0.0
    sampled: int = 0
    largest: float = 0.0


def forecast(model: Model, seed: int | None = None) -> Forecast:
    """Forecast a run of `model`; takes a second or two, whatever the size of the run."""
    entities = sum(population.expected for population in model.populations)
    share = max(1, round(model.blocks * min(1.0, _ENTITIES / max(entities, 1.0))))
    points = _starters(model)
    volumes = {name: activity.expected * _family(model, activity) for name, activity in points.items()}
    thinned = points.keys() - _whole(model)
    # What cannot be thinned is sampled by blocks: at least one.
    fixed = sum(volumes[name] for name in points.keys() - thinned)
    share = min(share, max(1, round(model.blocks * min(1.0, _SAMPLE / max(fixed, 1.0)))))
    share = share if model.shardable else model.blocks
    own = frozenset(range(share))
    expected = sum(volumes[name] for name in thinned) * share / model.blocks
    thinning = dict.fromkeys(thinned, min(1.0, _SAMPLE / max(expected, 1.0)))
    scale = _scales(model, thinning, model.blocks / share)
    world = World(model, model.seed if seed is None else seed, own, thinning)
    tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
    ticks = list(windows(model.start, model.end, model.tick))
    for batch in run(world, model.processes):
        window = ticks[(batch.start - model.start) // model.tick]
        facts = _stands_for(model, batch, scale)
        _count(tallies[batch.stream.name], batch, facts, points.get(batch.stream.name), window)
    found = tuple(_stream(stream, tallies[stream.name]) for stream in model.streams)
    arrow = sum(tally.largest * tally.arrow for tally in tallies.values())
    states = sum(population.expected * _entity_bytes(model, population.index) for population in model.populations)
    memory = _BASE_MEMORY + _COPIES * arrow + states
    return Forecast(found, memory, model.tick, len(ticks), model.blocks, (*model.order, *_on(world)))


def _scales(model: Model, thinning: Mapping[str, float], blocks: float) -> dict[str, float]:
    """By how much each stream's facts in the pilot stand for those of the run."""
    sources = _sources(model)
    scale = {}
    for stream in model.streams:
        root = stream.name
        while root in sources:
            root = sources[root]
        scale[stream.name] = blocks / thinning.get(root, 1.0)
    return scale


def _sources(model: Model) -> dict[str, str]:
    """Which stream each stream follows from, for those that do."""
    sources: dict[str, str] = {}
    families = [*(a.children for a in model.activities), model.followers]
    while families:
        for follower in families.pop():
            sources[follower.name] = follower.trigger.source
            families.append(follower.children)
    for population in model.populations:
        if population.trigger is not None:
            sources[population.name] = population.trigger.source
    for flow in model.flows:
        if flow.trigger is not None:
            sources[flow.name] = flow.trigger.source
        if flow.cases is not None:
            sources[flow.cases.name] = flow.name
        if flow.visits is not None:
            sources[flow.visits.name] = flow.name
    return sources


def _whole(model: Model) -> frozenset[str]:
    """The streams that lead to births, changes of states or attributes, or queues: a sample would change the world."""
    sources = _sources(model)
    whole = {flow.name for flow in model.flows if flow.visits is not None or flow.sets}
    whole |= {activity.name for activity in model.activities if activity.sets} | set(_setting(model))
    for population in model.populations:
        whole |= {population.trigger.source} if population.trigger is not None else set()
        for exits in population.machine.exits if population.machine is not None else ():
            whole |= {exit_.trigger.source for exit_ in exits if exit_.trigger is not None}
    while more := {sources[name] for name in whole if name in sources} - whole:
        whole |= more
    return frozenset(whole)


def _setting(model: Model) -> Iterator[str]:
    """The streams that follow from others and set attributes."""
    families = [*(activity.children for activity in model.activities), model.followers]
    while families:
        for follower in families.pop():
            families.append(follower.children)
            if follower.sets:
                yield follower.name


def _starters(model: Model) -> dict[str, Activity]:
    """What happens at a rate: activities, and the starts of processes."""
    starts = [flow.start for flow in model.flows if flow.start is not None]
    return {activity.name: activity for activity in (*model.activities, *starts) if activity.schedule is None}


def _family(model: Model, activity: Activity) -> float:
    """Facts per fact: itself, its children, and the steps of its cases as if each step were taken once."""
    flow = next((flow for flow in model.flows if flow.start is activity), None)
    return _following(activity.children) if flow is None else float(len(flow.steps)) * float(flow.count.mean())


def _following(children: Sequence[Follower]) -> float:
    return 1.0 + sum(
        child.trigger.probability * float(child.trigger.count.mean()) * _following(child.children) for child in children
    )


def _stands_for(model: Model, batch: Batch, scale: Mapping[str, float]) -> float:
    """How many facts of the run a batch of the pilot stands for; labels stand for as many as their facts."""
    truth, own = model.disturbances, scale[batch.stream.name]
    if truth.facts is not None and batch.stream.name == truth.facts.name:
        streams = batch.data.column("fact_stream")
        counts = np.bincount(np.from_dlpack(streams.indices), minlength=len(streams.dictionary))
        return sum(int(n) * scale[name] for n, name in zip(counts, streams.dictionary.to_pylist(), strict=True))
    if truth.spans is not None and batch.stream.name == truth.spans.name:
        common = int(batch.data.column("entity_id").null_count)
        return common + (len(batch) - common) * own
    return len(batch) * own


def _on(world: World) -> list[str]:
    """What the plan says of incidents that are on for everybody."""
    incidents, end = world.incidents, world.model.end
    return [
        f"{incidents.all[index].name} is on {len(spans)} times, {format_duration(_length(spans, end))} in all"
        for index, spans in incidents.spans.items()
    ]


def _length(spans: Spans, end: int) -> int:
    return int((np.minimum(spans.ends, end) - spans.begins).sum())


def _count(tally: _Tally, batch: Batch, facts: float, points: Activity | None, window: Window) -> None:
    rows = len(batch)
    tally.facts += facts
    tally.largest = max(tally.largest, facts)
    if not rows:
        return
    if points is not None:
        mean = integral(points.curve, window.start, window.until)
        peak = Intensity(points.curve, window.start, window.until).peak
        tally.busiest = max(tally.busiest, facts * peak / mean * SECOND if mean > 0 else 0.0)
    else:
        times = np.from_dlpack(batch.data.column(TIME).cast("int64")).astype(np.int64, copy=False)
        even = facts * SECOND / (window.until - window.start)
        tally.busiest = max(tally.busiest, even, *(_crowd(times, span) * facts / rows for span in _SPANS))
    if tally.sampled < _ROWS:
        _weigh(tally, batch)


def _crowd(times: NDArray[np.int64], span: int) -> float:
    """Facts a second in the busiest span of that length; 0 where too few fall into it to tell it from chance."""
    most = int(np.unique(times // span, return_counts=True)[1].max())
    return most * SECOND / span if most > _CROWD else 0.0


def _weigh(tally: _Tally, batch: Batch) -> None:
    """Average bytes per fact, as JSON and in memory, from a few of them."""
    import polars

    head = batch.data.slice(0, _ROWS)
    frame = polars.DataFrame(polars.from_arrow(head))
    tally.sampled = len(head)
    tally.json = len(frame.write_ndjson()) / len(head)
    tally.arrow = frame.estimated_size() / len(head)


def _stream(stream: Stream, tally: _Tally) -> StreamForecast:
    return StreamForecast(stream.name, tally.facts, tally.busiest, tally.facts * tally.json)


def _entity_bytes(model: Model, index: int) -> float:
    """Bytes that the engine keeps per entity, from the arrays that it has."""
    population = model.populations[index]
    befalling = sum(incident.population == index for incident in model.disturbances.incidents)
    machine = 28 * ((population.machine is not None) + befalling)
    return 24 + machine + len(population.segmentations) + 26 * len(population.profiles) + 12 * len(population.kept)
