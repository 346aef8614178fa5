"""`null:` counts the facts and forgets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sinks.contract import Sink
from sinks.run import Report, Run
from sinks.staging import Staged
from sinks.target import Options, Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sim.batch import Batch, Stream


class Null(Sink):
    """Takes everything at no cost, for measuring the simulation alone; `bytes` is the size of the Arrow data."""

    scheme = "null"
    guarantee = "counted, not kept"
    acknowledges = "emit"

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        Options(target).finish()
        self._bytes = self._pending = 0

    def _open(self, streams: tuple[Stream, ...], run: Run) -> None:
        pass

    def _write(self, batch: Batch) -> None:
        self._pending += batch.data.nbytes

    def _stage(self, batches: Sequence[Batch], due: NDArray[np.int64]) -> Staged:
        return _Forgotten(self, batches)

    def _commit(self, watermark: int) -> None:
        self._bytes, self._pending = self._bytes + self._pending, 0

    def _close(self, sound: bool) -> Report:
        facts = self.committed
        return Report(facts, bytes=self._bytes, acknowledged=sum(facts.values()), until=self.watermark)


class _Forgotten(Staged):
    gradual = True

    def _send(self, upto: int, first: Sequence[int], last: Sequence[int]) -> None:
        pass
