"""The blind analyst on growth and retention: questions whose truth is a mixture of everything that a scenario declares.

Is the shop growing, and how fast? How many customers order in the sixth month after they have signed up? The facts
answer in one query each. What they should answer follows from the declared hazards, segments, frailty, curves over age
and time by integrating Kolmogorov's forward equations, day by day of age, for every combination of segments: with the
probability of no order as the expectation of exp(-intensity), it is the formula of Feynman and Kac.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate, product

import numpy as np
from evidence import near
from full_runs import full_run
from numpy.polynomial.legendre import leggauss
from scipy import stats
from scipy.linalg import expm

from sim.maths.units import DAY

OLDEST = 3800
"""Days of age that the first customers have at most."""
RUN = 1096
ORDERING = {"active": 1.0, "dormant": 0.1, "closed": 0.0}


@cache
def model():
    return full_run("storefront").model


@dataclass(frozen=True)
class Kind:
    """A combination of segments: its share, its factor on orders, and how its states change from day to day of age.

    `moves` has the probabilities of going from state to state within each day, float[days, states, states].
    """

    share: float
    activity: float
    moves: np.ndarray

    @cached_property
    def states(self) -> np.ndarray:
        """Probability of each state at the beginning of each day of age, float[days + 1, states]."""
        return np.array(list(accumulate(self.moves, np.matmul, initial=model().population("customer").machine.initial)))


@cache
def kinds() -> list[Kind]:
    """Every combination of segments."""
    customer = model().population("customer")
    found = []
    for codes in product(*(range(len(one.names)) for one in customer.segmentations)):
        tables = list(zip(codes, customer.segmentations, strict=True))
        share = np.prod([one.shares[code] for code, one in tables])
        activity = np.prod([one.activity[code] for code, one in tables])
        found.append(Kind(float(share), float(activity), moves(codes)))
    return found


def moves(codes: tuple[int, ...]) -> np.ndarray:
    """The matrix exponentials of what is declared to lead from state to state, at the middle of each day of age."""
    ways_out = model().population("customer").machine.exits
    middles = (np.arange(OLDEST + RUN) + 0.5) * DAY
    rates = np.zeros((len(middles), len(ways_out), len(ways_out)))
    for source, ways in enumerate(ways_out):
        for way in ways:
            flow = way.hazard.rate_at(middles) * DAY
            flow = flow * np.prod([table[code] for code, table in zip(codes, way.segments, strict=True)])
            for vintage in way.vintages:
                flow = flow * vintage.at(middles)
            rates[:, source, way.to] += flow
            rates[:, source, source] -= flow
    return expm(rates)


@cache
def fading() -> np.ndarray:
    """The mean of the curve over age in each day of age."""
    nodes = (np.arange(400) + 0.5) / 400
    (order,) = [one for one in model().activities if one.name == "order"]
    vintage = model().population("customer").profiles[order.profile].vintage
    return np.array([vintage.at((day + nodes) * DAY).mean() for day in range(OLDEST + RUN)])


@cache
def demand() -> np.ndarray:
    """The mean of the curve on orders on each day of the run."""
    (order,) = [one for one in model().activities if one.name == "order"]
    times = model().start + (np.arange(RUN * 144) + 0.5) * DAY / 144
    return order.curve.at(times.astype(np.int64)).reshape(RUN, 144).mean(axis=1)


@cache
def newcomers() -> np.ndarray:
    """Expected customers by day of birth, those of before the run first: float[OLDEST + RUN]."""
    customer, start = model().population("customer"), model().start
    times = start + (np.arange(RUN * 144) + 0.5) * DAY / 144
    born = (
        customer.arrival_curve.at(times.astype(np.int64)).reshape(RUN, 144).mean(axis=1) * customer.arrival_rate * DAY
    )
    ages = stats.beta(1, 2.4, scale=OLDEST).cdf(np.arange(OLDEST + 1))
    return np.concatenate([np.diff(ages)[::-1] * customer.initial.count, born])


def ordering() -> np.ndarray:
    """The factor of each state on orders."""
    return np.array([ORDERING[name] for name in model().population("customer").machine.states])


def test_orders_grow_as_the_scenario_implies():
    counts = full_run("storefront").rows(
        """SELECT count(*) FILTER (year(event_time) = 2024), count(*) FILTER (year(event_time) = 2025)
           FROM "order" GROUP BY customer_id"""
    )
    before, after = np.array(counts, dtype=float).T
    error = np.sqrt(np.sum((after / after.sum() - before / before.sum()) ** 2))
    daily = np.zeros(RUN)
    for kind in kinds():
        rate = (kind.states[1:] + kind.states[:-1]) / 2 @ ordering() * fading() * kind.activity * kind.share
        daily += np.convolve(newcomers(), rate)[OLDEST : OLDEST + RUN] * demand()
    near(np.log(after.sum() / before.sum()), error, np.log(daily[731:].sum() / daily[365:731].sum()))


def test_as_many_order_in_their_sixth_month_as_the_scenario_implies():
    hits, cohort = full_run("storefront").one(
        """WITH cohort AS (SELECT customer_id, born_at FROM customer
                           WHERE born_at >= '2024-01-01' AND born_at < '2024-07-01'),
                seen AS (SELECT DISTINCT customer_id FROM "order" JOIN cohort USING (customer_id)
                         WHERE "order".event_time BETWEEN born_at + INTERVAL 152 DAY AND born_at + INTERVAL 182 DAY)
           SELECT (SELECT count(*) FROM seen), (SELECT count(*) FROM cohort)"""
    )
    days = np.arange(365, 365 + 182)
    births = newcomers()[OLDEST + days] / newcomers()[OLDEST + days].sum()
    share = sum(births[row] * seen_in_month(int(day)) for row, day in enumerate(days))
    near(hits, np.sqrt(cohort * share * (1 - share)), cohort * share)


def seen_in_month(birth: int) -> float:
    """Probability that somebody born on a day of the run orders between the ages of 152 and 182 days."""
    (order,) = [one for one in model().activities if one.name == "order"]
    shape = model().population("customer").frailty.shape
    nodes, weights = leggauss(40)
    frailty = stats.gamma(shape, scale=1 / shape).ppf((nodes + 1) / 2)
    quiet = 0.0
    for kind in kinds():
        means = order.rate * DAY * kind.activity * fading() * demand_from(birth)
        still = np.tile(kind.states[152], (len(frailty), 1))
        for age in range(152, 182):
            still = still @ kind.moves[age] * np.exp(-np.outer(frailty, means[age] * ordering()))
        quiet += kind.share * float(still.sum(axis=1) @ weights / 2)
    return 1 - quiet


def demand_from(birth: int) -> np.ndarray:
    """The curve on orders by day of age of who is born on a day of the run; 0 where the run has ended."""
    ahead = demand()[birth:]
    return np.concatenate([ahead, np.zeros(OLDEST + RUN - len(ahead))])
