"""Multi-stage processes: steps to codes, branches with the factors of segments, age and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.model.binding import Binder
from sim.model.model import Branch, BranchFactors, Factors, Segmentation
from sim.scenario import processes as language
from sim.scenario.schema import StreamSpec


def start_of(process: language.Process) -> StreamSpec:
    """The start of a process as if it were a stream, which it is in all but its facts."""
    start = process.start
    # Its parts are validated already, and quantities are read from text only once.
    return StreamSpec.model_construct(
        entity=process.entity, rate=start.rate, every=start.every, curves=start.curves, states=start.states
    )


def branches_of(
    binder: Binder, process: language.Process, segmentations: Sequence[Segmentation]
) -> tuple[tuple[Branch, ...], ...]:
    """The branches of each step."""
    codes = {name: code for code, name in enumerate(process.steps)}
    return tuple(
        tuple(
            Branch(
                to=codes[branch.to],
                probability=branch.probability,
                after=branch.after,
                timeout=branch.timeout,
                otherwise=-1 if branch.otherwise is None else codes[branch.otherwise],
                probabilities=_factors(binder, branch, segmentations, "probability"),
                delays=_factors(binder, branch, segmentations, "delay"),
            )
            for branch in step.next
        )
        for step in process.steps.values()
    )


def _factors(binder: Binder, branch: language.Branch, segmentations: Sequence[Segmentation], key: str) -> BranchFactors:
    curves = getattr(branch.curves, key)
    return BranchFactors(
        segments=tuple(_by_segment(branch, segmentation, key) for segmentation in segmentations),
        vintage=getattr(branch.vintage, key),
        curve=binder.product(curves) if curves else None,
    )


def _by_segment(branch: language.Branch, segmentation: Segmentation, key: str) -> Factors:
    effects = branch.segments.get(segmentation.name, {})
    return np.array([getattr(effects[name], key) if name in effects else 1.0 for name in segmentation.names])
