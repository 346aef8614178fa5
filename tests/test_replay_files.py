"""Parquet files that are not datagen's: any columns, any order that can be merged, and what is refused."""

from __future__ import annotations

import datetime
import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from commands import invoke
from pyarrow import parquet
from recordings import instants, play, record, tables, write

from sim.delivery.replay.clock import Clock
from sim.delivery.replay.folder import open_folder
from sim.delivery.replay.lanes import chains
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.reading import Group
from sim.errors import ParameterError

NOON = 1_700_000_000_000_000


def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("shuffled", ["rows", "files", "both", "neither"])
def test_rows_come_in_order_of_time_however_they_lie(tmp_path, shuffled):
    times = NOON + np.sort(rng().integers(0, 10**7, 3000))
    files = [times[number * 500 : (number + 1) * 500] for number in range(6)]
    if shuffled in ("files", "both"):
        files = [rng().permutation(times)[number::6] for number in range(6)]
    if shuffled in ("files", "neither"):
        files = [np.sort(file) for file in files]
    elif shuffled == "rows":
        files = [rng().permutation(file) for file in files]
    for number, file in enumerate(files):
        write(tmp_path / "in" / f"{number}.parquet", file, group=70, value=file % 1000)
    found = tables(play(tmp_path / "in"))["in"]
    assert instants(found) == times.tolist()
    assert found["value"].to_pylist() == (times % 1000).tolist()


def test_rows_without_ids_are_numbered_by_their_place(tmp_path):
    write(tmp_path / "in" / "a.parquet", [30, 10], group=1, word=["a0", "a1"])
    write(tmp_path / "in" / "b.parquet", [20, 10], group=1, word=["b0", "b1"])
    found = tables(play(tmp_path / "in"))["in"]
    assert found.column_names == ["event_time", "replay_id", "ts", "word"]
    assert list(zip(found["replay_id"].to_pylist(), found["word"].to_pylist(), strict=True)) == [
        (1, "a1"),
        (3, "b1"),
        (2, "b0"),
        (0, "a0"),
    ]


@pytest.mark.parametrize(
    ("column", "time"),
    [
        (pa.array([1_700_000_000, 1_700_000_001]), "t:s"),
        (pa.array([1_700_000_000_000, 1_700_000_001_000]), "t:ms"),
        (pa.array([NOON, NOON + 10**6], pa.uint64()), "t:us"),
        (pa.array([NOON * 1000, NOON * 1000 + 10**9]), "t:ns"),
        (pa.array([NOON * 1000, NOON * 1000 + 10**9], pa.timestamp("ns")), "t"),
        (pa.array([1_700_000_000, 1_700_000_001], pa.timestamp("s", "Europe/Paris")), "t"),
        (pa.array(["2023-11-14T22:13:20Z", "2023-11-14 23:13:21+01:00"]), "t"),
        (pa.array(["2023-11-14T22:13:20", "2023-11-14T22:13:21.000"]), "t"),
        (pa.array(["2023-11-14T22:13:20Z", "2023-11-14T22:13:21Z"]).dictionary_encode(), "t"),
    ],
)
@pytest.mark.parametrize("statistics", [True, False])
def test_instants_of_any_type_are_understood_and_moved(tmp_path, column, time, statistics):
    parquet.write_table(pa.table({"t": column}), tmp_path / "f.parquet", write_statistics=statistics)
    found = tables(play(tmp_path / "f.parquet", Naming(time=time)))["f"]
    assert instants(found) == [NOON, NOON + 10**6]
    moved = tables(play(tmp_path / "f.parquet", Naming(time=time), shift=5 * 10**6))["f"]
    assert instants(moved) == [NOON + 5 * 10**6, NOON + 6 * 10**6]
    unit = time.partition(":")[2] or None
    assert Clock("t", unit).times(moved["t"].combine_chunks()).tolist() == instants(moved)


def test_dates_are_midnights(tmp_path):
    days = pa.array([datetime.date(2024, 1, 2), datetime.date(2024, 1, 1)])
    parquet.write_table(pa.table({"day": days}), tmp_path / "f.parquet")
    found = tables(play(tmp_path / "f.parquet", Naming(time="day")))["f"]
    assert instants(found) == [1_704_067_200_000_000, 1_704_153_600_000_000]


