from __future__ import annotations

import polars as pl
from fake_batches import STREAMS, fake_batches

import sim

WORLD = {
    "name": "tiny",
    "start": "2024-01-01",
    "end": "2024-01-08",
    "entities": {"sensor": {"initial": {"count": 5}}},
    "streams": {"reading": {"entity": "sensor", "rate": "100/day"}},
}


def test_batches_become_one_table_a_stream():
    tables = sim.to_arrow(fake_batches(4))
    assert {name: table.num_rows for name, table in tables.items()} == {"order": 200, "visit": 200}
    assert tables["order"].schema == STREAMS[0].schema


def test_frames_hold_the_same_rows_as_tables():
    frames, tables = sim.to_polars(fake_batches(3)), sim.to_arrow(fake_batches(3))
    assert frames["visit"].drop("kind").to_arrow().to_pylist() == tables["visit"].drop(["kind"]).to_pylist()
    assert frames["visit"]["kind"].cast(pl.String).to_list() == tables["visit"]["kind"].to_pylist()


def test_a_model_is_simulated_with_the_seed_and_shard_that_are_asked_for():
    model = sim.compile_scenario(sim.load(WORLD))
    one, other = sim.to_polars(model, seed=1)["reading"], sim.to_polars(model, seed=2)["reading"]
    assert one.equals(sim.to_polars(sim.simulate(model, seed=1))["reading"])
    assert not one.equals(other)
    parts = [sim.to_polars(model, seed=1, shard=(i, 2))["reading"] for i in (1, 2)]
    assert one.sort("reading_id").equals(pl.concat(parts).sort("reading_id"))


def test_a_stream_without_facts_is_an_empty_table():
    quiet = {**WORLD, "streams": {"reading": {"entity": "sensor", "rate": "0/day"}}}
    assert sim.to_arrow(sim.compile_scenario(sim.load(quiet)))["reading"].num_rows == 0
