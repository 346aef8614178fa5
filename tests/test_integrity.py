"""Facts hold together: ids are unique, order is total, and whoever is referred to is there at that time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import polars as pl
import pytest
from worlds import END, START, batches, instants, population, scenario, tables

from sim.batch import TIME

LOOKUPS = {
    "any": {"type": "lookup", "entity": "product"},
    "popular": {"type": "lookup", "entity": "product", "weights": {"type": "zipf", "exponent": 1.2}},
    "top": {"type": "lookup", "entity": "product", "weights": {"type": "head_tail", "head": 0.2, "share": 0.8}},
    "fresh": {"type": "lookup", "entity": "product", "weights": {"type": "recent", "mean": "20d"}},
    "near": {"type": "lookup", "entity": "product", "match": {"city": "user.city"}},
}


@lru_cache
def world():
    """Lookups of every kind, families of three generations, children of facts, a schedule, states."""
    city = {"city": {"type": "choice", "values": ["Paris", "Lyon", "Nice"]}}
    states = {"on": {"transitions": [{"to": "off", "hazard": "20%/month"}]}, "off": {"activity": 0}}
    entities = population(
        0,
        arrivals={"rate": "1/day"},
        attributes=city | {"friend": {"type": "lookup", "entity": "user"}},
        lifecycle={"initial": "on", "states": states},
    )
    after = {"type": "exponential", "mean": "20d"}
    entities |= {
        "product": {"arrivals": {"rate": "0.5/day"}, "attributes": city},
        "account": {"parent": "user", "arrivals": {"per_parent": {"type": "poisson", "mean": 2}, "after": after}},
        "card": {"parent": "account", "arrivals": {"per_parent": 1, "after": after}},
    }
    own = {"account": {"type": "lookup", "entity": "account", "of": "own"}}
    owner = {"holder": {"type": "lookup", "entity": "user", "of": "parent"}}
    child = {"count": 2, "after": after, "attributes": {"swap": {"type": "lookup", "entity": "product"}}}
    streams = {
        "buy": {"entity": "user", "rate": "1/day", "attributes": LOOKUPS | own, "children": {"line": child}},
        "use": {"entity": "card", "every": "2 weeks", "attributes": owner},
    }
    return scenario(entities=entities, streams=streams, tick="11d")


@lru_cache
def run():
    return tables(world())


@lru_cache
def windows():
    return batches(world())


def references(frame, column, kind):
    """Birth of whom each fact refers to, the fact's time, and where there is a reference at all."""
    births = instants(run()[kind], "born_at")
    some = frame[column].is_not_null().to_numpy()
    return births[frame[column].fill_null(0).to_numpy()][some], instants(frame)[some], some


@pytest.mark.parametrize("name", LOOKUPS)
def test_whoever_is_looked_up_is_born(name):
    born, times, some = references(run()["buy"], f"{name}_id", "product")
    assert (born <= times).all()
    assert some.mean() > 0.9


@pytest.mark.parametrize(
    ("stream", "column", "kind"),
    [
        ("buy", "account_id", "account"),
        ("line", "swap_id", "product"),
        ("line", "user_id", "user"),
        ("use", "card_id", "card"),
        ("use", "holder_id", "user"),
        ("card", "account_id", "account"),
    ],
)
def test_references_of_families_children_and_schedules_hold_at_the_event_time(stream, column, kind):
    born, times, _ = references(run()[stream], column, kind)
    assert len(born) > 100
    assert (born <= times).all()


def test_a_lookup_is_null_only_where_there_is_nobody():
    buy, first = run()["buy"], instants(run()["product"], "born_at").min()
    assert (buy["any_id"].is_null().to_numpy() == (instants(buy) < first)).all()


def test_references_to_ones_own_kind_never_form_a_circle():
    users = run()["user"]
    known = users.filter(pl.col("friend_id").is_not_null())
    assert (known["friend_id"] < known["user_id"]).all()
    assert users["friend_id"].null_count() == 1


def test_an_own_child_belongs_to_the_rows_entity():
    known = run()["buy"].filter(pl.col("account_id").is_not_null())
    both = known.join(run()["account"].select("account_id", owner="user_id"), on="account_id")
    assert both.height == known.height
    assert (both["owner"] == both["user_id"]).all()


def test_an_entity_without_a_child_yet_has_no_own():
    first = run()["account"].group_by("user_id").agg(first=pl.col("born_at").min())
    buy = run()["buy"].join(first, on="user_id", how="left")
    nobody = buy["first"].is_null() | (buy["event_time"] < buy["first"])
    assert (buy["account_id"].is_null() == nobody).all()


def test_a_lookup_of_an_ancestor_is_the_ancestor():
    chain = run()["use"].join(run()["card"].select("card_id", "account_id"), on="card_id")
    chain = chain.join(run()["account"].select("account_id", "user_id"), on="account_id")
    assert (chain["holder_id"] == chain["user_id"]).all()


def test_children_refer_to_facts_that_came_before_them():
    line = run()["line"].join(run()["buy"].select("buy_id", since="event_time"), on="buy_id")
    assert line.height == run()["line"].height > 1000
    assert (line["since"] <= line["event_time"]).all()


def test_ids_are_unique_and_fit_a_double():
    for stream in {batch.stream.name: batch.stream for batch in windows()}.values():
        ids = run()[stream.name][stream.id]
        assert ids.n_unique() == len(ids) > 0
        assert ids.min() >= 0
        assert ids.max() < 2**53


def test_ids_of_entities_count_them_in_the_order_of_birth():
    for kind in ("user", "product", "account", "card"):
        frame = run()[kind].sort(f"{kind}_id")
        assert (frame[f"{kind}_id"] == np.arange(frame.height)).all()
        assert (np.diff(instants(frame, "born_at")) >= 0).all()


def test_every_window_has_one_batch_a_stream_in_the_order_of_ranks():
    names = list(dict.fromkeys(batch.stream.name for batch in windows()))
    assert [batch.stream.name for batch in windows()] == names * (len(windows()) // len(names))
    assert [batch.stream.rank for batch in windows()[: len(names)]] == list(range(len(names)))


def test_windows_follow_each_other_without_gap_or_overlap():
    spans = list(dict.fromkeys((batch.start, batch.until) for batch in windows()))
    assert (spans[0][0], spans[-1][1]) == (START, END)
    assert [until for _, until in spans[:-1]] == [start for start, _ in spans[1:]]


def test_facts_lie_in_their_window_by_time_then_id():
    for batch in windows():
        times = batch.data[TIME].to_numpy().astype("datetime64[us]").astype(np.int64)
        ids = batch.data[batch.stream.id].to_numpy()
        assert ((times >= batch.start) & (times < batch.until)).all()
        assert (np.lexsort((ids, times)) == np.arange(len(ids))).all()


def test_nothing_happens_to_an_entity_before_its_birth_or_outside_of_the_run():
    for stream, kind in (("buy", "user"), ("line", "user"), ("use", "card"), ("user_lifecycle", "user")):
        born, times, some = references(run()[stream], f"{kind}_id", kind)
        assert some.all()
        assert (born <= times).all()
        assert START <= times.min() <= times.max() < END


def test_transitions_of_an_entity_follow_on_from_each_other():
    changes = run()["user_lifecycle"].sort("user_id", "event_time")
    before = changes.select(pl.col("to_state").cast(pl.String).shift().over("user_id")).to_series().fill_null("on")
    assert (changes["from_state"].cast(pl.String) == before).all()
