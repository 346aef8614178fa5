"""Data sets are open to SQL, whatever they were written as, and reach no other file."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from outputs import files, written
from pyarrow import parquet
from worlds import acting, micros

from sim.errors import ParameterError
from sim.quality.dataset import open_dataset
from sim.quality.declared import declared

WORLD = acting(
    40,
    "2/month",
    stream={
        "attributes": {
            "note": {
                "type": "choice",
                "values": {"": 1, "a,b": 1},
                "modifiers": [{"type": "null", "probability": "30%"}],
            },
            "amount": {"type": "normal", "mean": 1, "sd": 2},
        }
    },
    timezone="Europe/Paris",
)
SUMS = "SELECT count(*), count(note), sum(length(note)), min(event_time), round(sum(amount), 6), sum(act_id) FROM act"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("dataset")
    written(WORLD, f"parquet:{root}/parquet", shards=2)
    written(WORLD, f"csv:{root}/csv")
    return root


def test_parquet_and_csv_are_the_same_tables(folder):
    with open_dataset(f"parquet:{folder}/parquet") as first, open_dataset(f"csv:{folder}/csv") as second:
        assert first.query(SUMS) == second.query(SUMS)
        assert first.schema("act").remove_metadata().equals(second.schema("act").remove_metadata())
        assert first.streams == second.streams == ("user", "act")


def test_lines_of_json_without_any_manifest_are_a_table_as_well(folder):
    lines = folder / "lines" / "act.jsonl"
    lines.parent.mkdir()
    with open_dataset(str(folder / "parquet")) as data:
        lines.write_text("\n".join(row[0] for row in data.query("SELECT to_json(act) FROM act")))
        with open_dataset(str(lines)) as other:
            assert other.rows("act") == data.rows("act")
            assert other.manifest is None


def test_a_manifest_tells_of_all_shards(folder):
    with open_dataset(str(folder / "parquet")) as data:
        assert data.manifest.whole
        assert data.manifest.until == data.manifest.end == micros("2024-12-31T23:00:00")
        assert sum(file.facts for file in data.manifest.streams["act"].files) == data.rows("act")


def test_columns_keep_their_descriptions(folder):
    with open_dataset(str(folder / "parquet")) as data:
        assert data.schema("act").field("event_time").metadata == {b"description": b"when it happened"}


def test_a_file_that_cannot_be_read_is_left_out_and_told(folder, tmp_path):
    written(WORLD, f"parquet:{tmp_path}", shards=2)
    broken = files(tmp_path, "act")[0]
    broken.write_bytes(broken.read_bytes()[:-100])
    with open_dataset(str(tmp_path)) as data:
        assert [trouble.file for trouble in data.tables["act"].troubles] == [f"act/{broken.name}"]
        assert data.query("SELECT count(*) FROM act") == [(data.rows("act"),)]


def test_a_stream_without_files_is_an_empty_table(folder, tmp_path):
    written(WORLD, f"csv:{tmp_path}")
    files(tmp_path, "act")[0].unlink()
    with open_dataset(str(tmp_path)) as data:
        assert data.query("SELECT sum(amount), max(event_time) FROM act") == [(None, None)]


def test_text_that_does_not_fit_its_column_is_counted(tmp_path):
    written(WORLD, f"csv:{tmp_path}")
    path = files(tmp_path, "user")[0]
    path.write_text(path.read_text().replace("\n7,", "\nseven,"))
    with open_dataset(str(tmp_path)) as data:
        (trouble,) = data.tables["user"].troubles
        assert (trouble.column, trouble.count, trouble.reason) == ("user_id", 1, "'seven' is not bigint")


def test_files_with_other_columns_are_one_table(tmp_path):
    parquet.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "one.parquet")
    parquet.write_table(pa.table({"a": [2.5]}), tmp_path / "two.parquet")
    with open_dataset(str(tmp_path)) as data:
        (stream,) = data.streams
        assert data.query(f'SELECT a, b FROM "{stream}" ORDER BY a') == [(1.0, "x"), (2.5, None)]


@pytest.mark.parametrize(
    "sql",
    ["SELECT * FROM read_text('/etc/hostname')", "COPY (SELECT 1) TO '/tmp/out.csv'", "SELECT * FROM folder"],
)
def test_no_other_file_and_no_variable_can_be_reached(folder, sql):
    with (
        open_dataset(str(folder / "parquet")) as data,
        pytest.raises((duckdb.PermissionException, duckdb.CatalogException)),
    ):
        data.query(sql)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("parquet:/nowhere", "there is no such file"),
        ("avro:/tmp", "'avro' is not a kind of data set"),
        ("kafka://localhost", "topics cannot be read here"),
    ],
)
def test_what_is_no_data_set_is_refused(url, message):
    with pytest.raises(ParameterError, match=message), open_dataset(url):
        pass


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="there is no data"), open_dataset(str(tmp_path)):
        pass


def test_topics_are_read_by_whoever_opens_them(folder):
    def read(url, spill):
        return {"act": [Path(shutil.copy(path, spill)) for path in files(folder / "parquet", "act")]}

    with open_dataset("kafka://b:1", topics=read) as data:
        assert data.streams == ("act",)
        assert len(data.tables["act"].parts) == 2


def test_the_scenario_of_a_run_is_known_by_its_name_and_digest(folder):
    with open_dataset(str(folder / "parquet")) as data:
        assert declared(data.manifest) is None
        found = declared(data.manifest, "storefront")
        assert found.same is False
        assert found.model.start == data.manifest.start
