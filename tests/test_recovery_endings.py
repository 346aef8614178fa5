"""Who has ended is not looked up any more, exactly; and the others are looked up as their weights say."""

from __future__ import annotations

from copy import deepcopy

import evidence
import numpy as np
import polars as pl
import pytest
from test_changes import merged
from worlds import END, START, batches, instants, model, population, scenario, tables

from sim.maths.units import DAY

LIFE = {
    "initial": "live",
    "states": {"live": {"transitions": [{"to": "gone", "hazard": "20%/month"}]}, "gone": {"terminal": True}},
}
WEIGHTS = [None, {"type": "zipf", "exponent": 0.8}, {"type": "head_tail"}, {"type": "recent", "mean": "20d"}]


def shop(weights=None, count=60, match=None, **product):
    """Users who look up products that come and go."""
    city = {"type": "choice", "values": ["Paris", "Lyon"]}
    lookup = {"type": "lookup", "entity": "product", "match": match or {}} | ({"weights": weights} if weights else {})
    spec = {
        "initial": {"count": count},
        "arrivals": {"rate": "0.4/day"},
        "lifecycle": deepcopy(LIFE),
        "attributes": {"city": city},
    }
    streams = {"visit": {"entity": "user", "rate": "2/day", "attributes": {"city": city, "product": lookup}}}
    return scenario(entities=population(60) | {"product": spec | product}, streams=streams, tick="20d")


def spans(run, kind="product"):
    """Birth and end of everybody, by id: int64[n] each; those who go on end after the run."""
    births = run[kind].sort(f"{kind}_id")
    ends = np.full(len(births), END)
    gone = run[f"{kind}_lifecycle"].filter(pl.col("to_state").cast(pl.String) == "gone")
    ends[gone[f"{kind}_id"].to_numpy()] = instants(gone)
    ends[(births["state"].cast(pl.String) == "gone").to_numpy()] = 0
    return instants(births), ends


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_only_who_exists_is_looked_up(weights):
    run = tables(shop(weights))
    born, ends = spans(run)
    visits = run["visit"]
    ids, times = visits["product_id"].to_numpy(), instants(visits)
    assert np.all((born[ids] <= times) & (times < ends[ids]))
    assert (ends < END).sum() > 50


def test_all_who_exist_are_equally_likely():
    run = tables(shop())
    born, ends = spans(run)
    visits = run["visit"].filter(pl.col("event_time").dt.month() == 7)
    times = instants(visits)
    there = ((born[None, :] <= times[:, None]) & (times[:, None] < ends[None, :])).astype(float)
    expected = (there / there.sum(axis=1)[:, None]).sum(axis=0)
    observed = np.bincount(visits["product_id"].to_numpy(), minlength=len(born)).astype(float)
    assert not observed[expected == 0].any()
    # A sum of independent choices; those who exist for a moment only are put together.
    rare = expected < 10
    evidence.proportions(
        np.append(observed[~rare], observed[rare].sum()), np.append(expected[~rare], expected[rare].sum())
    )


def test_popularity_stays_that_of_the_whole_population():
    """The share of a product among two that exist all year goes by their weights, whoever else comes and goes."""
    one = tables(shop({"type": "zipf", "exponent": 0.8}))
    born, ends = spans(one)
    whole = np.flatnonzero((born == born.min()) & (ends == END))
    counts = np.bincount(one["visit"]["product_id"].to_numpy(), minlength=len(born))[whole]
    immortal = tables(shop({"type": "zipf", "exponent": 0.8}, lifecycle=None))["visit"]["product_id"].to_numpy()
    weights = np.bincount(immortal, minlength=len(born))[whole]
    evidence.same_shares(counts, weights)


