"""The bundled scenarios: what they give does not change unnoticed, hangs together, and says what it declares."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from full_runs import UPDATE, full_run

import sim
from sim.attributes.fake import Fake
from sim.scenario.bundled import bundled

GOLDEN = Path(__file__).parent / "golden"
SHARE = 40
"""The stored facts are those of the first 1/SHARE of a scenario's time."""

FIRST = ["bank", "public_services", "storefront"]
"""The large ones, which show all of the basic behaviours each."""


def digest(table, left_out):
    """SHA-256 of a table, apart from the library Faker's texts (which change with its version) and the last digits of
    floating-point numbers and times (which change with the processor).
    """
    frame = pl.DataFrame(pl.from_arrow(table)).drop(left_out)
    for name in (name for name, kind in frame.schema.items() if isinstance(kind, pl.Struct)):
        frame = frame.with_columns(pl.col(name).name.prefix_fields(f"{name}.")).unnest(name)
    plain = frame.with_columns(pl.selectors.float().round(2), pl.selectors.datetime().dt.round("1s").dt.timestamp("ms"))
    return hashlib.sha256(plain.write_csv().encode()).hexdigest()


def facts_of(name):
    whole = sim.load(name)
    end = dt.datetime.fromtimestamp((whole.start + (whole.end - whole.start) // SHARE) / 1e6, dt.UTC)
    scenario = sim.load(name, {"end": end.isoformat()})
    tables = sim.to_arrow(sim.simulate(sim.compile_scenario(scenario)))
    faked = {
        kind: [name for name, attribute in entity.attributes.items() if isinstance(attribute, Fake)]
        for kind, entity in scenario.entities.items()
    }
    return {
        stream: {"facts": len(table), "sha256": digest(table, faked.get(stream, []))}
        for stream, table in tables.items()
    }


def test_there_are_the_scenarios_that_were_promised():
    assert set(FIRST) <= set(bundled())


@pytest.mark.parametrize("name", bundled())
def test_the_facts_are_the_stored_ones(name):
    golden, facts = GOLDEN / f"{name}.json", facts_of(name)
    if UPDATE:
        golden.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    assert facts == json.loads(golden.read_text())


@pytest.mark.parametrize("name", bundled())
def test_ids_are_unique_and_facts_in_order(name):
    run = full_run(name)
    for stream in run.streams.values():
        table = run.tables[stream.name]
        times = table["event_time"].cast("int64").to_numpy()
        ids = table[stream.id].to_numpy()
        assert len(np.unique(ids)) == len(ids) > 0, stream.name
        later = (times[1:] > times[:-1]) | ((times[1:] == times[:-1]) & (ids[1:] > ids[:-1]))
        assert later.all(), stream.name


@pytest.mark.parametrize("name", bundled())
def test_who_or_what_a_fact_refers_to_is_there_by_its_time(name):
    run = full_run(name)
    checked = 0
    for stream in run.streams.values():
        for column in stream.schema.names:
            other = column.removesuffix("_id")
            if other == column or other == stream.name or other not in run.streams:
                continue
            if other.removesuffix("_case") in run.scenario.processes:  # a case has its row when it has ended
                continue
            missing = run.one(
                f"""SELECT count(*) FROM "{stream.name}" AS a LEFT JOIN "{other}" AS b USING ({column})
                    WHERE a.{column} IS NOT NULL AND (b.event_time IS NULL OR b.event_time > a.event_time)"""
            )
            assert missing == 0, f"{stream.name}.{column}"
            checked += 1
    assert checked >= 4


@pytest.mark.parametrize("name", FIRST)
def test_trends_segments_vintage_and_states_are_all_used(name):
    scenario = sim.load(name)
    entities = scenario.entities.values()
    assert any(entity.segments for entity in entities)
    assert any(entity.lifecycle for entity in entities)
    assert any(entity.vintage.activity for entity in entities)
    assert any(curve.type in ("exponential", "logistic") for curve in scenario.curves.values())


@pytest.mark.parametrize(("name", "who"), [("bank", "customer"), ("storefront", "customer"), ("payments", "holder")])
def test_nobody_is_a_customer_as_a_child(name, who):
    assert full_run(name).one(f"SELECT min(year(born_at) - year_of_birth) FROM {who}") >= 15
