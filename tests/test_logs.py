"""Messages as JSON: every line of stderr is one object, whatever happens."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime

import pytest
from commands import SMALL, invoke, start, wait_for

from sim.cli.terminal import logs


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


@pytest.fixture(autouse=True)
def text_again():
    yield
    logs.choose([])


def entries(stderr):
    found = [json.loads(line) for line in stderr.splitlines()]
    assert all(list(entry)[:4] == ["time", "level", "event", "message"] for entry in found)
    assert all(datetime.fromisoformat(entry["time"]).tzinfo for entry in found)
    return found


def test_a_run_begins_and_ends_with_an_entry(small):
    result = invoke("run", small, "--to", "null:", "--log-format", "json", "--seed", "5")
    first, last = entries(result.stderr)
    assert (result.exit_code, result.stdout, first["event"], last["event"]) == (0, "", "start", "end")
    assert (first["scenario"], first["seed"], first["to"]) == ("small", 5, ["null:"])
    assert last["facts"] == sum(last["streams"].values()) > 10_000


def test_the_summary_for_machines_stays_on_stdout(small):
    result = invoke("run", small, "--to", "null:", "--log-format", "json", "--json")
    assert json.loads(result.stdout).items() <= entries(result.stderr)[-1].items()
    piped = invoke("run", small, "--limit", "3", "--log-format=json", "--json")
    assert len(piped.stdout.splitlines()) == 3
    assert entries(piped.stderr)[-1]["facts"] == 3


def test_quiet_leaves_errors_only(small):
    assert invoke("run", small, "--to", "null:", "--log-format", "json", "-q").stderr == ""
    wrong = entries(invoke("run", small, "--to", "nil:", "--log-format", "json", "-q").stderr)
    assert [(entry["level"], entry["exit_code"]) for entry in wrong] == [("error", 2)]


def test_every_problem_of_a_scenario_is_an_entry(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text(SMALL.replace("count: 500", "count: many").replace("rate: 20/month", "rate: often"))
    found = entries(invoke("run", str(path), "--log-format", "json").stderr)
    assert [entry["event"] for entry in found] == ["error", "error"]
    assert "'many'" in found[0]["message"]
    assert "'often'" in found[1]["message"]


@pytest.mark.parametrize("words", [("run", "--bogus"), ("walk",), ("run", "x", "--workers", "0")])
def test_a_wrong_command_line_is_an_entry_too(words):
    result = invoke(*words, "--log-format", "json")
    (found,) = entries(result.stderr)
    assert (result.exit_code, found["level"], found["exit_code"]) == (2, "error", 2)


def test_the_environment_may_ask_for_it_and_the_option_wins(small, monkeypatch):
    monkeypatch.setenv("DATAGEN_LOG_FORMAT", "json")
    assert entries(invoke("run", "nowhere").stderr)[0]["level"] == "error"
    assert invoke("run", "nowhere", "--log-format", "text").stderr.startswith("datagen: ")
    assert entries(invoke("validate", "nowhere").stderr)[0]["exit_code"] == 2


def test_a_fault_of_our_own_is_an_entry_with_its_traceback(small, monkeypatch):
    monkeypatch.setattr("sim.cli.run.begin", lambda *legs, **more: 1 / 0)
    result = invoke("run", small, "--to", "null:", "--log-format", "json")
    (found,) = entries(result.stderr)
    assert (result.exit_code, "ZeroDivisionError" in found["traceback"]) == (1, True)


def test_warnings_are_entries(small, tmp_path):
    faults = "\nfaults:\n  order: {drops: 1%}\n"
    (tmp_path / "small.yaml").write_text(SMALL + faults)
    found = entries(invoke("run", small, "--to", "null:", "--log-format", "json").stderr)
    assert [(entry["level"], entry["event"]) for entry in found if entry["level"] != "info"] == [("warning", "warning")]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_progress_and_signals_are_entries(small, workers):
    words = ("--to", "null:", "--workers", workers, "--end", "2199-01-01", "--log-format", "json")
    process = start("run", small, *words)
    seen = []
    assert wait_for(lambda: seen.append(json.loads(process.stderr.readline())) or seen[-1]["event"] == "progress")
    os.killpg(process.pid, signal.SIGTERM)
    found = seen + entries(process.communicate(timeout=30)[1])
    assert process.returncode == 143
    assert [entry["event"] for entry in found if entry["event"] != "progress"] == ["start", "stopping", "end"]
    progress = next(entry for entry in found if entry["event"] == "progress")
    assert 0 < progress["share"] < 1
    assert progress["facts"] > 0
    assert found[-1]["stopped"]


def test_a_worker_that_dies_is_an_entry(small, tmp_path):
    process = start("run", small, "--to", f"parquet:{tmp_path / 'out'}", "--log-format", "json", "--workers", "2")
    (tmp_path / "out").write_text("in the way of a folder")
    found = entries(process.communicate(timeout=60)[1])
    assert (process.returncode, found[-1]["level"], found[-1]["event"]) == (3, "error", "error")


def test_other_commands_say_what_they_do_as_entries_too(small, tmp_path):
    out = f"parquet:{tmp_path / 'out'}"
    invoke("run", small, "--to", out, "--end", "2023-01-05", "-q")
    checked = invoke(
        "check", out, "--scenario", small, "--end", "2023-01-04", "--only", "structure", "--log-format", "json"
    )
    assert "not exactly" in entries(checked.stderr)[0]["message"]
