"""Incidents that hit a share of the entities only: which share, and what they do to the rate of those that are hit.

The ground truth marks the facts of those that are hit, but nobody is marked whose facts have all been lost. So the
share is told by the facts without a mark: of m that an entity would have while it is on, all with probability 1 - q,
else none. The factor is told by those that have a marked fact: of n facts inside and in calm times together, those
inside are binomial, at least one (Przyborowski and Wilenski 1940), however active the entity is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from sim.maths.curves import BoundCurve, product_of
from sim.maths.spans import Lifted, Spans
from sim.model.incident import Hit
from sim.model.model import Model
from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.intensity import Declared, Groups, pieces_of
from sim.quality.behaviours.loglinear import count_p
from sim.quality.behaviours.members import Members, Stays
from sim.quality.behaviours.reading import Facts, Floats, Indices, NotMeasurable, Times, columns, require, sums
from sim.quality.behaviours.tables import TimeTable
from sim.quality.finding import Finding, statistical, unmeasured

_FEWEST = 20.0


@dataclass(frozen=True, slots=True)
class Struck:
    """By member and span of an incident, [members, spans]: what was expected without it, and times its level.

    `marked` and `plain` are the facts inside with and without a mark; `calm` and `usual`, [members], the facts at other
    times and what was expected then. `chance` is the probability that a member is hit.
    """

    without: Floats
    levelled: Floats
    marked: Floats
    plain: Floats
    calm: Floats
    usual: Floats
    chance: Floats


def share_and_factor(
    facts: Facts,
    model: Model,
    stream: str,
    hit: Hit,
    spans: Spans,
    others: Spans | None,
    curve: BoundCurve,
    lives: tuple[Members, Stays, Declared, tuple[Indices, Times]],
    subject: str,
) -> Iterator[Finding]:
    """The findings on an incident of a stream at a rate; `others` are all spans in which it is not calm.

    `curve` is that of the stream without incidents. Raises NotMeasurable.
    """
    members, _, declared, _ = lives
    incident = model.disturbances.incidents[hit.incident]
    if members.population.parent is not None:
        raise NotMeasurable("it hits what belongs together at once")
    if hit.states is not None:
        raise NotMeasurable("it hits those in some states only")
    if not incident.labelled:
        raise NotMeasurable("it is not told whom it hits")
    require(facts, "incident_fact")
    struck = _struck(facts, model, stream, hit, incident.name, spans, others, curve, lives)
    yield from _share(struck, hit, declared.variance, subject)
    yield from _factor(struck, hit, subject)


def _struck(
    facts: Facts,
    model: Model,
    stream: str,
    hit: Hit,
    incident: str,
    spans: Spans,
    others: Spans | None,
    curve: BoundCurve,
    lives: tuple[Members, Stays, Declared, tuple[Indices, Times]],
) -> Struck:
    members, _, declared, (member, times) = lives
    on = Spans(spans.begins, spans.ends)
    flat = _expected(model, lives, product_of([curve, Lifted(on, 0.0, 1.0)]), spans)
    levelled = _expected(model, lives, product_of([curve, Lifted(spans, 0.0, 1.0)]), spans)
    everything = _counted(members, spans, member, times)
    told, name = incident.replace("'", "''"), stream.replace("'", "''")
    ids, when = columns(
        facts,
        "SELECT entity_id::BIGINT AS a, epoch_us(event_time) AS b FROM incident_fact"
        f" WHERE incident::VARCHAR = '{told}' AND fact_stream::VARCHAR = '{name}'",
    )
    rows = members.rows(ids)
    marked = _counted(members, spans, rows[rows >= 0], when[rows >= 0])
    quiet = np.ones(len(times), dtype=np.bool_) if others is None else others.number(times) < 0
    calm = np.bincount(member[quiet], minlength=len(members)).astype(np.float64)
    usual = np.zeros(len(members))
    for chunk, pieces in pieces_of(members, lives[1], declared, Groups()):
        usual += sums(chunk.member[pieces.stay], pieces.expected, len(members))
    chance = np.full(len(members), hit.share)
    for factors, codes in zip(hit.segments, members.segments, strict=True):
        chance = chance * factors[codes]
    return Struck(flat, levelled, marked, everything - marked, calm, usual, np.clip(chance, 0.0, 1.0))


def _expected(
    model: Model, lives: tuple[Members, Stays, Declared, tuple[Indices, Times]], curve: BoundCurve, spans: Spans
) -> Floats:
    """What is expected of each member in each span under a curve, float64[members, spans]."""
    members, stays, declared, _ = lives
    inside = replace(declared, times=TimeTable(curve, model.start, model.end))
    edges = np.unique(np.concatenate([spans.begins, spans.ends]))
    total = np.zeros(len(members) * len(spans))
    for chunk, pieces in pieces_of(members, stays, inside, Groups(times=edges)):
        which = spans.number(pieces.start + (pieces.until - pieces.start) // 2)
        here = which >= 0
        place = chunk.member[pieces.stay[here]] * len(spans) + which[here]
        total += sums(place, pieces.expected[here], len(total))
    return total.reshape(len(members), len(spans))


def _counted(members: Members, spans: Spans, member: Indices, times: Times) -> Floats:
    which = spans.number(times)
    place = (member * len(spans) + which)[which >= 0]
    shape = (len(members), len(spans))
    return np.bincount(place, minlength=len(members) * len(spans)).astype(np.float64).reshape(shape)


def _share(struck: Struck, hit: Hit, variance: float, subject: str) -> Iterator[Finding]:
    """The share of the entities, by the facts of those that are not hit."""
    spared = 1 - struck.chance[:, None]
    mean = spared * struck.without
    expected, usual, calm = float(mean.sum()), float(struck.usual.sum()), float(struck.calm.sum())
    whole = float(struck.without.sum())
    if min(expected, usual, calm) < _FEWEST or not 0 < expected < whole:
        yield unmeasured("behaviour", "incident_share", subject, f"{expected:.1f} facts without it are expected")
        return
    own, found = mean.sum(axis=1), float(struck.plain.sum())
    ratio = expected / usual
    # all or nothing by entity and span, Poisson, and the frailty that calm times share
    spread = mean + spared * (1 - spared) * struck.without**2 * (1 + variance)
    total = float(spread.sum() + ratio**2 * usual + variance * ((own - ratio * struck.usual) ** 2).sum())
    excess = found - ratio * calm
    unit = hit.share / (whole - expected)
    level = calm / usual
    middle = (whole - found / level) * unit
    error = Z * float(np.sqrt(total)) / level * unit
    yield statistical(
        "behaviour",
        "incident_share",
        subject,
        float(count_p(*(np.array([value]) for value in (excess, expected, total)))[0]),
        estimate=middle,
        low=middle - error,
        high=middle + error,
        declared=hit.share,
        detail=f"share that is hit; {found:,.0f} facts of others where {ratio * calm:,.1f} are expected",
    )


def _factor(struck: Struck, hit: Hit, subject: str) -> Iterator[Finding]:
    """The factor on the rate of those that are hit, by the first span in which they are known to be."""
    rows = np.flatnonzero(struck.marked.any(axis=1))
    first = np.argmax(struck.marked[rows] > 0, axis=1)
    marked = struck.marked[rows, first]
    without, levelled = struck.without[rows, first], struck.levelled[rows, first]
    number, usual = marked + struck.calm[rows], struck.usual[rows]

    def moments(rate: float) -> tuple[float, float]:
        inside = without + (rate - 1) * levelled
        share = np.clip(inside / np.maximum(inside + usual, 1e-300), 1e-12, 1.0)
        any_at_all = -np.expm1(number * np.log1p(-np.minimum(share, 1 - 1e-12)))
        mean = number * share / any_at_all
        square = (number * share * (1 - share) + (number * share) ** 2) / any_at_all
        return float(mean.sum()), float(np.maximum(square - mean**2, 0.0).sum())

    expected, variance = moments(hit.rate) if len(rows) else (0.0, 0.0)
    if variance < _FEWEST or hit.rate == 0:
        yield unmeasured("behaviour", "incident_factor", subject, "too few facts of those that are hit")
        return
    found, error = float(marked.sum()), Z * float(np.sqrt(variance))

    def rate_of(count: float) -> float:
        low, high = hit.rate / 1000, hit.rate * 1000
        if count <= moments(low)[0]:
            return 0.0
        if count >= moments(high)[0]:
            return np.inf
        return float(optimize.brentq(lambda rate: moments(rate)[0] - count, low, high))

    yield statistical(
        "behaviour",
        "incident_factor",
        subject,
        float(2 * stats.norm.sf(abs(found - expected) / np.sqrt(variance))),
        estimate=rate_of(found),
        low=rate_of(found - error),
        high=rate_of(found + error),
        declared=hit.rate,
        detail=f"factor on the rate of those that are hit; {found:,.0f} facts where {expected:,.1f} are expected",
    )
