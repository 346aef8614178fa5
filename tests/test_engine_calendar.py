from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.attributes.column import Column
from sim.engine.calendar import Calendar, Pending, delays
from sim.maths.distributions import ConstantDuration, ParetoDuration
from sim.maths.units import YEAR


def pending(times):
    times = np.array(times, dtype=np.int64)
    return Pending(times, np.arange(len(times)), {"note": Column.of(times * 10)})


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.lists(st.integers(-50, 250), max_size=20), max_size=5), st.integers(1, 60))
def test_everything_comes_once_in_its_tick_by_time(batches, tick):
    calendar = Calendar(0, tick, 200)
    for times in batches:
        calendar.add(pending(times))
    due = [calendar.due(number) for number in range(200 // tick + 1)]
    came = [piece.times for piece in due if piece is not None]
    assert sorted(np.concatenate([[], *came])) == sorted(time for times in batches for time in times if time < 200)
    assert all((np.diff(times) >= 0).all() for times in came)
    for number, piece in enumerate(due):
        assert piece is None or (np.maximum(piece.times, 0) // tick == number).all()
    assert all(calendar.due(number) is None for number in range(200 // tick + 1))


def test_what_is_carried_stays_with_its_time():
    calendar = Calendar(0, 10, 100)
    calendar.add(pending([15, 3, 12]))
    calendar.add(pending([11]))
    due = calendar.due(1)
    assert due.times.tolist() == [11, 12, 15]
    assert due.carried["note"].values.tolist() == [110, 120, 150]
    assert due.entities.tolist() == [0, 2, 0]


def test_ties_come_in_the_order_in_which_they_were_added():
    calendar = Calendar(0, 10, 100)
    calendar.add(pending([5, 5, 2]))
    calendar.add(pending([5]))
    assert calendar.due(0).entities.tolist() == [2, 0, 1, 0]


def test_a_delay_can_be_added_to_any_time():
    heavy = ParetoDuration(type="pareto", minimum="1d", shape=0.02)
    drawn = delays(heavy, np.random.default_rng(1), 10_000)
    assert drawn.min() > 0
    assert drawn.max() == 2**60
    assert (drawn + 9000 * YEAR > drawn).all()
    assert (
        delays(ConstantDuration(type="constant", value="20d"), np.random.default_rng(1), 2).tolist()
        == [20 * 86_400_000_000] * 2
    )
