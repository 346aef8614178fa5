"""Incidents that befall entities one by one, or single facts: when, whom, for how long, and what they do meanwhile."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pytest
from lifelines import KaplanMeierFitter
from scipy import stats
from worlds import DAY, END, START, acting, days, instants, population, scenario, stays, tables, words

TAKEOVER = {"per": "user", "rate": "0.05/day", "duration": {"type": "gamma", "mean": "4d", "shape": 2}}
TIERS = {"segments": {"tier": {"plain": {"weight": 1}, "rich": {"weight": 1}}}}


def world(effect, entity=None, count=300, stream=None, **parts):
    incident = {**TAKEOVER, "streams": {"act": effect}, **parts}
    return acting(count, "1/day", entity or {}, stream=stream or {}, tick="30d", incidents={"takeover": incident})


def spells(run):
    """Entity, begin and end of every spell; the ends within the run."""
    frame = run["incident"].sort("entity_id", "began_at")
    ends = np.minimum(instants(frame, "ends_at"), END)
    return frame["entity_id"].to_numpy(), instants(frame, "began_at"), ends


def within(run, stream="act", kind="user", owner=None):
    """Whether each fact is inside a spell of its entity: an independent reconstruction."""
    entity, begins, ends = spells(run)
    who = run[stream][f"{kind}_id"].to_numpy()
    who = who if owner is None else owner[who]
    times = instants(run[stream])
    place = np.searchsorted(
        entity * 4 * (END - START) + begins - START, who * 4 * (END - START) + times - START, "right"
    )
    last = np.maximum(place - 1, 0)
    return (place > 0) & (entity[last] == who) & (times < ends[last])


def test_spells_begin_at_the_hazard_and_last_as_long_as_declared():
    run = tables(world({"rate": 2}))
    entity, begins, ends = spells(run)
    observed = KaplanMeierFitter().fit((ends - begins) / DAY, ends < END)
    assert abs(observed.median_survival_time_ - stats.gamma(2, scale=2).median()) < 0.15
    whole = ends < END - 30 * DAY
    evidence.distributed(((ends - begins) / DAY)[whole & (begins < END - 60 * DAY)], stats.gamma(2, scale=2).cdf)
    clear = 300 * 366 - (ends - begins).sum() / DAY
    evidence.poisson(len(entity), clear * 0.05)


def test_nobody_is_struck_before_the_run():
    doc = world({"rate": 2}, duration="1h")
    doc["entities"]["user"]["initial"]["age"] = {"type": "uniform", "low": "100d", "high": "900d"}
    found = instants(tables(doc)["incident"], "began_at")
    assert found.min() >= START
    evidence.poisson(len(found), 300 * 366 * 0.05 * 480 / 481)


def test_gaps_between_spells_are_exponential():
    entity, begins, ends = spells(tables(world({"rate": 2})))
    again = (entity[1:] == entity[:-1]) & (ends[:-1] < START + 150 * DAY)
    evidence.distributed((begins[1:] - ends[:-1])[again] / DAY, stats.expon(scale=20).cdf)


@pytest.mark.parametrize("factor", [0, 0.2, 8])
def test_the_rate_has_the_factor_in_spells_and_is_the_same_outside(factor):
    run = tables(world({"rate": factor}, {"frailty": {"type": "gamma", "shape": 9}}))
    entity, begins, ends = spells(run)
    struck = within(run)
    per_user = np.bincount(entity, (ends - begins) / DAY, 300)
    outside = np.bincount(run["act"]["user_id"].to_numpy()[~struck], minlength=300)
    pace = outside.sum() / (366 * 300 - per_user.sum())
    expected = factor * pace * per_user.sum()
    assert abs(struck.sum() - expected) <= 4 * np.sqrt(max(expected, 1)) + 0.02 * expected


def test_spells_begin_more_often_in_some_segments():
    run = tables(world({"rate": 2}, TIERS, segments={"tier": {"rich": 4}}, duration="1d"))
    rich = words(run["user"], "tier") == "rich"
    counts = np.bincount(run["incident"]["entity_id"].to_numpy(), minlength=300)
    exposure = np.array([(~rich).sum() * 366 * 20 / 21, rich.sum() * 366 * 5 / 6])
    found = np.array([counts[~rich].sum(), counts[rich].sum()])
    evidence.near(np.log(found[1] / found[0]), np.sqrt((1 / found).sum()), np.log(4 * exposure[1] / exposure[0]))


def test_only_the_segments_in_a_list_are_struck():
    run = tables(world({"rate": 2}, TIERS, segments={"tier": ["rich"]}))
    assert set(words(run["user"], "tier")[run["incident"]["entity_id"].unique().to_numpy()]) == {"rich"}


def test_spells_begin_in_the_states_only_and_then_go_on():
    states = {
        "on": {"transitions": [{"to": "off", "hazard": "0.2/day"}]},
        "off": {"transitions": [{"to": "on", "hazard": "0.2/day"}]},
    }
    run = tables(world({"rate": 6}, {"lifecycle": {"initial": "on", "states": states}}, states=["on"]))
    stay = stays(run)
    entity, begins, ends = spells(run)
    keys = stay.entity * 4 * (END - START) + stay.entered - START
    place = np.searchsorted(keys, entity * 4 * (END - START) + begins - START, "right") - 1
    assert set(stay.state[place]) == {"on"}
    assert (stay.left[place] < ends).any()
    evidence.near(
        len(entity) / stay.of("on").length.sum(), np.sqrt(len(entity)) / stay.of("on").length.sum(), 0.05 * 5 / 6
    )


def test_the_hazard_follows_age_and_season():
    curve = {"type": "window", "from": "2024-07-01", "until": "2025-01-01", "factor": 3}
    young = {"type": "points", "values": [2, 1], "per": "100d", "interpolation": "step"}
    run = tables(world({"rate": 2}, count=1000, duration="1min", curves=[curve], vintage=young, rate="0.01/day"))
    counts = np.histogram(days(run["incident"], column="began_at"), [0, 100, 182, 366])[0]
    evidence.levels(counts, 1000 * 0.01 * np.array([100 * 2, 82, 184 * 3]))


def test_children_of_the_entity_are_struck_with_it():
    entities = {**population(200), "card": {"parent": "user", "arrivals": {"per_parent": 2}}}
    streams = {"pay": {"entity": "card", "rate": "1/day", "label": True}}
    incident = {**TAKEOVER, "streams": {"pay": {"rate": 5}}}
    run = tables(scenario(entities=entities, streams=streams, incidents={"takeover": incident}, tick="20d"))
    owner = run["card"].sort("card_id")["user_id"].to_numpy()
    struck = within(run, "pay", "card", owner)
    assert (struck == run["pay"]["incident"].is_not_null().to_numpy()).all()
    _, begins, ends = spells(run)
    evidence.levels(
        [struck.sum(), (~struck).sum()], 2 * np.array([5, -1]) * (ends - begins).sum() / DAY + [0, 2 * 366 * 200]
    )


ATTRIBUTES = {
    "country": {"type": "choice", "values": ["FR", "DE"]},
    "amount": {"type": "lognormal", "median": 10, "sigma": 0.5, "value": True},
    "fee": {"type": "expression", "sql": "CASE WHEN country = 'RO' THEN amount * 0.1 ELSE 0 END"},
}


def test_attributes_are_replaced_in_spells_and_others_see_it():
    effect = {"rate": 4, "value": 3, "set": {"country": {"type": "choice", "values": {"RO": 3, "US": 1}}}}
    run = tables(world(effect, stream={"attributes": ATTRIBUTES}))
    frame, struck = run["act"], within(run)
    country, amount = words(frame, "country"), frame["amount"].to_numpy()
    assert set(country[~struck]) == {"FR", "DE"}
    evidence.proportions([(country[struck] == name).sum() for name in ("RO", "US")], [3, 1])
    evidence.distributed(np.log(amount[struck] / 30) / 0.5, "norm")
    evidence.distributed(np.log(amount[~struck] / 10) / 0.5, "norm")
    assert (frame["fee"].to_numpy() == np.where(country == "RO", amount * 0.1, 0)).all()


def test_a_replacement_can_read_what_it_replaces():
    effect = {"set": {"amount": {"type": "expression", "sql": "-amount"}}}
    run = tables(world(effect, stream={"attributes": ATTRIBUTES}))
    assert ((run["act"]["amount"].to_numpy() < 0) == within(run)).all()


def test_lookups_are_replaced_with_all_that_is_read_of_them():
    shops = {"initial": {"count": 20}, "attributes": {"kind": {"type": "choice", "values": ["food", "gold"]}}}
    kind = {"type": "expression", "sql": "shop.kind"}
    attributes = {"shop": {"type": "lookup", "entity": "shop"}, "kind": kind}
    incident = {
        **TAKEOVER,
        "streams": {"act": {"set": {"shop": {"type": "lookup", "entity": "shop", "weights": HEAD}}}},
    }
    streams = {"act": {"entity": "user", "rate": "1/day", "attributes": attributes}}
    entities = {**population(50), "shop": shops}
    run = tables(scenario(entities=entities, streams=streams, incidents={"takeover": incident}))
    shop, struck = run["act"]["shop_id"].to_numpy(), within(run)
    assert len(np.unique(shop[struck])) == 1
    assert len(np.unique(shop[~struck])) == 20
    assert (words(run["act"], "kind") == words(run["shop"].sort("shop_id"), "kind")[shop]).all()


HEAD = {"type": "head_tail", "head": 0.05, "share": 1}


def test_facts_besides_the_entitys_own():
    effect = {"extra": "10/day", "set": {"country": {"type": "constant", "value": "RO"}}}
    slow = {"frailty": {"type": "gamma", "shape": 1}}
    run = tables(world(effect, slow, stream={"attributes": ATTRIBUTES, "label": True}))
    frame, struck = run["act"], within(run)
    added = frame["incident"].is_not_null().to_numpy()
    assert struck[added].all()
    assert ((words(frame, "country") == "RO") == added).all()
    _, begins, ends = spells(run)
    evidence.poisson(added.sum(), 10 * (ends - begins).sum() / DAY)
    evidence.proportions(np.bincount(frame["user_id"].to_numpy()[added], minlength=300), _lengths(run))


def _lengths(run):
    entity, begins, ends = spells(run)
    return np.bincount(entity, (ends - begins) / DAY, 300)


def test_extra_facts_stop_where_the_state_allows_none():
    gone = {"on": {"transitions": [{"to": "gone", "hazard": "2%/day"}]}, "gone": {"terminal": True}}
    run = tables(world({"extra": "10/day"}, {"lifecycle": {"initial": "on", "states": gone}}))
    left = dict(run["user_lifecycle"].select("user_id", "event_time").iter_rows())
    ends = run["act"]["user_id"].replace_strict(left, default=None)
    assert (run["act"]["event_time"] <= ends).all()


def test_single_facts_are_struck_with_their_probability():
    spike = {"per": "fact", "probability": "2%", "segments": {"tier": {"rich": 3}}}
    spike["streams"] = {"act": {"set": {"amount": {"type": "expression", "sql": "amount * 100"}}}}
    stream = {"attributes": {"amount": {"type": "uniform", "low": 1, "high": 2}}}
    run = tables(acting(300, "1/day", TIERS, stream=stream, incidents={"spike": spike}))
    high = run["act"]["amount"].to_numpy() > 99
    rich = (words(run["user"], "tier") == "rich")[run["act"]["user_id"].to_numpy()]
    evidence.share(high[rich].sum(), rich.sum(), 0.06)
    evidence.share(high[~rich].sum(), (~rich).sum(), 0.02)
    assert set(run["incident_fact"]["fact_id"]) == set(run["act"]["act_id"].filter(pl.Series(high)))
    assert run["incident_fact"]["began_at"].null_count() == high.sum()


def test_the_seasons_of_single_facts_are_those_of_their_curve():
    hot = {"type": "window", "from": "2024-06-01", "until": "2024-09-01", "factor": 30}
    spike = {"per": "fact", "probability": "1%", "curves": [hot], "streams": {"act": {}}}
    run = tables(acting(200, "1/day", stream={"label": True}, incidents={"spike": spike}))
    struck = run["act"]["incident"].is_not_null().to_numpy()
    summer = (run["act"]["event_time"].dt.month().is_in([6, 7, 8])).to_numpy()
    evidence.share(struck[summer].sum(), summer.sum(), 0.3)
    evidence.share(struck[~summer].sum(), (~summer).sum(), 0.01)
