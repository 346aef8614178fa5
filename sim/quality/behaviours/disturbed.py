"""What incidents do to a measurement: times that are left out, and spells that multiply or are left out, by entity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.maths.curves import BoundCurve, product_of
from sim.maths.spans import Lifted, Spans
from sim.model.incident import Incident
from sim.model.model import Model
from sim.quality.behaviours.members import Members, Stays, Track, track_of_spells
from sim.quality.behaviours.reading import Facts, Floats, NotMeasurable, columns


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Of one stream: `outside` are times that do not count; the factors [clear, on] of each track of spells.

    A factor of NaN says that what happens during the spell does not count.
    """

    outside: Spans | None
    tracks: tuple[Track, ...]
    factors: tuple[Floats, ...]

    def curve(self, curve: BoundCurve) -> BoundCurve:
        """The curve where it counts, 0 elsewhere."""
        return without(curve, self.outside)

    def muted(self, stays: Stays) -> np.ndarray:
        """Which stays do not count, bool[stays]; the tracks of spells are the last ones."""
        first = len(stays.states) - len(self.tracks)
        muted = np.zeros(len(stays), dtype=np.bool_)
        for place, factors in enumerate(self.factors):
            muted |= np.isnan(factors[stays.states[first + place]])
        return muted


def disturbance_of(facts: Facts, model: Model, members: Members, stream: str) -> Disturbance:
    """What befalls the rate of a stream. Raises NotMeasurable where it is hidden when that was."""
    spans: list[Spans] = []
    tracks: list[Track] = []
    factors: list[Floats] = []
    for hit in model.disturbances.of(stream):
        incident = model.disturbances.incidents[hit.incident]
        if incident.single or (hit.rate == 1.0 and not hit.extra):
            continue
        if incident.population < 0:
            spans.append(spans_of(facts, incident))
            continue
        _check_told(incident)
        tracks.append(track_of_spells(facts, model, members, incident.name, hit.generations))
        factors.append(np.array([1.0, np.nan if hit.extra else hit.rate]))
    return Disturbance(union(spans), tuple(tracks), tuple(factors))


def spans_of(facts: Facts, incident: Incident) -> Spans:
    """When an incident that hits everybody at once is on. Raises NotMeasurable where that is not told."""
    if incident.spans is not None:
        return incident.spans
    _check_told(incident)
    if "incident" not in facts.streams:
        raise NotMeasurable(f"when the incident {incident.name!r} is on is not told")
    name = incident.name.replace("'", "''")
    begins, ends = columns(
        facts,
        "SELECT epoch_us(began_at), epoch_us(ends_at) FROM incident"
        f" WHERE incident::VARCHAR = '{name}' AND entity_id IS NULL ORDER BY 1",
    )
    return Spans(begins, ends, incident.up, incident.down)


def without(curve: BoundCurve, outside: Spans | None) -> BoundCurve:
    """The curve, 0 in spans that do not count."""
    return curve if outside is None else product_of([curve, Lifted(outside, 1.0, 0.0)])


def untouched(model: Model, stream: str, keys: Sequence[str]) -> None:
    """Raise NotMeasurable where an incident multiplies one of `keys` of a stream."""
    for hit in model.disturbances.of(stream):
        if any(getattr(hit, key) != 1.0 for key in keys):
            name = model.disturbances.incidents[hit.incident].name
            raise NotMeasurable(f"the incident {name!r} changes it for some time")


def _check_told(incident: Incident) -> None:
    if not incident.labelled:
        raise NotMeasurable(f"when the incident {incident.name!r} is on is not told")


def union(spans: Sequence[Spans]) -> Spans | None:
    """Disjoint spans that cover all of `spans`, without ramps."""
    if not spans:
        return None
    begins = np.concatenate([several.begins for several in spans])
    ends = np.concatenate([several.ends for several in spans])
    order = np.argsort(begins, kind="stable")
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    if not len(begins):
        return None
    new = np.append(True, begins[1:] > ends[:-1])
    last = np.append(np.flatnonzero(new)[1:] - 1, len(begins) - 1)
    return Spans(begins[new], ends[last])
