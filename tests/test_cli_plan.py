"""`datagen plan` from the outside: the table, JSON, charts and pages of one small scenario."""

from __future__ import annotations

import json

import numpy as np
import pytest
from commands import SMALL, invoke

from sim.cli.outlook.canvas import WIDTH, scale, steps
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
    assert "customer, end of" in text


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
    assert "facts a month; the last: " in text
    assert "customer: alive at the end of the month" in text
    assert any("\u2801" <= letter <= "\u28ff" for letter in text)


MONTHS = [1_704_067_200_000_000, 1_706_745_600_000_000, 1_709_251_200_000_000]
"""The first instants of January, February and March 2024."""


def test_a_drawing_has_a_column_for_each_month_between_round_ticks():
    lines = drawn("x", MONTHS, [Estimate(50.0, 30.0, 80.0), Estimate(20.0, 10.0, 30.0)]).splitlines()
    assert lines[0] == "x; the last: 20, 95 of 100 runs from 10 to 30"
    assert [line[:2].strip() for line in lines if "┤" in line or "┼" in line] == ["80", "60", "40", "20", "0"]
    assert lines[-1].split() == ["2024-01", "2024-02"]
    assert max(map(len, lines)) <= WIDTH + 6


def test_the_line_is_at_the_mean_and_shade_fills_the_interval():
    axis = scale(80)
    dots = np.flipud(steps(MONTHS, [50, 20], [30, 10], [80, 30]))
    filled = [np.flatnonzero(dots[:, column]) * axis.top / len(dots) for column in (20, 120)]
    for own, (low, mean, high) in zip(filled, ((30, 50, 80), (10, 20, 30)), strict=True):
        assert (own.min(), own.max()) == (pytest.approx(low, abs=2.1), pytest.approx(high, abs=2.1))
        assert mean == pytest.approx(own[np.argmin(np.abs(own - mean))], abs=2.1)
    assert dots[:, 21].sum() == 1


@pytest.mark.parametrize("highest", [0, 1, 3, 7, 12, 48, 99, 100, 101, 2_501, 7e6])
def test_scales_are_round_and_fit(highest):
    axis = scale(highest)
    assert axis.top >= highest
    assert axis.step * (axis.ticks - 1) < max(highest, 1)
    assert axis.ticks <= 5
    assert axis.step / 10 ** np.floor(np.log10(axis.step)) in (1, 2, 2.5, 3, 4, 5)
    assert axis.step % 1 == 0


def test_one_month_can_be_drawn_and_nothing_at_all():
    assert drawn("x", MONTHS[:2], [Estimate(5.0, 3.0, 8.0)]).startswith("x;")
    assert drawn("x", MONTHS[:2], [Estimate(0.0, 0.0, 0.0)]).count("2024-01") == 1


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


def test_starting_is_a_part_of_every_run():
    model = compile_scenario(load({**_mapping(), "end": "2023-02-01"}))
    expected = forecast(model, quick=True)
    assert min(weight.seconds for weight in weigh(model.streams, expected, 50.0)) >= 50


def _mapping():
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(SMALL) | {"start": "2023-01-01"}