def test_matches_are_found_among_those_who_exist():
    run = tables(shop(match={"city": "city"}, weights={"type": "zipf", "exponent": 1}))
    born, ends = spans(run)
    visits = run["visit"].join(run["product"].select("product_id", there="city"), on="product_id")
    assert (visits["city"].cast(pl.String) == visits["there"].cast(pl.String)).all()
    ids, times = visits["product_id"].to_numpy(), instants(visits)
    assert np.all((born[ids] <= times) & (times < ends[ids]))
    assert len(visits) > 0.99 * len(run["visit"])


def test_where_nobody_exists_any_more_nobody_is_found():
    made = shop(count=3, arrivals=None)
    made["entities"]["product"]["lifecycle"]["states"]["live"] = {
        "transitions": [{"to": "gone", "hazard": "60%/month"}]
    }
    run = tables(made)
    visits = run["visit"]
    _, ends = spans(run)
    found = visits["product_id"].is_not_null().to_numpy()
    assert np.array_equal(found, instants(visits) < ends.max())
    assert not found.all()


def test_own_children_that_have_ended_are_not_looked_up():
    account = {"parent": "user", "arrivals": {"per_parent": 3}, "lifecycle": LIFE}
    lookup = {"account": {"type": "lookup", "entity": "account", "of": "own"}}
    streams = {"pay": {"entity": "user", "rate": "4/month", "attributes": lookup}}
    run = tables(scenario(entities=population(200) | {"account": account}, streams=streams, tick="20d"))
    _, ends = spans(run, "account")
    pay = run["pay"]
    found = pay.filter(pl.col("account_id").is_not_null())
    assert np.all(instants(found) < ends[found["account_id"].to_numpy()])
    owners = run["account"].sort("account_id")["user_id"].to_numpy()
    last = np.zeros(200, dtype=np.int64)
    np.maximum.at(last, owners, ends)
    assert np.array_equal(pay["account_id"].is_not_null().to_numpy(), instants(pay) < last[pay["user_id"].to_numpy()])
    assert pay["account_id"].is_null().any()


def test_those_whose_parents_have_ended_are_not_looked_up():
    store = {"initial": {"count": 20}, "lifecycle": LIFE}
    product = {"parent": "store", "arrivals": {"per_parent": 3}}
    lookup = {"product": {"type": "lookup", "entity": "product"}}
    streams = {"visit": {"entity": "user", "rate": "1/day", "attributes": lookup}}
    entities = population(50) | {"store": store, "product": product}
    run = tables(scenario(entities=entities, streams=streams, tick="20d"))
    _, ends = spans(run, "store")
    stores = run["product"].sort("product_id")["store_id"].to_numpy()
    found = run["visit"].filter(pl.col("product_id").is_not_null())
    assert np.all(instants(found) < ends[stores[found["product_id"].to_numpy()]])


@pytest.mark.parametrize("weights", WEIGHTS[:2], ids=str)
def test_shards_merged_are_one_run_row_for_row(weights):
    made = shop(weights, match={"city": "city"})
    for whole, together in zip(batches(made), merged(made, 3), strict=True):
        assert together.equals(pl.DataFrame(pl.from_arrow(whole.data))), whole.stream.name


def test_the_newborn_choose_among_those_who_existed_when_the_tick_began():
    """Births come before changes of state, which is named as a cycle."""
    user = {
        "initial": {"count": 300, "age": {"type": "exponential", "mean": "90d"}},
        "arrivals": {"rate": "3/day"},
        "lifecycle": LIFE,
        "attributes": {"referrer": {"type": "lookup", "entity": "user"}},
    }
    made = scenario(entities={"user": user}, tick="20d")
    late = [line for line in model(made).order if "(a cycle)" in line]
    assert late == ["births of user: which user has ended is known at the next tick (a cycle)"]
    run = tables(made)
    _, ends = spans(run, "user")
    users = run["user"].filter(pl.col("referrer_id").is_not_null())
    start = START + (instants(users) - START) // (20 * DAY) * 20 * DAY
    assert np.all(ends[users["referrer_id"].to_numpy()] >= start)
    assert (ends[:300] == 0).sum() > 100
    assert len(users) > len(run["user"]) - 60


