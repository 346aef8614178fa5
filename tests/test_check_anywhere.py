"""Checks say the same wherever the facts lie, however many shards wrote them, and of tables that are not datagen's."""

from __future__ import annotations

import pyarrow as pa
import pytest
from mutations import copied
from outputs import written
from pyarrow import parquet
from worlds import acting, model

from sim.quality.check import findings
from sim.quality.checks.scope import Scope
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared
from sim.quality.score import grade
from sim.scenario.loader import load

ATTRIBUTES = {
    "amount": {"type": "normal", "mean": 5, "sd": 2, "modifiers": [{"type": "round", "digits": 1}]},
    "kind": {"type": "choice", "values": ["a", "b"]},
    "place": {"type": "geo_point", "box": {"south": 48, "north": 49, "west": 2, "east": 3}},
}
CHANGES = {"attributes": {"plan": {"type": "choice", "values": ["s", "m"]}}, "history": {"versions": True}}
WORLD = acting(300, "2/month", CHANGES, stream={"attributes": ATTRIBUTES, "sets": {"user.plan": "'m'"}})


def judged(url, mapping=WORLD, **options):
    known = Declared(load(mapping), model(mapping), None)
    with open_dataset(url, streams=known.model.streams, **options) as data:
        return grade(findings(Scope(data, known), ("structure", "values")))


def told(verdict):
    """What is found of rows, whatever files they are in."""
    about_files = {"digests", "files_there", "no_other_files", "counts", "complete_shards", "readable_files", "types"}
    return sorted((f.name, f.subject, f.p_value, f.passed) for f in verdict.findings if f.name not in about_files)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("anywhere")
    written(WORLD, f"parquet:{root}/one")
    written(WORLD, f"parquet:{root}/three?partition=date", shards=3)
    written(WORLD, f"csv:{root}/csv")
    return root


def test_shards_and_formats_make_no_difference(folder):
    one = judged(f"{folder}/one", threads=1)
    assert one.sound
    assert told(one) == told(judged(f"{folder}/three")) == told(judged(f"csv:{folder}/csv", threads=2))


def test_lines_of_json_are_checked_like_files(folder, tmp_path):
    with open_dataset(f"{folder}/one") as data:
        for stream in data.streams:
            (tmp_path / stream).mkdir()
            rows = data.query(f'SELECT to_json(t) FROM "{stream}" t')
            (tmp_path / stream / "0.jsonl").write_text("\n".join(text for (text,) in rows))
    verdict = judged(f"json:{tmp_path}")
    assert [(f.name, f.subject, f.detail) for f in verdict.failed] == []
    assert ("unique_ids", "act.act_id") in {(f.name, f.subject) for f in verdict.findings}


def test_broken_lines_are_found(folder, tmp_path):
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "0.jsonl").write_text(
        '{"user_id": 1, "event_time": "2024-01-01T00:00:00.000000Z"}\nnonsense\n'
    )
    failed = {finding.name for finding in judged(f"json:{tmp_path}").failed}
    assert failed == {"no_nulls", "columns", "order"}


def test_tables_of_anybody_are_held_against_their_names(tmp_path):
    parquet.write_table(pa.table({"ride_id": [1, 2, 2], "fare": [1.0, 2.0, 3.0]}), tmp_path / "ride.parquet")
    with open_dataset(f"{tmp_path}/ride.parquet") as data:
        verdict = grade(findings(Scope(data)))
    assert [(finding.name, finding.subject) for finding in verdict.failed] == [("unique_ids", "ride.ride_id")]


def test_what_is_late_on_purpose_is_not_held_against_the_order(tmp_path):
    late = {"probability": 0.2, "delay": {"type": "exponential", "mean": "10min"}}
    mapping = {**WORLD, "faults": {"act": {"bound": "1h", "late": late}}}
    written(mapping, f"parquet:{tmp_path}")
    verdict = judged(f"{tmp_path}", mapping)
    assert verdict.sound
    assert ("order", "act") in {(f.name, f.subject) for f in verdict.findings if f.passed is None}


def test_a_version_that_is_missing_is_found(folder, tmp_path):
    output = copied(folder / "one", tmp_path / "out")
    output.rewrite("user_version", "FROM t WHERE NOT (version = 1 AND user_id % 10 = 0)")
    assert {finding.name for finding in judged(f"{tmp_path}/out").failed} == {"versions"}


def test_many_ids_are_counted_on_disk(folder, monkeypatch):
    monkeypatch.setattr("sim.quality.checks.rows.HELD", 100)
    assert judged(f"{folder}/one").sound
