"""CSV files as recordings: datagen's own, whose manifest says what is in them, and anybody's."""

from __future__ import annotations

import gzip
import json

import pytest
from commands import SMALL, invoke

ROWS = 'when,who,amount,note,n\n2024-01-01T00:00:05Z,b,1.5,,1\n2024-01-01T00:00:01Z,a,2,"",2\n'


@pytest.mark.parametrize("shards", [1, 2])
def test_a_run_that_went_to_csv_comes_back_as_it_was(tmp_path, shards):
    (tmp_path / "small.yaml").write_text(SMALL.replace("02-01", "01-06"))
    scenario = str(tmp_path / "small.yaml")
    for shard in range(1, shards + 1):
        words = ("--to", f"csv:{tmp_path / 'o'}?roll_size=20kB", "-q", "--shard", f"{shard}/{shards}")
        assert invoke("run", scenario, *words).exit_code == 0
    assert invoke("replay", f"csv:{tmp_path / 'o'}", "-q").stdout == invoke("run", scenario, "-q").stdout


@pytest.mark.parametrize("zipped", [False, True])
def test_types_are_what_they_look_like(tmp_path, zipped):
    path = tmp_path / ("rows.csv.gz" if zipped else "rows.csv")
    path.write_bytes(gzip.compress(ROWS.encode()) if zipped else ROWS.encode())
    result = invoke("replay", f"csv:{path}", "-q", "--key", "who", "--id", "n")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"stream": "rows", "event_time": f"{second}.000000Z", "when": f"{second}.000000Z", **rest}
        for second, rest in [
            ("2024-01-01T00:00:01", {"who": "a", "amount": 2.0, "note": "", "n": 2}),
            ("2024-01-01T00:00:05", {"who": "b", "amount": 1.5, "note": None, "n": 1}),
        ]
    ]


def test_folders_of_csv_files_are_streams(tmp_path):
    for name in ("visit", "order"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "a.csv").write_text(ROWS)
    said = json.loads(invoke("replay", f"csv:{tmp_path / 'in'}", "--to", "null:", "--json").stdout)
    assert said["streams"] == {"order": 2, "visit": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("when,n\n2024-01-01,1\n2024-01-02\n", "Expected 2 columns, got 1"),
        ("a,b\n1,2\n", "which column says when a row happened"),
        ("", "rows.csv"),
        ("when,n\n", "empty"),
    ],
)
def test_tables_that_cannot_be_replayed_are_one_line_that_names_them(tmp_path, text, message):
    (tmp_path / "rows.csv").write_text(text)
    result = invoke("replay", f"csv:{tmp_path / 'rows.csv'}")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1), result.stderr
    assert message in result.stderr
    assert "rows.csv" in result.stderr


def test_a_folder_of_another_kind_is_told(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    assert invoke("run", str(tmp_path / "small.yaml"), "--to", f"parquet:{tmp_path / 'o'}", "-q").exit_code == 0
    result = invoke("replay", f"csv:{tmp_path / 'o'}")
    assert (result.exit_code, "has written parquet here, not csv" in result.stderr) == (2, True)
    assert invoke("replay", "csv:nowhere").exit_code == 2


def test_columns_that_are_empty_at_first_are_text_and_a_change_of_type_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.delivery.replay.tables.BLOCK", 600)
    lines = [f"2024-01-01T00:{number // 60:02d}:{number % 60:02d}Z,{number}," for number in range(200)]
    (tmp_path / "rows.csv").write_text("\n".join(["when,n,late", *lines, "2024-01-01T01:00:00Z,200,here"]))
    facts = invoke("replay", f"csv:{tmp_path / 'rows.csv'}", "-q").stdout.splitlines()
    assert [json.loads(facts[place])["late"] for place in (0, -1)] == [None, "here"]
    (tmp_path / "rows.csv").write_text("\n".join(["when,n,late", *lines, "2024-01-01T01:00:00Z,2.5,"]))
    result = invoke("replay", f"csv:{tmp_path / 'rows.csv'}")
    assert (result.exit_code, "2.5" in result.stderr, "rows.csv" in result.stderr) == (2, True, True), result.stderr
