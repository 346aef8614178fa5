"""`datagen plan` from the outside: the table, JSON, charts and pages of one small scenario."""

from __future__ import annotations

import json

import pytest
from commands import SMALL, invoke

from sim.cli.outlook.chart import drawn
from sim.cli.outlook.weighing import weigh
from sim.delivery.collect import to_arrow
from sim.engine.forecast import Estimate, forecast
from sim.engine.simulate import simulate
from sim.model.compile import compile_scenario
from sim.scenario.loader import load
from sinks.formats import find
from sinks.parquet import ParquetFile


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "small.yaml"
    path.write_text(SMALL)
    return str(path)


def test_the_table_has_intervals_entities_sizes_and_paces(small):
    text = invoke("plan", small, "--quick", "--months").stdout
    assert all(part in text for part in ("from .. to", "customer", "kafka: json", "parquet:", "at 3600x", "2023-02-01"))
    assert "whatever the seed" in text


def test_what_is_said_to_machines_is_complete(small):
    found = json.loads(invoke("plan", small, "--quick", "--json").stdout)
    order = found["streams"][1]
    assert len(found["months"]) == len(order["months"]["mean"]) == 1
    assert order["low"] < order["facts"] < order["high"]
    assert found["bytes"]["parquet:"]["total"] == pytest.approx(
        sum(found["bytes"]["parquet:"]["streams"].values()), abs=2
    )
    assert found["populations"][0]["alive"]["mean"][0] == pytest.approx(810, abs=60)
    assert found["simulation_s"] <= found["seconds"]["parquet:"]


def test_a_chart_draws_means_and_bounds(small):
    text = invoke("plan", small, "--quick", "--chart").stdout
    assert "facts a month, with the interval of 95%" in text
    assert "customer: alive at the end of the month" in text
    assert any("\u2801" <= letter <= "\u28ff" for letter in text)


def test_one_month_can_be_drawn():
    from datetime import UTC, datetime

    assert drawn("x", [datetime(2024, 1, 15, tzinfo=UTC)], [Estimate(5.0, 3.0, 8.0)]).startswith("x\n")


def test_a_report_is_a_page_with_charts(small, tmp_path):
    target = tmp_path / "plan.html"
    assert invoke("plan", small, "--quick", "--report", str(target)).exit_code == 0
    text = target.read_text()
    assert text.count("<svg") >= 6
    assert "Plan of small" in text


def test_sizes_are_those_of_what_is_written_then(tmp_path):
    model = compile_scenario(load({**_mapping(), "end": "2023-06-01"}))
    table = to_arrow(simulate(model, 3))["order"]
    weights = {weight.output: weight.bytes["order"] for weight in weigh(model.streams, forecast(model))}
    file = ParquetFile(tmp_path / "order.parquet", table.schema)
    file.write(table)
    stream = next(stream for stream in model.streams if stream.name == "order")
    values = sum(map(len, find("json")(stream).encode(table.combine_chunks().to_batches()[0])))
    assert weights["parquet:"] == pytest.approx(file.size(), rel=0.25)
    assert weights["stdout:"] == pytest.approx(values + len(table) * len('"stream":"order",\n'), rel=0.05)
    file.close()


def _mapping():
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(SMALL) | {"start": "2023-01-01"}
