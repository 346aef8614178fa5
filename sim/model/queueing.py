"""Resources, and what cases do at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.maths.distributions import DurationDistribution

Factors = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resource:
    """What cases queue for: from each of `changes` on (microseconds, the first at the start) a capacity.

    `ranked` says that priorities count.
    """

    name: str
    ranked: bool
    changes: NDArray[np.int64]
    capacities: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Service:
    """How long cases stay in a step, and the number of the resource that they hold then (-1: none).

    `priority` is a number, the name of an attribute, or numbers by segment for each segmentation, which are added up.
    Who waits longer than `patience` goes to the step `reneged` (-1: ends).
    """

    duration: DurationDistribution
    resource: int
    priority: float | str | tuple[Factors, ...]
    patience: DurationDistribution | None
    reneged: int
