"""When something unusual was on for everybody: incidents, and windows of the curves on rates, with what they hit.

The ground truth of the data tells it, where it is there; else the scenario, as far as the times stand in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from sim.maths.curves import CurveRef, Product
from sim.maths.incidents import Window
from sim.maths.timecurve import TimeCurve
from sim.quality.report.reading import Reading
from sim.quality.report.view import View, table
from sim.quality.tables import literal
from sim.scenario.hits import afflicted
from sim.scenario.incidents import Incident
from sim.scenario.schema import Scenario

Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Event:
    """Something unusual: its `spans` in UTC inside the data, the streams that it hits, and the factor on their rate.

    A factor is the mean over a span with its ramps, None where none is declared. `groups` are the segments of the
    segmentation that alone are hit, if it is not all.
    """

    name: str
    kind: str
    description: str
    spans: tuple[Span, ...]
    streams: Mapping[str, float | None]
    groups: tuple[str, tuple[str, ...]] | None = None

    @property
    def hours(self) -> float:
        """How long it was on, in all."""
        return sum((until - begin) / timedelta(hours=1) for begin, until in self.spans)


def events(view: View) -> list[Event]:
    """All that was on for everybody during the data, the first first."""
    scenario = view.declared.scenario if view.declared else None
    told = _recorded(view)
    found = list(_undeclared(view, told)) if scenario is None else [*_incidents(scenario, told), *_windows(scenario)]
    inside = [_clipped(view, event) for event in found]
    return sorted((event for event in inside if event.spans and event.streams), key=lambda event: event.spans[0])


def recorded(view: View) -> Reading | None:
    """The stream of the ground truth that tells when incidents began and ended."""
    return next((each for each in view.of("truth") if "ends_at" in view.data.schema(each.name).names), None)


def labels(view: View) -> Reading | None:
    """The stream of the ground truth that tells which facts were hit."""
    return next((each for each in view.of("truth") if "fact_stream" in view.data.schema(each.name).names), None)


def _recorded(view: View) -> dict[str, list[Span]]:
    """Spans of what was on for everybody, by incident."""
    reading = recorded(view)
    if reading is None:
        return {}
    rows = view.query(
        f"SELECT incident::VARCHAR, epoch_us({view.at(reading, 'began_at')}), epoch_us({view.at(reading, 'ends_at')}) "
        f"FROM {table(reading)} WHERE entity_id IS NULL ORDER BY 2"
    )
    found: dict[str, list[Span]] = {}
    for name, begin, until in rows:
        found.setdefault(name, []).append((_moment(begin), _moment(until)))
    return found


def _undeclared(view: View, told: Mapping[str, list[Span]]) -> Iterator[Event]:
    hit = labels(view)
    for name, spans in told.items():
        names = (
            view.query(f"SELECT DISTINCT fact_stream::VARCHAR FROM {table(hit)} WHERE incident = {literal(name)}")
            if hit is not None
            else []
        )
        yield Event(name, "incident", "", tuple(spans), {str(row[0]): None for row in names})


def _incidents(scenario: Scenario, told: Mapping[str, list[Span]]) -> Iterator[Event]:
    for name, spec in scenario.incidents.items():
        if spec.per is not None:
            continue
        spans = told.get(name, [])
        if spec.from_ is not None and spec.until is not None:
            spans = [(_moment(spec.from_), _moment(spec.until))]
        effects = afflicted(scenario, spec).items()
        streams = {
            stream: _mean(1 + spec.share * (own.rate - 1), spec, spans) for stream, own in effects if own.rate != 1
        }
        streams |= {stream: None for stream, own in effects if own.extra}
        yield Event(name, "incident", spec.description, tuple(spans), streams, _groups(spec))


def _groups(spec: Incident) -> tuple[str, tuple[str, ...]] | None:
    """The only segments that are hit, of the first segmentation that says so."""
    return next(((by, tuple(names)) for by, names in spec.segments.items() if not isinstance(names, Mapping)), None)


def _windows(scenario: Scenario) -> Iterator[Event]:
    """The windows among the curves on rates, each with the streams that have it."""
    users: dict[str, dict[str, float | None]] = {}
    windows: dict[str, Window] = {}
    for stream, curves, whole in _rated(scenario):
        for name, window in _found(scenario, curves, stream):
            windows[name] = window
            span = (_moment(window.from_), _moment(window.until))
            users.setdefault(name, {})[stream] = _mean(window.factor_, window, [span]) if whole else None
    for name, window in windows.items():
        said = f"Factor {window.factor_:g} on the rate{', with ramps' if window.up or window.down else ''}."
        yield Event(name, "window", said, ((_moment(window.from_), _moment(window.until)),), users[name])


def _rated(scenario: Scenario) -> Iterator[tuple[str, Sequence[CurveRef], bool]]:
    """Every stream that has curves on its rate, with these, and whether they are on all of it: not on some changes."""
    for kind, entity in scenario.entities.items():
        if entity.arrivals:
            yield kind, entity.arrivals.curves, True
        states = entity.lifecycle.states.values() if entity.lifecycle else ()
        yield from ((f"{kind}_lifecycle", way.curves, False) for state in states for way in state.transitions)
    yield from ((name, spec.curves, True) for name, spec in scenario.streams.items())
    yield from ((name, spec.start.curves, True) for name, spec in scenario.processes.items())


def _found(scenario: Scenario, curves: Sequence[CurveRef], place: str) -> Iterator[tuple[str, Window]]:
    """The windows among curves, products included; those without a name are called after their stream."""
    for curve in curves:
        name, spec = (curve, scenario.curves[curve]) if isinstance(curve, str) else (f"window of {place}", curve)
        if isinstance(spec, Window):
            yield name, spec
        elif isinstance(spec, Product):
            yield from _found(scenario, spec.curves, place)


def _mean(factor: float, ramped: Incident | Window | TimeCurve, spans: Sequence[Span]) -> float | None:
    """The mean of a factor over spans with ramps, along which it is half on."""
    lengths = np.array([(until - begin) / timedelta(microseconds=1) for begin, until in spans])
    ramps = (getattr(ramped, "up", 0) + getattr(ramped, "down", 0)) / 2
    if not lengths.sum():
        return None
    return float(1 + (factor - 1) * np.maximum(lengths - ramps, lengths / 2).sum() / lengths.sum())


def _clipped(view: View, event: Event) -> Event:
    """What of it is inside the data, and in streams that are there."""
    spans = tuple((max(a, view.start), min(b, view.until)) for a, b in event.spans if a < view.until and b > view.start)
    streams = {name: factor for name, factor in event.streams.items() if name in view.streams}
    return Event(event.name, event.kind, event.description, spans, streams, event.groups)


def _moment(instant: int) -> datetime:
    return datetime.fromtimestamp(instant / 1e6, UTC)
