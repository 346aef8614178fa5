"""Segments multiply what they say they multiply, by what they say."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pytest
from scipy import stats
from worlds import acting, facts, population, scenario, tables, words

TIER = {"vip": {"weight": 0.15, "activity": 5.0}, "standard": {"weight": 0.6}, "idle": {"weight": 0.25, "activity": 0}}
PLACE = {"town": {"weight": 1, "activity": 0.5}, "land": {"weight": 3, "activity": 2}}


def by_segment(run, stream, *names, kind="user"):
    """Entities and facts by the segments of `names`, as two lists in the same order."""
    people = run[kind].with_columns(pl.col(names).cast(pl.String))
    acts = run[stream].select(pl.col(f"{kind}_id")).join(people, on=f"{kind}_id")
    entities = people.group_by(names).len().sort(names)
    counts = entities.select(names).join(acts.group_by(names).len(), on=names, how="left", maintain_order="left")
    return entities, counts["len"].fill_null(0).to_numpy()


@pytest.mark.parametrize("activity", [5.0, 0.3, 1.0, 40.0])
def test_a_declared_multiplier_is_the_measured_one(activity):
    tier = {"special": {"weight": 1, "activity": activity}, "normal": {"weight": 2}}
    run = tables(acting(2000, "30/year", {"segments": {"tier": tier}}))
    entities, counts = by_segment(run, "act", "tier")
    normal, special = entities["len"].to_list()
    evidence.ratio(counts[1], counts[0], activity * special / normal)


def test_the_level_of_each_segment_is_rate_times_multiplier():
    run = tables(acting(3000, "20/year", {"segments": {"tier": TIER}}))
    entities, counts = by_segment(run, "act", "tier")
    evidence.levels(counts, entities["len"].to_numpy() * np.array([0, 1, 5]) * 20 * 366 / 365.25)


def test_segments_have_their_shares():
    people = tables(scenario(entities=population(20_000, segments={"tier": TIER})))["user"]
    counts = [(words(people, "tier") == name).sum() for name in TIER]
    evidence.proportions(counts, [0.15, 0.6, 0.25])


def test_several_segmentations_are_independent_and_multiply():
    run = tables(acting(3000, "20/year", {"segments": {"tier": TIER, "place": PLACE}}))
    entities, counts = by_segment(run, "act", "tier", "place")
    activity = {"vip": 5, "standard": 1, "idle": 0, "town": 0.5, "land": 2}
    multiplier = [activity[tier] * activity[place] for tier, place in entities.select("tier", "place").rows()]
    evidence.levels(counts, entities["len"].to_numpy() * multiplier * 20 * 366 / 365.25)
    table = entities.pivot("place", index="tier", values="len").drop("tier").to_numpy()
    assert stats.chi2_contingency(table).pvalue > evidence.ALPHA


def test_a_stream_can_say_otherwise_about_a_segment():
    entity = {"segments": {"tier": TIER}}
    world = acting(3000, "20/year", entity, stream={"segments": {"tier": {"vip": {"activity": 0.2}}}})
    world["streams"]["other"] = {"entity": "user", "rate": "20/year"}
    run = tables(world)
    entities, counts = by_segment(run, "act", "tier")
    evidence.levels(counts, entities["len"].to_numpy() * np.array([0, 1, 0.2]) * 20 * 366 / 365.25)
    evidence.levels(by_segment(run, "other", "tier")[1], entities["len"].to_numpy() * [0, 1, 5] * 20 * 366 / 365.25)


def test_values_are_multiplied_by_segment_and_others_are_not():
    tier = {"vip": {"weight": 1, "value": 3.0}, "standard": {"weight": 1}}
    attributes = {
        "amount": {"type": "lognormal", "median": 35, "sigma": 0.8, "value": True},
        "plain": {"type": "lognormal", "median": 35, "sigma": 0.8},
    }
    run = tables(acting(500, "20/year", {"segments": {"tier": tier}}, stream={"attributes": attributes}))
    acts = run["act"].join(run["user"].select("user_id", "tier"), on="user_id")
    for name, multiplier in (("vip", 3), ("standard", 1)):
        part = acts.filter(pl.col("tier").cast(pl.String) == name)
        evidence.distributed(part["amount"], stats.lognorm(0.8, scale=35 * multiplier).cdf)
        evidence.distributed(part["plain"], stats.lognorm(0.8, scale=35).cdf)


def test_a_stream_can_say_otherwise_about_values():
    entity = {"segments": {"tier": {"vip": {"weight": 1, "value": 3.0}}}}
    amount = {"type": "uniform", "low": 10, "high": 10.001, "value": True}
    stream = {"attributes": {"amount": amount}, "segments": {"tier": {"vip": {"value": 7}}}}
    act = facts(acting(20, "1/day", entity, stream=stream))
    assert act["amount"].is_between(70, 70.01).all()


def test_what_belongs_to_an_entity_shares_its_segment():
    entities = population(500, segments={"tier": TIER}) | {
        "account": {"parent": "user", "arrivals": {"per_parent": 2}},
    }
    run = tables(scenario(entities=entities, streams={"use": {"entity": "account", "rate": "20/year"}}))
    accounts = run["account"].join(run["user"].select("user_id", own="tier"), on="user_id")
    assert (words(accounts, "tier") == words(accounts, "own")).all()
    found, counts = by_segment(run, "use", "tier", kind="account")
    evidence.levels(counts, found["len"].to_numpy() * np.array([0, 1, 5]) * 20 * 366 / 365.25)


def test_a_kind_can_have_its_own_segmentation_instead_of_its_parents():
    entities = population(500, segments={"tier": TIER}) | {
        "account": {
            "parent": "user",
            "arrivals": {"per_parent": 2},
            "segments": {"tier": {"slow": {"weight": 1}, "fast": {"weight": 1, "activity": 3}}},
        },
    }
    run = tables(scenario(entities=entities, streams={"use": {"entity": "account", "rate": "20/year"}}))
    found, counts = by_segment(run, "use", "tier", kind="account")
    assert found["tier"].to_list() == ["fast", "slow"]
    evidence.levels(counts, found["len"].to_numpy() * np.array([3, 1]) * 20 * 366 / 365.25)
