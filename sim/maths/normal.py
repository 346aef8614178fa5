"""The standard normal distribution in closed form, without SciPy."""

from __future__ import annotations

import math

import numpy as np

from sim.maths.arrays import Floats

_ABOVE = (
    3.52624965998911e-02,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
)
_BELOW = (
    8.83883476483184e-02,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
)
_FAR = 7.07106781186547


def normal_cdf(z: Floats) -> Floats:
    """P(Z <= z), float64[n], to 1e-15, relative to the lower tail 1e-8 (Hart 1968 as given by West 2005)."""
    size = np.minimum(np.abs(np.asarray(z, dtype=np.float64)), 40.0)
    density = np.exp(-size * size / 2)
    near = density * np.polyval(_ABOVE, size) / np.polyval(_BELOW, size)
    fraction = size + 0.65
    for term in (4, 3, 2, 1):
        fraction = size + term / fraction
    tail = np.where(size < _FAR, near, density / fraction / math.sqrt(2 * math.pi))
    return np.where(np.asarray(z) > 0, 1 - tail, tail)


def normal_density(z: float) -> float:
    """The density at `z`."""
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
