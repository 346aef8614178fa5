"""What follows from facts follows from the right ones, at the right time: streams, transitions, births."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import evidence
import numpy as np
import polars as pl
import pytest
from scipy import stats
from worlds import instants, model, population, scenario, tables, words

from sim.maths.units import DAY, HOUR

ACT = {"entity": "user", "rate": "2/month", "attributes": {"size": {"type": "uniform", "low": 0, "high": 10}}}
HALF = datetime(2024, 7, 1, tzinfo=UTC)


def world(streams=None, count=1000, **parts):
    entity = parts.pop("entity", {})
    return scenario(entities=population(count, **entity), streams={"act": ACT, **(streams or {})}, **parts)


def before(frame, column="event_time"):
    """The facts whose followers are all in the run."""
    return frame.filter(pl.col(column).dt.month() < 12)


def following(**on):
    return {"then": {"entity": "user", "on": {"stream": "act", **on}}}


def test_each_fact_is_followed_at_its_own_time_by_one_of_the_same_entity():
    found = tables(world({"then": {"entity": "user", "on": "act"}}))
    assert (
        found["then"]
        .select("event_time", "act_id", "user_id")
        .equals(found["act"].select("event_time", "act_id", "user_id"))
    )


def test_only_the_share_that_is_declared_is_followed():
    found = tables(world(following(probability="15%")))
    evidence.share(found["then"].height, found["act"].height, 0.15)
    assert found["then"]["act_id"].is_unique().all()


def test_only_facts_for_which_the_condition_holds_are_followed():
    found = tables(world(following(where="size > 8 AND event_time < TIMESTAMP '2024-07-01 00:00:00'")))
    wanted = found["act"].filter((pl.col("size") > 8) & (pl.col("event_time").dt.month() < 7))
    assert found["then"]["act_id"].equals(wanted["act_id"])


def test_a_condition_may_read_the_entity_and_its_state():
    life = {"initial": "on", "states": {"on": {"transitions": [{"to": "off", "hazard": "10%/month"}]}, "off": {}}}
    entity = {"lifecycle": life, "attributes": {"vat": {"type": "choice", "values": ["yes", "no"]}}}
    found = tables(world(following(where="state = 'off' AND user.vat = 'yes'"), entity=entity))
    off = found["user_lifecycle"].select("user_id", since="event_time")
    wanted = found["act"].join(off, on="user_id").filter(pl.col("event_time") >= pl.col("since"))
    wanted = wanted.join(found["user"].filter(pl.col("vat") == "yes"), on="user_id", how="semi")
    assert set(found["then"]["act_id"]) == set(wanted["act_id"])
    assert found["then"].height > 500


def test_times_after_a_fact_have_their_distribution():
    found = tables(world(following(after={"type": "gamma", "mean": "6d", "shape": 3}), tick="10d"))
    both = before(found["act"]).join(found["then"], on="act_id", suffix="_then")
    lasting = (instants(both, "event_time_then") - instants(both)) / DAY
    assert both.height == before(found["act"]).height
    evidence.distributed(lasting, stats.gamma(3, scale=2).cdf)


def test_several_may_follow_and_read_the_columns_of_their_fact():
    then = {"entity": "user", "on": "act", "count": {"type": "poisson", "mean": 1.5}}
    then["attributes"] = {"half": {"type": "expression", "sql": "act.size / 2"}}
    found = tables(world({"then": then}))
    evidence.poisson(found["then"].height, 1.5 * found["act"].height)
    both = found["then"].join(found["act"], on="act_id")
    assert np.allclose(both["half"], both["size"] / 2)


def test_followers_follow_followers_and_children():
    streams = following(after="1d") | {
        "last": {"entity": "user", "on": {"stream": "piece", "after": "2d"}},
    }
    streams["then"]["children"] = {"piece": {"count": 2, "after": "3h"}}
    found = tables(world(streams))
    assert (found["last"].join(found["piece"], on="piece_id").height, found["last"]["piece_id"].n_unique()) == (
        found["last"].height,
        found["last"].height,
    )
    chain = found["last"].join(found["piece"], on="piece_id").join(found["then"], on="then_id", suffix="_then")
    chain = chain.join(found["act"], on="act_id", suffix="_act")
    assert set(instants(chain) - instants(chain, "event_time_act")) == {3 * DAY + 3 * HOUR}


def test_facts_of_children_start_something_for_those_whom_they_belong_to():
    accounts = {"account": {"parent": "user", "arrivals": {"per_parent": 2}}}
    streams = {
        "use": {"entity": "account", "rate": "1/month"},
        "note": {"entity": "user", "on": "use"},
    }
    found = tables(scenario(entities=population(300) | accounts, streams=streams))
    both = found["note"].join(found["use"], on="use_id").join(found["account"], on="account_id", suffix="_owner")
    assert both.height == found["use"].height
    assert (both["user_id"] == both["user_id_owner"]).all()


def pushed(activity=0.5):
    return {
        "initial": "new",
        "states": {
            "new": {"transitions": [{"to": "big", "on": {"stream": "act", "where": "size > 9"}}]},
            "big": {"activity": activity},
        },
    }


def first_facts(acts):
    return acts.filter(pl.col("size") > 9).sort("event_time").group_by("user_id", maintain_order=True).first()


def test_a_fact_that_does_not_depend_on_the_state_moves_it_exactly_then():
    made = world(entity={"lifecycle": pushed(activity=1)}, tick="30d")
    found = tables(made)
    wanted = first_facts(found["act"]).sort("event_time").select("event_time", "user_id")
    assert found["user_lifecycle"].select("event_time", "user_id").equals(wanted)
    assert not any("next tick" in line for line in model(made).order)


def test_in_a_cycle_a_fact_moves_the_state_at_the_next_tick_and_the_plan_says_so():
    made = world(entity={"lifecycle": pushed()}, tick="10d", count=200)
    found, compiled = tables(made), model(made)
    assert any("new -> big on act takes effect at the next tick" in line for line in compiled.order)
    cause = first_facts(found["act"]).join(found["user_lifecycle"], on="user_id", suffix="_moved")
    tick = (instants(cause) - compiled.start) // compiled.tick
    assert np.array_equal(instants(cause, "event_time_moved"), compiled.start + (tick + 1) * compiled.tick)
    assert cause.height == found["user_lifecycle"].height > 100


def test_a_resolution_limits_how_late_an_effect_is():
    made = world(entity={"lifecycle": pushed()}, resolution="1h", count=50, end="2024-02-01")
    assert model(made).tick <= HOUR
    found = tables(made)
    cause = first_facts(found["act"]).join(found["user_lifecycle"], on="user_id", suffix="_moved")
    assert ((instants(cause, "event_time_moved") - instants(cause)) <= HOUR).all()


def test_what_comes_a_while_after_its_cause_keeps_its_time_in_a_cycle():
    life = pushed()
    life["states"]["new"]["transitions"][0]["on"]["after"] = "25d"
    found = tables(world(entity={"lifecycle": life}, tick="10d", count=200))
    cause = first_facts(before(found["act"])).join(found["user_lifecycle"], on="user_id", suffix="_moved")
    assert set(instants(cause, "event_time_moved") - instants(cause)) == {25 * DAY}


def test_an_effect_comes_to_nothing_in_another_state():
    life = pushed()
    life["states"]["new"]["transitions"].append({"to": "lost", "hazard": "80%/month"})
    life["states"]["lost"] = {}
    found = tables(world(entity={"lifecycle": life}, tick="5d"))
    assert found["user_lifecycle"]["user_id"].is_unique().all()
    assert set(words(found["user_lifecycle"], "to_state")) == {"big", "lost"}


def test_a_fact_moves_an_entity_once_even_if_it_leads_on_from_there():
    states = {"new": {"transitions": [{"to": "known", "on": "act"}]}}
    states |= {"known": {"transitions": [{"to": "dear", "on": "act"}]}, "dear": {}}
    found = tables(world(entity={"lifecycle": {"initial": "new", "states": states}}, tick="30d"))
    first_two = found["act"].sort("event_time").group_by("user_id", maintain_order=True).head(2)
    moved = found["user_lifecycle"].sort("user_id", "event_time")
    assert moved.select("user_id", "event_time").equals(
        first_two.sort("user_id", "event_time").select("user_id", "event_time")
    )
    assert set(words(moved.group_by("user_id", maintain_order=True).first(), "to_state")) == {"known"}


def test_in_a_cycle_facts_of_one_tick_take_effect_in_the_order_in_which_they_happened():
    def moved(to, step):
        return {"transitions": [{"to": to, "on": {"stream": "job", "where": f"step = '{step}'"}}]}

    states = {"busy": {**moved("idle", "end"), "activity": 0}, "idle": moved("busy", "begin")}
    steps = {"begin": {"next": [{"to": "end", "after": "1min"}]}, "end": {}}
    job = {"entity": "user", "start": {"rate": "0.2/day"}, "steps": steps}
    life = {"lifecycle": {"initial": "idle", "states": states}}
    found = tables(scenario(entities=population(300, **life), processes={"job": job}, tick="2d"))
    last = found["user_lifecycle"].group_by("user_id", maintain_order=True).last()
    assert found["user_lifecycle"].height > 10_000
    assert (last["to_state"] == "idle").mean() > 0.99


def together():
    """Everything that triggers can start, in one scenario with short ticks."""
    steps = {
        "a": {
            "limit": 4,
            "next": [
                {"to": "b", "probability": 0.5, "after": {"type": "exponential", "mean": "3d"}},
                {"to": "a", "probability": 0.3, "after": "1d"},
            ],
        },
        "b": {
            "next": [{"to": "c", "after": {"type": "exponential", "mean": "9d"}, "timeout": "12d", "otherwise": "d"}]
        },
        "c": {},
        "d": {},
    }
    entities = population(120, lifecycle=pushed(1), arrivals={"rate": "1/day"}) | {
        "plan": {
            "parent": "user",
            "arrivals": {"on": {"stream": "trip", "where": "step = 'c'"}},
            "attributes": {"kind": {"type": "choice", "values": ["s", "m"]}},
            "lifecycle": {
                "initial": "on",
                "states": {"on": {"transitions": [{"to": "off", "hazard": "30%/month"}]}, "off": {"terminal": True}},
            },
        },
        "seat": {"parent": "plan", "arrivals": {"per_parent": 2, "after": "3d"}},
    }
    streams = {
        "act": ACT | {"children": {"piece": {"count": 2, "after": "1d"}}},
        "bill": {"entity": "plan", "every": "1 month", "states": ["on"]},
        "pay": {
            "entity": "plan",
            "on": {"stream": "bill", "probability": 0.9, "after": {"type": "exponential", "mean": "5d"}},
        },
        "use": {"entity": "seat", "rate": "1/day"},
        "mail": {"entity": "user", "on": {"stream": "plan_lifecycle", "after": "2d"}},
        "echo": {"entity": "user", "on": "piece"},
    }
    trip = {"entity": "user", "start": {"rate": "1/month"}, "cases": True, "steps": steps}
    care = {
        "entity": "plan",
        "start": {"on": {"stream": "pay", "probability": 0.3}},
        "steps": {"x": {"next": [{"to": "y", "after": "4d"}]}, "y": {}},
    }
    return scenario(
        entities=entities,
        streams=streams,
        processes={"trip": trip, "care": care},
        tick="7d",
        blocks=6,
        end="2024-07-01",
    )


def test_something_comes_of_every_trigger():
    assert all(frame.height for frame in tables(together()).values())


@pytest.mark.parametrize("shards", [2, 5])
def test_shards_merged_are_one_run_row_for_row(shards):
    whole = tables(together())
    parts = [tables(together(), shard=f"{number}/{shards}") for number in range(1, shards + 1)]
    for stream in model(together()).streams:
        pieces = pl.concat([part[stream.name].with_columns(pl.col(pl.Categorical).cast(pl.String)) for part in parts])
        merged = whole[stream.name].with_columns(pl.col(pl.Categorical).cast(pl.String))
        assert pieces.sort("event_time", stream.id).equals(merged), stream.name


def test_adding_processes_and_followers_leaves_the_others_as_they_are():
    less = copy.deepcopy(together())
    for part, name in (("processes", "care"), ("streams", "mail"), ("streams", "echo")):
        del less[part][name]
    with_all, without = tables(together()), tables(less)
    assert all(with_all[name].equals(without[name]) for name in without)


def test_entities_that_belong_to_those_born_from_facts_are_born_after_them():
    found = tables(together())
    both = found["seat"].join(found["plan"], on="plan_id", suffix="_plan")
    assert set(instants(both) - instants(both, "event_time_plan")) == {3 * DAY}
    early = found["plan"].filter(pl.col("event_time").dt.month() < 6)
    assert both.filter(pl.col("plan_id").is_in(early["plan_id"].implode())).height == 2 * early.height
    uses = found["use"].join(found["seat"], on="seat_id", suffix="_born")
    assert (uses["event_time"] >= uses["event_time_born"]).all()
    ended = found["plan_lifecycle"].select("plan_id", ended="event_time")
    seats = found["seat"].join(ended, on="plan_id", how="left").with_columns(pl.col("ended").fill_null(HALF))
    evidence.poisson(uses.height, np.maximum(instants(seats, "ended") - instants(seats), 0).sum() / DAY)
