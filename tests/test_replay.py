"""What datagen has written comes back when it is replayed: facts, order, interval."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from commands import SMALL, invoke
from recordings import instants, play, record, tables

from sim.delivery.replay.naming import Naming
from sim.delivery.replay.recording import Recording
from sinks.samples import SPAN, START


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A run of a small scenario: its file, its folder, and what it prints."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "small.yaml").write_text(SMALL)
    scenario = str(folder / "small.yaml")
    assert invoke("run", scenario, "--to", f"parquet:{folder / 'out'}", "-q").exit_code == 0
    return scenario, f"parquet:{folder / 'out'}", invoke("run", scenario, "-q").stdout


@pytest.mark.parametrize("options", ["", "?roll_size=20kB", "?partition=date", "?roll_size=1kB&compression=none"])
def test_a_replay_of_a_run_is_the_run(recorded, tmp_path, options):
    scenario, _, printed = recorded
    assert invoke("run", scenario, "--to", f"parquet:{tmp_path / 'o'}{options}", "-q").exit_code == 0
    assert invoke("replay", f"parquet:{tmp_path / 'o'}", "-q").stdout == printed


def test_a_replay_of_all_shards_is_the_run(recorded, tmp_path):
    scenario, _, printed = recorded
    for words in (("--shard", "1/2"), ("--shard", "2/2")):
        assert invoke("run", scenario, "--to", f"parquet:{tmp_path / 'o'}", "-q", *words).exit_code == 0
    assert invoke("replay", f"parquet:{tmp_path / 'o'}", "-q").stdout == printed


def test_every_type_comes_back_with_its_nulls(tmp_path):
    batches = record(tmp_path / "o")
    found = tables(play(tmp_path / "o"))["thing"]
    expected = pa.Table.from_batches([batch.data for batch in batches if batch.stream.name == "thing"])
    assert repr(found.to_pylist()) == repr(expected.to_pylist())  # as text, because NaN is not equal to itself
    different = {f.name for f in expected.schema if found.schema.field(f.name).type != f.type}
    assert different == {"level"}  # Parquet has dictionaries of text only


def test_a_recording_that_is_recorded_again_is_the_same(recorded, tmp_path):
    _, source, printed = recorded
    assert invoke("replay", source, "--to", f"parquet:{tmp_path / 'again'}", "-q").exit_code == 0
    assert invoke("replay", f"parquet:{tmp_path / 'again'}", "-q").stdout == printed


def test_part_of_a_recording_is_what_happened_then(recorded):
    _, source, printed = recorded
    result = invoke("replay", source, "-q", "--start", "2023-01-05", "--end", "2023-01-06 12:00")
    facts = [json.loads(line) for line in printed.splitlines()]
    expected = [fact for fact in facts if "2023-01-05" <= fact["event_time"] < "2023-01-06T12:00"]
    assert [json.loads(line) for line in result.stdout.splitlines()] == expected
    assert len(expected) > 300


def test_one_stream_may_be_chosen(recorded):
    _, source, printed = recorded
    lines = [line for line in printed.splitlines() if line.startswith('{"stream":"order"')]
    assert invoke("replay", source, "-q", "--stream", "order").stdout.splitlines() == lines


def test_the_interval_of_the_run_is_that_of_the_replay(recorded):
    _, source, _ = recorded
    said = json.loads(invoke("replay", source, "--to", "null:", "--json").stdout)
    assert (said["scenario"], said["start"][:10], said["end"][:10]) == ("small", "2023-01-01", "2023-02-01")
    assert said["until"] == said["end"]
    assert said["facts"] == said["acknowledged"]


def test_all_instants_move_by_the_same_amount(tmp_path):
    record(tmp_path / "o")
    before, after = (tables(play(tmp_path / "o", shift=shift))["thing"] for shift in (0, 86_400_000_007))
    moved = {name: [b - a for a, b in pairs(before, after, name)] for name in ("event_time", "local")}
    assert set(moved["event_time"]) == {86_400_000_007}
    assert set(moved["local"]) == {86_400_000_000}  # its unit is a millisecond
    for name in set(before.schema.names) - {"event_time", "local", "place", "amount"}:
        assert before[name].to_pylist() == after[name].to_pylist()
    places = [pc["at"] for pc in after["place"].to_pylist() if pc]
    assert places == [pc["at"] + timedelta(86_400_000_007) for pc in before["place"].to_pylist() if pc]


def pairs(before, after, name):
    both = zip(*(instants(table, name) for table in (before, after)), strict=True)
    return [(a, b) for a, b in both if a is not None]


def timedelta(microseconds):
    from datetime import timedelta

    return timedelta(microseconds=microseconds)


def test_fixed_columns_stay(tmp_path):
    record(tmp_path / "o")
    before, after = (tables(play(tmp_path / "o", shift=s, fixed=frozenset({"local"})))["thing"] for s in (0, 10**9))
    assert before["local"].to_pylist() == after["local"].to_pylist()
    assert before["place"].to_pylist() != after["place"].to_pylist()


def test_a_replay_begins_when_it_is_told_to(recorded):
    _, source, printed = recorded
    result = invoke("replay", source, "-q", "--at", "2030-01-01T00:00:00Z")
    first = json.loads(result.stdout.splitlines()[0])["event_time"]
    assert (first[:10], json.loads(printed.splitlines()[0])["event_time"][:10]) == ("2030-01-01", "2023-01-01")
    assert len(result.stdout.splitlines()) == len(printed.splitlines())


def test_a_run_that_ended_early_is_replayed_as_far_as_it_is_complete(tmp_path):
    record(tmp_path / "o", sizes=(50, 60))
    manifest = tmp_path / "o" / "manifest.json"
    document = json.loads(manifest.read_text()) | {"complete": False}
    manifest.write_text(json.dumps(document | {"until": "2024-02-29T00:00:09.000000Z"}))
    player = play(tmp_path / "o")
    assert player.end == START + SPAN
    assert [len(table) for table in tables(player).values()] == [50, 50]
    assert "ended early" in player.recording.notes[0]


def test_a_missing_shard_is_told(recorded, tmp_path):
    scenario, _, _ = recorded
    assert invoke("run", scenario, "--to", f"parquet:{tmp_path / 'o'}", "-q", "--shard", "2/3").exit_code == 0
    result = invoke("replay", f"parquet:{tmp_path / 'o'}", "--to", "null:", "-q")
    assert "1 of 3 shards" in result.stderr


FAULTY = """
name: faulty
start: 2024-01-01
end: 2024-01-20
entities: {customer: {initial: {count: 100}}}
faults:
  order:
    bound: 1d
    late: {probability: 20%, delay: {type: exponential, mean: 2h}}
    duplicates: {probability: 5%, after: {type: exponential, mean: 20s}}
    clock_skew: {share: 30%, offset: {type: exponential, mean: 1h}}
