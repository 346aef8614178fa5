"""Adoption as Bass (1969) describes it, fitted to births: "A new product growth for model consumer durables".

The parameters are found by nonlinear least squares on the births of periods, as V. Srinivasan and C. H. Mason (1986),
"Nonlinear least squares estimation of new product diffusion models", do it, with the deviance of Poisson counts for the
squares. Before births have passed their peak, no method tells the market: C. Van den Bulte and G. L. Lilien (1997),
"Bias and systematic change in the parameter estimates of macro-level diffusion models".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.maths.diffusion import Bass

Floats = NDArray[np.float64]

YEAR = 365.25
STARTS = tuple((p, q) for p in (0.01, 0.1, 1.0) for q in (0.05, 0.5, 5.0))
"""Where the search begins: innovation and imitation a year, for a market of twice the births so far."""

WIDE = 0.3
"""The standard error of the logarithm of a market that the data do not tell."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """Innovation `p` and imitation `q` a year and the `market`, with R2 of the births where they are found in data.

    Then each has its 95% interval, and `told` says whether the data reach far enough to tell the market.
    """

    p: float
    q: float
    market: float
    intervals: tuple[tuple[float, float], ...] = ()
    r2: float = 1.0
    told: bool = True

    def total(self, days: Floats) -> Floats:
        """Expected births by so many days after the launch: float64[n]."""
        return self.market * Bass(self.p / YEAR, self.q / YEAR).share(days)

    def figures(self) -> str:
        """The parameters, with their intervals if they have any."""
        reach = [f" ({_shown(low)} to {_shown(high)})" for low, high in self.intervals] or [""] * 3
        p, q, market = map(_shown, (self.p, self.q, self.market))
        return f"p {p}{reach[0]} and q {q}{reach[1]} a year, market {market}{reach[2]}"

    def words(self) -> str:
        """What was found, in a sentence."""
        if self.told:
            return f"Bass: {self.figures()}; R² of births {self.r2:.2f}."
        growth = f"p + q {_shown(self.p + self.q)} a year"
        return f"Bass: {growth}; the data end too early to tell the market. R² of births {self.r2:.2f}."


def adoption(edges: Floats, births: Floats) -> Adoption | None:
    """The Bass curve through `births` [n] between `edges` [n + 1], days since the launch; None where there is none.

    There is none where births are few, or where the best curve explains nothing of how they change.
    """
    from scipy import optimize, special

    if len(births) < 8 or births.sum() < 100:
        return None

    def misfit(logs: Floats) -> Floats:
        mean = np.maximum(_mean(logs, edges), 1e-9)
        parts = 2 * (special.xlogy(births, births / mean) - births + mean)
        return np.asarray(np.sign(births - mean) * np.sqrt(np.maximum(parts, 0.0)), np.float64)

    begins = [np.log([p, q, 2 * births.sum()]) for p, q in STARTS]
    reach = (np.log([1e-6, 1e-4, births.sum() / 2]), np.log([1e3, 1e3, 1e4 * births.sum()]))
    found = min((optimize.least_squares(misfit, begin, bounds=reach) for begin in begins), key=lambda each: each.cost)
    free = max(len(births) - 3, 1)
    slopes = np.asarray(found.jac, np.float64)
    variance = np.linalg.pinv(slopes.T @ slopes) * max(1.0, 2 * found.cost / free)
    errors = np.sqrt(np.diag(variance))
    total = float(np.sum((births - births.mean()) ** 2))
    r2 = 1 - float(np.sum((births - _mean(found.x, edges)) ** 2)) / total if total else 0.0
    low, high = (np.exp(np.clip(found.x + side * 1.96 * errors, -40, 40)).tolist() for side in (-1, 1))
    p, q, market = np.exp(found.x).tolist()
    told = bool(errors[2] < WIDE and Bass(p, q).peak < edges[-1] / YEAR)
    return Adoption(p, q, market, tuple(zip(low, high, strict=True)), r2, told) if r2 > 0 else None


def _mean(logs: Floats, edges: Floats) -> Floats:
    p, q, market = np.exp(logs)
    return np.asarray(market * np.diff(Bass(p / YEAR, q / YEAR).share(edges)), np.float64)


def _shown(value: float) -> str:
    if not math.isfinite(value) or value > 1e9:
        return "∞"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
