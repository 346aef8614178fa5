from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine import history
from sim.engine.history import Transitions, ordered


def changes(events):
    """Changes of state (time, entity); the states do not matter."""
    times, entities = (np.array([event[n] for event in sorted(events)], dtype=np.int64) for n in range(2))
    codes = np.zeros(len(events), dtype=np.int8)
    return Transitions(times, entities, codes, codes, codes.astype(np.int16), np.zeros(len(events), dtype=np.int64))


EVENTS = st.sets(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=30)


@pytest.mark.parametrize("largest", [2**62, 40], ids=["by time", "by rank of time"])
@settings(max_examples=60, derandomize=True, deadline=None)
@given(EVENTS, st.lists(st.integers(-5, 40), max_size=20))
def test_the_last_change_is_the_latest_at_or_before_the_time(largest, events, asked):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "_LARGEST_KEY", largest)
        known = changes(events).by_entity(6)
        for entity in {event[1] for event in events}:
            found = known.last(np.full(len(asked), entity), np.array(asked, dtype=np.int64))
            for time, place in zip(asked, found.tolist(), strict=True):
                before = [event[0] for event in events if event[1] == entity and event[0] <= time]
                assert (place >= 0) == bool(before)
                assert place < 0 or (known.changes.times[place], known.changes.entities[place]) == (max(before), entity)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**61), 2**61), st.integers(0, 3)), max_size=20), st.booleans())
def test_the_order_of_two_keys_is_that_of_a_lexical_sort(pairs, small):
    major, minor = (np.array([pair[n] % 7 if small else pair[n] for pair in pairs], dtype=np.int64) for n in range(2))
    assert (ordered(major, minor) == np.lexsort((minor, major))).all()