def contract(cut=True, **parts):
    """Users who leave for good while orders, returns, cases and policies are under way."""
    left = {"transitions": [{"to": "gone", "hazard": "30%/month"}]}
    user = {"lifecycle": {"initial": "live", "states": {"live": left, "gone": {"terminal": True, "cut": cut}}}}
    later = {"type": "exponential", "mean": "20d"}
    steps = {"claim": {"next": [{"to": "paid", "after": later}]}, "paid": {"next": [{"to": "closed", "after": later}]}}
    policy = {"parent": "user", "arrivals": {"on": {"stream": "order", "probability": 0.3, "after": later}}}
    streams = {
        "order": {"entity": "user", "rate": "2/month", "children": {"return_": {"after": later}}},
        "reminder": {"entity": "user", "on": {"stream": "order", "after": later}},
        "farewell": {
            "entity": "user",
            "on": {"stream": "user_lifecycle", "where": "to_state = 'gone'", "after": "3d"},
        },
    }
    process = {"entity": "user", "start": {"rate": "1/month"}, "cases": True, "steps": steps | {"closed": {}}}
    return scenario(
        entities=population(400, **user) | {"policy": policy},
        streams=streams,
        processes={"claims": process},
        tick="15d",
        **parts,
    )


LATER = ["return_", "reminder", "claims", "claims_case", "policy"]


def after_the_end(run, stream):
    """How long after the end of their users facts come, in days; those of users who never end are left out."""
    _, ends = spans(run, "user")
    late = (instants(run[stream]) - ends[run[stream]["user_id"].to_numpy()]) / DAY
    return late[ends[run[stream]["user_id"].to_numpy()] < END]


@pytest.mark.parametrize("stream", LATER)
def test_what_is_under_way_goes_on_after_an_end_unless_the_end_cuts_it(stream):
    assert (after_the_end(tables(contract(cut=False)), stream) > 1).sum() > 50
    assert after_the_end(tables(contract()), stream).max() <= 0


@pytest.mark.parametrize("stream", ["order", "return_", "reminder", "policy"])
def test_a_cut_leaves_everything_before_it_as_it_was(stream):
    whole, cut = tables(contract(cut=False)), tables(contract())
    assert (after_the_end(whole, stream) <= 0).sum() == len(after_the_end(cut, stream))


def test_cases_that_are_cut_have_no_further_steps_and_are_not_finished():
    """Who goes on has both steps ahead in the declared mean time; who is cut has as many as there was time for."""
    run = tables(contract())
    steps = (
        run["claims"].group_by("claims_case_id").agg(pl.col("user_id").first(), pl.len(), pl.col("event_time").min())
    )
    finished = set(run["claims_case"]["claims_case_id"])
    assert set(steps.filter(pl.col("len") == 3)["claims_case_id"]) == finished
    _, ends = spans(run, "user")
    room = (ends[steps["user_id"].to_numpy()] - instants(steps)) / DAY
    passed = steps["len"].to_numpy() > 1
    evidence.near(
        passed.sum(), np.sqrt((np.exp(-room / 20) * (1 - np.exp(-room / 20))).sum()), (1 - np.exp(-room / 20)).sum()
    )


def test_what_follows_from_the_end_itself_is_not_cut():
    run = tables(contract())
    assert np.allclose(after_the_end(run, "farewell"), 3)
    gone = run["user_lifecycle"].filter(pl.col("event_time").dt.month() < 12)
    assert len(run["farewell"]) >= len(gone)


def test_a_cut_is_the_same_in_shards():
    for whole, together in zip(batches(contract()), merged(contract(), 3), strict=True):
        assert together.equals(pl.DataFrame(pl.from_arrow(whole.data))), whole.stream.name
    assert not [line for line in model(contract()).order if "(a cycle)" in line]
