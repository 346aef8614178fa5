"""Snapshots where facts of several workers leave in one order: each keeps its own, the parent says which serve."""

from __future__ import annotations

import threading
from itertools import islice, pairwise

import pytest
from commands import FAULTS, SMALL
from often import EVERY, send_often
from test_snapshots_stages import SEAM, STREAMS, TABLES, Killed, tables

from sim import compile_scenario, load, simulate
from sim.cli.jobs import execute as executing
from sim.cli.jobs.execute import Execution, Live, execute
from sim.cli.jobs.job import HOUR, WORKERS_USE, Job
from sim.delivery import nursery
from sim.delivery.merge import Merged
from sim.delivery.pipeline import Outcome
from sim.engine import snapshots
from sim.engine.simulate import Simulation
from sinks import open_sink

WORKERS = 2


@pytest.fixture(scope="module", autouse=True)
def prepared():
    nursery.prepare(WORKERS, [*WORKERS_USE, "often"])


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(snapshots, "EVERY", EVERY)
    monkeypatch.setattr(executing, "send_shard", send_often)


@pytest.fixture(params=["plain", "faults"])
def scenario(request, tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL + (FAULTS if request.param == "faults" else ""))
    return path


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return compile_scenario(load(str(path)))


def kept(folder, kind):
    """The windows behind each snapshot of the parent, or of a worker: `1-of-1`, `1-of-2`."""
    return sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob(f"*-{kind}-*.snapshot"))


def carry_out(scenario, folder, monkeypatch, way, after=None):
    """Run with two workers, going on with what is there; with `after`, until so many windows are there. The windows
    with which the workers began.
    """
    begun = []

    class Breaking(Merged):
        def _begin(self, snapshot):
            begun.append(0 if snapshot is None else snapshot.windows)
            world, batches = super()._begin(snapshot)
            return world, self._some(batches)

        def _some(self, batches):
            yield from islice(batches, None if after is None else after * len(STREAMS))
            if after is not None:
                raise Killed

    monkeypatch.setattr(executing, "Merged", Breaking)
    ledger = f"parquet:{folder / 'ledger'}" if way == "live" else None
    to, state = f"parquet:{folder / 'out'}", str(folder / "state")
    job = Job(str(scenario), to=to, resume=True, ledger=ledger, state=state, span=7 * HOUR)
    live = Live(open_sink(f"parquet:{folder / 'live'}"), SEAM) if way == "live" else None
    execution = Execution(WORKERS, 10**9 if way == "limit" else None, live=live)
    execute(job, job.model(), job.sink(), execution, threading.Event(), None, Outcome())
    return begun


def everything(folder):
    return [tables(folder / "out", *STREAMS), tables(folder / "live", *STREAMS), tables(folder / "ledger", *TABLES)]


@pytest.mark.parametrize("broken", [(20,), (6, 9, 5)])
def test_a_merged_run_with_a_live_part_goes_on_from_snapshots(broken, scenario, tmp_path, monkeypatch):
    carry_out(scenario, tmp_path / "whole", monkeypatch, "live")
    for after in broken:
        with pytest.raises(Killed):
            carry_out(scenario, tmp_path / "broken", monkeypatch, "live", after)
    state = tmp_path / "broken" / "state"
    parent, *workers = (kept(state, kind) for kind in ("1-of-1", "1-of-2", "2-of-2"))
    assert all(own and own[0] <= parent[-1] for own in workers)
    (begun,) = carry_out(scenario, tmp_path / "broken", monkeypatch, "live")
    assert begun > 0
    assert everything(tmp_path / "broken") == everything(tmp_path / "whole")
    assert not state.exists()


def test_a_merged_run_with_a_limit_goes_on_from_snapshots(model, tmp_path, monkeypatch):
    carry_out(tmp_path / "small.yaml", tmp_path / "whole", monkeypatch, "limit")
    with pytest.raises(Killed):
        carry_out(tmp_path / "small.yaml", tmp_path / "broken", monkeypatch, "limit", 17)
    (begun,) = carry_out(tmp_path / "small.yaml", tmp_path / "broken", monkeypatch, "limit")
    assert begun > 0
    assert everything(tmp_path / "broken") == everything(tmp_path / "whole")


@pytest.mark.parametrize("lost", ["*-1-of-2-*", "*-1-of-1-*", "*"])
def test_whatever_snapshot_is_missing_the_facts_are_the_same(lost, model, tmp_path, monkeypatch):
    carry_out(tmp_path / "small.yaml", tmp_path / "whole", monkeypatch, "live")
    with pytest.raises(Killed):
        carry_out(tmp_path / "small.yaml", tmp_path / "broken", monkeypatch, "live", 21)
    gone = list((tmp_path / "broken" / "state").glob(f"{lost}.snapshot"))
    for path in gone:
        path.unlink()
    carry_out(tmp_path / "small.yaml", tmp_path / "broken", monkeypatch, "live")
    assert gone
    assert everything(tmp_path / "broken") == everything(tmp_path / "whole")


def rows(batches):
    return [(batch.stream.name, batch.start, batch.until, batch.data) for batch in batches]


@pytest.mark.parametrize("windows", [0, 1, 7, 30, 31, 40])
@pytest.mark.parametrize("snapshots_there", [False, True])
def test_windows_are_passed_over_with_and_without_a_snapshot(windows, snapshots_there, model, tmp_path):
    folder = tmp_path / "state"
    if snapshots_there:
        list(Simulation(model, folder=folder))
        assert kept(folder, "1-of-1")
    later = Simulation(model, folder=folder)
    later.pass_over(windows)
    assert rows(later) == rows(islice(simulate(model), windows * len(model.streams), None))


def test_the_latest_snapshot_before_a_window_is_taken(model, tmp_path):
    list(Simulation(model, folder=tmp_path / "state"))
    numbers = kept(tmp_path / "state", "1-of-1")
    own = snapshots.Snapshots(tmp_path / "state", model.digest, model.seed, (1, 1))
    for first, second in pairwise(numbers):
        assert own.before(first).windows == own.before(second - 1).windows == first
    assert own.before(numbers[0] - 1) is None
    own.settle(numbers[2] + 1 if numbers[3] > numbers[2] + 1 else numbers[2])
    assert kept(tmp_path / "state", "1-of-1") == numbers[2:]
