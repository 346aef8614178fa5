"""Recurrences along many runs at once are what a loop over each run gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.maths.recurrences import floored, linear, places

RUNS = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def runs_of(lengths, seed):
    """Runs of these lengths: names, places, and a generator of numbers for them."""
    runs = np.repeat(np.arange(len(lengths)) * 3, lengths)
    return runs, places(runs), np.random.default_rng(seed)


def looped(pushes, keeps, place, before):
    """The recurrence, one element after the other."""
    values = []
    for push, keep, at, start in zip(pushes, keeps, place, before, strict=True):
        values.append(keep * (values[-1] if at else start) + push)
    return np.array(values)


def looped_floor(values, place, before, floors, clipped):
    """Sums with a floor, one element after the other; and what was added."""
    sums, added = [], []
    for value, at, start, floor, clip in zip(values, place, before, floors, clipped, strict=True):
        held = sums[-1] if at else start
        free = held + value
        if value < 0 and free < floor:
            free = min(held, floor) if clip else held
        sums.append(free)
        added.append(free - held)
    return np.array(sums), np.array(added)


def test_places_count_from_the_beginning_of_each_run():
    assert places(np.array([4, 4, 4, 7, 9, 9])).tolist() == [0, 1, 2, 0, 0, 1]
    assert places(np.array([], dtype=np.int64)).tolist() == []


@given(RUNS, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_linear_recurrences_are_those_of_a_loop(lengths, seed):
    runs, place, rng = runs_of(lengths, seed)
    pushes, keeps = rng.normal(0, 10, len(runs)), rng.uniform(-1, 1, len(runs))
    before = rng.normal(0, 10, len(lengths))[runs // 3]
    assert np.allclose(linear(pushes, place, before, keeps), looped(pushes, keeps, place, before), rtol=1e-9, atol=1e-9)
    sums = looped(pushes, np.ones(len(runs)), place, before)
    assert np.allclose(linear(pushes, place, before), sums, rtol=1e-9, atol=1e-9)


def test_products_that_vanish_do_no_harm():
    n = 100_000
    values = linear(np.ones(n), np.arange(n), np.full(n, 1e300), np.full(n, 0.5))
    assert values[-1] == pytest.approx(2.0, rel=1e-15)
    assert np.isfinite(values).all()


@given(RUNS, st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_floors_hold_as_in_a_loop(lengths, seed):
    runs, place, rng = runs_of(lengths, seed)
    values = rng.integers(-9, 8, len(runs)).astype(float)
    before = rng.integers(-5, 20, len(lengths)).astype(float)[runs // 3]
    floors = rng.choice([-np.inf, -10.0, 0.0, 3.0], len(runs))
    clipped = rng.random(len(runs)) < 0.5
    sums, added = floored(values, place, before, floors, clipped)
    expected = looped_floor(values, place, before, floors, clipped)
    assert np.array_equal(sums, expected[0])
    assert np.array_equal(added, expected[1])


def test_taking_all_there_is_is_not_refused_for_its_rounding():
    values = np.array([0.3, -0.1, -0.2, -0.01])
    sums, added = floored(values, np.arange(4), np.zeros(4), np.zeros(4), np.zeros(4, bool))
    assert sums[2] == sums[3] == 0.0
    assert added.tolist() == [0.3, -0.1, -0.2, 0.0]
