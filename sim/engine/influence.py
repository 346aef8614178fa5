"""The influence of each step on conversions as one run shows it, for processes whose truth no formula gives.

A conversion is lost without a step exactly if its case was at the step before, so the paths of one run give the removal
effects of all steps at once, with the standard errors of shares.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.engine.simulate import simulate
from sim.maths.arrays import Bools
from sim.model.model import Flow, Model
from sim.model.truth import Touch, Truth, touchpoints

Indices = NDArray[np.int64]

_ENOUGH = 1_000_000
"""Cases; of larger runs, a share of the blocks is simulated."""


def measured(model: Model, flow: Flow, seed: int | None = None) -> Truth:
    """The truth about the cases of `flow`, from a run of `model` or, if it is large, of a part of its blocks.

    The end of the run cuts some cases short, so it should be long against a case.
    """
    cases, steps = _paths(model, flow, seed)
    new = np.concatenate([[True], cases[1:] != cases[:-1]])[: len(cases)]
    converts = np.isin(steps, flow.conversions)
    first = converts & (_before(converts, new) == 0)
    number, conversions = int(new.sum()), int(converts.sum())
    touches = []
    for step in touchpoints(flow):
        touched = _before(steps == step, new) > 0
        lost, fewer = _share(touched, first), _share(touched, converts)
        error = math.sqrt(lost * (1 - lost) / max(int(first.sum()), 1))
        touches.append(Touch(flow.steps[step], float((steps == step).sum()) / max(number, 1), lost, fewer, error))
    per_case = max(number, 1)
    return Truth(flow.name, {}, 1.0, int(first.sum()) / per_case, conversions / per_case, tuple(touches), number)


def _share(touched: Bools, conversions: Bools) -> float:
    return float(touched[conversions].mean()) if conversions.any() else 0.0


def _paths(model: Model, flow: Flow, seed: int | None) -> tuple[Indices, Indices]:
    """Case and step of every step, by case and then in order: int64[n] each."""
    expected = flow.start.expected if flow.start is not None else model.populations[flow.population].expected
    shards = min(model.blocks, max(1, math.ceil(expected / _ENOUGH))) if model.shardable else 1
    parts = [
        (batch.data.column(f"{flow.name}_case_id"), batch.data.column("step_index"), batch.data.column("step").indices)
        for batch in simulate(model, seed, (1, shards))
        if batch.stream.name == flow.name and len(batch)
    ]
    if not parts:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    cases, index, steps = (
        np.concatenate([np.asarray(piece, dtype=np.int64) for piece in column]) for column in zip(*parts, strict=True)
    )
    order = np.lexsort((index, cases))
    return cases[order], steps[order]


def _before(happened: Bools, new: Bools) -> Indices:
    """How often it happened earlier in the same case, where `new` marks the first row of each: int64[n]."""
    counts: Indices = np.cumsum(happened) - happened
    starts = np.flatnonzero(new)
    sizes = np.diff(np.append(starts, len(new)))
    return np.asarray(counts - np.repeat(counts[starts], sizes), dtype=np.int64)
