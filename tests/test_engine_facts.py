from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.attributes.column import Column
from sim.batch import TIME, TIME_TYPE, Stream
from sim.engine.facts import MOST_FACTS, Facts, check_room, fact_ids, merge
from sim.engine.window import Window, windows
from sim.errors import SimulationError
from sim.maths.recurrences import in_order, linear, places

STREAM = Stream("act", pa.schema([("act_id", pa.int64()), (TIME, TIME_TYPE), ("x", pa.float64())]), "act_id", "act_id")


def piece(times, ids):
    times = np.array(times, dtype=np.int64)
    return Facts(times, {"act_id": Column.of(np.array(ids, dtype=np.int64)), "x": Column.of(times / 2)})


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.integers(0, 20), max_size=12), max_size=4), st.booleans(), st.sampled_from([21, 2**61]))
def test_a_merge_is_a_sort_by_time_then_id(blocks, reverse, until):
    window, first = Window(0, 0, until), 0
    pieces = []
    for times in blocks:
        pieces.append(piece(sorted(times), np.arange(first, first + len(times))))
        first += len(times)
    batch = merge(STREAM, pieces[::-1] if reverse else pieces, window)
    times, ids = (batch.data[name].cast(pa.int64()).to_numpy() for name in (TIME, "act_id"))
    assert len(batch) == first
    assert (np.lexsort((ids, times)) == np.arange(first)).all()
    assert (batch.data["x"].to_numpy() == times / 2).all()


def test_no_facts_are_an_empty_batch_of_the_schema():
    batch = merge(STREAM, [piece([], [])], Window(3, 5, 9))
    assert (len(batch), batch.start, batch.until) == (0, 5, 9)
    assert batch.data.schema == STREAM.schema


def test_ids_of_blocks_and_ticks_never_meet():
    ranges = [
        fact_ids("act", 2, block, Window(number, 0, 1))[[0, 0]] + [0, MOST_FACTS - 1]
        for number in (0, 1, 2**21 - 1)
        for block in (0, 1, 63)
    ]
    bounds = np.concatenate(ranges)
    assert (np.diff(bounds) > 0).all()
    assert bounds[-1] == 2**53 - 1


def test_more_facts_than_ids_are_an_error_that_says_what_to_do():
    with pytest.raises(
        SimulationError, match=r"act: 67,108,865 facts in block 3 within the tick from 1970-.*shorter tick"
    ):
        check_room("act", MOST_FACTS + 1, 3, Window(0, 0, 1))
    check_room("act", MOST_FACTS, 3, Window(0, 0, 1))


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.integers(1, 100), st.integers(1, 300))
def test_windows_cover_the_run_without_gap(tick, length):
    spans = list(windows(7, 7 + length, tick))
    assert spans[0].start == 7
    assert spans[-1].until == 7 + length
    assert all(a.until == b.start for a, b in itertools.pairwise(spans))
    assert all(span.until - span.start == tick for span in spans[:-1])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(-50, 50)), max_size=40))
def test_totals_are_sums_per_entity_in_the_order_of_time_then_of_giving(events):
    entities, times, values = (np.array([event[n] for event in events], dtype=np.int64) for n in range(3))
    balance = np.arange(5, dtype=np.float64) * 100
    order = in_order(entities, times)
    who = entities[order]
    after = np.empty(len(events))
    after[order] = linear(values[order].astype(np.float64), places(who), balance[who])
    book = {entity: entity * 100 for entity in range(5)}
    for place in sorted(range(len(events)), key=lambda place: events[place][1]):
        book[events[place][0]] += events[place][2]
        assert after[place] == book[events[place][0]]
