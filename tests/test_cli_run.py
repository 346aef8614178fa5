from __future__ import annotations

import json
import os
import signal
from types import SimpleNamespace

import pytest
from fake_batches import SPAN, STREAMS, fake_batches
from typer.testing import CliRunner

from sim.cli.jobs import job as jobs
from sim.cli.main import app
from sim.cli.terminal.signals import Interruption
from sim.errors import Problem, ScenarioError, SimulationError
from sinks import registry


@pytest.fixture
def run(monkeypatch):
    """Runs `datagen run` on fake facts: a model with two streams and four windows."""
    model = SimpleNamespace(
        name="fake", digest="0" * 64, seed=1, start=0, end=4 * SPAN, streams=STREAMS, blocks=1, flows=(), faults={}
    )
    monkeypatch.setattr(jobs.Job, "model", lambda self: model)
    monkeypatch.setattr(jobs.Job, "batches", lambda self, model: fake_batches(4))
    return lambda *words: CliRunner().invoke(app, ["run", "fake", *words], catch_exceptions=False)


def test_facts_go_to_stdout_and_the_summary_to_stderr(run):
    result = run()
    assert result.exit_code == 0
    assert len([json.loads(line) for line in result.stdout.splitlines()]) == 400
    assert "400 facts of fake until 1970-01-01 00:00:04" in result.stderr


@pytest.mark.parametrize("limit", [0, 1, 137, 400, 500])
def test_a_limit_counts_the_facts_of_all_streams(run, limit):
    assert len(run("--limit", str(limit), "-q").stdout.splitlines()) == min(limit, 400)


def test_quiet_leaves_only_the_facts(run):
    assert run("--quiet").stderr == ""


def test_the_json_summary_is_one_object_on_stdout(run):
    summary = json.loads(run("--to", "null:", "--json").stdout)
    assert summary["streams"] == {"order": 200, "visit": 200}
    assert (summary["facts"], summary["acknowledged"], summary["stopped"]) == (400, 400, False)
    assert summary["until"] == "1970-01-01T00:00:04.000000Z"


def test_the_json_summary_makes_way_for_facts_on_stdout(run):
    result = run("--json", "--limit", "2")
    assert len(result.stdout.splitlines()) == 2
    assert json.loads(result.stderr)["facts"] == 2


def test_a_paced_run_says_how_far_behind_it_was(run):
    pacing = json.loads(run("--to", "null:", "--json", "--speed", "100x").stdout)["pacing"]
    assert 0 <= pacing["p50_s"] <= pacing["p99_s"] <= pacing["max_s"]
    assert pacing["kept"] == (pacing["verdict"] == "the schedule was kept") == (pacing["p99_s"] <= 0.1)


def test_a_sink_that_refuses_ends_with_its_exit_code(run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    result = run("--to", f"parquet:{tmp_path / 'file'}")
    assert result.exit_code in (2, 3)
    assert result.stderr.startswith("datagen: ")


@pytest.mark.parametrize(
    "words",
    [
        ("--speed", "0"),
        ("--speed", "fast"),
        ("--workers", "0"),
        ("--workers", "9999"),
        ("--limit", "-1"),
        ("--seed", "-1"),
        ("--seed", "9223372036854775808"),
        ("--shard", "0/4"),
        ("--shard", "5/4"),
        ("--set", "no-value"),
        ("-X", "no-value"),
        ("--to", "nowhere"),
        ("--to", "carrier-pigeon:x"),
        ("--to", "null:?loud=yes"),
    ],
)
def test_input_that_makes_no_sense_ends_with_exit_code_2_and_a_line(run, words):
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.strip()


def test_every_problem_of_a_scenario_is_a_line(monkeypatch):
    problems = [Problem(7, "a.b", "wrong", "x.yaml"), Problem(2, "c", "bad", "x.yaml")]

    def refuse(self):
        raise ScenarioError(problems)

    monkeypatch.setattr(jobs.Job, "model", refuse)
    result = CliRunner().invoke(app, ["validate", "x.yaml"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == ["datagen: x.yaml:2: c: bad", "datagen: x.yaml:7: a.b: wrong"]


def test_an_error_of_the_simulation_says_what_was_written_before(run, monkeypatch):
    def failing(self, model):
        yield from fake_batches(2)
        raise SimulationError("customer 7 at 1970-01-01")

    monkeypatch.setattr(jobs.Job, "batches", failing)
    result = run("--to", "null:")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "datagen: customer 7 at 1970-01-01"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_closes_the_sink_and_says_what_was_written(run, monkeypatch, number, code):
    def interrupted(self, model):
        for turn, batch in enumerate(fake_batches(100_000)):
            if turn == 100:
                os.kill(os.getpid(), number)
            yield batch

    monkeypatch.setattr(jobs.Job, "batches", interrupted)
    result = run("--to", "null:", "--json")
    assert result.exit_code == code
    summary = json.loads(result.stdout)
    assert summary["stopped"]
    assert summary["facts"] == summary["acknowledged"] > 0


def test_signal_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        signal.raise_signal(signal.SIGTERM)
        assert (interruption.stop.is_set(), interruption.exit_code) == (True, 143)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_closed_pipe_ends_quietly(run, monkeypatch):
    from fake_batches import Collector

    from sinks.contract import Closed

    class Leaving(Collector):
        def __init__(self, target):
            super().__init__(1, Closed())

    monkeypatch.setitem(registry._SINKS, "leaving", Leaving)
    result = run("--to", "leaving:")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