streams:
  order: {entity: customer, rate: 5/day, attributes: {coupon: {type: choice, values: {X: 1}, added: 2024-01-10}}}
"""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "faulty.yaml").write_text(FAULTY)
    words = ("run", str(folder / "faulty.yaml"), "-q", "--to")
    assert invoke(*words, f"parquet:{folder / 'out'}").exit_code == 0
    return folder / "out", invoke(*words, "stdout:").stdout.splitlines()


def test_facts_that_came_late_or_twice_or_with_a_wrong_time_are_all_there_in_order_of_their_times(faulty):
    folder, printed = faulty
    replayed = invoke("replay", f"parquet:{folder}", "-q").stdout.splitlines()
    times = [json.loads(line)["event_time"] for line in replayed]
    assert sorted(replayed) == sorted(printed) != printed
    assert times == sorted(times)


def test_a_column_that_comes_at_an_instant_comes_later_when_that_is_moved(faulty):
    folder, _ = faulty
    (span,), (moved,), looped = (play(folder, **ways).streams[1].spans for ways in ({}, {"shift": 5}, {"passes": 2}))
    assert (moved.column, moved.start - span.start) == ("coupon", 5)
    assert looped == ()


def test_windows_are_small_however_long_the_recording_is(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.delivery.replay.recording.WINDOW", 512)
    record(tmp_path / "o", sizes=(20_000, 20_000))
    recording = play(tmp_path / "o", Naming(streams=("visit",))).recording
    assert isinstance(recording, Recording)
    sizes = [len(batch) for batch in recording.batches()]
    assert max(sizes) <= 512
    assert sum(sizes) == 40_000