def test_instants_before_1970_are_not_rounded_up():
    column = pa.array([-1500, -1, 999], pa.timestamp("ns"))
    assert Clock("t").times(column).tolist() == [-2, -1, 0]


def test_columns_that_stand_in_the_path_are_there(tmp_path):
    write(tmp_path / "in" / "country=FR" / "x.parquet", [1, 3])
    write(tmp_path / "in" / "country=DE" / "x.parquet", [2])
    assert tables(play(tmp_path / "in"))["in"]["country"].to_pylist() == ["FR", "DE", "FR"]


def test_files_with_other_columns_are_read_together(tmp_path):
    write(tmp_path / "in" / "a.parquet", [1], amount=pa.array([1], pa.int32()), old=["x"])
    write(tmp_path / "in" / "b.parquet", [2], amount=[2.5])
    found = tables(play(tmp_path / "in"))["in"].to_pylist()
    assert [(row["amount"], row["old"]) for row in found] == [(1.0, "x"), (2.5, None)]


def test_folders_in_a_folder_are_streams(tmp_path):
    write(tmp_path / "in" / "visit" / "a.parquet", [1, 4])
    write(tmp_path / "in" / "order" / "a.parquet", [2, 3, 4])
    player = play(tmp_path / "in")
    assert {name: len(table) for name, table in tables(player).items()} == {"order": 3, "visit": 2}
    assert (player.start, player.end) == (1, 4 + 1)


def test_a_stream_gets_the_name_that_it_is_given(tmp_path):
    write(tmp_path / "yellow tripdata.parquet", [1])
    path = tmp_path / "yellow tripdata.parquet"
    assert [stream.name for stream in play(path).streams] == ["yellow_tripdata"]
    assert [stream.name for stream in play(path, Naming(streams=("ride",))).streams] == ["ride"]


def test_key_and_id_are_the_columns_that_were_named(tmp_path):
    write(tmp_path / "f.parquet", [5, 6], car=["a", "b"], number=pa.array([8, 7], pa.int32()))
    (stream,) = play(tmp_path / "f.parquet", Naming(key="car", id="number")).streams
    assert (stream.key, stream.id, stream.schema.field("number").type) == ("car", "number", pa.int64())
    assert stream.schema.names == ["event_time", "ts", "car", "number"]


def test_as_many_lanes_as_overlap_at_once():
    def group(first, last):
        return Group(None, 0, first, last, 1, 1)

    groups = [group(0, 9), group(9, 20), group(5, 6), group(6, 8), group(30, 31), group(7, 40)]
    chained = chains(groups)
    assert len(chained) == 3
    assert all(a.last <= b.first for lane in chained for a, b in pairwise(lane))
    assert sorted(map(id, groups)) == sorted(id(group) for lane in chained for group in lane)


def test_more_overlap_than_can_be_merged_is_refused_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.delivery.replay.recording.LANES", 10)
    write(tmp_path / "f.parquet", rng().permutation(300), group=10)
    with pytest.raises(ParameterError, match=r"30 row groups of 30 overlap in time, at most 10 .*sort the rows by ts"):
        play(tmp_path / "f.parquet")


def test_disorder_beyond_memory_is_refused_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.delivery.replay.recording.UNSORTED", 1000)
    write(tmp_path / "f.parquet", rng().permutation(3000), group=100)
    with pytest.raises(
        ParameterError, match=r"30 row groups of 30 are not in order of ts; 0\.\d\d MiB of them overlap"
    ):
        play(tmp_path / "f.parquet")
    write(tmp_path / "g.parquet", np.sort(rng().permutation(3000)), group=100)
    assert len(tables(play(tmp_path / "g.parquet"))["g"]) == 3000


