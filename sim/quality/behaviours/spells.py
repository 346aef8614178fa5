"""Incidents that are on for all: the factor on a rate while they are on, against the same rate at other times.

Given the number of events inside and outside of an incident together, those inside are binomial with the share that
the compensators give them (Przyborowski and Wilenski 1940), whatever the level of the rate is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import stats

from sim.maths.curves import BoundCurve, product_of
from sim.maths.spans import Lifted, Spans
from sim.model.incident import Hit
from sim.model.model import Model
from sim.quality.behaviours.disturbed import spans_of, union
from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.intensity import Declared, Groups
from sim.quality.behaviours.members import Members, Stays
from sim.quality.behaviours.reading import Facts, Indices, NotMeasurable, Times
from sim.quality.behaviours.sheet import Sheet, sheet_of
from sim.quality.behaviours.struck import share_and_factor
from sim.quality.behaviours.tables import TimeTable
from sim.quality.finding import Finding, statistical, unmeasured

_FEWEST = 20.0


def factors_of_incidents(
    facts: Facts,
    model: Model,
    stream: str,
    curve: BoundCurve,
    lives: tuple[Members, Stays, Declared, tuple[Indices, Times]],
    calm: Sheet,
) -> Iterator[Finding]:
    """The finding on each incident for everybody that changes a stream's rate; `calm` is the sheet without them."""
    hits = [hit for hit in model.disturbances.of(stream) if model.disturbances.incidents[hit.incident].population < 0]
    hits = [hit for hit in hits if hit.rate != 1.0 and not model.disturbances.incidents[hit.incident].single]
    spans = [spans_of(facts, model.disturbances.incidents[hit.incident]) for hit in hits]
    for place, (hit, own) in enumerate(zip(hits, spans, strict=True)):
        subject = f"{stream}: {model.disturbances.incidents[hit.incident].name}"
        rest = [other for number, other in enumerate(spans) if number != place]
        partly = any(not one.everybody or one.extra for one in hits if one is not hit)
        if not len(own):
            continue
        if hit.extra:
            yield unmeasured("behaviour", "incident_factor", subject, "facts are added")
        elif (partly or not hit.everybody) and _overlapping(own, rest):
            yield unmeasured("behaviour", "incident_factor", subject, "another incident is on at the same time")
        elif hit.everybody:
            every = [Lifted(other, 1.0, one.rate) for one, other in zip(hits, spans, strict=True)]
            yield from _of_hit(hit, subject, product_of([curve, *every]), own, model, lives, calm)
        else:
            try:
                yield from share_and_factor(facts, model, stream, hit, own, union(spans), curve, lives, subject)
            except NotMeasurable as why:
                yield unmeasured("behaviour", "incident_factor", subject, str(why))


def _overlapping(own: Spans, others: list[Spans]) -> bool:
    """Whether any of the other spans has a part in one of these."""
    spans = zip(own.begins.tolist(), own.ends.tolist(), strict=True)
    return any(other.touch(begin, end) for begin, end in spans for other in others)


def _of_hit(
    hit: Hit,
    subject: str,
    curve: BoundCurve,
    spans: Spans,
    model: Model,
    lives: tuple[Members, Stays, Declared, tuple[Indices, Times]],
    calm: Sheet,
) -> Iterator[Finding]:
    members, stays, declared, (member, times) = lives
    on = Spans(spans.begins, spans.ends)
    inside = product_of([curve, Lifted(on, 0.0, 1.0)])
    here = on.number(times) >= 0
    changed = replace(declared, times=TimeTable(inside, model.start, model.end), variance=0.0)
    hours = np.array([model.start, model.end])
    sheet = sheet_of(members, stays, changed, Groups(), (member[here], times[here]), hours, leaving=True)
    found, expected = float(sheet.observed.sum()) + sheet.stray, float(sheet.expected.sum())
    others, usual = float(calm.observed.sum()), float(calm.expected.sum())
    if min(expected, usual) < _FEWEST:
        return
    share = expected / (expected + usual)
    total = int(found + others)
    ratio = (found / expected) / (others / usual) if others else np.inf
    error = Z * np.sqrt(1 / max(found, 1.0) + 1 / max(others, 1.0))
    yield statistical(
        "behaviour",
        "incident_factor",
        subject,
        float(stats.binomtest(int(found), total, share).pvalue),
        estimate=hit.rate * ratio,
        low=hit.rate * ratio * float(np.exp(-error)),
        high=hit.rate * ratio * float(np.exp(error)),
        declared=hit.rate,
        detail=f"factor on the rate; {found:,.0f} events where {expected:,.1f} are expected",
    )
