"""Markov chains that end, and what removing some of their states does to where they lead.

The removal effect of a channel is the share of conversions that is lost when every move into the channel ends the
journey instead: Anderl, Becker, von Wangenheim and Schumann (2016), Mapping the customer journey; the simpler question
which conversions would remain without a channel goes back to Shao and Li (2011), Data-driven multi-touch attribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.errors import ParameterError
from sim.maths.arrays import Bools, Floats

Indices = NDArray[np.int64]

_REST = 1e-13
_MOST_STEPS = 20_000


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain over `len(first)` states: it begins in each with probability `first`, float64[s], and moves from
    `source` to `target` with `probability` (arrays of one element a move). What moves leave of 1 ends it.
    """

    first: Floats
    source: Indices
    target: Indices
    probability: Floats

    def visits(self, allowed: Bools | None = None) -> Floats:
        """Expected visits of each state, float64[s]; a move into a state that is not `allowed` ends the chain.

        Raises ParameterError for a chain that (almost) never ends.
        """
        gate = np.ones(len(self.first)) if allowed is None else allowed.astype(np.float64)
        present = self.first * gate
        visits = present.copy()
        for _ in range(_MOST_STEPS):
            moving = present[self.source] * self.probability
            present = np.bincount(self.target, moving, len(gate)) * gate
            visits += present
            if present.sum() < _REST:
                return visits
        raise ParameterError(f"no end: after {_MOST_STEPS:,} steps, {present.sum():.3g} of the cases are still on")

    def reaching(self, goal: Bools, allowed: Bools | None = None) -> float:
        """Probability that the chain ever comes to a state of `goal`, without one that is not `allowed` before."""
        on = ~goal[self.source]
        until = Chain(self.first, self.source[on], self.target[on], self.probability[on])
        return float(until.visits(allowed)[goal].sum())
