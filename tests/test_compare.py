"""Two data sets side by side: the same world looks the same, a changed one is found and named first."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from evidence import ALPHA, share
from pairs import WORLD, changed, pair, written
from scipy import stats
from worlds import SEED

from sim.quality.compare.clustered import coarse, compared, shares, shocks
from sim.quality.compare.difference import Difference, graded

PAIRS = 12


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return written(tmp_path_factory.mktemp("base") / "a", WORLD, 100 * SEED)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """Comparisons of pairs of runs of one world."""
    root = tmp_path_factory.mktemp("pairs")
    runs = [written(root / str(number), WORLD, 1000 * SEED + number) for number in range(2 * PAIRS)]
    return [pair(*runs[place : place + 2]).comparison for place in range(0, 2 * PAIRS, 2)]


def against(base, tmp_path, world, seed=7):
    return pair(base, written(tmp_path / "b", world, 1000 * SEED + seed)).comparison


def named(comparison):
    return [(own.subject, own.name) for own in comparison.real]


def test_two_seeds_look_the_same(seeds):
    assert sum(bool(comparison.real) for comparison in seeds) <= 1
    assert min(comparison.tests for comparison in seeds) > 25


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("act.weight", "distribution"),
        ("act.colour", "shares"),
        ("act.user.tier", "shares"),
        ("act", "hours of the day"),
        ("act", "facts per user"),
        ("user_lifecycle", "transitions"),
    ],
)
def test_p_values_are_uniform_over_seeds(seeds, subject, name):
    found = [
        own.p_value
        for comparison in seeds
        for own in comparison.differences
        if (own.subject, own.name) == (subject, name)
    ]
    assert len(found) == PAIRS
    assert stats.kstest(found, "uniform").pvalue > ALPHA


def test_floors_are_passed_in_one_of_twenty(seeds):
    found = [
        own for c in seeds for own in c.differences if own.floor and own.distance is not None and own.name == "shares"
    ]
    passed = sum(own.distance > own.floor for own in found)
    share(passed, len(found), 0.05 + 0.02 * (passed > 0.05 * len(found)))


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({"streams__act__attributes__weight__mean": 6}, {("act.weight", "distribution")}),
        ({"streams__act__attributes__colour__values": {"red": 5, "green": 3, "blue": 2}}, {("act.colour", "shares")}),
        (
            {"streams__act__rate": "10/month"},
            {("act", "facts"), ("act", "facts per user"), ("act", "hours between facts")},
        ),
        ({"streams__act__curves": []}, {("act", "hours of the day")}),
        ({"entities__user__segments__tier__gold__weight": 3}, {("user.tier", "shares"), ("act.user.tier", "shares")}),
        (
            {"entities__user__attributes__height__sd": 14},
            {("user.height", "distribution"), ("act.size", "distribution")},
        ),
        (
            {"streams__act__attributes__note__modifiers": [{"type": "null", "probability": 0.2}]},
            {("act.note", "nulls")},
        ),
    ],
)
def test_what_was_changed_is_named_first(base, tmp_path, change, first):
    found = named(against(base, tmp_path, changed(**change)))
    assert found
    assert found[0] in first


def test_a_catalogue_that_is_drawn_anew_is_no_difference_but_other_prices_are(base, tmp_path):
    dearer = changed(entities__product__attributes__price__median=200)
    real = dict.fromkeys(named(against(base, tmp_path, dearer)))
    assert ("product.price", "distribution") in real
    assert ("act.paid", "distribution") in real


def test_a_correlation_that_is_gone_is_found(base, tmp_path):
    loose = changed(streams__act__attributes__size__sql="user.height")
    assert ("act.weight, size", "correlation") in named(against(base, tmp_path, loose))


def test_schemas_are_compared_first(base, tmp_path):
    other = written(tmp_path / "b", WORLD, 5)
    frame = pl.read_parquet(other / "act" / "a.parquet")
    frame.drop("colour").with_columns(pl.col("weight").cast(pl.Int64), more=1).write_parquet(
        other / "act" / "a.parquet"
    )
    (other / "product" / "a.parquet").unlink()
    found = named(pair(base, other).comparison)
    assert set(found[:4]) == {
        ("product", "stream"),
        ("act.colour", "column"),
        ("act.more", "column"),
        ("act.weight", "type"),
    }


def test_large_streams_are_sampled_by_entity_and_the_seed_decides(base, tmp_path):
    other = written(tmp_path / "b", WORLD, 5)
    one, again, third = (pair(base, other, rows=800, seed=seed).comparison for seed in (1, 1, 2))
    assert one == again
    assert one.differences != third.differences
    facts = {own.a for c in (one, third) for own in c.differences if (own.subject, own.name) == ("act", "facts")}
    assert len(facts) == 1


def test_copies_are_closer_than_new_data(base, tmp_path):
    other = written(tmp_path / "b", WORLD, 5)
    fresh = {own.stream: own for own in pair(base, other).closeness}["act"]
    copied = {own.stream: own for own in pair(base, base).closeness}["act"]
    assert 0.4 < fresh.share < 0.6
    assert fresh.copies < 0.05
    assert copied.share > 0.95
    assert copied.copies == 1


def test_a_distance_decides_what_is_too_much():
    found = graded(
        [
            Difference("s", "shares", "s.a", "", "", "total variation", 0.02, 0.01, -40.0),
            Difference("s", "shares", "s.b", "", "", "total variation", 0.3, 0.01, -90.0),
            Difference("s", "shares", "s.c", "", "", "total variation", 0.4, 0.5, -1.0),
        ]
    )
    assert [own.subject for own in found.differences] == ["s.b", "s.a", "s.c"]
    assert [len(found.over(distance)) for distance in (0, 0.1, 0.5)] == [2, 1, 0]


def test_rows_without_clusters_are_tested_as_pearson_does():
    rng = np.random.default_rng(SEED)
    codes = [rng.integers(0, 4, size) for size in (4000, 6000)]
    test = compared(*(shares(own, 4) for own in codes))
    table = [np.bincount(own) for own in codes]
    assert np.exp(test.log_p) == pytest.approx(stats.chi2_contingency(table).pvalue, abs=0.02)


def test_clusters_are_what_counts_not_rows():
    rng = np.random.default_rng(SEED)
    p_values = []
    for _ in range(200):
        pieces = [(np.repeat(rng.integers(0, 3, 60), 20), np.repeat(np.arange(60), 20)) for _ in range(2)]
        p_values.append(np.exp(compared(*(shares(codes, 3, [who]) for codes, who in pieces)).log_p))
    assert stats.kstest(p_values, "uniform").pvalue > ALPHA


def test_days_that_differ_for_all_at_once_are_no_difference_of_kind():
    rng = np.random.default_rng(SEED)
    p_values = []
    for _ in range(100):
        days = [np.repeat(np.arange(60), 30) for _ in range(2)]
        codes = [(rng.random(1800) < np.repeat(rng.beta(4, 4, 60), 30)).astype(np.int64) for _ in range(2)]
        found = [shares(own, 2) for own in codes]
        p_values.append(np.exp(compared(*found, shocks(codes, days, [own.values for own in found])).log_p))
    assert stats.kstest(p_values, "uniform").pvalue > ALPHA


def test_rare_classes_are_put_together():
    codes = np.repeat(np.arange(5), [100, 80, 3, 2, 2])
    one = shares(codes, 5)
    assert coarse(one, one) == [[0], [1], [2, 3, 4]]
    assert coarse(one, one, ordered=True) == [[0], [1], [2, 3, 4]]
    few = shares(np.repeat(np.arange(4), [3, 100, 4, 2]), 4)
    assert coarse(few, few, ordered=True) == [[0, 1], [2, 3]]
