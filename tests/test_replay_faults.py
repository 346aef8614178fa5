"""Faults of a scenario that is blended into a replay: injected into its streams, and all of them in the ledger."""

from __future__ import annotations

import signal

import polars as pl
import pytest
import yaml
from commands import SMALL, invoke, start, wait_for

FAULTY = {
    "name": "faulty",
    "seed": 9,
    "start": "2023-01-01",
    "end": "2023-02-01",
    "entities": {"customer": {"initial": {"count": 80}}},
    "streams": {"call": {"entity": "customer", "rate": "2/day"}},
    "faults": {
        "call": {
            "bound": "2h",
            "late": {"probability": "20%", "delay": {"type": "exponential", "mean": "10min"}},
            "duplicates": {"probability": "5%", "after": "5min"},
            "drops": "5%",
        },
        "customer": {"drops": "50%"},
    },
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A recording, a scenario with faults, what the two give together, and that scenario run on its own."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "small.yaml").write_text(SMALL.replace("02-01", "01-10"))
    (folder / "faulty.yaml").write_text(yaml.safe_dump(FAULTY))
    run(folder, "run", folder / "small.yaml", "--to", f"parquet:{folder / 'tape'}")
    blend(folder, f"parquet:{folder / 'both'}")
    run(folder, "run", folder / "faulty.yaml", "--end", "2023-01-10", "--to", f"parquet:{folder / 'alone'}")
    return folder


def run(folder, *words, code=0):
    done = invoke(*(str(word) for word in words), "-q")
    assert done.exit_code == code, done.stderr


def blend(folder, to, *words, code=0):
    run(
        folder, "replay", f"parquet:{folder / 'tape'}", "--blend", folder / "faulty.yaml", "--to", to, *words, code=code
    )


def facts(folder, stream):
    return pl.concat([pl.read_parquet(path) for path in sorted((folder / stream).glob("*.parquet"))])


def injections(ledger):
    return pl.concat([pl.read_parquet(path) for path in sorted((ledger / "injections").glob("*.parquet"))])


def test_streams_of_the_scenario_have_its_faults_as_if_it_ran_alone(home):
    assert facts(home / "both", "call").equals(facts(home / "alone", "call"))


def test_what_was_recorded_stays_whole(home):
    for stream in ("customer", "order"):
        assert facts(home / "both", stream).equals(facts(home / "tape", stream))
    blended = facts(home / "both", "faulty.customer")
    assert 20 < len(blended) < 60


def test_the_ledger_knows_every_fault_by_the_name_of_the_stream(home):
    ledger = injections(home / "both.ledger")
    counts = dict(ledger.filter(pl.col("stream") == "call")["kind"].cast(pl.String).value_counts().iter_rows())
    alone = injections(home / "alone.ledger").filter(pl.col("stream") == "call")
    assert counts == dict(alone["kind"].cast(pl.String).value_counts().iter_rows())
    assert set(ledger["stream"].cast(pl.String)) == {"call", "faulty.customer"}
    drops = ledger.filter((pl.col("stream") == "faulty.customer") & (pl.col("kind") == "drop"))
    assert len(drops) + len(facts(home / "both", "faulty.customer")) == 80


def test_the_true_aggregates_are_of_all_streams(home):
    windows = pl.concat([pl.read_parquet(path) for path in (home / "both.ledger" / "windows").glob("*.parquet")])
    totals = dict(windows.group_by(pl.col("stream").cast(pl.String)).agg(pl.col("facts").sum()).iter_rows())
    assert totals["order"] == len(facts(home / "tape", "order"))
    drops = injections(home / "both.ledger").filter((pl.col("stream") == "call") & (pl.col("kind") == "drop"))
    assert totals["call"] == facts(home / "both", "call")["call_id"].n_unique() + len(drops)


def test_without_faults_there_is_no_ledger(home, tmp_path):
    blend(home, f"parquet:{tmp_path / 'out'}", "--no-faults")
    assert not (tmp_path / "out.ledger").exists()
    calls = facts(tmp_path / "out", "call")
    assert calls["call_id"].n_unique() == len(calls) > len(facts(home / "both", "call")["call_id"].unique())


def test_a_blend_with_faults_is_gone_on_with(home, tmp_path):
    to = f"parquet:{tmp_path / 'out'}?roll_time=1d"
    words = ("replay", f"parquet:{home / 'tape'}", "--blend", str(home / "faulty.yaml"), "--to", to, "-q")
    process = start(*words, "--rate", "3k/s")
    wait_for(lambda: list((tmp_path / "out" / "call").glob("part-*")))
    process.send_signal(signal.SIGKILL)
    process.communicate()
    blend(home, to, "--resume", "--limit", "3000", code=2)
    blend(home, to, "--resume")
    for stream in ("call", "order", "faulty.customer"):
        assert facts(tmp_path / "out", stream).equals(facts(home / "both", stream))
    assert injections(tmp_path / "out.ledger").equals(injections(home / "both.ledger"))