REFUSALS = [
    ((), "no --time", "which column says when a row happened"),
    (("--time", "nothing"), "no such time", "there is no column 'nothing' (it has a, b, n, word)"),
    (("--time", "n"), "no unit", "say what it counts, as in --time n:ms"),
    (("--time", "a:ms"), "unit of a timestamp", "a is timestamp[us]"),
    (("--time", "word"), "no instants", "is not an instant"),
    (("--time", "a", "--key", "kee"), "no such key", "there is no column 'kee'"),
    (("--time", "a", "--id", "word"), "text as id", "ids are whole numbers"),
    (("--time", "b"), "null", "b is null in 1 of 2 rows"),
    (("--time", "a", "--stream", "x", "--stream", "y"), "two names", "it is one stream"),
    (("--time", "a", "--loop", "0"), "no pass", "--loop '0'"),
    (("--time", "a", "--jitter", "long"), "no span", "--jitter"),
    (("--time", "a", "--at", "soon"), "no instant", "--at"),
    (("--time", "a", "--start", "2030-01-01"), "an empty part", "has no facts in this interval"),
    (("--time", "a", "--speed", "0"), "no pace", "--speed"),
]


@pytest.mark.parametrize(("words", "_", "text"), REFUSALS, ids=[name for _, name, _ in REFUSALS])
def test_what_makes_no_sense_is_one_line(tmp_path, words, _, text):
    times = pa.array([1, 2], pa.timestamp("us"))
    columns = {"a": times, "b": pa.array([1, None], pa.timestamp("us")), "n": [1, 2], "word": ["x", "y"]}
    parquet.write_table(pa.table(columns), tmp_path / "f.parquet")
    result = invoke("replay", f"parquet:{tmp_path / 'f.parquet'}", *words)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.stderr
    assert text in result.stderr


def test_sources_that_are_not_there_or_not_readable_are_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is no Parquet file")
    write(tmp_path / "none.parquet", [])
    record(tmp_path / "csv")
    (tmp_path / "csv" / "manifest.json").write_text('{"writer": "datagen", "kind": "csv", "streams": {}}')
    for place, text in [
        ("nowhere", "no such file"),
        ("empty", "no Parquet files"),
        ("broken.parquet", "broken.parquet"),
        ("none.parquet", "holds no facts"),
        ("csv", "has written csv here, not parquet"),
    ]:
        result = invoke("replay", f"parquet:{tmp_path / place}")
        assert (result.exit_code, len(result.stderr.splitlines()), text in result.stderr) == (2, 1, True), result.stderr


@pytest.mark.parametrize("source", ["out", "parqet:out", "csv:out", "parquet:out?x=1", "kafka://localhost:1"])
def test_urls_that_are_no_source_are_refused(source):
    result = invoke("replay", source)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_a_file_that_is_gone_or_changed_meanwhile_ends_the_run_with_its_name(tmp_path):
    record(tmp_path / "o")
    recording = open_folder(str(tmp_path / "o"), Naming())
    next(iter((tmp_path / "o" / "visit").glob("*.parquet"))).write_bytes(b"gone")
    with pytest.raises(Exception, match=r"visit.*parquet"):
        list(recording.batches())
    assert invoke("replay", f"parquet:{tmp_path / 'o'}").exit_code == 2


def test_options_that_would_do_nothing_or_harm_are_refused(tmp_path):
    record(tmp_path / "o")
    source = f"parquet:{tmp_path / 'o'}"
    for words, text in [
        (("--jitter", "1h"), "it needs --amplify"),
        (("--seed", "1"), "it needs --blend"),
        (("--to", f"parquet:{tmp_path}/x/../o?mode=overwrite"), "both the recording and the sink"),
        (("--at", "soon"), "--at"),
        (("--rate", "5"), "--rate"),
    ]:
        result = invoke("replay", source, *words)
        assert (result.exit_code, text in result.stderr) == (2, True), result.stderr
    assert len(invoke("replay", source, "-q").stdout.splitlines()) == 2 * 753


def test_what_the_manifest_says_is_not_asked_for_again(tmp_path):
    record(tmp_path / "o")
    result = invoke("replay", f"parquet:{tmp_path / 'o'}", "--time", "local")
    assert (result.exit_code, "the manifest says it" in result.stderr) == (2, True)
    manifest = json.loads((tmp_path / "o" / "manifest.json").read_text())
    assert manifest["streams"]["visit"]["id"] == "visit_id"
