"""The ground truth: spans and facts, in streams of their own; in the data only where it is asked for."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
from test_recovery_anomalies import TAKEOVER, within
from typer.testing import CliRunner
from worlds import DAY, START, acting, batches, instants, micros, model, population, scenario, tables, words

from sim.cli.main import app
from sim.engine.forecast import forecast

OUTAGE = {"from": "2023-12-30", "until": "2024-02-10", "share": 0.4, "streams": {"act": {"rate": 3}}}
SPIKE = {"per": "fact", "probability": 0.05, "streams": {"act": {"value": 2}, "line": {}}}
AMOUNT = {"amount": {"type": "lognormal", "median": 10, "sigma": 0.5, "value": True}}
STREAM = {"attributes": AMOUNT, "children": {"line": {"count": 2, "after": "1d"}}}


def world(label=False, **parts):
    takeover = {**TAKEOVER, "streams": {"act": {"rate": 4}}}
    incidents = {"outage": OUTAGE, "takeover": takeover, "spike": SPIKE}
    stream = {**STREAM, "label": label}
    return acting(40, "1/day", stream=stream, tick="20d", end="2024-06-01", incidents=incidents, **parts)


def labels(run, incident, stream="act"):
    """Ids of the facts of a stream that carry a label, ascending."""
    found = run["incident_fact"].filter(pl.col("incident") == incident, pl.col("fact_stream") == stream)
    return np.sort(found["fact_id"].to_numpy())


def test_labels_are_those_of_the_facts_inside_the_spells():
    run = tables(world())
    only = {**run, "incident": run["incident"].filter(pl.col("incident") == "takeover")}
    struck = run["act"].filter(pl.Series(within(only)))
    assert (labels(run, "takeover") == np.sort(struck["act_id"].to_numpy())).all()


def test_labels_say_since_when():
    run = tables(world())
    label = run["incident_fact"].filter(pl.col("incident") == "takeover")
    spell = run["incident"].filter(pl.col("incident") == "takeover")
    joined = label.join(spell, on=["entity_id", "began_at"], how="left", suffix="_spell")
    assert joined["ends_at"].null_count() == 0
    assert ((joined["event_time"] >= joined["began_at"]) & (joined["event_time"] < joined["ends_at"])).all()


def test_labels_have_the_time_and_the_entity_of_their_fact():
    run = tables(world())
    for name in ("act", "line"):
        label = run["incident_fact"].filter(pl.col("fact_stream") == name)
        joined = label.join(run[name], left_on="fact_id", right_on=f"{name}_id", suffix="_fact")
        assert len(joined) == len(label) > 0
        assert (joined["event_time"] == joined["event_time_fact"]).all()
        assert (joined["entity_id"] == joined["user_id"]).all()


def test_an_incident_that_began_before_the_run_is_told_at_its_start():
    row = tables(world())["incident"].filter(pl.col("incident") == "outage")
    assert len(row) == 1
    assert instants(row)[0] == START
    assert instants(row, "began_at")[0] == micros("2023-12-30")
    assert row["entity_id"].null_count() == row["entity"].null_count() == 1


def test_the_streams_are_in_order_and_their_ids_unique():
    assert [batch.stream.name for batch in batches(world())[:5]][-2:] == ["incident", "incident_fact"]
    run = tables(world())
    for name in ("incident", "incident_fact"):
        assert run[name]["event_time"].is_sorted()
        assert run[name][f"{name}_id"].is_unique().all()


def test_the_data_carries_no_label_unless_it_is_asked_for():
    plain, marked = tables(world()), tables(world(label=True))
    assert plain["act"].columns == ["act_id", "event_time", "user_id", "amount"]
    assert marked["act"].drop("incident").equals(plain["act"])
    shown = marked["act"].filter(pl.col("incident").is_not_null())["act_id"]
    assert set(shown) == set(plain["incident_fact"].filter(pl.col("fact_stream") == "act")["fact_id"])


def test_the_ground_truth_can_be_left_out():
    run, known = tables(world(ground_truth=False)), tables(world())
    assert set(known) - set(run) == {"incident", "incident_fact"}
    assert all(run[name].equals(known[name]) for name in run)


def test_an_incident_without_a_label_is_not_told():
    incidents = {"outage": {**OUTAGE, "label": False}, "takeover": {**TAKEOVER, "streams": {"act": {"rate": 4}}}}
    run = tables(acting(40, "1/day", stream={"label": True}, incidents=incidents))
    for name in ("incident", "incident_fact", "act"):
        assert "outage" not in words(run[name], "incident")


def test_what_follows_can_depend_on_the_label():
    streams = {
        "act": {"entity": "user", "rate": "1/day"},
        "complaint": {"entity": "user", "on": {"stream": "act", "where": "incident = 'takeover'", "after": "2d"}},
    }
    incidents = {"takeover": {**TAKEOVER, "streams": {"act": {"rate": 4}}}}
    run = tables(scenario(entities=population(40), streams=streams, incidents=incidents))
    early = run["incident_fact"].filter(
        pl.col("event_time") < pl.lit(micros("2024-12-30")).cast(pl.Datetime("us", "UTC"))
    )
    assert set(early["fact_id"]) == set(run["complaint"]["act_id"])


def test_who_is_struck_can_change_state():
    states = {
        "open": {"transitions": [{"to": "blocked", "on": {"stream": "act", "where": "incident IS NOT NULL"}}]},
        "blocked": {"activity": 0},
    }
    life = {"lifecycle": {"initial": "open", "states": states}}
    incidents = {"takeover": {**TAKEOVER, "states": ["open"], "streams": {"act": {"rate": 4}}}}
    run = tables(acting(60, "1/day", life, incidents=incidents, resolution="1h", end="2024-02-01"))
    first = run["incident_fact"].group_by("entity_id").agg(pl.col("event_time").min())
    blocked = first.join(run["user_lifecycle"], left_on="entity_id", right_on="user_id", suffix="_blocked")
    delay = (instants(blocked, "event_time_blocked") - instants(blocked)) / DAY
    assert len(blocked) >= len(first) - 2
    assert (delay >= 0).all()
    assert (delay <= 1 / 24 + 1e-9).all()


def test_the_plan_counts_incidents_and_labels():
    incidents = {"storm": {"rate": "1/month", "duration": "4d", "streams": {"act": {"rate": 3}}}}
    incidents["takeover"] = {**TAKEOVER, "streams": {"act": {"rate": 4}}}
    small = model(acting(2000, "3/day", incidents=incidents, tick="10d"))
    expected = forecast(small, 1)
    found = {stream.name: stream for stream in expected.streams}
    run = tables(acting(2000, "3/day", incidents=incidents, tick="10d"), 1)
    for name in ("act", "incident", "incident_fact"):
        assert found[name].low <= len(run[name]) <= found[name].high  # when it storms is a matter of the seed
        assert abs(found[name].facts / len(run[name]) - 1) < 0.2
    assert any(line.startswith("storm is on ") for line in expected.order)


def changing(incident, **parts):
    """Users whose level goes up with each fact, and guests that look them up: facts are made in rounds, everywhere."""
    level = {"level": {"type": "constant", "value": 0}}
    attributes = {"amount": {"type": "constant", "value": 1.0}, "before": {"type": "expression", "sql": "user.level"}}
    act = {
        "entity": "user",
        "rate": "0.5/day",
        "attributes": attributes,
        "sets": {"level": "before + 1"},
        "label": True,
    }
    seen = {"who": {"type": "lookup", "entity": "user"}, "level": {"type": "expression", "sql": "who.level"}}
    see = {"entity": "guest", "rate": "1/day", "attributes": seen}
    entities = {**population(20, attributes=level), "guest": {"initial": {"count": 5}}}
    return scenario(
        entities=entities, streams={"act": act, "see": see}, incidents={"odd": incident}, end="2024-03-01", **parts
    )


def test_facts_that_are_made_in_rounds_are_hit_as_a_whole():
    tenfold = {"set": {"amount": {"type": "expression", "sql": "amount * 10"}}}
    for odd in ({"per": "fact", "probability": 0.2}, {**TAKEOVER, "rate": "0.2/day"}):
        run = tables(changing({**odd, "streams": {"act": tenfold}}))
        struck = run["act"].filter(pl.col("amount") == 10)
        assert 0 < len(struck) < len(run["act"])
        assert (labels(run, "odd") == np.sort(struck["act_id"].to_numpy())).all()
        assert run["act"].filter(pl.col("incident").is_not_null())["act_id"].equals(struck["act_id"])


def test_shards_agree_where_facts_that_are_hit_change_what_others_look_up():
    world = changing({**TAKEOVER, "rate": "0.2/day", "streams": {"act": {"extra": "3/day"}}}, tick="5d")
    whole, parts = tables(world), [tables(world, shard=f"{number}/2") for number in (1, 2)]
    for name, frame in whole.items():
        merged = pl.concat([part[name].cast({pl.Categorical: pl.String}) for part in parts])
        key = next(column for column in frame.columns if column.endswith("_id"))
        assert merged.sort("event_time", key).equals(frame.cast({pl.Categorical: pl.String}).sort("event_time", key))


def test_data_and_labels_go_to_stdout_side_by_side(tmp_path):
    file = tmp_path / "world.json"
    file.write_text(json.dumps(world() | {"end": "2024-02-01"}))
    done = CliRunner().invoke(app, ["run", str(file), "--to", "stdout:", "--quiet"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["stream"] for row in rows} == {"user", "act", "line", "incident", "incident_fact"}
    assert {row["fact_stream"] for row in rows if row["stream"] == "incident_fact"} == {"act", "line"}
