"""What is declared of an attribute's values: their limits, and where it can be told their distribution."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.attributes import numbers as drawn
from sim.attributes.attribute import Attribute
from sim.attributes.recoding import Null
from sim.attributes.scaling import Add, Clamp, Multiply, Round, Seasonality, Trend

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

_WIDE = math.inf


@dataclass(frozen=True, slots=True)
class Law:
    """A distribution: `right` is P(X <= x), `left` P(X < x), both float64[n] -> float64[n]; `mean` if it is known."""

    left: Function
    right: Function
    mean: float | None = None
    whole: bool = False


def limits(attribute: Attribute, factors: bool) -> tuple[float, float] | None:
    """Least and largest value that can come out; None where nobody knows. `factors`: it is multiplied, by 0 or more."""
    found = _support(attribute)
    for known in [*(["factor"] if factors or attribute.curves else []), *attribute.modifiers]:
        found = None if found is None and not isinstance(known, Clamp) else _limited(known, found or (-_WIDE, _WIDE))
    return None if found is None or found == (-_WIDE, _WIDE) else found


def law_of(attribute: Attribute) -> Law | None:
    """The distribution of an attribute that is drawn independently for each row; None where it is not known."""
    law = _base(attribute)
    for modifier in attribute.modifiers:
        if law is None:
            return None
        law = _changed(modifier, law)
    return law


def step_of(attribute: Attribute) -> float | None:
    """Of what numbers the values are multiples, where the last thing done to them is rounding."""
    steps = [modifier for modifier in attribute.modifiers if not isinstance(modifier, Null)]
    last = steps[-1] if steps else None
    return _step(last) if isinstance(last, Round) else None


def _support(attribute: Attribute) -> tuple[float, float] | None:
    match attribute:
        case drawn.Uniform() | drawn.Beta() | drawn.Triangular() | drawn.Integer():
            return float(attribute.low), float(attribute.high)
        case drawn.Pareto():
            return float(attribute.minimum), _WIDE
        case drawn.Lognormal() | drawn.Gamma() | drawn.Exponential() | drawn.Weibull():
            return 0.0, _WIDE
        case drawn.Poisson():
            return float(max(attribute.min, 0)), _WIDE if attribute.max is None else float(attribute.max)
    return None


def _limited(step: object, found: tuple[float, float]) -> tuple[float, float] | None:
    low, high = found
    match step:
        case "factor" | Seasonality() | Trend():
            return (0.0 if low >= 0 else -_WIDE), (0.0 if high <= 0 else _WIDE)
        case Null():
            return found
        case Add():
            return low + step.amount, high + step.amount
        case Multiply():
            ends = sorted(0.0 if step.by == 0 else end * step.by for end in found)
            return ends[0], ends[1]
        case Clamp():
            least, most = (-_WIDE if step.min is None else step.min), (_WIDE if step.max is None else step.max)
            return min(max(low, least), most), min(max(high, least), most)
        case Round():
            half = _step(step) / 2
            return low - half, high + half
    return None


def _step(rounding: Round) -> float:
    return rounding.to if rounding.to is not None else 10.0 ** -(rounding.digits or 0)


def _base(attribute: Attribute) -> Law | None:
    from scipy import special, stats

    match attribute:
        case drawn.Gamma():
            shape, scale = attribute.shape, attribute.mean_ / attribute.shape
            return _smooth(lambda x: np.asarray(special.gammainc(shape, np.maximum(x, 0) / scale)), attribute.mean())
        case drawn.Beta():
            a, b, low, width = attribute.a, attribute.b, attribute.low, attribute.high - attribute.low
            if not width:
                return None
            share: Function = lambda x: np.asarray(special.betainc(a, b, np.clip((x - low) / width, 0, 1)))  # noqa: E731
            return _smooth(share, attribute.mean())
        case drawn.Poisson():
            counts = stats.poisson(attribute.mean_)
            least, most = float(attribute.min), _WIDE if attribute.max is None else float(attribute.max)
            law = _clamped(_whole(lambda k: np.asarray(counts.cdf(k)), None), least, most)
            return replace(law, mean=attribute.mean())
        case drawn.Integer():
            first, size = attribute.low, attribute.high - attribute.low + 1
            middle = (attribute.low + attribute.high) / 2
            return _whole(lambda k: np.clip((k - first + 1) / size, 0, 1), middle)
        case drawn.Normal() if not attribute.sd:
            return None
        case drawn.Uniform() if attribute.high <= attribute.low:
            return None
        case drawn.Lognormal() if not attribute.sigma:
            return None
        case drawn.NumberAttribute() if hasattr(attribute, "cdf"):
            mean: float = attribute.mean()  # type: ignore[attr-defined]
            return _smooth(attribute.cdf, mean if math.isfinite(mean) else None)
    return None


def _smooth(cdf: Function, mean: float | None) -> Law:
    return Law(cdf, cdf, mean)


def _whole(cdf: Function, mean: float | None) -> Law:
    """Of whole numbers, from P(X <= k)."""
    return Law(lambda x: cdf(np.ceil(x) - 1), lambda x: cdf(np.floor(x)), mean, whole=True)


def _changed(modifier: object, law: Law) -> Law | None:
    match modifier:
        case Null():
            return law
        case Add():
            shift = modifier.amount
            mean = None if law.mean is None else law.mean + shift
            whole = law.whole and shift == int(shift)
            return Law(lambda x: law.left(x - shift), lambda x: law.right(x - shift), mean, whole)
        case Multiply() if modifier.by > 0 and not law.whole:
            by = modifier.by
            mean = None if law.mean is None else law.mean * by
            return Law(lambda x: law.left(x / by), lambda x: law.right(x / by), mean)
        case Clamp():
            least, most = modifier.min, modifier.max
            return _clamped(law, -_WIDE if least is None else least, _WIDE if most is None else most)
        case Round():
            return _rounded(law, _step(modifier))
    return None


def _clamped(law: Law, least: float, most: float) -> Law:
    if least == -_WIDE and most == _WIDE:
        return law
    return Law(
        lambda x: np.where(x <= least, 0.0, law.left(np.minimum(x, most))),
        lambda x: np.where(x >= most, 1.0, np.where(x < least, 0.0, law.right(x))),
        None,
        law.whole,
    )


def _rounded(law: Law, step: float) -> Law | None:
    """To multiples of `step`; what lay anywhere within half a step of them is there now, halves at the even one."""
    if law.whole:
        return law if step <= 1 and abs(1 / step - round(1 / step)) < 1e-9 else None

    def up_to(place: Floats) -> Floats:
        edge = (place + 0.5) * step
        return np.where(place % 2 == 0, law.right(edge), law.left(edge))

    return Law(lambda x: up_to(np.rint(x / step) - 1), lambda x: up_to(np.rint(x / step)), None)
