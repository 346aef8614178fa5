from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine import history
from sim.engine.history import History, Transitions, ordered


def changes(events):
    """Changes of state (time, entity), by (entity, time): from 0 to 1, from there to 2 and so on."""
    by_entity = sorted((entity, time) for time, entity in events)
    entities, times = (np.array([event[n] for event in by_entity], dtype=np.int64) for n in range(2))
    rank = np.array([entities[:place].tolist().count(own) for place, own in enumerate(entities)], dtype=np.int8)
    reasons, dwell = np.zeros(len(events), dtype=np.int16), np.zeros(len(events), dtype=np.int64)
    return Transitions(times, entities, rank, rank + np.int8(1), reasons, dwell)


EVENTS = st.sets(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=30)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(EVENTS, st.lists(st.integers(-5, 40), max_size=20))
def test_the_last_change_is_the_latest_at_or_before_the_time(events, asked):
    known = History(changes(events), 6)
    for entity in {event[1] for event in events}:
        found = known.last(np.full(len(asked), entity), np.array(asked, dtype=np.int64))
        for time, place in zip(asked, found.tolist(), strict=True):
            before = [event[0] for event in events if event[1] == entity and event[0] <= time]
            assert (place >= 0) == bool(before)
            assert place < 0 or (known.changes.times[place], known.changes.entities[place]) == (max(before), entity)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(EVENTS, st.lists(st.integers(-5, 40), max_size=20))
def test_the_state_at_a_time_is_that_after_all_changes_until_then(events, asked):
    known = History(changes(events), 6)
    for entity in {event[1] for event in events}:
        found = known.state(np.full(len(asked), entity), np.array(asked, dtype=np.int64))
        assert found.tolist() == [sum(whose == entity and at <= time for at, whose in events) for time in asked]


@pytest.mark.parametrize("largest", [2**62, 40], ids=["packed", "by rank"])
@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**61), 2**61), st.integers(0, 3)), max_size=20), st.booleans())
def test_the_order_of_two_keys_is_that_of_a_lexical_sort(largest, pairs, small):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "_LARGEST_KEY", largest)
        major, minor = (np.array([p[n] % 7 if small else p[n] for p in pairs], dtype=np.int64) for n in range(2))
        assert (ordered(major, minor) == np.lexsort((minor, major))).all()
