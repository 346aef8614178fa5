"""Snapshots: a simulation that is gone on with from one brings what it would have brought, and none is needed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from commands import SMALL, invoke, start
from pyarrow import parquet

from sim import compile_scenario, load, process, simulate
from sim.delivery.pipeline import deliver
from sim.engine import snapshots
from sim.engine.simulate import Simulation
from sim.scenario.bundled import bundled
from sinks import Run, open_sink

EVERY = 2000
KILLS = int(os.environ.get("DATAGEN_TEST_KILLS", "5"))


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(snapshots, "EVERY", EVERY)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def model(small):
    return compile_scenario(load(str(small)))


def rows(batches):
    return [(batch.stream.name, batch.start, batch.data) for batch in batches]


def counted(batches):
    """The facts of each stream."""
    found = {}
    for batch in batches:
        found[batch.stream.name] = found.get(batch.stream.name, 0) + len(batch)
    return found


def kept(folder):
    return sorted(Path(folder).glob("*.snapshot"))


@pytest.mark.parametrize("name", bundled())
def test_every_scenario_goes_on_from_a_snapshot_as_if_nothing_had_been(name, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshots, "EVERY", 1)
    model = compile_scenario(load(name))
    each, first = len(model.streams), 4
    # A window is through when more is asked for.
    begun = list(islice(Simulation(model, folder=tmp_path), each * first + 1))[:-1]
    later = Simulation(model, folder=tmp_path)
    there = counted(begun)
    assert sum(later.leap(there).values()) == sum(there.values())
    whole = islice(simulate(model), each * first, each * (first + 3))
    assert rows(islice(later, each * 3)) == rows(whole)


def test_the_latest_snapshot_is_taken_that_has_no_fact_too_many(model, tmp_path):
    batches = list(Simulation(model, folder=tmp_path))
    assert len(kept(tmp_path)) > 3
    for share in (0.3, 0.6, 0.9):
        there = counted(batches[: int(len(batches) * share)])
        leapt = Simulation(model, folder=tmp_path).leap(there)
        assert all(leapt[name] <= there[name] for name in leapt)
        assert sum(there.values()) - sum(leapt.values()) <= EVERY + 700
    short = {**there, "customer": 0}
    assert Simulation(model, folder=tmp_path).leap(short) == {}


def test_shards_and_seeds_have_snapshots_of_their_own(model, tmp_path):
    there = counted(Simulation(model, seed=1, shard="1/2", folder=tmp_path))
    assert Simulation(model, seed=1, shard="1/2", folder=tmp_path).leap(there)
    for other in ({"seed": 2, "shard": "1/2"}, {"seed": 1, "shard": "2/2"}, {"seed": 1}):
        assert Simulation(model, **other, folder=tmp_path).leap(there) == {}


def shortened(content):
    return content[:-100]


def flipped(content):
    """With one bit of the data changed, which reading alone would not see."""
    place = len(content) - 9000
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("damage", [shortened, flipped])
def test_a_damaged_snapshot_is_passed_over_with_a_word(damage, model, tmp_path, caplog):
    there = counted(Simulation(model, folder=tmp_path))
    last = kept(tmp_path)[-1]
    last.write_bytes(damage(last.read_bytes()))
    later = Simulation(model, folder=tmp_path)
    facts = sum(later.leap(there).values())
    assert 0 < facts < sum(there.values())
    assert f"{last.name} cannot be gone on from" in caplog.text
    assert sum(map(len, later)) == sum(there.values()) - facts


def test_a_folder_that_cannot_be_written_ends_no_run(model, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    assert counted(Simulation(model, folder=tmp_path / "file" / "state")) == counted(simulate(model))
    assert caplog.text.count("no snapshots") == 1


def test_a_model_with_a_process_of_a_users_own_keeps_none(small, tmp_path):
    def audits(env, block):
        yield env.timeout(1)
        block.emit(entity=block.entities("customer")[:1], score=[1.0])

    model = compile_scenario(
        load(str(small)), [process("audit", audits, entity="customer", schema={"score": pa.float64()})]
    )
    assert sum(map(len, Simulation(model, folder=tmp_path))) > EVERY
    assert kept(tmp_path) == []


class Killed(Exception):
    pass


def broken_off(batches, after):
    """As many of the batches, then an error."""

    class Breaking(Simulation):
        def __iter__(self):
            yield from islice(super().__iter__(), after)
            raise Killed

    return Breaking(*batches)


@pytest.mark.parametrize("after", [5, 20, 44])
def test_facts_are_the_same_whether_a_run_was_broken_off_or_not(after, model, tmp_path):
    run = Run(model.name, model.digest, model.seed, model.start, model.end)
    for name in ("whole", "broken"):
        url = f"parquet:{tmp_path / name}"
        if name == "broken":
            with pytest.raises(Killed):
                deliver(broken_off((model, None, None, tmp_path / "state"), after), open_sink(url), model.streams, run)
        simulation = Simulation(model, folder=tmp_path / "state")
        deliver(simulation, open_sink(url), model.streams, run, resume=name == "broken")
    for stream in model.streams:
        assert table(tmp_path / "broken", stream.name) == table(tmp_path / "whole", stream.name)
    assert not (tmp_path / "state").exists()


def table(folder, stream):
    return pa.concat_tables([parquet.read_table(part) for part in sorted((folder / stream).glob("*.parquet"))])


def digests(folder):
    document = json.loads((folder / "manifest.json").read_text())
    assert document["complete"]
    return {file["path"]: file["sha256"] for stream in document["streams"].values() for file in stream["files"]}


def test_only_snapshots_that_may_be_needed_stay(model, tmp_path):
    run = Run(model.name, model.digest, model.seed, model.start, model.end)
    seen = []

    class Watched(Simulation):
        def settle(self, until):
            super().settle(until)
            seen.append(len(kept(tmp_path / "state")))

    simulation = Watched(model, folder=tmp_path / "state")
    deliver(simulation, open_sink(f"parquet:{tmp_path / 'out'}"), model.streams, run)
    assert len(seen) > 3
    assert max(seen) <= 4


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_killed_run_goes_on_from_its_snapshots(workers, small, tmp_path):
    whole, chance = tmp_path / "whole", random.Random(7)
    assert invoke("run", str(small), "--to", f"parquet:{whole}", "-q").exit_code == 0
    before = f"import sim.engine.snapshots as s; s.EVERY = {EVERY}"
    words = ("--to", f"parquet:{tmp_path / 'out'}", "--rate", "6k/s", "--workers", workers, "--resume", "--json", "-q")
    command = ("run", str(small), *words)
    for _ in range(KILLS):
        there, process = kept(tmp_path / "out.state"), start(*command, before=before)
        while process.poll() is None and kept(tmp_path / "out.state") == there:
            time.sleep(0.01)
        with suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0, 0.5))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    left = len(kept(tmp_path / "out.state"))
    last = start(*command, before=before)
    stdout, stderr = last.communicate()
    assert last.returncode == 0, stderr
    assert left or not json.loads(stdout)["facts"]
    assert digests(tmp_path / "out") == digests(whole)
    assert not (tmp_path / "out.state").exists()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--to", "stdout:"), "keeps no account"),
        (("--to", "parquet:{}/o", "--then-live", "stdout:"), "keeps no account"),
        (("--to", "parquet:{}/o", "--ledger", "{}/ledger", "--limit", "5"), "faults are injected cannot be resumed"),
    ],
)
def test_where_snapshots_are_of_no_use_the_wish_for_them_is_refused(more, reason, tmp_path):
    words = [word.format(tmp_path) for word in more]
    scenario = tmp_path / "small.yaml"
    scenario.write_text(SMALL + ("faults: {order: {drops: 1%}}\n" if "--ledger" in more else ""))
    result = invoke("run", str(scenario), *words, "--state", str(tmp_path / "s"))
    assert (result.exit_code, reason in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "o").exists()


def test_the_folder_is_where_the_user_says(small, tmp_path, monkeypatch):
    finished = []
    monkeypatch.setattr(Simulation, "finish", lambda self: finished.append(kept(tmp_path / "there")))
    result = invoke("run", str(small), "--to", f"parquet:{tmp_path / 'o'}", "--state", str(tmp_path / "there"), "-q")
    assert result.exit_code == 0
    assert len(finished[0]) > 0
    assert {path.stat().st_mode & 0o777 for path in finished[0]} == {0o600}
