"""The standard normal distribution in closed form, without SciPy."""

from __future__ import annotations

import math

import numpy as np

from sim.maths.arrays import Floats

_erf = np.frompyfunc(math.erf, 1, 1)


def normal_cdf(z: Floats) -> Floats:
    """P(Z <= z), float64[n]. For plans and tests: it is a Python call per value."""
    return np.asarray(0.5 * (1 + _erf(np.asarray(z, dtype=np.float64) / math.sqrt(2))), dtype=np.float64)


def normal_density(z: float) -> float:
    """The density at `z`."""
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
