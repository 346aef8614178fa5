"""Exactly once into a real broker: processes are killed, the broker dies, and a consumer still sees every fact once."""

import json
import os
import random
import signal
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import pytest
from commands import FAULTS, start, wait_for
from pyarrow.parquet import read_table

import sim
from tests.kafka.broker import Broker
from tests.kafka.reading import committed, written

KILLS = int(os.environ.get("DATAGEN_TEST_KILLS", "4"))
"""How often a run is killed; by hand, a hundred times."""

OUTAGE = float(os.environ.get("DATAGEN_TEST_OUTAGE", "3"))
"""Seconds without a broker; by hand, a minute."""

SCENARIO = """
name: small
seed: 42
start: 2023-01-01
end: 2023-03-01
tick: 1d
entities:
  customer:
    initial: {count: 2000}
    arrivals: {rate: 10/day}
streams:
  order: {entity: customer, rate: 20/month, attributes: {quantity: {type: poisson, mean: 1.4, min: 1}}}
"""

CORRUPT = "    corrupt: {probability: 2%, kinds: [truncated, wrong_type]}\n"
FROM = """
f = s.Snapshots.find
s.Snapshots.find = lambda *given: [found := f(*given), print('from', found.windows)][0]"""
"""Says from which window a process goes on; it fails where there is no snapshot that serves."""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return str(path)


def by_partition(address, topic):
    """The messages of a topic, in order."""
    found = defaultdict(list)
    for record in committed(address, topic):
        found[record.partition()].append((record.key(), record.value()))
    return found


def assert_every_fact_once(address, prefix, small):
    model = sim.compile_scenario(sim.load(small))
    for name, table in sim.to_arrow(sim.simulate(model)).items():
        facts = [json.loads(record.value()) for record in committed(address, prefix + name)]
        assert sorted(fact[f"{name}_id"] for fact in facts) == sorted(table[f"{name}_id"].to_pylist())
        by_key = defaultdict(list)
        for fact in facts:
            by_key[fact["customer_id"]].append((fact["event_time"], fact[f"{name}_id"]))
        assert all(places == sorted(places) for places in by_key.values())


@pytest.mark.parametrize("pace", [(), ("--rate", "20k/s")])
def test_every_fact_is_seen_once_and_in_order_however_often_the_run_is_killed(pace, small, address, prefix):
    chance, kills, number = random.Random(len(pace)), 0, 0
    while kills < KILLS:
        own, number = f"{prefix}{number}.", number + 1
        to = f"kafka://{address}?prefix={own}&partitions=3&exactly_once=true"
        kills += killed_until_done(chance, small, "--to", to, "--resume", "-q", *pace)
        assert_every_fact_once(address, own, small)


