"""Rates before, during and after incidents.

Before and after are the same hours of as many whole weeks earlier and later as the incident needs to be over, so that
neither the day nor the week makes a difference. Intervals of ratios are those of Poisson rates on the logarithmic scale
(K. J. Rothman, S. Greenland and T. L. Lash 2008, Modern Epidemiology, chapter 14).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sim.quality.report.reading import Reading
from sim.quality.report.spells import Event, labels
from sim.quality.report.view import View, table
from sim.quality.report.volume import starts, thing
from sim.quality.tables import literal, quoted

WEEK = timedelta(days=7)
PHASES = {-1: "before", 0: "during", 1: "after"}

Part = tuple[int, datetime, datetime]
"""A phase, and from when to when."""


@dataclass(frozen=True, slots=True)
class Rated:
    """Facts (`counts`) and `time` by phase, of a stream during an incident; time is in the unit that `of` names."""

    name: str
    of: str
    counts: Mapping[int, int]
    time: Mapping[int, float]
    declared: float | None = None

    def rate(self, phase: int) -> float | None:
        """Facts per time; None where there was none."""
        return self.counts[phase] / self.time[phase] if self.time[phase] else None

    def ratio(self) -> tuple[float, float, float] | None:
        """The rate during over that before and after, with its 95% interval; None where one of them is not known."""
        around, besides = self.counts[-1] + self.counts[1], self.time[-1] + self.time[1]
        if not (self.time[0] and besides and around):
            return None
        ratio = (self.counts[0] / self.time[0]) / (around / besides)
        reach = 1.96 * math.sqrt(1 / max(self.counts[0], 0.5) + 1 / around)
        return ratio, ratio * math.exp(-reach), ratio * math.exp(reach)


def of_everybody(view: View, found: list[Event]) -> Iterator[Rated]:
    """For each event and stream, and for its groups where it has any: facts and hours by phase."""
    for event in found:
        for stream, factor in event.streams.items():
            reading = view.streams[stream]
            spans = [(phase, a, b) for span in event.spans for phase, a, b in _phases(view, span)]
            hours = {
                phase: sum((b - a) / timedelta(hours=1) for own, a, b in spans if own == phase) for phase in PHASES
            }
            for group, counts in _counts(view, reading, event, spans).items():
                hit = factor if group in ("", "affected") else 1.0
                name = f"{event.name}: {thing(reading)}" + (f", {group}" if group else "")
                yield Rated(name, "hour", counts, hours, hit)


def _phases(view: View, span: tuple[datetime, datetime]) -> Iterator[Part]:
    """The span, and the same hours of the weeks before and after it, as far as the data reach."""
    weeks = math.ceil((span[1] - span[0]) / WEEK) * WEEK
    for phase in PHASES:
        begin, until = (moment + phase * weeks for moment in span)
        if begin >= view.start and until <= view.until:
            yield phase, begin, until


def _counts(view: View, reading: Reading, event: Event, parts: list[Part]) -> dict[str, dict[int, int]]:
    """Facts by group and phase; the only group is called nothing where everybody is hit."""
    listed = ", ".join(f"({phase}, {view.instant(a)}, {view.instant(b)})" for phase, a, b in parts)
    group, facts = "''", f"{table(reading)} AS fact"
    if event.groups is not None and reading.key and reading.owner and event.groups[0] in view.all[reading.owner].texts:
        names = ", ".join(map(literal, event.groups[1]))
        group = f"CASE WHEN who.{quoted(event.groups[0])} IN ({names}) THEN 'affected' ELSE 'others' END"
        key = quoted(reading.key)
        facts += f" JOIN {quoted(reading.owner)} AS who ON who.{quoted(view.all[reading.owner].id or '')} = fact.{key}"
    at = view.at(reading).replace('"', 'fact."', 1)
    begun = starts(reading)
    rows = view.query(
        f"""
        WITH span(phase, a, b) AS (VALUES {listed}),
        fact AS (SELECT {at} AS t, {group} AS name FROM {facts} WHERE {begun})
        SELECT name, phase, count(*) FROM fact JOIN span ON t >= a AND t < b GROUP BY ALL
        """
    )
    found: dict[str, dict[int, int]] = {name: dict.fromkeys(PHASES, 0) for name in {row[0] for row in rows}}
    for name, phase, count in rows:
        found[name][phase] = count
    return found or {"": dict.fromkeys(PHASES, 0)}


def of_entities(view: View, told: Reading) -> Iterator[Rated]:
    """For what happens to entities one by one: facts and hours of those entities by phase."""
    kinds = view.query(
        f"SELECT DISTINCT incident::VARCHAR, entity::VARCHAR FROM {table(told)} WHERE entity IS NOT NULL"
    )
    for incident, kind in sorted(kinds):
        hit = labels(view)
        names = (
            view.query(f"SELECT DISTINCT fact_stream::VARCHAR FROM {table(hit)} WHERE incident = {literal(incident)}")
            if hit is not None
            else []
        )
        for (stream,) in sorted(names):
            if stream in view.streams and kind in view.streams:
                yield from _entity(view, told, incident, view.streams[kind], view.streams[stream])


def _entity(view: View, told: Reading, incident: str, kind: Reading, reading: Reading) -> Iterator[Rated]:
    facts = _keyed(view, reading, kind)
    if facts is None:
        return
    begin, until = view.at(told, "began_at"), view.at(told, "ends_at")
    first, last, born = view.instant(view.start), view.instant(view.until), view.at(kind, "born_at")
    weeks = f"to_days(7 * ceil((epoch({until}) - epoch({begin})) / 604800)::INT)"
    rows = view.query(
        f"""
        WITH spell AS (
            SELECT entity_id AS id, {begin} AS a, {until} AS b, {weeks} AS weeks FROM {table(told)}
            WHERE incident = {literal(incident)} AND entity_id IS NOT NULL
        ), part AS (
            SELECT spell.id, phase, greatest(a + phase * weeks, {first}, {born}) AS a,
                   least(b + phase * weeks, {last}) AS b
            FROM spell CROSS JOIN (VALUES (-1), (0), (1)) AS phases(phase) JOIN {table(kind)} AS who
                 ON who.{quoted(kind.key or "")} = spell.id
        ), fact AS {facts}
        SELECT phase, sum(epoch(b) - epoch(a)) / 86400, coalesce(sum(n), 0)
        FROM (
            SELECT part.phase, part.a, part.b, count(fact.t) AS n FROM part
            LEFT JOIN fact ON fact.id = part.id AND fact.t >= part.a AND fact.t < part.b
            WHERE part.a < part.b GROUP BY part.phase, part.a, part.b, part.id
        ) GROUP BY 1
        """
    )
    counts = dict.fromkeys(PHASES, 0) | {phase: int(count) for phase, _, count in rows}
    time = dict.fromkeys(PHASES, 0.0) | {phase: float(days) for phase, days, _ in rows}
    yield Rated(f"{incident}: {thing(reading)} of {kind.name}s hit", f"{kind.name} and day", counts, time)


def _keyed(view: View, reading: Reading, kind: Reading) -> str | None:
    """SQL for the facts of a stream by the entity of a kind: its own, or the one that its own belongs to."""
    key, at, begun = quoted(kind.key or ""), view.at(reading), starts(reading)
    names = view.data.schema(reading.name).names
    if kind.key in names:
        return f"(SELECT {key} AS id, {at} AS t FROM {table(reading)} WHERE {begun})"
    owner = view.all[reading.owner] if reading.owner else None
    if owner is None or kind.key not in view.data.schema(owner.name).names:
        return None
    own = quoted(reading.key or "")
    return (
        f"(SELECT who.{key} AS id, fact.t FROM (SELECT {own} AS own, {at} AS t FROM {table(reading)} WHERE {begun}) "
        f"AS fact JOIN {table(owner)} AS who ON who.{quoted(owner.key or '')} = fact.own)"
    )
