"""How many things follow from a thing: the share that has any, and the distribution of their number.

A fact with probability p of having followers, whose number has the distribution G, has k > 0 of them with probability
p x (G(k) - G(k - 1)). Followers that come later than the run are missing: those of facts early enough count, and the
mean is corrected by the distribution of the delay.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import stats

from sim.maths.distributions import CountDistribution, DurationDistribution
from sim.model.model import Model, Population
from sim.quality.behaviours.factors import Z
from sim.quality.behaviours.reading import Facts, Floats, Indices, columns, quoted, require, sums
from sim.quality.behaviours.survival import lengths, share_within
from sim.quality.finding import Finding, exact, statistical

_FEWEST = 8.0
_EARLY = 0.9
"""Facts count whose followers have come by the end of the run with this probability at least."""

_BINS = 32


def counts_of_children(facts: Facts, model: Model, population: Population) -> Iterator[Finding]:
    """Findings on the births of a kind that come with each parent: their number and their delay."""
    assert population.parent is not None
    assert population.arrivals is not None
    arrivals, parent = population.arrivals, model.populations[population.parent].name
    assert arrivals.per_parent is not None
    require(facts, parent)
    key = quoted(f"{parent}_id")
    born, many = columns(
        facts,
        f"SELECT any_value(epoch_us(p.born_at)) AS born, count(c.{key}) AS many FROM {quoted(parent)} p"
        f" LEFT JOIN {quoted(population.name)} c ON p.{key} = c.{key} GROUP BY p.{key} ORDER BY p.{key}",
    )
    yield from followers(population.name, arrivals.per_parent, 1.0, arrivals.after, many, model.end - born)
    if arrivals.after is not None:
        begun, came = columns(
            facts,
            f"SELECT epoch_us(p.born_at), epoch_us(c.born_at) FROM {quoted(population.name)} c"
            f" JOIN {quoted(parent)} p USING ({key}) ORDER BY 1, 2",
        )
        found = (came - begun).astype(np.float64)
        yield from lengths("delay", population.name, arrivals.after, found, (model.end - begun).astype(np.float64))


def followers(
    subject: str,
    number: CountDistribution,
    probability: float,
    after: DurationDistribution | None,
    many: Indices,
    horizons: Indices,
) -> Iterator[Finding]:
    """Findings on how many followers each fact has, `many`, of those that came within its horizon (microseconds)."""
    if len(many):
        yield number_of_followers(subject, number, probability, after, int(many.sum()), horizons)
        yield from counts_of_followers(subject, number, probability, after, many, horizons)


def number_of_followers(
    subject: str,
    number: CountDistribution,
    probability: float,
    after: DurationDistribution | None,
    found: int,
    horizons: Indices,
) -> Finding:
    """The finding on how many followers all facts have together, of those that came within the horizon of each."""
    first, second = _moments(number)
    reach = _reach(after, horizons)
    mean = probability * first * reach
    variance = probability * (reach**2 * (second - first) + reach * first) - mean**2
    return _of_mean(subject, probability * first, float(found), mean, np.maximum(variance, 0.0))


def counts_of_followers(
    subject: str,
    number: CountDistribution,
    probability: float,
    after: DurationDistribution | None,
    many: Indices,
    horizons: Indices,
) -> Iterator[Finding]:
    """The finding on the distribution of the number of followers of those facts whose horizon is far enough."""
    reach = _reach(after, horizons)
    early = reach > _EARLY
    if early.any():
        yield from _of_distribution(subject, number, probability, many[early], reach[early])


def _reach(after: DurationDistribution | None, horizons: Indices) -> Floats:
    """The probability that what follows has come within each horizon."""
    return np.ones(len(horizons)) if after is None else share_within(after, horizons.astype(np.float64))


def _moments(number: CountDistribution) -> tuple[float, float]:
    """Mean and mean square of a count."""
    chance = _chances(number)
    k = np.arange(len(chance))
    return float(chance @ k), float(chance @ k**2)


def _chances(number: CountDistribution) -> Floats:
    """P(X = k) for k = 0, 1 ..., as far as it matters."""
    top = int(min(max(number.min, number.mean() * 12 + 60), 1_000_000))
    known = number.cdf(np.arange(top + 1))
    last = int(np.searchsorted(known, 1 - 1e-12))
    return np.diff(known[: last + 1], prepend=0.0)


def _of_mean(subject: str, declared: float, found: float, mean: Floats, variance: Floats) -> Finding:
    expected, spread = float(mean.sum()), float(np.sqrt(variance.sum()))
    ratio = declared / expected if expected > 0 else 0.0
    if spread == 0:
        return exact("behaviour", "followers", subject, int(abs(found - round(expected))), f"{declared:g} are declared")
    p_value = float(2 * stats.norm.sf(abs(found - expected) / spread))
    return statistical(
        "behaviour",
        "followers",
        subject,
        p_value,
        estimate=found * ratio,
        low=(found - Z * spread) * ratio,
        high=(found + Z * spread) * ratio,
        declared=declared,
        detail="mean number for each fact",
    )


def _of_distribution(
    subject: str, number: CountDistribution, probability: float, many: Indices, reach: Floats
) -> Iterator[Finding]:
    """Chi-square of the numbers of followers; `reach` is the probability that each has come in time."""
    chance = _chances(number) * probability
    chance[0] += 1 - probability
    top = max(len(chance), int(many.max(initial=0)) + 1)
    found = np.bincount(many, minlength=top).astype(np.float64)
    expected = np.zeros(top)
    expected[: len(chance)] = _thinned(chance, reach)
    classes = _classes(expected)
    size = int(classes[-1]) + 1
    wanted, seen = sums(classes, expected, size), sums(classes, found, size)
    if len(wanted) < 2:
        return
    chi2 = float(((seen - wanted) ** 2 / wanted).sum()) if not found[expected == 0].any() else np.inf
    yield statistical(
        "behaviour",
        "follower_counts",
        subject,
        float(stats.chi2.sf(chi2, len(wanted) - 1)),
        estimate=float((many > 0).mean()),
        declared=float(1 - expected[0] / max(len(many), 1)),
        detail=f"share of facts with any; chi-square {chi2:.1f} with {len(wanted) - 1} degrees of freedom",
    )


def _thinned(chance: Floats, reach: Floats) -> Floats:
    """The expected numbers of facts with 0, 1 ... followers that have come, where each has with probability `reach`."""
    if not len(reach) or reach.min() == 1.0:
        return chance * len(reach)
    total = np.zeros(len(chance))
    k = np.arange(len(chance))
    for several in np.array_split(np.sort(reach), _BINS):
        if len(several):
            seen = stats.binom.pmf(k[:, None], k[None, :], several.mean())
            total += seen @ chance * len(several)
    return total


def _classes(expected: Floats) -> Indices:
    """Neighbours joined until each class has enough: the class of each, int64[n]."""
    found, here, number = [], 0.0, 0
    for value in expected.tolist():
        found.append(number)
        here += value
        if here >= _FEWEST:
            here, number = 0.0, number + 1
    last = number - 1 if here < _FEWEST else number
    return np.minimum(np.array(found, dtype=np.int64), max(last, 0))
