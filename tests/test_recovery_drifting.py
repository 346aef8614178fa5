"""Values that remember: their distribution, their memory, and that neither ticks nor shards leave a trace in them."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pytest
from scipy import stats
from worlds import acting, days, population, scenario, tables

from sim.errors import ScenarioError

ROOM = {"set_point": {"type": "uniform", "low": 10, "high": 30}}
REVERTING = {"type": "mean_reverting", "mean": 20, "sd": 3, "half_life": "12h"}


def series(attribute, rate="4/day", users=100, **parts):
    """What `users` report of one attribute, sorted by user and time, with days since the report before."""
    stream = {"attributes": {"x": attribute}}
    facts = tables(acting(users, rate, {"attributes": ROOM}, stream=stream, **parts))["act"]
    facts = facts.with_columns(day=days(facts)).sort("user_id", "day")
    before = pl.col("x", "day").shift(1).over("user_id").name.prefix("last_")
    return facts.with_columns(before).with_columns(gap=pl.col("day") - pl.col("last_day"))


@pytest.mark.parametrize("tick", ["3h", "30d"])
def test_a_mean_reverting_value_forgets_by_its_half_life_at_irregular_times(tick):
    pairs = series(REVERTING, tick=tick).drop_nulls("gap")
    keep = 0.5 ** (pairs["gap"].to_numpy() / 0.5)
    now, before = (pairs[name].to_numpy() - 20 for name in ("x", "last_x"))
    surprise = (now - keep * before) / (3 * np.sqrt(1 - keep**2))
    evidence.distributed(surprise, "norm")
    p = stats.pearsonr(surprise, before).pvalue
    assert p > evidence.ALPHA, "what is new does not depend on what was"


def test_the_autocorrelation_falls_with_the_gap_as_declared():
    pairs = series(REVERTING, users=400, end="2024-07-01").drop_nulls("gap")
    for low, high in ((0.0, 0.1), (0.2, 0.3), (0.5, 0.7), (1.0, 1.5)):
        near = pairs.filter(pl.col("gap").is_between(low, high))
        products = (near["x"].to_numpy() - 20) * (near["last_x"].to_numpy() - 20) / 9
        expected = 0.5 ** (near["gap"].to_numpy() / 0.5)
        off = (products - expected).mean() / (products.std() / np.sqrt(len(products) / 4))
        assert abs(off) < evidence.Z


def test_it_has_its_stationary_distribution_from_the_first_fact_on():
    readings = series(REVERTING, users=4000, rate="2/day", end="2024-02-01")
    for nth in (0, 5, 20):
        evidence.distributed(
            readings.group_by("user_id").agg(pl.col("x").get(nth, null_on_oob=True))["x"], "norm", 20, 3
        )


def test_the_mean_may_be_an_attribute_of_the_entity():
    stream = {"attributes": {"x": REVERTING | {"mean": "user.set_point", "sd": 1}}}
    run = tables(acting(50, "1/day", {"attributes": ROOM}, stream=stream))
    facts = run["act"].join(run["user"].select("user_id", "set_point"), on="user_id")
    off = facts.group_by("user_id").agg(off=(pl.col("x") - pl.col("set_point")).mean())["off"]
    assert off.abs().max() < 5 * np.sqrt(2 * 0.72 / 366)  # correlation time 0.72 days, two-sided


def test_autoregression_gives_its_coefficient_back():
    pairs = series({"type": "autoregressive", "mean": 5, "sd": 2, "coefficient": -0.6}, tick="2d").drop_nulls("gap")
    now, before = pairs["x"].to_numpy() - 5, pairs["last_x"].to_numpy() - 5
    fit = stats.linregress(before, now)
    assert abs(fit.slope + 0.6) < evidence.Z * fit.stderr
    evidence.distributed(now - fit.slope * before, "norm", 0, 2 * np.sqrt(1 - 0.36))


@pytest.mark.parametrize("tick", ["6h", "30d"])
def test_a_random_walk_through_time_spreads_with_the_time(tick):
    walk = {"type": "random_walk", "start": "user.set_point", "sd": 1.5, "drift": 0.2, "per": "day"}
    pairs = series(walk, tick=tick).drop_nulls("gap")
    gap = pairs["gap"].to_numpy()
    steps = (pairs["x"] - pairs["last_x"]).to_numpy()
    evidence.distributed((steps - 0.2 * gap) / (1.5 * np.sqrt(gap)), "norm")


def test_a_random_walk_begins_at_birth():
    stream = {"attributes": {"x": {"type": "random_walk", "start": "user.set_point", "sd": 2, "per": "day"}}}
    entity = {"initial": {"count": 3000, "age": {"type": "uniform", "low": "0d", "high": "30d"}}, "attributes": ROOM}
    run = tables(scenario(entities={"user": entity}, streams={"act": {"entity": "user", "rate": "1/day"} | stream}))
    first = run["act"].group_by("user_id", maintain_order=True).first().join(run["user"], on="user_id")
    age = (first["event_time"] - first["born_at"]).dt.total_microseconds() / 86_400e6
    evidence.distributed((first["x"] - first["set_point"]) / (2 * age.sqrt()), "norm")


def test_a_random_walk_without_time_takes_one_step_a_fact():
    pairs = series({"type": "random_walk", "start": 100, "sd": 2, "drift": 1})
    first = pairs.filter(pl.col("gap").is_null())["x"]
    evidence.distributed(first, "norm", 101, 2)
    evidence.distributed((pairs["x"] - pairs["last_x"]).drop_nulls(), "norm", 1, 2)


def test_streams_that_share_a_track_see_the_same_value():
    reading = {"type": "mean_reverting", "mean": 0, "sd": 1, "half_life": "100d", "track": "level"}
    streams = {name: {"entity": "user", "rate": "4/day", "attributes": {"x": reading}} for name in ("one", "other")}
    run = tables(scenario(entities=population(20), streams=streams, end="2024-03-01"))
    both = pl.concat([run[name].select("user_id", "event_time", "x") for name in streams]).sort("event_time")
    steps = both.select(pl.col("x").diff().over("user_id").drop_nulls()).to_series()
    assert steps.std() < 0.1, "whichever stream came before"


def test_where_the_mean_is_null_the_value_is_null():
    mean = {"type": "constant", "value": 20, "modifiers": [{"type": "null", "probability": 0.5}]}
    stream = {"attributes": {"m": mean, "x": REVERTING | {"mean": "m"}}}
    act = tables(acting(20, "1/day", stream=stream, end="2024-03-01"))["act"]
    assert act["m"].is_null().any()
    assert (act["x"].is_null() == act["m"].is_null()).all()
    assert not act["x"].is_nan().any()


def test_modifiers_change_what_is_shown_and_not_what_is_remembered():
    shown = series(REVERTING | {"modifiers": [{"type": "clamp", "min": 20}, {"type": "round", "digits": 1}]})
    plain = series(REVERTING)
    assert shown["x"].equals(plain["x"].clip(20).round(1))


def test_what_follows_from_facts_remembers_too():
    child = {
        "count": 2,
        "attributes": {"n": {"type": "running_total", "of": "one"}, "one": {"type": "constant", "value": 1}},
    }
    run = tables(acting(20, "1/day", stream={"children": {"line": child}}, end="2024-03-01"))["line"]
    counted = run.sort("event_time", "line_id").with_columns(nth=pl.col("n").cum_count().over("user_id"))
    assert (counted["n"] == counted["nth"]).all()


def problems(streams=None, **parts):
    with pytest.raises(ScenarioError) as caught:
        tables(scenario(entities=population(5), streams=streams or {}, **parts))
    return str(caught.value)


def stream(attribute, **parts):
    return {"entity": "user", "rate": "1/day", "attributes": {"x": attribute}} | parts


def test_what_cannot_remember_is_a_problem_with_its_place():
    walk = {"type": "random_walk", "sd": 1, "track": "w"}
    message = problems({"one": stream(walk), "two": stream(walk | {"sd": 2})})
    assert "streams.two.attributes.x.sd: 2.0, but streams.one.attributes.x, which shares 'w', has 1.0" in message
    later = {"entity": "user", "on": "one", "attributes": {"x": walk}}
    assert "only streams at a rate or on a schedule can" in problems({"one": stream(walk), "two": later})
    nested = {"type": "object", "fields": {"y": walk}}
    assert "must be an attribute of its own" in problems({"one": stream(nested)})
    assert "must be an attribute of the entity" in problems({"one": stream(walk | {"start": "event_time"})})
    assert "needs numbers, but these are timestamps" in problems({"one": stream(REVERTING | {"mean": "event_time"})})
