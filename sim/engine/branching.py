"""Branching: which way cases go on from where they are, and how long they take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.engine.block import Block
from sim.engine.incidents import Incidents
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.model.model import Branch, BranchFactors, Flow

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Times = NDArray[np.int64]

END = -1
"""The step of a case that is over."""

_LONGEST = 2.0**60


@dataclass(frozen=True, slots=True)
class Places:
    """Where cases are: all arrays have one element a case.

    `case` is the row in which the case's attributes stand, `steps` the step by code, `index` how many came before, and
    `visits`, of shape [n, k], how often the case has been at each of the k steps that something depends on.
    """

    case: Indices
    entities: Indices
    times: Times
    steps: Indices
    index: Indices
    visits: Indices

    def __len__(self) -> int:
        return len(self.case)

    def take(self, index: Indices) -> Places:
        """Those at `index`, in its order."""
        return Places(
            self.case.take(index),
            self.entities.take(index),
            self.times.take(index),
            self.steps.take(index),
            self.index.take(index),
            self.visits[index],
        )

    @staticmethod
    def concat(pieces: list[Places]) -> Places:
        """All of `pieces`, one after the other."""
        if len(pieces) == 1:
            return pieces[0]
        return Places(
            np.concatenate([piece.case for piece in pieces]),
            np.concatenate([piece.entities for piece in pieces]),
            np.concatenate([piece.times for piece in pieces]),
            np.concatenate([piece.steps for piece in pieces]),
            np.concatenate([piece.index for piece in pieces]),
            np.concatenate([piece.visits for piece in pieces]),
        )


class Brancher:
    """The branches of a process, for the cases of one block."""

    def __init__(self, flow: Flow, block: Block, incidents: Incidents) -> None:
        self._flow = flow
        self._incidents = incidents
        self._counted = np.array(flow.counted, dtype=np.int64)
        self._column = {step: place for place, step in enumerate(flow.counted)}
        self._block = block

    def step(self, at: Places, rng: np.random.Generator) -> Places:
        """Where cases go from `at`, and when they are there; the step of those that end is `END`.

        The visit of the present step is counted.
        """
        at.visits[...] += at.steps[:, None] == self._counted
        target, times = np.full(len(at), END), at.times.copy()
        uniform = rng.random(len(at))
        for step in np.flatnonzero(np.bincount(at.steps, minlength=1)).tolist():
            if self._flow.branches[step]:
                here = np.flatnonzero(at.steps == step)
                target[here], times[here] = self._leave(at.take(here), step, uniform[here], rng)
        return Places(at.case, at.entities, times, target, at.index + 1, at.visits)

    def divert(self, at: Places) -> Places:
        """Where cases go that have given up waiting: to their steps for that, at once, as long as these are open."""
        at.visits[...] += at.steps[:, None] == self._counted
        reneged = np.array([END if service is None else service.reneged for service in self._flow.services])
        target = reneged[at.steps]
        for step, limit in enumerate(self._flow.limits):
            if limit:
                target = np.where((target == step) & (at.visits[:, self._column[step]] >= limit), END, target)
        return Places(at.case, at.entities, at.times, target, at.index + 1, at.visits)

    def _leave(self, at: Places, step: int, uniform: Floats, rng: np.random.Generator) -> tuple[Indices, Times]:
        """The next step of cases that are all at `step`, and its time or the time of the end."""
        target, times = np.full(len(at), END), at.times.copy()
        passed: Floats | float = 0.0
        shares = [self._shares(branch, at, step) for branch in self._flow.branches[step]]
        total = sum(shares, start=0.0)
        self._check(at, step, total)
        factor = self._disturbed(at, total)
        for branch, share in zip(self._flow.branches[step], shares, strict=True):
            until = passed + share * factor
            taken = np.flatnonzero((uniform >= passed) & (uniform < until) & self._open(branch, at))
            target[taken], times[taken] = self._take(branch, at.take(taken), rng)
            passed = until
        return target, times

    def _disturbed(self, at: Places, total: Floats | float) -> Floats | float:
        """What incidents multiply the probabilities by, which sum to `total` before and to 1 at most after."""
        factor = self._incidents.factor(self._flow.name, "probability", self._block, at.entities, at.times, at.steps)
        if factor is None:
            return 1.0
        return factor / np.maximum(factor * total, 1.0)

    def _open(self, branch: Branch, at: Places) -> NDArray[np.bool_] | bool:
        """Whether the step ahead has visits left."""
        limit = self._flow.limits[branch.to]
        return at.visits[:, self._column[branch.to]] < limit if limit else True

    def _take(self, branch: Branch, at: Places, rng: np.random.Generator) -> tuple[Indices, Times]:
        target = np.full(len(at), branch.to)
        if branch.after is None:
            return target, at.times
        delay = np.maximum(branch.after.draw(rng, len(at)), 0.0) * self._factors(branch.delays, at)
        slower = self._incidents.factor(self._flow.name, "delay", self._block, at.entities, at.times, at.steps)
        delay = delay if slower is None else delay * slower
        if branch.timeout is not None:
            late = delay > branch.timeout
            target[late] = self._after_timeout(branch, at)[late]
            delay[late] = branch.timeout
        return target, at.times + np.minimum(delay, _LONGEST).astype(np.int64)

    def _after_timeout(self, branch: Branch, at: Places) -> Indices:
        """The step after a time-out, as long as it has visits left."""
        limit = self._flow.limits[branch.otherwise] if branch.otherwise != END else 0
        if not limit:
            return np.full(len(at), branch.otherwise)
        return np.where(at.visits[:, self._column[branch.otherwise]] < limit, branch.otherwise, END)

    def _shares(self, branch: Branch, at: Places, step: int) -> Floats | float:
        shares = branch.probability * self._factors(branch.probabilities, at)
        for place, factors in branch.history:
            shares = shares * factors[np.minimum(self._before(at, place, step), len(factors) - 1)]
        return shares

    def _before(self, at: Places, place: int, step: int) -> Indices:
        """How often cases that are at `step` now were at the step `place` before; with -1, how many steps they took."""
        return at.index if place < 0 else at.visits[:, self._column[place]] - (place == step)

    def _factors(self, factors: BranchFactors, at: Places) -> Floats | float:
        product: Floats | float = 1.0
        for by_segment, codes in zip(factors.segments, self._block.segments, strict=True):
            if not np.all(by_segment == 1.0):
                product = product * by_segment[codes[at.entities]]
        if factors.vintage is not None:
            product = product * factors.vintage.at(np.maximum(at.times - self._block.births[at.entities], 0))
        if factors.curve is not None:
            product = product * factors.curve.at(at.times)
        return product

    def _check(self, at: Places, step: int, total: Floats | float) -> None:
        """Raise SimulationError where the probabilities of the branches sum to more than 1."""
        above = np.flatnonzero(np.broadcast_to(total, len(at)) > 1 + 1e-9)
        if len(above):
            first = int(above[np.argmin(at.times[above])])
            who, when = self._block.name(int(at.entities[first])), format_instant(int(at.times[first]))
            found = float(np.broadcast_to(total, len(at))[first])
            raise SimulationError(
                f"{self._flow.name}, {who}, {when}: the probabilities of the ways on from {self._flow.steps[step]!r}"
                f" sum to {found:g} after their factors; at most 1 is possible"
            )
