"""Diffusion of something new through a market: Bass (1969), A new product growth for model consumer durables."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.maths.arrays import Elapsed, Floats, Times
from sim.maths.piecewise import ends


@dataclass(frozen=True)
class Bass:
    """Adoption with hazard p + q F: innovation `p` > 0 and imitation `q` >= 0, both per microsecond."""

    p: float
    q: float

    def share(self, elapsed: Elapsed) -> Floats:
        """Share F of the market that has adopted by `elapsed` microseconds: float64[n], 0 before the launch."""
        decay = self._decay(elapsed)
        return np.asarray((1 - decay) / (1 + self.q / self.p * decay), dtype=np.float64)

    def density(self, elapsed: Elapsed) -> Floats:
        """dF/dt per microsecond: float64[n], 0 before the launch."""
        decay = self._decay(elapsed)
        density = (self.p + self.q) ** 2 / self.p * decay / (1 + self.q / self.p * decay) ** 2
        return np.where(np.asarray(elapsed) < 0, 0.0, density)

    def hazard(self, elapsed: Elapsed) -> Floats:
        """p + q F, per microsecond and per member who has not adopted yet: float64[n]."""
        return self.p + self.q * self.share(elapsed)

    def inverse(self, share: Floats) -> Floats:
        """Elapsed microseconds after which `share` (in [0, 1)) of the market has adopted: float64[n]."""
        ratio = (1 - share) / (1 + self.q / self.p * share)
        return np.asarray(-np.log(ratio) / (self.p + self.q), dtype=np.float64)

    @property
    def peak(self) -> float:
        """Elapsed microseconds at which adoption is quickest; 0 where it only slows down."""
        return max(math.log(self.q / self.p) / (self.p + self.q), 0.0) if self.q > 0 else 0.0

    def _decay(self, elapsed: Elapsed) -> Floats:
        return np.asarray(np.exp(-(self.p + self.q) * np.maximum(elapsed, 0)), dtype=np.float64)


@dataclass(frozen=True)
class Diffusion:
    """The density of a Bass curve over time, launched at `launch`, times `market`: births per microsecond."""

    bass: Bass
    market: float
    launch: int

    def at(self, t: Times) -> Floats:
        """Expected adoptions per microsecond: float64[n]."""
        return self.market * self.bass.density(t - self.launch)

    def breaks(self, t0: int, t1: int) -> Times:
        """The launch, the peak, and points between that cut the bell into smooth pieces."""
        scale = 1 / (self.bass.p + self.bass.q)
        offsets = [self.bass.peak + scale * k / 2 for k in range(-24, 25)]
        places = [self.launch + offset for offset in offsets if 0 < offset < 2**61]
        turns = np.unique(np.ceil(np.array([self.launch, *places])).astype(np.int64))
        return turns[(turns > t0) & (turns < t1)]

    def limits(self, edges: Times) -> tuple[Floats, Floats]:
        """Lowest and highest density per cell, float64[m] each."""
        return ends(self, edges)


@dataclass(frozen=True)
class Imitation:
    """What the share of adopters multiplies the hazard p by: 1 + q/p F(t), launched at `launch`; 0 before."""

    bass: Bass
    launch: int

    def at(self, t: Times) -> Floats:
        """The factor at each instant: float64[n]."""
        return np.where(t < self.launch, 0.0, self.bass.hazard(t - self.launch) / self.bass.p)

    def breaks(self, t0: int, t1: int) -> Times:
        """The launch; from then on the factor only grows."""
        return np.array([self.launch] if t0 < self.launch < t1 else [], dtype=np.int64)

    def limits(self, edges: Times) -> tuple[Floats, Floats]:
        """Lowest and highest factor per cell, float64[m] each."""
        return ends(self, edges)
