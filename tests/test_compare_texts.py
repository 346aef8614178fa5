"""Texts with very many values, lists and structs side by side: two seeds look alike, and what was changed is named."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from evidence import ALPHA
from pairs import pair, written
from scipy import stats
from worlds import SEED, population, scenario

from sim.quality.compare.texts import _rarefied, texts
from sim.quality.compare.values import Ties

PAIRS = 12
FIELDS = {
    "zone": {"type": "choice", "values": {"a": 5, "b": 3, "c": 2}},
    "floor": {"type": "normal", "mean": 5, "sd": 2},
    "code": {"type": "pattern", "template": "[A-F]{2}-##"},
}
WORLD = scenario(
    end="2024-03-01",
    entities=population(
        400,
        frailty={"type": "gamma", "shape": 2},
        attributes={"name": {"type": "faker", "provider": "name", "pool": 600}},
    ),
    streams={
        "act": {
            "entity": "user",
            "rate": "6/month",
            "attributes": {
                "who": {"type": "expression", "sql": "user.name"},
                "town": {"type": "faker", "provider": "city", "pool": 1200},
                "plate": {"type": "pattern", "template": "[A-Z]{2}-###"},
                "place": {"type": "object", "fields": FIELDS},
                "tags": {
                    "type": "array",
                    "count": {"type": "poisson", "mean": 2},
                    "of": {"type": "choice", "values": {"red": 5, "green": 3, "blue": 1}},
                },
            },
        }
    },
)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return written(tmp_path_factory.mktemp("base") / "a", WORLD, 100 * SEED)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    root = tmp_path_factory.mktemp("pairs")
    runs = [written(root / str(number), WORLD, 2000 * SEED + number) for number in range(2 * PAIRS)]
    return [pair(*runs[place : place + 2]).comparison for place in range(0, 2 * PAIRS, 2)]


def named(comparison):
    return {(own.subject, own.name) for own in comparison.real}


def test_two_seeds_look_the_same_and_all_parts_are_compared(seeds):
    assert sum(bool(comparison.real) for comparison in seeds) <= 1
    compared = {(own.subject, own.name) for own in seeds[0].differences}
    told = ("length", "characters", "patterns", "top values", "distinct values", "repeated values")
    assert {("act.town", name) for name in told} <= compared
    assert {("act.place.zone", "shares"), ("act.place.floor", "distribution")} <= compared
    assert {("act.plate", "characters"), ("act.place.code", "characters")} <= compared
    assert {("act.tags", "lengths"), ("act.tags[]", "shares"), ("user.name", "length")} <= compared


@pytest.mark.parametrize(
    ("subject", "name"), [("act.place.zone", "shares"), ("act.place.floor", "distribution"), ("act.tags[]", "shares")]
)
def test_p_values_of_parts_are_uniform_over_seeds(seeds, subject, name):
    found = [own.p_value for c in seeds for own in c.differences if (own.subject, own.name) == (subject, name)]
    assert len(found) == PAIRS
    assert stats.kstest(found, "uniform").pvalue > ALPHA


@pytest.mark.parametrize("subject", ["act.who", "act.town", "act.plate", "user.name", "act.place.code"])
def test_p_values_of_texts_are_not_too_small(seeds, subject):
    for name in ("length", "characters", "patterns", "top values", "distinct values", "repeated values"):
        found = [own for c in seeds for own in c.differences if (own.subject, own.name) == (subject, name)]
        found = [own.p_value for own in found if own.p_value is not None]
        if found:
            assert stats.kstest(found, "uniform", alternative="greater").pvalue > ALPHA, name


def edited(folder, base, expression):
    """A copy of the base with other facts."""
    for stream in ("user", "act"):
        (folder / stream).mkdir(parents=True)
        frame = pl.read_parquet(base / stream / "a.parquet")
        frame = frame.with_columns(expression) if stream == "act" else frame
        frame.write_parquet(folder / stream / "a.parquet")
    return folder


ROW = pl.int_range(pl.len())


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        (pl.col("plate") + "0", {("act.plate", "length"), ("act.plate", "patterns")}),
        (pl.col("plate").str.to_lowercase(), {("act.plate", "characters"), ("act.plate", "patterns")}),
        (pl.col("town").str.replace("^(.)", "${1} "), {("act.town", "length"), ("act.town", "characters")}),
        (
            pl.when(ROW % 20 == 0).then(pl.lit("QQ-000")).otherwise(pl.col("plate")).alias("plate"),
            {("act.plate", "top values"), ("act.plate", "repeated values"), ("act.plate", "distinct values")},
        ),
        (pl.col("plate").gather(ROW // 2 * 2), {("act.plate", "distinct values"), ("act.plate", "repeated values")}),
        (pl.col("tags").list.head(1), {("act.tags", "lengths")}),
        (pl.col("tags").list.eval(pl.element().replace("green", "red")), {("act.tags[]", "shares")}),
        (
            pl.col("place").struct.with_fields(pl.field("floor") + 1.0),
            {("act.place.floor", "distribution")},
        ),
    ],
    ids=["longer", "lower", "spaced", "default", "twins", "shorter", "recoloured", "higher"],
)
def test_what_was_changed_is_found_and_little_else(base, tmp_path, expression, first):
    other = edited(tmp_path / "b", written(tmp_path / "fresh", WORLD, 3000 * SEED), expression)
    real = named(pair(base, other).comparison)
    assert first & real
    assert len({subject.removesuffix("[]") for subject, _ in real}) == 1


def test_rarefied_shares_are_those_of_random_draws():
    rng = np.random.default_rng(SEED)
    rows = np.repeat(np.arange(300), rng.geometric(0.3, 300))
    draws = [np.unique(rng.choice(rows, 200, replace=False), return_counts=True)[1] for _ in range(2000)]
    found = _rarefied(np.bincount(rows), 200)
    assert found[0] == pytest.approx(np.mean([len(own) / 200 for own in draws]), abs=0.004)
    assert found[1] == pytest.approx(np.mean([own[own > 1].sum() / 200 for own in draws]), abs=0.006)


def test_the_number_of_rows_alone_makes_no_difference():
    rng = np.random.default_rng(SEED)
    drawn = [pl.Series([f"{value:x}" for value in rng.zipf(1.4, size) % 5000]) for size in (3000, 9000)]
    found = {own.name: own for own in texts("s", "s.x", *drawn, [Ties(), Ties()])}
    assert {"distinct values", "repeated values", "top values"} <= set(found)
    assert min(own.p_value for own in found.values() if own.p_value is not None) > 1e-3
