"""Folders of files: names, rolling, manifests, and what happens to a folder that is not empty."""

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sim.errors import SinkError
from sinks import manifest as manifests
from sinks import open_sink
from sinks.layout import Layout
from sinks.manifest import Manifest
from sinks.parquet import layout
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream

VISIT = simple_stream()


def write(url, windows=(20, 20), run=None, streams=(VISIT,), commit=True):
    sink = open_sink(url)
    run = run or sample_run(START + len(windows) * SPAN)
    sink.open(streams, run)
    firsts = [0, *itertools.accumulate(windows)]
    for number, rows in enumerate(windows):
        batch = sample_batch(streams[0], rows, firsts[number], START + number * SPAN)
        sink.write(batch)
        if commit:
            sink.commit(batch.until)
    return sink


def manifest(folder, name="manifest.json"):
    return json.loads((folder / name).read_text())


def ids(folder):
    query = f"select visit_id from read_parquet('{folder}/visit/**/*.parquet') order by event_time, visit_id"
    return [row[0] for row in duckdb.sql(query).fetchall()]


def test_the_manifest_accounts_for_every_file(tmp_path):
    report = write(f"parquet:{tmp_path}?roll_size=1KB", windows=(200, 200)).close()
    stream = manifest(tmp_path)["streams"]["visit"]
    assert len(stream["files"]) == report.files > 1
    for file in stream["files"]:
        path = tmp_path / file["path"]
        assert pq.ParquetFile(path).metadata.num_rows == file["facts"]
        assert path.stat().st_size == file["bytes"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"]
    assert sum(file["facts"] for file in stream["files"]) == stream["facts"] == report.total == 400


def test_the_manifest_says_which_run_it_is(tmp_path):
    write(f"parquet:{tmp_path}").close()
    found = manifest(tmp_path)
    assert (found["scenario"], found["seed"], found["shard"], found["shards"]) == ("sample", 42, 1, 1)
    assert found["start"] == "2024-02-28T23:59:59.000000Z"
    assert found["complete"] is True
    assert found["streams"]["visit"]["schema"]["event_time"] == "timestamp[us, tz=UTC]"


def test_files_in_the_manifest_have_ascending_times(tmp_path):
    write(f"parquet:{tmp_path}?roll_size=1KB", windows=(200, 200)).close()
    files = manifest(tmp_path)["streams"]["visit"]["files"]
    times = [time for file in files for time in (file["first"], file["last"])]
    assert times == sorted(times)


def test_a_run_that_stops_early_is_not_complete(tmp_path):
    write(f"parquet:{tmp_path}", run=sample_run(START + 5 * SPAN)).close()
    assert manifest(tmp_path)["complete"] is False
    assert manifest(tmp_path)["until"] == "2024-02-29T00:00:19.000000Z"


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(f"parquet:{tmp_path / name}?roll_size=2KB", streams=(typed_stream(),)).close()
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_date_partitions_follow_midnight_utc(tmp_path):
    write(f"parquet:{tmp_path}?partition=date").close()
    days = sorted(path.name for path in (tmp_path / "visit").iterdir())
    assert days == ["date=2024-02-28", "date=2024-02-29"]
    query = (
        f"select date, count(*), min(event_time) >= date from read_parquet('{tmp_path}/visit/**/*.parquet') group by 1"
    )
    assert {(str(day), count, fits) for day, count, fits in duckdb.sql(query).fetchall()} == {
        ("2024-02-28", 2, True),
        ("2024-02-29", 38, True),
    }


def test_roll_time_ends_files_at_its_multiples(tmp_path):
    write(f"parquet:{tmp_path}?roll_time=5s").close()
    for file in manifest(tmp_path)["streams"]["visit"]["files"]:
        times = pq.read_table(tmp_path / file["path"])["event_time"].cast(pa.int64()).to_numpy()
        assert len(set(times // 5_000_000)) == 1


def test_roll_size_bounds_the_files(tmp_path):
    write(f"csv:{tmp_path}?roll_size=20KB", windows=(4000,)).close()
    sizes = [file["bytes"] for file in manifest(tmp_path)["streams"]["visit"]["files"]]
    assert len(sizes) > 2
    assert 20_000 <= max(sizes) < 2 * 20_000


def test_a_stream_without_facts_still_shows_its_columns(tmp_path):
    other = replace(simple_stream("other"), rank=1)
    write(f"parquet:{tmp_path}", streams=(VISIT, other)).close()
    (path,) = (tmp_path / "other").iterdir()
    assert pq.read_schema(path).names == other.schema.names
    write(f"csv:{tmp_path / 'c'}", streams=(VISIT, other)).close()
    assert (tmp_path / "c/other/part-00001-1-of-1.csv").read_text() == ",".join(other.schema.names) + "\n"


def test_nothing_is_visible_before_it_is_finished(tmp_path):
    sink = write(f"parquet:{tmp_path}", commit=True)
    assert not list(tmp_path.rglob("*.parquet"))
    sink.close()
    assert len(list(tmp_path.rglob("*.parquet"))) == 1
    assert not list(tmp_path.rglob("*.tmp"))


def test_an_error_while_writing_leaves_only_finished_files(tmp_path, monkeypatch):
    sink = write(f"parquet:{tmp_path}?roll_size=1KB", windows=(300,))
    before = {path.name for path in tmp_path.rglob("*.parquet")}
    monkeypatch.setattr("sinks.parquet.ParquetFile.write", no_space)
    sink.write(sample_batch(VISIT, 40, 300, START + SPAN))
    with pytest.raises(SinkError, match="No space left"):
        sink.commit(START + 2 * SPAN)
    report = sink.close()
    assert {path.name for path in tmp_path.rglob("*.parquet")} == before
    assert report.total == len(ids(tmp_path)) == manifest(tmp_path)["streams"]["visit"]["facts"]
    assert not list(tmp_path.rglob("*.tmp"))


def no_space(*_):
    raise OSError(28, "No space left on device")


def test_encodings_fit_the_types():
    dictionary, encodings = layout(typed_stream().schema)
    assert {"note", "state", "tags.list.element", "lines.list.element.sku"} <= set(dictionary)
    assert encodings["event_time"] == encodings["thing_id"] == encodings["place.at"] == "DELTA_BINARY_PACKED"
    assert encodings["amount"] == encodings["place.lat"] == "BYTE_STREAM_SPLIT"
    assert not set(dictionary) & set(encodings)


def test_files_carry_those_encodings(tmp_path):
    write(f"parquet:{tmp_path}", streams=(typed_stream(),)).close()
    (path,) = tmp_path.rglob("*.parquet")
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert "DELTA_BINARY_PACKED" in columns["event_time"].encodings
    assert "BYTE_STREAM_SPLIT" in columns["amount"].encodings
    assert "RLE_DICTIONARY" in columns["state"].encodings
    assert columns["amount"].compression == "ZSTD"


def test_shards_write_into_one_folder(tmp_path):
    runs = [replace(sample_run(START + 2 * SPAN), shard=shard, shards=2) for shard in (1, 2)]
    sinks = [write(f"parquet:{tmp_path}", run=run) for run in runs]
    for sink in sinks:
        sink.close()
    assert len(ids(tmp_path)) == 80
    assert [manifest(tmp_path, f"manifest-{k}-of-2.json")["shard"] for k in (1, 2)] == [1, 2]


def test_a_folder_with_a_finished_run_is_refused(tmp_path):
    write(f"parquet:{tmp_path}").close()
    with pytest.raises(SinkError, match="holds the output of 'sample', seed 42; add mode=overwrite"):
        write(f"parquet:{tmp_path}")


def test_shards_of_another_run_are_refused(tmp_path):
    write(f"parquet:{tmp_path}", run=replace(sample_run(), shard=1, shards=2)).close()
    with pytest.raises(SinkError, match="holds the output of"):
        write(f"parquet:{tmp_path}", run=replace(sample_run(), shard=2, shards=2, seed=7))


@pytest.mark.parametrize("mode", ["", "?mode=overwrite"])
def test_a_folder_with_other_files_is_refused(tmp_path, mode):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SinkError, match=r"is not empty, and 'thesis\.txt' is not datagen's"):
        write(f"parquet:{tmp_path}{mode}")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_overwrite_replaces_the_earlier_run(tmp_path):
    write(f"parquet:{tmp_path}?partition=date", windows=(5, 5, 5, 5)).close()
    write(f"parquet:{tmp_path}?mode=overwrite", windows=(3,)).close()
    assert ids(tmp_path) == [0, 1, 2]
    assert [path.name for path in (tmp_path / "visit").iterdir()] == ["part-00001-1-of-1.parquet"]


def test_overwrite_also_clears_what_a_killed_run_left(tmp_path):
    sink = write(f"parquet:{tmp_path}?roll_size=1KB")
    hidden = tmp_path / "visit/.part-00009-1-of-1.parquet.tmp"
    hidden.write_bytes(b"half")
    del sink
    write(f"parquet:{tmp_path}?mode=overwrite", windows=(3,)).close()
    assert ids(tmp_path) == [0, 1, 2]
    assert not hidden.exists()


def test_overwrite_spares_what_others_put_beside_the_files(tmp_path):
    write(f"parquet:{tmp_path}").close()
    strange = tmp_path / "visit" / "own.parquet"
    strange.write_bytes(b"mine")
    with pytest.raises(SinkError, match=r"visit/own\.parquet is not datagen's"):
        write(f"parquet:{tmp_path}?mode=overwrite")
    assert strange.read_bytes() == b"mine"


def test_a_manifest_cannot_send_overwrite_elsewhere(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = outside / "part-00001-1-of-1.parquet"
    victim.write_bytes(b"x")
    write(f"parquet:{tmp_path / 'out'}").close()
    document = manifest(tmp_path / "out")
    document["streams"]["../outside"] = {}
    (tmp_path / "out/manifest.json").write_text(json.dumps(document))
    write(f"parquet:{tmp_path / 'out'}?mode=overwrite").close()
    assert victim.exists()


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(SinkError, match="out: File exists"):
        write(f"parquet:{tmp_path / 'out'}")


def test_a_stream_that_cannot_be_a_folder_is_refused(tmp_path):
    with pytest.raises(SinkError, match=r"the stream '\.\./x' cannot be the name of a folder"):
        write(f"csv:{tmp_path}", streams=(replace(VISIT, name="../x"),))


def shards_of_two(folder):
    run = replace(sample_run(), shards=2, truth="{}")
    return [Layout(folder, "parquet", replace(run, shard=shard)) for shard in (1, 2)]


def enter(layout):
    """What a shard does when it begins, in its order."""
    Manifest.of("parquet", layout.run, [VISIT]).save(layout.manifest)
    replace(layout, run=replace(layout.run, shard=1)).tell()
    (layout.root / "visit").mkdir(exist_ok=True)


def test_what_another_shard_makes_while_this_one_looks_is_not_strange(tmp_path, monkeypatch):
    first, second = shards_of_two(tmp_path)
    listing, acts = Path.iterdir, iter([lambda: enter(second)])

    def list_and_let_the_other_act(path):
        found = list(listing(path))
        next(acts, lambda: None)()
        return iter(found)

    monkeypatch.setattr(Path, "iterdir", list_and_let_the_other_act)
    first.claim(False, ["visit"])
    assert next(acts, None) is None


def test_a_manifest_that_another_shard_is_replacing_is_waited_for(tmp_path, monkeypatch):
    first, second = shards_of_two(tmp_path)
    enter(second)
    answers, read = iter([None]), manifests.read
    monkeypatch.setattr(manifests, "read", lambda path: next(answers, read(path)))
    first.claim(False, ["visit"])
