"""Chronicles: what becomes of entities, told as change events, as versions, and as snapshots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.attributes.column import TIME_TYPE, Column, strings
from sim.attributes.nested import plain_array
from sim.batch import Stream
from sim.engine.block import Block
from sim.engine.facts import Facts, check_room, fact_ids
from sim.engine.fanout import Emit
from sim.engine.growable import Growable
from sim.engine.moments import CREATE, DELETE, UNSEEN, UPDATE, Moments, Watch
from sim.engine.record import Columns, Record
from sim.engine.window import Window
from sim.maths.recurrences import places
from sim.model.chronicles import OPERATIONS, Chronicle
from sim.model.model import Model

Indices = NDArray[np.int64]
Times = NDArray[np.int64]
Report = Callable[[str, Facts], None]


class Chronicles:
    """The chronicle of one population, in the blocks of this shard. `report` takes the facts."""

    def __init__(self, model: Model, chronicle: Chronicle, blocks: list[Block], report: Report) -> None:
        self._parts = [_Part(model, chronicle, block, report) for block in blocks]

    def advance(self, window: Window, emit: Emit) -> None:
        """Report what has become of the entities in `window`."""
        for part in self._parts:
            part.advance(window)


class _Part:
    """The chronicle of one block: since when entities are as they are, and how many versions have ended."""

    def __init__(self, model: Model, chronicle: Chronicle, block: Block, report: Report) -> None:
        self._model = model
        self._chronicle = chronicle
        self._block = block
        self._report = report
        self._record = Record(block, chronicle.record)
        self._watch = Watch(block, self._record)
        self._since, self._ended = Growable(np.int64), Growable(np.int64)

    def advance(self, window: Window) -> None:
        chronicle = self._chronicle
        if chronicle.changes is not None or chronicle.versions is not None:
            moments = self._watch.moments(window)
            if chronicle.changes is not None:
                self._tell_changes(chronicle.changes, moments, window)
            if chronicle.versions is not None:
                self._tell_versions(chronicle.versions, moments, window)
        if chronicle.snapshots is not None:
            self._tell_snapshots(chronicle.snapshots, window)

    def _tell_changes(self, stream: Stream, moments: Moments, window: Window) -> None:
        order = np.argsort(moments.times, kind="stable")
        operation, entities = moments.operation[order], moments.entities[order]
        kind = stream.schema.field("after").type
        columns = {
            "op": Column.coded(operation, strings(OPERATIONS)),
            "changed": _listed(moments.changed[order] & (operation == UPDATE)[:, None], self._record.varying),
            "before": self._whole(entities, moments.before(order), operation == CREATE, kind),
            "after": self._whole(entities, moments.after(order), operation == DELETE, kind),
        }
        self._tell(stream, window, moments.times[order], entities, columns)

    def _whole(self, entities: Indices, columns: Columns, absent: NDArray[np.bool_], kind: pa.DataType) -> Column:
        """Entities as one column of structs, null where they are `absent`."""
        arrays = [pa.array(self._block.ids[entities]), *(plain_array(column) for column in columns.values())]
        return Column.of(pa.StructArray.from_arrays(arrays, fields=list(kind), mask=pa.array(absent)))

    def _tell_versions(self, stream: Stream, moments: Moments, window: Window) -> None:
        """The versions that end in the window, and at the end of the run those that are current."""
        fresh = np.arange(len(self._since), len(self._block))
        self._since.extend(np.maximum(self._block.births[fresh], window.start))
        self._ended.extend(np.zeros(len(fresh), dtype=np.int64))
        entities, times, columns = self._ending(moments)
        if window.until == self._model.end:
            current, last, more = self._current(window)
            entities, times = np.concatenate([entities, current]), np.concatenate([times, last])
            columns = {name: Column.concat([columns[name], more[name]]) for name in columns}
        self._tell(stream, window, times, entities, columns)

    def _ending(self, moments: Moments) -> tuple[Indices, Times, Columns]:
        ending = np.flatnonzero(moments.operation != CREATE)
        who, when, earlier = moments.entities[ending], moments.times[ending], moments.earlier[ending]
        number = places(who) + 1
        columns = _version(
            self._ended.values[who] + number, np.where(earlier == UNSEEN, self._since.values[who], earlier), when
        )
        # The last of each entity is what remains: numbers and times ascend.
        np.maximum.at(self._since.values, who, when)
        last = np.flatnonzero(np.diff(who, append=-1))
        self._ended.values[who[last]] += number[last]
        order = np.argsort(when, kind="stable")
        columns = {name: column.take(order) for name, column in columns.items()}
        return who[order], when[order], columns | moments.before(ending[order])

    def _current(self, window: Window) -> tuple[Indices, Times, Columns]:
        """The versions that nothing has ended, at the last instant of the run."""
        entities = self._watch.present
        times = np.full(len(entities), window.until - 1)
        columns = _version(self._ended.values[entities] + 1, self._since.values[entities], None)
        return entities, times, columns | self._record.at(entities, times)

    def _tell_snapshots(self, stream: Stream, window: Window) -> None:
        """Who is born by then and has not ended, at each time that is due."""
        assert self._chronicle.schedule is not None
        moments = self._chronicle.schedule.boundaries(window.start, window.until, self._model.timeline)
        born = np.searchsorted(self._block.births, moments, side="right")
        check_room(stream.name, float(born.sum()), self._block.index, window)
        entities = np.arange(int(born.sum())) - np.repeat(np.cumsum(born) - born, born)
        times = np.repeat(moments, born)
        there = np.flatnonzero(self._block.ended(entities) > times)
        entities, times = entities[there], times[there]
        self._tell(stream, window, times, entities, self._record.at(entities, times))

    def _tell(self, stream: Stream, window: Window, times: Times, entities: Indices, columns: Columns) -> None:
        ids = fact_ids(stream.name, len(times), self._block.index, window)
        known = {stream.id: Column.of(ids), stream.key: Column.of(self._block.ids[entities])}
        self._report(stream.name, Facts(times, columns | known))


def _version(number: Indices, since: Times, until: Times | None) -> Columns:
    """The columns of versions; without `until` they are current."""
    current = np.full(len(number), until is None)
    ends = np.zeros(len(number), dtype=np.int64) if until is None else until
    return {
        "version": Column.of(number),
        "valid_from": Column(since, TIME_TYPE),
        "valid_to": Column(ends, TIME_TYPE, current if until is None else None),
        "is_current": Column.of(current),
    }


def _listed(chosen: NDArray[np.bool_], names: list[str]) -> Column:
    """Lists of the names that are chosen, bool[n, k] of k names."""
    offsets = np.concatenate([[0], np.cumsum(chosen.sum(axis=1))]).astype(np.int32)
    values = strings(names).take(pa.array(np.nonzero(chosen)[1]))
    return Column.of(pa.ListArray.from_arrays(pa.array(offsets), values))
