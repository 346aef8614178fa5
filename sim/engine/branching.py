"""Branching: which way cases go on from where they are, and how long they take."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.engine.block import Block
from sim.engine.calendar import Pending
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.model.model import Branch, BranchFactors, Flow

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_END = -1


class Brancher:
    """The branches of a process, for the cases of one block."""

    def __init__(self, flow: Flow, block: Block) -> None:
        self.dictionary = pa.array(flow.steps, pa.string())
        """The names of the steps by code."""
        self._flow = flow
        self._counted = flow.counted
        self._block = block

    def step(self, cases: Pending, rng: np.random.Generator) -> tuple[Pending, Pending]:
        """Where the cases go from their present steps: those that go on, at their next steps, and those that end."""
        cases = self._count(cases)
        target = np.full(len(cases.times), _END)
        times = cases.times.copy()
        uniform = rng.random(len(times))
        present = cases.carried["step"].values
        for step in np.unique(present).tolist():
            here = np.flatnonzero(present == step)
            target[here], times[here] = self._leave(cases.take(here), step, uniform[here], rng)
        return _apart(cases, target, times)

    def divert(self, cases: Pending) -> tuple[Pending, Pending]:
        """Where cases go that have given up waiting: to their steps for that, at once; and those that end."""
        cases = self._count(cases)
        reneged = np.array([_END if service is None else service.reneged for service in self._flow.services])
        target = reneged[cases.carried["step"].values]
        for step, limit in enumerate(self._flow.limits):
            if limit:
                target = np.where((target == step) & (cases.carried[f"visits.{step}"].values >= limit), _END, target)
        return _apart(cases, target, cases.times)

    def _count(self, cases: Pending) -> Pending:
        """Note the visit of the present step, where visits matter."""
        carried = dict(cases.carried)
        for step in self._counted:
            visits = carried[f"visits.{step}"].values
            carried[f"visits.{step}"] = Column.of(visits + (carried["step"].values == step))
        return Pending(cases.times, cases.entities, carried)

    def _leave(
        self, cases: Pending, step: int, uniform: Floats, rng: np.random.Generator
    ) -> tuple[Indices, NDArray[np.int64]]:
        """The next step of cases that are all at `step` (-1: none), and its time or the time of the end."""
        target = np.full(len(cases.times), _END)
        times = cases.times.copy()
        passed = np.zeros(len(times))
        for branch in self._flow.branches[step]:
            share = self._shares(branch, cases, step)
            taken = np.flatnonzero((uniform >= passed) & (uniform < passed + share) & self._open(branch, cases))
            passed += share
            target[taken], times[taken] = self._take(branch, cases.take(taken), rng)
        self._check(cases, step, passed)
        return target, times

    def _open(self, branch: Branch, cases: Pending) -> NDArray[np.bool_]:
        """Whether the step ahead has visits left."""
        limit = self._flow.limits[branch.to]
        if not limit:
            return np.ones(len(cases.times), dtype=np.bool_)
        return cases.carried[f"visits.{branch.to}"].values < limit

    def _take(self, branch: Branch, cases: Pending, rng: np.random.Generator) -> tuple[Indices, NDArray[np.int64]]:
        target = np.full(len(cases.times), branch.to)
        if branch.after is None:
            return target, cases.times
        delay = np.maximum(branch.after.draw(rng, len(target)), 0.0) * self._factors(branch.delays, cases)
        if branch.timeout is not None:
            late = delay > branch.timeout
            target[late] = branch.otherwise
            delay[late] = branch.timeout
        return target, cases.times + np.minimum(delay, 2.0**60).astype(np.int64)

    def _shares(self, branch: Branch, cases: Pending, step: int) -> Floats:
        shares = branch.probability * self._factors(branch.probabilities, cases)
        for place, factors in branch.history:
            before = _before(cases, place, step)
            shares *= factors[np.minimum(before, len(factors) - 1)]
        return shares

    def _factors(self, factors: BranchFactors, cases: Pending) -> Floats:
        product = np.ones(len(cases.times))
        for by_segment, codes in zip(factors.segments, self._block.segments, strict=True):
            if not np.all(by_segment == 1.0):
                product *= by_segment[codes[cases.entities]]
        if factors.vintage is not None:
            product *= factors.vintage.at(np.maximum(cases.times - self._block.births[cases.entities], 0))
        if factors.curve is not None:
            product *= factors.curve.at(cases.times)
        return product

    def _check(self, cases: Pending, step: int, total: Floats) -> None:
        """Raise SimulationError where the probabilities of the branches sum to more than 1."""
        above = np.flatnonzero(total > 1 + 1e-9)
        if len(above):
            first = int(above[0])
            who, when = self._block.name(int(cases.entities[first])), format_instant(int(cases.times[first]))
            raise SimulationError(
                f"{self._flow.name}, {who}, {when}: the probabilities of the ways on from {self._flow.steps[step]!r}"
                f" sum to {total[first]:g} after their factors; at most 1 is possible"
            )


def _apart(cases: Pending, target: Indices, times: NDArray[np.int64]) -> tuple[Pending, Pending]:
    """The cases that go on, at the steps `target` and the times, and those that end (target -1)."""
    on, over = np.flatnonzero(target != _END), np.flatnonzero(target == _END)
    following, ended = cases.take(on), cases.take(over)
    following.carried["step"] = Column.of(target[on])
    following.carried["index"] = Column.of(following.carried["index"].values + 1)
    return (
        Pending(times[on], following.entities, following.carried),
        Pending(times[over], ended.entities, ended.carried),
    )


def _before(cases: Pending, place: int, step: int) -> Indices:
    """How often cases that are at `step` now were at the step `place` before; with -1, how many steps they took."""
    if place < 0:
        return np.asarray(cases.carried["index"].values)
    return np.asarray(cases.carried[f"visits.{place}"].values - (place == step))