def test_a_killed_run_goes_on_from_snapshots_as_from_the_beginning(small, address, prefix, tmp_path):
    to = f"kafka://{address}?prefix={prefix}&partitions=3&exactly_once=true"
    words = ("run", small, "--to", to, "--resume", "--state", str(tmp_path / "state"), "-q")
    before = "import sim.engine.snapshots as s; s.EVERY = 5000"
    process = start(*words, "--rate", "10k/s", before=before)
    # The simulation is ahead of what is committed: the first of these is of use once there are some more.
    assert wait_for(lambda: any(int(path.stem[-8:]) > 40 for path in tmp_path.glob("state/*.snapshot")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    # What is found is no more than was committed, so that nothing is left out; what is read shows whether that is so.
    process = start(
        *words,
        before=before + FROM,
    )
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout.startswith("from")) == (0, True), stderr
    assert_every_fact_once(address, prefix, small)
    assert not (tmp_path / "state").exists()


def test_a_killed_run_with_faults_goes_on_from_snapshots_with_its_ledger(small, address, prefix, tmp_path):
    Path(small).write_text(Path(small).read_text() + FAULTS + CORRUPT)
    before = "import sim.engine.snapshots as s; s.EVERY = 5000"

    def words(name):
        to = f"kafka://{address}?prefix={prefix}{name}.&partitions=3&exactly_once=true"
        return ("run", small, "--to", to, "--resume", "-q", "--ledger", str(tmp_path / name))

    assert start(*words("whole")).wait(120) == 0
    state = ("--state", str(tmp_path / "state"))
    process = start(*words("broken"), *state, "--rate", "10k/s", before=before)
    assert wait_for(lambda: any(int(path.stem[-8:]) > 40 for path in tmp_path.glob("state/*.snapshot")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    process = start(*words("broken"), *state, before=before + FROM)
    stdout, stderr = process.communicate(timeout=120)
    assert (process.returncode, stdout.startswith("from")) == (0, True), stderr
    assert by_partition(address, f"{prefix}broken.order") == by_partition(address, f"{prefix}whole.order")
    for table in ("injections", "windows", "sums"):
        whole, broken = (read_table(tmp_path / name / table).to_pydict() for name in ("whole", "broken"))
        assert broken == whole


def killed_until_done(chance, *words):
    """Run until a process lives long enough; how many were killed."""
    kills = 0
    while True:
        process = start("run", *words)
        try:
            stderr = process.communicate(timeout=chance.uniform(0.5, 3.5) if kills < 6 else 120)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills += 1
            continue
        assert process.returncode == 0, stderr
        return kills


def test_a_broker_that_dies_in_the_middle_is_waited_for(small, prefix):
    with Broker() as broker:
        to = f"kafka://{broker.address}?prefix={prefix}&partitions=3&exactly_once=true"
        process = start("run", small, "--to", to, "--rate", "8k/s", "--json", "--no-progress")
        wait_for(lambda: written(broker.address, f"{prefix}order"))
        broker.kill()
        time.sleep(OUTAGE)
        assert process.poll() is None
        broker.start()
        stdout, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr
        said = json.loads(stdout)
        assert said["acknowledged"] == said["facts"]
        assert said["pacing"]["blocked_s"] > OUTAGE / 2
        assert_every_fact_once(broker.address, prefix, small)


def test_workers_have_checkpoints_of_their_own(small, address, prefix):
    to = f"kafka://{address}?prefix={prefix}&partitions=2&exactly_once=true"
    words = (small, "--to", to, "--workers", "2", "--resume", "--json", "--no-progress")
    first = start("run", *words)
    stdout, stderr = first.communicate(timeout=120)
    assert first.returncode == 0, stderr
    again = start("run", *words)
    assert json.loads(again.communicate(timeout=120)[0])["resumed"] == json.loads(stdout)["facts"] > 10_000
    assert_every_fact_once(address, prefix, small)


def test_what_a_killed_process_had_not_committed_is_never_seen(small, address, prefix):
    to = f"kafka://{address}?prefix={prefix}&partitions=1&exactly_once=true"
    process = start("run", small, "--to", to, "--rate", "5k/s", "-q")
    wait_for(lambda: written(address, f"{prefix}order"))
    time.sleep(1)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    resumed = start("run", small, "--to", to, "--resume", "-q")
    assert resumed.wait(120) == 0
    assert_every_fact_once(address, prefix, small)
    seen, there = (len(committed(address, f"{prefix}order", level)) for level in ("read_committed", "read_uncommitted"))
    assert there >= seen


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "streams.order.rate=21/month"), "the scenario, a value replaced by --set, or the version"),
        (("--seed", "7"), "seed is 42 there, 7 here"),
        (("--end", "2023-02-27"), "end is"),
    ],
)
def test_another_run_is_not_gone_on_with(words, message, small, address, prefix):
    to = f"kafka://{address}?prefix={prefix}&exactly_once=true"
    assert start("run", small, "--to", to, "-q").wait(120) == 0
    before = len(committed(address, f"{prefix}order"))
    process = start("run", small, "--to", to, "--resume", *words)
    stderr = process.communicate(timeout=60)[1]
    assert (process.returncode, message in stderr) == (3, True), stderr
    assert len(committed(address, f"{prefix}order")) == before


def test_without_transactions_there_is_nothing_to_resume(small, address, prefix):
    process = start("run", small, "--to", f"kafka://{address}?prefix={prefix}", "--resume")
    stderr = process.communicate(timeout=60)[1]
    assert (process.returncode, "exactly_once=true" in stderr) == (2, True)


def test_a_fact_that_the_broker_refuses_ends_the_run_without_a_checkpoint_beyond_it(small, address, prefix):
    to = f"kafka://{address}?prefix={prefix}&exactly_once=true"
    process = start(
        "run",
        small,
        "--to",
        to,
        "-X",
        "message.max.bytes=1000",
        "-X",
        "batch.size=1000",
        "--set",
        "streams.order.attributes.note={type: constant, value: " + "x" * 2000 + "}",
    )
    stderr = process.communicate(timeout=120)[1]
    assert process.returncode == 3, stderr
    assert "nothing of this transaction was written" in stderr
    assert committed(address, f"{prefix}order") == []
