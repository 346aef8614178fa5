"""Values that segments, age and time multiply: the amounts of `value: true`, and of attributes with curves.

What is left of a value when it is divided by its declared factors is a draw of the generator, the same for everybody.
So these quotients have the same distribution in all segments, at all ages and at all times.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sim.attributes.attribute import Attribute
from sim.attributes.numbers import NumberAttribute
from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.maths.curves import bind
from sim.maths.units import DAY
from sim.model.model import Follower, Model, Values
from sim.quality.behaviours import grid
from sim.quality.behaviours.alike import FEWEST, Split, judged
from sim.quality.behaviours.members import Members, members_of
from sim.quality.behaviours.reading import (
    Facts,
    Floats,
    Indices,
    NotMeasurable,
    Times,
    chosen,
    count,
    floats,
    instant,
    quoted,
    require,
)
from sim.quality.finding import Finding, unmeasured

_MOST = 200_000
_FINE = 0.002
"""Rounding that is coarser than this share of the spread changes ranks."""

_PLAIN = frozenset(
    {"uniform", "normal", "lognormal", "gamma", "beta", "exponential", "weibull", "pareto", "triangular"}
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The attributes of a stream of facts of a population, and what multiplies their values."""

    stream: Stream
    population: int
    table: AttributeTable
    values: Values


@dataclass(frozen=True, slots=True)
class Worths:
    """Values of one attribute by fact: `base` is what is left of them without their factors."""

    member: Indices
    times: Times
    base: Floats


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on every attribute of facts that segments, age or time multiply."""
    for sheet in _sheets(model):
        for name, attribute in sheet.table.attributes.items():
            if not _multiplied(sheet, attribute):
                continue
            subject = f"{sheet.stream.name}.{name}"
            try:
                yield from _measured(facts, model, sheet, name, attribute, subject)
            except NotMeasurable as why:
                yield unmeasured("behaviour", "value_factors", subject, str(why))


def _sheets(model: Model) -> Iterator[Sheet]:
    for activity in model.activities:
        yield Sheet(activity.stream, activity.population, activity.table, activity.values)
        yield from _below(activity.children)
    yield from _below(model.followers)


def _below(followers: Sequence[Follower]) -> Iterator[Sheet]:
    for follower in followers:
        yield Sheet(follower.stream, follower.population, follower.table, follower.values)
        yield from _below(follower.children)


def _multiplied(sheet: Sheet, attribute: Attribute) -> bool:
    return bool(attribute.curves) or (attribute.by_value and not sheet.values.trivial)


def _measured(
    facts: Facts, model: Model, sheet: Sheet, name: str, attribute: Attribute, subject: str
) -> Iterator[Finding]:
    step = _step(attribute)
    if not isinstance(attribute, NumberAttribute) or step is None:
        raise NotMeasurable("its values are not drawn one by one, or are changed after they are multiplied")
    if name in sheet.table.replaced or any(hit.value != 1.0 for hit in model.disturbances.of(sheet.stream.name)):
        raise NotMeasurable("incidents change it")
    members = members_of(facts, model, model.populations[sheet.population])
    worths = _worths(facts, model, sheet, attribute, attribute.column_name(name), members)
    spread = float(np.subtract(*np.quantile(worths.base, [0.75, 0.25]))) if len(worths.base) >= FEWEST else 0.0
    if not spread or step > _FINE * spread:
        raise NotMeasurable("there are too few values, or they are rounded too much")
    known = sheet.values.segments if attribute.by_value else None
    splits = [*_by_segment(subject, worths, members, known), *_by_age(subject, worths, members)]
    edges = grid.periods(model.timeline, len(worths.base))
    period = np.searchsorted(edges, worths.times, side="right")
    splits.append(Split("value_time", subject, grid.labels_of_periods(model.timeline, edges), period, {}))
    yield from judged(worths.base, [split for split in splits if len(split.groups) > 1])


def _by_segment(subject: str, worths: Worths, members: Members, known: Sequence[Floats] | None) -> Iterator[Split]:
    for place, (segmentation, codes) in enumerate(zip(members.population.segmentations, members.segments, strict=True)):
        names = segmentation.names
        declared = dict(zip(names, known[place].tolist(), strict=True)) if known is not None else {}
        yield Split("value_segments", f"{subject}, {segmentation.name}", names, codes[worths.member], declared)


def _by_age(subject: str, worths: Worths, members: Members) -> Iterator[Split]:
    ages = worths.times - members.births[worths.member]
    edges = np.unique(np.round(np.quantile(ages, np.arange(1, 6) / 6) / DAY).astype(np.int64) * DAY)
    edges = edges[edges > 0]
    band = np.searchsorted(edges, ages, side="right")
    yield Split("value_ages", subject, grid.labels_of_bands(edges), band, {})


def _step(attribute: Attribute) -> float | None:
    """By how much values are rounded at most; None where they are changed in other ways, or are no plain numbers."""
    if getattr(attribute, "type", "") not in _PLAIN:
        return None
    step = 0.0
    for modifier in attribute.modifiers:
        if modifier.type == "round" and getattr(modifier, "digits", None) is not None:
            step = max(step, 10.0 ** -int(getattr(modifier, "digits")))  # noqa: B009 - not all modifiers have them
        elif modifier.type != "null":
            return None
    return step


def _worths(facts: Facts, model: Model, sheet: Sheet, attribute: Attribute, column: str, members: Members) -> Worths:
    stream = sheet.stream.name
    require(facts, stream)
    key = f"{members.population.name}_id"
    share = min(members.share, _MOST / max(count(facts, stream), 1))
    ids, when, values = floats(
        facts,
        f"SELECT {quoted(key)}::DOUBLE AS a, {instant('event_time')}::DOUBLE AS b, {quoted(column)}::DOUBLE AS c"
        f" FROM {quoted(stream)} WHERE {chosen(key, share)} AND {quoted(column)} IS NOT NULL",
    )
    times = when.astype(np.int64)
    member = members.rows(ids.astype(np.int64))
    known = member >= 0
    member, times, values = member[known], times[known], values[known]
    factor = np.ones(len(values))
    if attribute.by_value:
        for factors, codes in zip(sheet.values.segments, members.segments, strict=True):
            factor *= factors[codes[member]]
        if sheet.values.vintage is not None:
            factor *= sheet.values.vintage.at(np.maximum(times - members.births[member], 0))
    for curve in attribute.curves:
        factor *= bind(curve, model.timeline, model.curves).at(times)
    sound = factor > 0
    return Worths(member[sound], times[sound], values[sound] / factor[sound])
