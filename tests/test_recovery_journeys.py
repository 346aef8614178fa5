"""Journeys over touchpoints: what the scenario says of them comes back from the facts."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import polars.testing
import pytest
from journeys import FIRST, NEXT, STEPS, branches, early, journeys, ordered
from scipy import stats
from worlds import tables, words

from sim.maths.units import DAY, HOUR

IN_TIME = stats.lognorm(1.2, scale=30).cdf(7 * 24)
"""Share of the gaps that the time-out leaves."""


@pytest.fixture(scope="module")
def walked():
    return ordered(tables(journeys())["journey"])


def left_for(facts, step):
    """How often each step, and then the end, followed on `step`."""
    following = facts.filter(pl.col("step") == step)["following"]
    return [*((following == name).sum() for name in STEPS), following.is_null().sum()]


def chances(step, **changed):
    """The declared probabilities of the steps, and then of the end, after `step`."""
    shares = [IN_TIME * changed.get(name, NEXT[step].get(name, 0.0)) for name in STEPS]
    return [*shares, 1 - sum(shares)]


def test_first_touches_have_their_weights(walked):
    first = walked.filter(pl.col("step_index") == 0)["step"]
    evidence.proportions([(first == name).sum() for name in FIRST], list(FIRST.values()))
    assert set(first) == set(FIRST)


@pytest.mark.parametrize("step", STEPS)
def test_the_transition_matrix_comes_back(walked, step):
    evidence.proportions(left_for(early(walked), step), chances(step))


def test_gaps_have_their_distribution_up_to_the_lookback(walked):
    hours = early(walked).drop_nulls("gap")["gap"].to_numpy() / HOUR
    assert hours.max() <= 7 * 24
    evidence.distributed(hours, lambda hour: stats.lognorm(1.2, scale=30).cdf(hour) / IN_TIME)


def test_a_journey_is_a_chain_of_touches_in_order(walked):
    sizes = walked.group_by("journey_case_id").agg(pl.len(), pl.col("step_index").max(), pl.col("user_id").n_unique())
    assert (sizes["len"] == sizes["step_index"] + 1).all()
    assert (sizes["user_id"] == 1).all()
    assert (walked["gap"].drop_nulls() > 0).all()


def test_a_branch_can_wait_longer_than_the_process():
    long = branches("search", email={"after": "20d", "timeout": "30d"})
    steps = {name: {"next": ways} for name, ways in NEXT.items()} | {"search": {"next": long}}
    facts = early(ordered(tables(journeys(2000, {"steps": steps}))["journey"]))
    email = facts.filter((pl.col("step") == "search") & (pl.col("following") == "email"))
    assert (email["gap"] == 20 * DAY).all()
    evidence.share(len(email), (facts["step"] == "search").sum(), 0.2)


def test_segments_change_the_way_of_a_journey():
    tier = {"vip": {"weight": 1}, "plain": {"weight": 2}}
    entities = {"user": {"initial": {"count": 4000}, "segments": {"tier": tier}}}
    vip = {"segments": {"tier": {"vip": {"probability": 2.5}, "plain": {"probability": 0.5}}}}
    steps = {name: {"next": branches(name, purchase=vip)} for name in NEXT}
    run = tables(journeys(process={"steps": steps}, entities=entities))
    facts = early(ordered(run["journey"]))
    tiers = words(run["user"], "tier")[facts["user_id"].to_numpy()]
    for name, factor in (("vip", 2.5), ("plain", 0.5)):
        declared = chances("search", purchase=factor * NEXT["search"]["purchase"])
        evidence.proportions(left_for(facts.filter(tiers == name), "search"), declared)


def test_conversion_depends_on_the_touches_before():
    history = {"history": {"email": [1, 2, 3], "any": [1, 1, 0.5]}}
    steps = {name: {"next": branches(name, purchase=history)} for name in NEXT}
    facts = ordered(tables(journeys(6000, {"steps": steps}))["journey"])
    is_email = (pl.col("step") == "email").cast(pl.Int64)
    facts = facts.with_columns(emails=is_email.cum_sum().over("journey_case_id") - is_email)
    facts = early(facts).with_columns(pl.col("emails", "step_index").clip(upper_bound=2))
    seen = {key: group["following"] for key, group in facts.group_by("step", "emails", "step_index")}
    for (step, emails, index), following in seen.items():
        factor = [1, 2, 3][emails] * [1, 1, 0.5][index]
        declared = factor * NEXT[step].get("purchase", 0.0) * IN_TIME
        evidence.share((following == "purchase").sum(), len(following), declared)
    assert {("search", 0, 1), ("search", 1, 1), ("search", 2, 2), ("email", 0, 0), ("email", 1, 2)} <= seen.keys()


def test_attributes_are_drawn_at_every_step_and_may_read_it():
    process = {
        "attributes": {"budget": {"type": "uniform", "low": 0, "high": 1}},
        "each": {
            "cost": {
                "type": "expression",
                "sql": "CASE step WHEN 'search' THEN 0.8 WHEN 'social' THEN 0.3 ELSE 0.0 END + step_index + budget",
            },
            "device": {"type": "choice", "values": {"phone": 3, "desktop": 1}},
        },
        "cases": True,
    }
    run = tables(journeys(1000, process))
    facts = run["journey"].with_columns(pl.col("step").cast(pl.String))
    base = facts["step"].replace_strict({"search": 0.8, "social": 0.3}, default=0.0).to_numpy()
    np.testing.assert_allclose(facts["cost"], base + facts["step_index"].to_numpy() + facts["budget"].to_numpy())
    evidence.share((words(facts, "device") == "phone").sum(), len(facts), 0.75)
    each = facts.group_by("journey_case_id").agg(pl.col("budget").n_unique(), pl.col("device").n_unique(), pl.len())
    assert (each["budget"] == 1).all()
    pairs = each.filter(pl.col("len") == 2)
    evidence.share((pairs["device"] == 2).sum(), len(pairs), 2 * 0.75 * 0.25)
    assert "device" not in run["journey_case"].columns


def test_attributes_of_steps_leave_everything_else_as_it_was():
    plain = tables(journeys(300))["journey"]
    more = tables(journeys(300, {"each": {"device": {"type": "choice", "values": {"phone": 3, "desktop": 1}}}}))
    pl.testing.assert_frame_equal(plain, more["journey"].drop("device"))


def test_a_conversion_links_its_journey():
    order = {
        "entity": "user",
        "on": {"stream": "journey", "where": "step = 'purchase'"},
        "attributes": {"case": {"type": "expression", "sql": "journey.journey_case_id"}},
    }
    run = tables(journeys(1000, streams={"order": order}))
    bought = run["journey"].filter(pl.col("step").cast(pl.String) == "purchase")
    assert sorted(run["order"]["case"]) == sorted(bought["journey_case_id"])
    assert sorted(run["order"]["journey_id"]) == sorted(bought["journey_id"])


@pytest.mark.parametrize("shards", [2, 3])
def test_shards_of_journeys_are_one_run(shards):
    process = {
        "each": {"device": {"type": "choice", "values": {"phone": 3, "desktop": 1}}},
        "steps": {name: {"next": branches(name, purchase={"history": {"email": [1, 2]}})} for name in NEXT},
    }
    whole = tables(journeys(500, process))["journey"]
    parts = [tables(journeys(500, process), shard=f"{n}/{shards}")["journey"] for n in range(1, shards + 1)]
    pl.testing.assert_frame_equal(pl.concat(parts).sort("event_time", "journey_id"), whole, categorical_as_str=True)
