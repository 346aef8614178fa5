"""One window's batches as one sequence: cut at common instants, and put in the total order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.batch import Batch

SLICE = 65_536
"""Facts that are encoded together: large enough for columns to pay, small enough to stay in the caches."""


def slices(batches: Sequence[Batch], rows: int = SLICE) -> Iterator[list[Batch]]:
    """Cut a window's batches at common instants into groups of about `rows` facts, empty batches left out.

    The groups follow each other in time: every fact of one is before every fact of the next. Within a group the
    batches keep their order. Facts of one instant stay together, however many they are.
    """
    full = [batch for batch in batches if len(batch)]
    if sum(map(len, full)) <= rows:
        if full:
            yield full
        return
    times = [batch.times for batch in full]
    cuts = np.unique(np.sort(np.concatenate(times), kind="stable")[rows::rows])
    edges = [np.concatenate(([0], np.searchsorted(own, cuts), [len(own)])).tolist() for own in times]
    for place in range(len(cuts) + 1):
        group = [batch.part(own[place], own[place + 1]) for batch, own in zip(full, edges, strict=True)]
        kept = [batch for batch in group if len(batch)]
        if kept:
            yield kept


def order(batches: Sequence[Batch]) -> NDArray[np.int64]:
    """Where the facts of `batches`, one after the other, stand in the total order (time, rank, id).

    The time is that of the event, or of arrival where a batch has arrivals. The batches come by rank, each sorted by
    time and id, so a stable sort by time alone is that order.
    """
    return np.argsort(np.concatenate([batch.times for batch in batches]), kind="stable")
