"""Snapshots of runs with faults, a ledger and a live part: broken off anywhere, they bring what a whole run brings."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from commands import FAULTS, SMALL, invoke, start
from pyarrow import parquet

from sim import compile_scenario, load
from sim.cli.jobs.execute import Execution, Live, execute
from sim.cli.jobs.job import HOUR, Job
from sim.delivery.ledger import Ledger
from sim.delivery.pipeline import Outcome
from sim.delivery.seam import Seam
from sim.engine import snapshots
from sim.engine.simulate import Simulation
from sim.maths.instants import parse_instant
from sinks import open_sink
from sinks.files import FileSink

EVERY = 2000
KILLS = int(os.environ.get("DATAGEN_TEST_KILLS", "4"))
SEAM = parse_instant("2023-01-16T07:30:00Z", "UTC")
STREAMS, TABLES = ("customer", "order"), ("injections", "windows", "sums")


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(snapshots, "EVERY", EVERY)


@pytest.fixture
def begun(monkeypatch):
    """How many windows each simulation passed over."""
    found, find = [], snapshots.Snapshots.find

    def watched(self, there):
        snapshot = find(self, there)
        found.append(0 if snapshot is None else snapshot.windows)
        return snapshot

    monkeypatch.setattr(snapshots.Snapshots, "find", watched)
    return found


@pytest.fixture(params=["plain", "faults"])
def scenario(request, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL + (FAULTS if request.param == "faults" else ""))
    return path


class Killed(Exception):
    pass


def carry_out(scenario, folder, monkeypatch, live=False, after=None):
    """Run as the command does, going on with what is there; with `after`, until so many windows are simulated."""

    class Breaking(Simulation):
        def __iter__(self):
            batches = super().__iter__()
            yield from islice(batches, None if after is None else after * len(STREAMS))
            if after is not None:
                raise Killed

    monkeypatch.setattr(Job, "batches", lambda job, model: Breaking(model, folder=Path(job.state)))
    ledger = f"parquet:{folder / 'ledger'}"
    to, state = f"parquet:{folder / 'out'}", str(folder / "state")
    job = Job(str(scenario), to=to, resume=True, ledger=ledger, state=state, span=7 * HOUR)
    part = Live(open_sink(f"parquet:{folder / 'live'}"), SEAM) if live else None
    outcome, stop = Outcome(), threading.Event()
    execute(job, job.model(), job.sink(), Execution(live=part), stop, None, outcome)
    return outcome


def tables(folder, *names):
    """What is in the tables of a folder, in order."""
    parts = {name: sorted((folder / name).glob("*.parquet")) for name in names}
    return {
        name: [pa.concat_tables(map(parquet.read_table, found)).to_pydict()] for name, found in parts.items() if found
    }


def files(folder):
    """The files of a folder, and the facts in each."""
    found = sorted(folder.glob("*/*.parquet"))
    return [(path.relative_to(folder).as_posix(), parquet.read_metadata(path).num_rows) for path in found]


def everything(folder):
    return [tables(folder / "out", *STREAMS), tables(folder / "live", *STREAMS), tables(folder / "ledger", *TABLES)]


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("broken", [(9,), (20,), (29,), (6, 9, 5, 7)])
def test_a_run_goes_on_from_snapshots_with_all_that_is_on_its_way(broken, live, scenario, tmp_path, monkeypatch, begun):
    carry_out(scenario, tmp_path / "whole", monkeypatch, live)
    for after in broken:
        with pytest.raises(Killed):
            carry_out(scenario, tmp_path / "broken", monkeypatch, live, after)
    begun.clear()
    outcome = carry_out(scenario, tmp_path / "broken", monkeypatch, live)
    assert begun[0] > 0
    assert outcome.resumed > 0
    assert everything(tmp_path / "broken") == everything(tmp_path / "whole")
    assert not (tmp_path / "broken" / "state").exists()


def test_a_live_part_goes_on_from_a_snapshot_behind_the_seam(scenario, tmp_path, monkeypatch, begun):
    with pytest.raises(Killed):
        carry_out(scenario, tmp_path, monkeypatch, True, 29)
    carry_out(scenario, tmp_path, monkeypatch, True)
    assert begun[-1] > 20
    for part in ("out", "live"):
        assert '"complete": true' in (tmp_path / part / "manifest.json").read_text()


def test_a_run_that_died_at_its_very_end_is_complete_when_it_is_gone_on_with(scenario, tmp_path, monkeypatch, begun):
    monkeypatch.setattr(snapshots, "EVERY", 1)
    with pytest.raises(Killed):
        carry_out(scenario, tmp_path, monkeypatch, after=10_000)
    outcome = carry_out(scenario, tmp_path, monkeypatch)
    assert begun[-1] == 30
    assert outcome.resumed > 0
    assert '"complete": true' in (tmp_path / "out" / "manifest.json").read_text()


def test_files_end_at_the_facts_at_which_those_of_a_whole_run_do(scenario, tmp_path, monkeypatch, begun):
    carry_out(scenario, tmp_path / "whole", monkeypatch)
    with monkeypatch.context() as dying:
        dying.setattr(FileSink, "_finish", FileSink._abandon)
        for after in (9, 20):
            with pytest.raises(Killed):
                carry_out(scenario, tmp_path / "broken", dying, after=after)
    carry_out(scenario, tmp_path / "broken", monkeypatch)
    assert begun[-1] > 9
    for part in ("out", "ledger"):
        assert files(tmp_path / "broken" / part) == files(tmp_path / "whole" / part)
        assert len(files(tmp_path / "whole" / part)) > 5


def test_only_snapshots_that_may_be_needed_stay_on_either_side_of_the_seam(scenario, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "EVERY", 500)
    left = []
    monkeypatch.setattr(Simulation, "finish", lambda self: left.extend((tmp_path / "state").glob("*.snapshot")))
    carry_out(scenario, tmp_path, monkeypatch, True)
    assert 0 < len(left) <= 2


def test_runs_whose_facts_go_another_way_have_snapshots_of_their_own(tmp_path):
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SMALL)
    model = compile_scenario(load(str(scenario)))
    there = dict.fromkeys(STREAMS, 10**6)
    list(Simulation(model, folder=tmp_path))
    assert Simulation(model, folder=tmp_path).leap(there)
    for at in (SEAM, SEAM + 1):
        simulation = Simulation(model, folder=tmp_path)
        seam = Seam(simulation, len(STREAMS), at, there)
        assert seam.before().leap(there) == {}
        assert [*seam.before(), *seam.after()]


def test_history_that_is_gone_is_made_again_whatever_the_live_part_has(scenario, tmp_path, monkeypatch, begun):
    carry_out(scenario, tmp_path / "whole", monkeypatch, True)
    for after in (29, 5):
        with pytest.raises(Killed):
            carry_out(scenario, tmp_path / "broken", monkeypatch, True, after)
        shutil.rmtree(tmp_path / "broken" / "out") if after == 29 else None
    carry_out(scenario, tmp_path / "broken", monkeypatch, True)
    assert everything(tmp_path / "broken") == everything(tmp_path / "whole")


def test_a_ledger_that_is_gone_is_made_again(tmp_path, monkeypatch, begun):
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SMALL + FAULTS)
    carry_out(scenario, tmp_path / "whole", monkeypatch)
    with pytest.raises(Killed):
        carry_out(scenario, tmp_path / "broken", monkeypatch, after=25)
    shutil.rmtree(tmp_path / "broken" / "ledger")
    carry_out(scenario, tmp_path / "broken", monkeypatch)
    assert begun[-1] == 0
    assert everything(tmp_path / "broken") == everything(tmp_path / "whole")


def test_the_ledger_of_a_process_that_died_is_no_reason_to_begin_again(tmp_path, monkeypatch, begun):
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SMALL + FAULTS)
    with monkeypatch.context() as dying:
        dying.setattr(Ledger, "__exit__", lambda *given: None)
        with pytest.raises(Killed):
            carry_out(scenario, tmp_path, dying, after=25)
    carry_out(scenario, tmp_path, monkeypatch)
    assert begun[-1] > 15


def test_a_ledger_of_other_windows_is_not_gone_on_with(tmp_path):
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SMALL + FAULTS)
    words = ("run", str(scenario), "--to", f"parquet:{tmp_path / 'out'}", "-q")
    assert invoke(*words).exit_code == 0
    other = invoke(*words, "--resume", "--ledger-window", "2h")
    assert (other.exit_code, "--ledger-window" in other.stderr) == (2, True), other.stderr
    assert invoke(*words, "--resume").exit_code == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_run_with_faults_is_whole_however_often_it_is_killed(workers, tmp_path):
    scenario, chance = tmp_path / "small.yaml", random.Random(7)
    scenario.write_text(SMALL.replace("20/month", "400/month") + FAULTS)
    words = ("run", str(scenario), "--workers", workers, "--resume", "-q", "--to")
    before = f"import sim.engine.snapshots as s; s.EVERY = {EVERY * 5}"
    assert start(*words, f"parquet:{tmp_path / 'whole'}", before=before).wait(60) == 0
    kills = 0
    for _ in range(KILLS):
        process = start(*words, f"parquet:{tmp_path / 'out'}", before=before)
        try:
            process.wait(chance.uniform(1.2, 2.2))
        except subprocess.TimeoutExpired:
            kills += 1
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    last = start(*words, f"parquet:{tmp_path / 'out'}", before=before)
    assert last.wait(60) == 0, last.communicate()[1]
    assert kills
    assert tables(tmp_path / "out", *STREAMS) == tables(tmp_path / "whole", *STREAMS)
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert tables(tmp_path / "out.ledger", *TABLES) == tables(tmp_path / "whole.ledger", *TABLES)
