"""The same scenario and seed give the same facts, however the work is divided."""

from __future__ import annotations

import copy

import polars as pl
import pyarrow as pa
import pytest
from worlds import SEED, arrow, batches, micros, model, scenario, tables

from sim.engine.simulate import simulate
from sim.maths.units import DAY
from sim.model.compile import compile_scenario
from sim.model.process import process
from sim.scenario.loader import load


def world():
    """Something of everything that draws random numbers."""
    states = {
        "on": {"transitions": [{"to": "off", "hazard": "20%/month", "curves": ["season"]}]},
        "off": {"activity": 0.2, "transitions": [{"to": "on", "after": {"type": "gamma", "mean": "20d", "shape": 2}}]},
    }
    user = {
        "initial": {"count": 100, "age": {"type": "exponential", "mean": "60d"}},
        "arrivals": {"rate": "1/day", "curves": ["season"]},
        "frailty": {"type": "gamma", "shape": 3},
        "attributes": {
            "city": {"type": "choice", "values": ["Paris", "Lyon"]},
            "mail": {"type": "faker", "provider": "email"},
            "code": {"type": "uuid"},
            "home": {"type": "geo_point", "centers": [{"lat": 48, "lon": 2}]},
            "years": {"type": "integer", "low": 18, "high": 80},
            "income": {"type": "lognormal", "median": 2000, "sigma": 0.5},
        },
        "correlations": [{"between": ["years", "income"], "rho": 0.5}],
        "segments": {"tier": {"vip": {"weight": 1, "activity": 4}, "standard": {"weight": 3}}},
        "vintage": {"activity": {"type": "exponential", "rate": "-1%/day"}},
        "lifecycle": {"initial": "on", "states": states},
    }
    attributes = {
        "product": {"type": "lookup", "entity": "product", "weights": {"type": "zipf", "exponent": 1}},
        "amount": {"type": "lognormal", "median": 10, "sigma": 1},
        "sum": {"type": "running_total", "of": "amount"},
        "left": {"type": "running_total", "of": "amount", "sign": -1, "start": 500, "floor": 0, "total": "left"},
        "taken": {"type": "posted", "of": "left"},
        "mood": {"type": "mean_reverting", "mean": 5, "sd": 1, "half_life": "2d"},
        "habit": {"type": "autoregressive", "mean": 0, "sd": 1, "coefficient": 0.5},
        "walk": {"type": "random_walk", "sd": 1, "per": "day"},
        "where": {"type": "moving_point", "home": "user.home", "radius_km": 9, "speed_kmh": 9},
        "kind": {
            "type": "when",
            "cases": [{"if": "tier = 'vip'", "then": {"type": "uniform", "low": 0, "high": 1}}],
            "else": {"type": "exponential", "mean": 1},
        },
    }
    child = {"count": {"type": "poisson", "mean": 1}, "after": {"type": "exponential", "mean": "5d"}}
    streams = {
        "act": {"entity": "user", "rate": "1/day", "attributes": attributes, "children": {"line": child}},
        "bill": {
            "entity": "account",
            "every": {"period": "1 month", "jitter": {"type": "uniform", "low": "0h", "high": "9h"}},
        },
    }
    entities = {
        "user": user,
        "product": {"arrivals": {"total": 40}, "attributes": {"price": {"type": "uniform", "low": 1, "high": 9}}},
        "account": {"parent": "user", "arrivals": {"per_parent": {"type": "poisson", "mean": 1}}},
    }
    curves = {"season": {"type": "month", "weights": [1, 2, 3, 4, 5, 6, 6, 5, 4, 3, 2, 1]}}
    world = scenario(entities=entities, streams=streams, curves=curves, tick="9d", blocks=6, end="2024-05-01")
    return world | {"incidents": incidents()}


def incidents():
    """One of every kind."""
    fewer = {"act": {"rate": 0.3}, "line": {"probability": 0.5, "delay": 2}}
    again = {"rate": "3/month", "duration": {"type": "exponential", "mean": "3d"}}
    amount = {"type": "expression", "sql": "amount * 10"}
    return {
        "outage": {"from": "2024-02-01", "until": "2024-02-10", "share": 0.5, "ramp": "1d", "streams": fewer},
        "slump": {**again, "streams": {"user": {"rate": 0.3}, "user_lifecycle": {"rate": 2}}},
        "storm": {
            **again,
            "segments": {"tier": ["vip"]},
            "streams": {"act": {"rate": 3}, "bill": {"probability": 0.5}},
        },
        "taken": {
            **again,
            "per": "user",
            "states": ["on"],
            "streams": {"act": {"extra": "4/day", "set": {"amount": amount}}},
        },
        "spike": {"per": "fact", "probability": 0.05, "streams": {"act": {"set": {"amount": amount}}}},
    }


def content(source):
    """All batches as the bytes of an Arrow stream each."""
    return [batch.data.serialize().to_pybytes() for batch in source]


