from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_batches import SPAN, STREAMS, fake_batches
from typer.testing import CliRunner

from sim.cli.jobs import job as jobs
from sim.cli.main import app
from sim.cli.outlook import tables
from sim.cli.preview import cell, first_rows

MODEL = SimpleNamespace(
    name="fake", digest="0" * 64, seed=1, start=0, end=4 * SPAN, streams=STREAMS, blocks=1, flows=()
)
FORECAST = SimpleNamespace(
    streams=[
        SimpleNamespace(
            name=name,
            facts=facts,
            low=low,
            high=high,
            months=(),
            peak_per_s=peak,
            minute_per_s=peak,
            bytes=size,
            existing=0,
        )
        for name, facts, low, high, peak, size in (
            ("order", 1234.4, 1100, 1300, 0.5, 5000.0),
            ("visit", 10, 5, 17, 2, 100),
        )
    ],
    total=SimpleNamespace(mean=1244.4, low=1110, high=1310),
    monthly=(),
    months=(),
    populations=(),
    facts=1244.4,
    peak_per_s=2.5,
    minute_per_s=3.0,
    memory_bytes=2_000_000,
    seconds=1.5,
    tick=3_600_000_000,
    windows=24,
    blocks=16,
    order=["customer", "order: after customer"],
    pilots=1.0,
)


def invoke(*words):
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(jobs.Job, "model", lambda self: MODEL)
    monkeypatch.setattr(jobs.Job, "batches", lambda self, model: fake_batches(4))


def test_help_lists_every_command_and_the_exit_codes():
    text = invoke("--help").stdout
    assert all(f"datagen {name}" in text for name in ("run", "plan", "preview", "scenarios", "demo"))
    assert "Exit codes" in text


@pytest.mark.parametrize("name", ["run", "plan", "preview", "validate", "scenarios", "schema", "demo"])
def test_every_command_teaches_by_example(name):
    assert f"datagen {name}" in invoke(name, "--help").stdout


def test_the_version_is_printed():
    assert invoke("--version").stdout.startswith("datagen ")


def test_a_preview_shows_the_first_rows_of_one_stream(fake):
    result = invoke("preview", "fake", "visit", "--rows", "3")
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    assert lines[0].split() == ["event_time", "id", "entity_id", "kind"]
    assert len(lines) == 2 + 3


def test_a_preview_of_an_unknown_stream_names_the_nearest(fake):
    result = invoke("preview", "fake", "ordr")
    assert result.exit_code == 2
    assert "did you mean 'order'" in result.stderr


def test_a_preview_simulates_no_further_than_it_needs():
    source = fake_batches(1000)
    assert len(first_rows(source, STREAMS[1], 60)) == 60
    assert next(source).start == 2 * SPAN


def test_cells_hide_nothing_and_are_not_markup():
    assert [cell(value) for value in (None, 1.23456789, "[bold]x", True)] == ["", "1.23457", "\\[bold]x", "True"]


def test_a_plan_shows_streams_memory_and_the_order_of_causes(fake):
    columns = tables.table(FORECAST).columns
    lines = [*tables.lines(FORECAST), *(str(cell) for column in columns for cell in column.cells)]
    assert "memory 2.00 MB; 24 windows of 1h; 16 blocks" in lines
    assert "  order: after customer" in lines
    assert {"1,234", "1,100 .. 1,300"} <= set(lines)


def test_a_plan_for_machines_is_one_object():
    found = json.loads(tables.as_json(MODEL, FORECAST))
    assert (found["facts"], found["low"], found["tick_s"], found["windows"]) == (1244, 1110, 3600.0, 24)
    assert found["streams"][1]["name"] == "visit"
    assert found["streams"][1]["peak_per_s"] == 2.0


def test_a_valid_scenario_is_answered_with_its_streams(fake):
    assert invoke("validate", "x.yaml").stdout == "x.yaml: valid; 2 streams: order, visit\n"


@pytest.mark.parametrize("words", [("validate", "nowhere.yaml"), ("run", "nowhere.yaml"), ("plan", "../../etc/passwd")])
def test_a_scenario_that_is_not_there_is_one_line_and_exit_code_2(words):
    result = invoke(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("datagen: ")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no device that is always full")
@pytest.mark.parametrize(("words", "code"), [(("schema",), 1), (("scenarios",), 1), (("run", "storefront", "-q"), 3)])
def test_an_output_that_is_full_is_one_line(words, code):
    command = [sys.executable, "-c", "from sim.cli.main import main; main()", *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent)
    assert done.returncode == code
    assert done.stderr.startswith("datagen: ")
    assert len(done.stderr.splitlines()) == 1
