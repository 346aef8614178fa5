from __future__ import annotations

import pytest
from fake_batches import STREAMS, facts, fake_batches
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.delivery.windows import limited, windows
from sim.errors import SimulationError


def test_batches_are_grouped_into_windows_of_all_streams():
    grouped = list(windows(fake_batches(3), len(STREAMS)))
    assert [window.facts for window in grouped] == [100, 100, 100]
    assert [window.until for window in grouped] == [1_000_000, 2_000_000, 3_000_000]


def test_a_window_that_lacks_a_stream_is_refused():
    batches = list(fake_batches(2))
    del batches[1]
    with pytest.raises(SimulationError, match="not whole"):
        list(windows(batches, 2))


@given(st.integers(0, 420))
@settings(max_examples=60, deadline=None)
def test_a_limit_takes_the_first_facts_of_the_total_order(limit):
    everything = facts(list(fake_batches(4)))
    cut = [batch for window in limited(windows(fake_batches(4), 2), limit) for batch in window.batches]
    assert facts(cut) == everything[:limit]


def test_a_limit_stops_the_simulation_as_soon_as_it_is_reached():
    source = fake_batches(1000)
    list(limited(windows(source, 2), 150))
    assert next(source).start == 2_000_000


def test_a_cut_window_ends_right_after_its_last_fact():
    window = next(windows(fake_batches(1), 2)).head(37)
    last = max(int(times[-1]) for times in window.times)
    assert window.until == last + 1
