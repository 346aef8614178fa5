"""What follows from facts: how many facts of a stream follow from each fact of another, and how long after it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.batch import Stream
from sim.model.model import Follower, Model
from sim.quality.behaviours.causes import causes_of
from sim.quality.behaviours.counts import followers
from sim.quality.behaviours.reading import (
    Facts,
    Indices,
    NotMeasurable,
    Times,
    chosen,
    columns,
    count,
    instant,
    quoted,
    require,
)
from sim.quality.behaviours.survival import lengths
from sim.quality.behaviours.walks import disturbed, ends_of
from sim.quality.finding import Finding, unmeasured

_MOST = 300_000


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every stream that follows from another, the children of streams included."""
    direct = [child for activity in model.activities for child in activity.children]
    for follower in _all([*direct, *model.followers]):
        try:
            yield from _measured(facts, model, follower)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "followers", follower.name, str(why))


def _all(followers: list[Follower]) -> Iterator[Follower]:
    for follower in followers:
        yield follower
        yield from _all(list(follower.children))


def _measured(facts: Facts, model: Model, follower: Follower) -> Iterator[Finding]:
    trigger = follower.trigger
    require(facts, trigger.source)
    require(facts, follower.name)
    source = next(stream for stream in model.streams if stream.name == trigger.source)
    if source.id not in follower.stream.schema.names:
        raise NotMeasurable("its facts do not name the fact that they follow from")
    share = min(1.0, _MOST / max(count(facts, source.name), count(facts, follower.name), 1))
    causes = causes_of(facts, source, trigger.where, chosen(source.id, share))
    ids, times = causes.ids, causes.times
    link = quoted(source.id)
    cause, when = columns(
        facts,
        f"SELECT {link}::BIGINT AS a, {instant('event_time')} AS b"
        f" FROM {quoted(follower.name)} WHERE {chosen(source.id, share)} ORDER BY 1, 2",
    )
    ends = _horizons(facts, model, follower, source, share, ids)
    outside = disturbed(facts, model, follower.name)
    calm = np.ones(len(ids), dtype=np.bool_) if outside is None else outside.number(times) < 0
    ids, times, ends = ids[calm], times[calm], ends[calm]
    place = np.minimum(np.searchsorted(ids, cause), max(len(ids) - 1, 0))
    known = ids[place] == cause if len(ids) else np.zeros(len(cause), dtype=np.bool_)
    many = np.bincount(place[known], minlength=len(ids))
    yield from followers(follower.name, trigger.count, trigger.probability, trigger.after, many, ends - times)
    if trigger.after is not None:
        found = (when[known] - times[place[known]]).astype(np.float64)
        horizons = (ends - times)[place[known]].astype(np.float64)
        yield from lengths("delays", follower.name, trigger.after, found, horizons)


def _horizons(facts: Facts, model: Model, follower: Follower, source: Stream, share: float, ids: Indices) -> Times:
    """When nothing more would follow from each fact, int64[n]."""
    population = model.populations[follower.population]
    cutting = any(one.machine is not None and one.machine.cut.any() for one in model.lineage(population))
    if not cutting or follower.trigger.outlives:
        return np.full(len(ids), model.end)
    key = f"{population.name}_id"
    if key not in source.schema.names:
        raise NotMeasurable("it is cut off by states of what the entity belongs to")
    own, who = columns(
        facts,
        f"SELECT {quoted(source.id)}::BIGINT AS a, {quoted(key)}::BIGINT AS b FROM {quoted(source.name)}"
        f" WHERE {chosen(source.id, share)} ORDER BY 1",
    )
    return ends_of(facts, model, population, who[np.searchsorted(own, ids)])
