"""The main job as a user runs it: each bundled scenario, by the command line, into a real broker."""

import json
import subprocess
import sys
from collections import defaultdict

import pytest

import sim
from tests.kafka.reading import read

DATAGEN = (sys.executable, "-c", "from sim.cli.main import main; main()")
END = "2023-01-04"


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("scenario", ["storefront", "bank", "public_services"])
def test_a_bundled_scenario_arrives_whole_and_in_order_per_key(scenario, workers, address, prefix):
    url = f"kafka://{address}?prefix={prefix}&partitions=2"
    words = ("run", scenario, "--end", END, "--to", url, "--workers", workers, "--json", "--no-progress")
    done = subprocess.run((*DATAGEN, *words), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["acknowledged"] == said["facts"]

    model = sim.compile_scenario(sim.load(scenario, {"end": END}))
    expected = sim.to_arrow(sim.simulate(model))
    for stream in (stream for stream in model.streams if expected[stream.name].num_rows):
        records = read(address, prefix + stream.name)
        facts = [json.loads(record.value()) for record in records]
        assert sorted(fact[stream.id] for fact in facts) == sorted(expected[stream.name][stream.id].to_pylist())
        times = dict(
            zip(expected[stream.name][stream.id].to_pylist(), milliseconds(expected[stream.name]), strict=True)
        )
        assert [record.timestamp()[1] for record in records] == [times[fact[stream.id]] for fact in facts]
        by_key = defaultdict(list)
        for record, fact in zip(records, facts, strict=True):
            assert int(record.key()) == fact[stream.key]
            by_key[fact[stream.key]].append((record.partition(), fact["event_time"], fact[stream.id]))
        assert all(places == sorted(places) and len({p for p, *_ in places}) == 1 for places in by_key.values())


@pytest.mark.parametrize("pace", [("--rate", "20k/s"), ("--speed", "86400x")])
def test_a_paced_run_arrives_whole_and_in_order_per_key(pace, address, prefix):
    url = f"kafka://{address}?prefix={prefix}&partitions=2"
    words = ("run", "storefront", "--end", END, "--to", url, *pace, "--json", "--no-progress")
    done = subprocess.run((*DATAGEN, *words), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["acknowledged"] == said["facts"] == sum(said["streams"].values()) > 10_000
    for stream in sim.compile_scenario(sim.load("storefront", {"end": END})).streams:
        facts = [json.loads(record.value()) for record in read(address, prefix + stream.name)]
        assert len({fact[stream.id] for fact in facts}) == len(facts) == said["streams"][stream.name]
        by_key = defaultdict(list)
        for fact in facts:
            by_key[fact[stream.key]].append((fact["event_time"], fact[stream.id]))
        assert all(places == sorted(places) for places in by_key.values())


def milliseconds(table):
    return [value // 1000 for value in table["event_time"].cast("int64").to_pylist()]
