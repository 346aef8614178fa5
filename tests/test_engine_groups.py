from __future__ import annotations

import evidence
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from worlds import SEED

from sim.engine.groups import NONE, Groups, groups_of


def filled(weights):
    groups = Groups()
    groups.admit(len(weights))
    with np.errstate(divide="ignore"):
        groups.assign(np.arange(len(weights)), groups_of(np.log2(weights)))
    return groups


@settings(max_examples=50, derandomize=True, deadline=None)
@given(st.lists(st.floats(1e-9, 1e20), min_size=1, max_size=50))
def test_a_bound_is_never_below_the_weight_and_at_most_a_quarter_of_an_octave_above(weights):
    bounds = filled(np.array(weights)).bounds(np.arange(len(weights)))
    assert (bounds >= np.array(weights) * (1 - 1e-12)).all()
    assert (bounds <= np.array(weights) * 2**0.251).all()


def test_the_smallest_weights_share_a_bound_and_zero_has_no_group():
    groups = filled(np.array([0.0, 1e-30, 1e-20]))
    assert groups.member(np.arange(3)).tolist() == [False, True, True]
    assert (groups.bounds(np.array([1, 2])) == 2.0**-40).all()
    assert groups_of(np.array([-np.inf])) == NONE


@pytest.mark.parametrize("spread", [0.0, 1.0, 5.0])
def test_entities_are_drawn_in_proportion_to_their_bounds(spread):
    rng = np.random.default_rng(SEED)
    groups = filled(np.exp(rng.normal(0, spread, 60)))
    counts = np.bincount(groups.draw(rng, 60_000), minlength=60)
    expected = groups.bounds(np.arange(60))
    assert groups.total == pytest.approx(expected.sum())
    large = expected > expected.sum() * 1e-4
    evidence.proportions(
        [*counts[large], counts[~large].sum()] if not large.all() else counts,
        [*expected[large], expected[~large].sum()] if not large.all() else expected,
    )


def test_draws_are_in_random_order():
    rng = np.random.default_rng(SEED)
    drawn = filled(np.exp2(np.arange(8.0))).draw(rng, 20_000)
    evidence.near(np.corrcoef(drawn[:-1], drawn[1:])[0, 1], 20_000**-0.5, 0.0)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(0, 2**32))
def test_members_stay_what_they_are_through_any_moves(seed):
    rng = np.random.default_rng(seed)
    groups, level = Groups(), np.empty(0, dtype=np.int16)
    for _ in range(rng.integers(1, 12)):
        born = int(rng.integers(0, 40))
        groups.admit(born)
        level = np.append(level, np.full(born, NONE)).astype(np.int16)
        moving = rng.permutation(len(level))[: rng.integers(0, len(level) + 1)]
        to = rng.integers(-1, 6, len(moving)).astype(np.int16)
        changed = groups.assign(moving, to)
        assert set(changed) == set(moving[(level[moving] != to) & (to != NONE)])
        level[moving] = to
    members = np.flatnonzero(level != NONE)
    assert (np.flatnonzero(groups.member(np.arange(len(level)))) == members).all()
    assert groups.total == pytest.approx(groups.bounds(members).sum() if len(members) else 0)
    if len(members):
        assert set(groups.draw(rng, 50 * len(members))) <= set(members)


def test_moving_somebody_away_leaves_the_others_their_share():
    rng = np.random.default_rng(SEED)
    groups = filled(np.ones(20))
    groups.assign(np.arange(0, 20, 2), np.full(10, NONE))
    groups.assign(np.arange(0, 20, 4), groups_of(np.full(5, 1.0)))
    counts = np.bincount(groups.draw(rng, 30_000), minlength=20)
    evidence.proportions(counts, [2, 1, 0, 1] * 5)
