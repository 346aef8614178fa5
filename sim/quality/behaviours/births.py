"""Arrivals: how many entities are born and when, against a rate, a total or a diffusion; and children per parent.

Births at a rate are a Poisson process (Cox and Lewis 1966), so the counts of periods are Poisson with the integrals of
the declared rate as means. A diffusion is one, too, and its p, q and m are estimated by least squares on the periods'
counts, as Srinivasan and Mason (1986) do for the model of Bass (1969).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import optimize, stats

from sim.maths.diffusion import Bass
from sim.maths.spans import Spans
from sim.maths.units import DAY, YEAR
from sim.model.model import Model, Population
from sim.quality.behaviours import grid
from sim.quality.behaviours.counts import counts_of_children
from sim.quality.behaviours.disturbed import spans_of, union, without
from sim.quality.behaviours.factors import Factor, Judge, Level
from sim.quality.behaviours.rates import trend
from sim.quality.behaviours.reading import Facts, Floats, NotMeasurable, Times, columns, instant, quoted, require
from sim.quality.behaviours.seasons import seasons
from sim.quality.behaviours.sheet import Sheet
from sim.quality.behaviours.tables import TimeTable
from sim.quality.finding import Finding, statistical, unmeasured
from sim.scenario.arrivals import BassArrivals


def measure(facts: Facts, model: Model) -> Iterator[Finding]:
    """Findings on the births of every kind of entity."""
    for population in model.populations:
        try:
            yield from _measured(facts, model, population)
        except NotMeasurable as why:
            yield unmeasured("behaviour", "births", population.name, str(why))


def _measured(facts: Facts, model: Model, population: Population) -> Iterator[Finding]:
    kind = population.name
    require(facts, kind)
    yield from _initial(facts, model, population)
    arrivals = population.arrivals
    if arrivals is None or arrivals.on is not None:
        return
    if arrivals.per_parent is not None:
        yield from counts_of_children(facts, model, population)
        return
    outside = union(_spans(facts, model, kind))
    curve = population.arrival_curve
    table = TimeTable(without(curve, outside), model.start, model.end)
    (times,) = columns(
        facts, f"SELECT {instant('born_at')} FROM {quoted(kind)} WHERE {instant('born_at')} > {model.start} ORDER BY 1"
    )
    if outside is not None:
        times = times[outside.number(times) < 0]
    whole = float(table.between(np.array([model.start, model.end]))[0])
    scale = len(times) / whole if arrivals.total is not None and whole > 0 else population.arrival_rate
    yield from _judged(model, population, times, table, scale)
    if arrivals.diffusion is not None and not arrivals.curves:
        yield from _diffusion(model, kind, times, arrivals.diffusion)


def _spans(facts: Facts, model: Model, kind: str) -> list[Spans]:
    hits = [hit for hit in model.disturbances.of(kind) if hit.rate != 1.0]
    return [spans_of(facts, model.disturbances.incidents[hit.incident]) for hit in hits]


def _initial(facts: Facts, model: Model, population: Population) -> Iterator[Finding]:
    """Those who are there at the start: exactly as many as declared."""
    if population.initial is None:
        return
    (found,) = columns(
        facts, f"SELECT count(*) FROM {quoted(population.name)} WHERE {instant('born_at')} <= {model.start}"
    )
    declared = population.initial.count
    yield Finding(
        "behaviour",
        "initial_entities",
        population.name,
        float(found[0]),
        declared=float(declared),
        passed=int(found[0]) == declared,
        detail="entities at the start",
    )


def _judged(model: Model, population: Population, times: Times, table: TimeTable, scale: float) -> Iterator[Finding]:
    timeline = model.timeline
    hours = grid.hours(timeline)
    edges = grid.periods(timeline, len(times))
    whole = np.concatenate([[model.start], edges, [model.end]])
    expected = table.between(whole) * scale
    observed = np.histogram(times, bins=whole)[0].astype(np.float64)
    some = np.flatnonzero((expected > 0) | (observed > 0))
    sheet = Sheet(
        names=["time"],
        sizes=[len(whole) - 1],
        codes=some[:, None],
        expected=expected[some],
        observed=np.where(expected[some] > 0, observed[some], 0.0),
        variance=0.0,
        clusters=None,
        hours=hours,
        hourly=table.between(hours) * scale,
        happened=np.histogram(times, bins=hours)[0].astype(np.float64),
        stray=int(observed[expected <= 0].sum()),
    )
    factors = {"time": Factor("births_time", grid.labels_of_periods(timeline, edges), reference=0)}
    name = "births_total" if population.arrivals is not None and population.arrivals.total is not None else "births"
    if name == "births_total":
        yield _total(population, len(times))
    level = _level(population, name)
    found = Judge(population.name, sheet, factors, level).findings()
    yield from (finding for finding in found if finding.name != "births_total")
    yield from trend(population.name, model, sheet, edges)
    yield from seasons(population.name, timeline, sheet)


def _level(population: Population, name: str) -> Level:
    arrivals = population.arrivals
    if arrivals is not None and arrivals.diffusion is not None:
        return Level(name, float(arrivals.diffusion.market), "market")
    return Level(name, population.arrival_rate * DAY, "births per day where all factors are 1")


def _total(population: Population, found: int) -> Finding:
    assert population.arrivals is not None
    declared = population.arrivals.total
    text = "births over the run"
    return Finding(
        "behaviour", "births", population.name, float(found), declared=declared, passed=found == declared, detail=text
    )


def _diffusion(model: Model, kind: str, times: Times, spec: BassArrivals) -> Iterator[Finding]:
    """The curve's p, q and m by least squares, and a test of the curve as a whole on the times of birth."""
    bass = Bass(spec.p, spec.q)
    if len(times) < 50:
        return
    top = float(bass.share(np.array([model.end - model.start], dtype=np.float64))[0])
    share = bass.share((times - model.start).astype(np.float64)) / top
    result = stats.kstest(share, "uniform")
    told = _fitted(model, times, spec)
    yield statistical(
        "behaviour",
        "adoption",
        kind,
        float(result.pvalue),
        estimate=len(times) / top,
        declared=float(spec.market),
        detail=f"market; {told}; Kolmogorov-Smirnov distance {result.statistic:.4f} from the declared curve",
    )


def _fitted(model: Model, times: Times, spec: BassArrivals) -> str:
    edges = np.linspace(model.start, model.end, 61)
    counts = np.histogram(times, bins=edges)[0].astype(np.float64)
    elapsed = edges - model.start

    def misfit(parameters: Floats) -> Floats:
        p, q, market = np.exp(parameters)
        mean = market * np.diff(Bass(p, q).share(elapsed))
        return np.asarray((counts - mean) / np.sqrt(np.maximum(mean, 1.0)), dtype=np.float64)

    begin = np.log([spec.p, max(spec.q, spec.p / 100), float(max(len(times), 1))])
    best = optimize.least_squares(misfit, begin, bounds=(begin - 4, begin + 4)).x
    p, q, market = np.exp(best)
    return (
        f"least squares give p {p * YEAR:.4g} and q {q * YEAR:.4g} per year (declared {spec.p * YEAR:.4g} and"
        f" {spec.q * YEAR:.4g}) and a market of {market:,.0f}"
    )