def alike(one, other, streams):
    """Whether two runs have the same rows in the same order in each of `streams`."""
    return all(one[name].equals(other[name]) for name in streams)


def test_the_same_seed_gives_the_same_bytes():
    assert content(batches(world())) == content(batches(world()))


def test_one_model_can_be_run_again_and_again():
    compiled = model(world())
    assert content(simulate(compiled, SEED)) == content(simulate(compiled, SEED))


def test_another_seed_gives_other_facts():
    one, other = tables(world()), tables(world(), SEED + 1)
    assert not any(one[name].equals(other[name]) for name in one)


@pytest.mark.parametrize("shards", [2, 5, 6])
def test_shards_merged_are_one_run_row_for_row(shards):
    whole = batches(world())
    parts = [batches(world(), shard=f"{number}/{shards}") for number in range(1, shards + 1)]
    for place, batch in enumerate(whole):
        pieces = pa.concat_tables([pa.Table.from_batches([part[place].data]) for part in parts]).unify_dictionaries()
        merged = pl.DataFrame(pl.from_arrow(pieces)).sort("event_time", batch.stream.id)
        assert merged.equals(pl.DataFrame(pl.from_arrow(batch.data))), batch.stream.name


def test_no_shard_has_a_fact_of_another():
    shards = [arrow(batches(world(), shard=f"{number}/3")) for number in (1, 2, 3)]
    for stream in {batch.stream.name: batch.stream for batch in batches(world())}.values():
        ids = [set(shard[stream.name][stream.id].to_pylist()) for shard in shards]
        assert sum(map(len, ids)) == len(set.union(*ids))


def changed(**parts):
    """The world with something added to its streams, its user's attributes, or its entities."""
    other = copy.deepcopy(world())
    other["streams"] |= parts.get("streams", {})
    other["entities"]["user"]["attributes"] |= parts.get("attributes", {})
    other["entities"] |= parts.get("entities", {})
    return other


def test_adding_a_stream_leaves_the_others_as_they_are():
    more = {"entity": "user", "rate": "3/day", "attributes": {"who": {"type": "lookup", "entity": "user"}}}
    one, other = tables(world()), tables(changed(streams={"more": more}))
    assert alike(one, other, one)


def test_adding_an_entity_leaves_the_others_as_they_are():
    one = tables(world())
    other = tables(changed(entities={"shop": {"initial": {"count": 5}}, "till": {"initial": {"count": 9}}}))
    assert alike(one, other, one)


def test_adding_an_attribute_leaves_the_others_as_they_are():
    one, other = tables(world()), tables(changed(attributes={"age_group": {"type": "integer", "low": 1, "high": 9}}))
    other["user"] = other["user"].drop("age_group")
    assert alike(one, other, one)


def test_adding_an_attribute_to_a_stream_leaves_its_other_columns_as_they_are():
    other = changed()
    other["streams"]["act"]["attributes"] = {"first": {"type": "normal", "mean": 0, "sd": 1}} | other["streams"]["act"][
        "attributes"
    ]
    one, other = tables(world()), tables(other)
    assert alike(one, other | {"act": other["act"].drop("first")}, one)


def test_adding_a_process_leaves_the_streams_as_they_are():
    def audits(env, block):
        while True:
            yield env.timeout(7 * DAY)
            active = block.entities("user", state="on")
            block.emit(entity=active[:5], score=block.rng.random(len(active[:5])))

    audit = process("audit", audits, entity="user", schema={"score": pa.float64()})
    with_audit = arrow(simulate(compile_scenario(load(world()), processes=[audit]), SEED))
    without = arrow(batches(world()))
    assert with_audit.pop("audit").num_rows > 0
    assert all(with_audit[name].equals(without[name]) for name in without)


def test_a_later_end_only_adds_facts_where_nothing_is_bounded_by_the_run():
    """Ticks must be fixed, and hold whole: what varies with age or time is bounded over the run, whose length then
    shows in which candidates are drawn (not in their distribution)."""
    plain = changed()
    del plain["entities"]["user"]["vintage"], plain["entities"]["product"]
    del plain["streams"]["act"]["attributes"]["product"]
    del plain["entities"]["user"]["lifecycle"]["states"]["on"]["transitions"][0]["curves"]
    del plain["incidents"]["slump"]["streams"]["user_lifecycle"]
    end = micros("2024-01-01") + 8 * 9 * DAY
    short, long = (tables(plain | {"end": moment}) for moment in ("2024-03-13", "2024-06-01"))
    for name in short:
        early = long[name].filter(pl.col("event_time").to_physical() < end)
        assert short[name].equals(early), name


def test_chosen_ticks_come_from_the_scenario_alone():
    plain = {name: part for name, part in world().items() if name != "tick"}
    assert model(plain).tick == model(plain).tick
    assert content(batches(plain)) == content(batches(plain | {"tick": f"{model(plain).tick // 1_000_000}s"}))


def test_the_seed_may_stand_in_the_scenario():
    assert content(simulate(model(world() | {"seed": SEED}))) == content(batches(world()))
