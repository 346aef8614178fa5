"""Injection: windows of facts as they happened become batches of facts as they arrive.

What is late waits in a calendar until its window: memory is what arrives within the bound. After the last window comes
one more for what is still on its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sim.batch import Batch, Stream
from sim.delivery.faults import Codes, Injector, Ints
from sim.delivery.ledger import Ledger, is_row
from sim.delivery.settling import Upstream
from sim.delivery.windows import Window
from sim.engine.resumable import Stage
from sim.scenario.faults import Faults


class Injected:
    """The batches of all windows, one a stream and window, with the faults of the streams that have any.

    `ledger` is told the facts as they are, and every injection. `damages` are the kinds of damage that the sink can do
    to messages, with their numbers; `seed` is one for all streams, or that of each stream with faults. With `upstream`,
    which the windows come from, the batches can be gone on with.
    """

    def __init__(
        self,
        windows: Iterable[Window],
        streams: Sequence[Stream],
        faults: Mapping[str, Faults],
        seed: int | Mapping[str, int],
        ledger: Ledger | None = None,
        damages: Mapping[str, int] | None = None,
        upstream: Upstream | None = None,
    ) -> None:
        seeds = dict.fromkeys(faults, seed) if isinstance(seed, int) else seed
        injectors = {
            stream.name: Injector(stream, faults[stream.name], seeds[stream.name], damages)
            for stream in streams
            if stream.name in faults
        }
        self.key = f"faults {sorted(injectors)} {sorted(damages or ())} {ledger.key if ledger else None}"
        self.facts = {stream.name: 0 for stream in streams}
        """The facts of each stream that have arrived so far."""
        self._windows = windows
        self._streams = streams
        self._ledger = ledger
        self._upstream = upstream
        self._calendars = {stream.name: _Calendar(injectors.get(stream.name), ledger) for stream in streams}
        if upstream is not None:
            upstream.attach(self)

    def __iter__(self) -> Iterator[Batch]:
        until: int | None = None
        for window in self._windows:
            if self._ledger is not None:
                self._ledger.tally(window)
            found = {batch.stream.name: batch for batch in window.batches}
            for stream in self._streams:
                yield self._turn(found.get(stream.name) or Batch(stream, _nothing(stream), window.start, window.until))
            until = window.until
        if until is None:
            return
        if self._ledger is not None:
            self._ledger.finish(until)
        last = max(calendar.last for calendar in self._calendars.values())
        if last >= until:
            for stream in self._streams:
                yield self._turn(Batch(stream, _nothing(stream), until, last + 1))

    @property
    def total(self) -> int:
        """The facts that have come out so far, those included that were passed over."""
        return 0 if self._upstream is None else self._upstream.total

    def attach(self, stage: Stage) -> None:
        """The facts go through `stage`, too."""
        if self._upstream is not None:
            self._upstream.attach(stage)

    def leap(self, there: Mapping[str, int]) -> dict[str, int]:
        """Pass over facts that are there already, if the ledger tells of them as well; how many those are."""
        if self._upstream is None:
            return {}
        rows = {} if self._ledger is None else self._ledger.there
        found = self._upstream.leap({**there, **rows})
        return {name: count for name, count in found.items() if not is_row(name)}

    def settle(self, until: int) -> None:
        """What was written before `until` will be found by a process that goes on: now in the ledger, too."""
        if self._ledger is not None:
            self._ledger.settle(until)
        if self._upstream is not None:
            self._upstream.settle(until)

    def finish(self) -> None:
        """There is nothing left to go on with."""
        if self._upstream is not None:
            self._upstream.finish()

    def keep(self, until: int) -> tuple[Mapping[str, int], Any]:
        """The rows of the ledger before `until`; and what is still on its way."""
        rows, entries = ({}, None) if self._ledger is None else self._ledger.keep(until)
        calendars = {name: calendar.state for name, calendar in self._calendars.items()}
        return rows, (self.facts, calendars, entries)

    def restore(self, state: Any) -> None:
        """Go on from what `keep` has given."""
        self.facts, calendars, entries = state
        for name, calendar in self._calendars.items():
            calendar.state = calendars[name]
        if self._ledger is not None:
            self._ledger.restore(entries)

    def _turn(self, batch: Batch) -> Batch:
        turned = self._calendars[batch.stream.name].turn(batch)
        self.facts[batch.stream.name] += len(turned)
        return turned


class _Calendar:
    """The facts of one stream that have not arrived yet."""

    def __init__(self, injector: Injector | None, ledger: Ledger | None) -> None:
        self._injector = injector
        self._ledger = ledger
        self._damage: Codes = np.empty(0, np.uint8)
        self._waiting: list[pa.RecordBatch] = []
        self._due: Ints = np.empty(0, np.int64)
        self._happened: Ints = np.empty(0, np.int64)

    @property
    def state(self) -> tuple[list[pa.RecordBatch], Ints, Ints, Codes]:
        """All that is waiting."""
        return self._waiting, self._due, self._happened, self._damage

    @state.setter
    def state(self, state: tuple[list[pa.RecordBatch], Ints, Ints, Codes]) -> None:
        self._waiting, self._due, self._happened, self._damage = state

    @property
    def last(self) -> int:
        """When the last fact that waits arrives; before all times where none does."""
        return int(self._due.max()) if len(self._due) else np.iinfo(np.int64).min

    def turn(self, batch: Batch) -> Batch:
        """Take the facts that happen in a window; what arrives in it, by (arrival, when it happened, id)."""
        if self._injector is None:
            return batch
        struck = self._injector.strike(batch)
        if self._ledger is not None:
            self._ledger.note(batch, struck.injections)
        rows = pa.Table.from_batches([*self._waiting, struck.data]).unify_dictionaries().combine_chunks()
        due = np.concatenate([self._due, struck.arrivals])
        happened = np.concatenate([self._happened, struck.happened])
        ready = np.flatnonzero(due < batch.until)
        damage = np.concatenate([self._damage, struck.damage])
        ids = rows.column(batch.stream.id).to_numpy()
        ready = ready[np.lexsort((ids[ready], happened[ready], due[ready]))]
        late = np.flatnonzero(due >= batch.until)
        self._waiting = [_take(rows, late)] if len(late) else []
        self._due, self._happened, self._damage = due[late], happened[late], damage[late]
        return Batch(batch.stream, _take(rows, ready), batch.start, batch.until, due[ready], damage[ready])


def _take(rows: pa.Table, places: Ints) -> pa.RecordBatch:
    taken = rows.take(pa.array(places)).combine_chunks().to_batches()
    return (
        taken[0]
        if taken
        else pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in rows.schema], schema=rows.schema)
    )


def _nothing(stream: Stream) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in stream.schema], schema=stream.schema)
