from __future__ import annotations

import json
import re
import shutil

import polars as pl
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet
from test_ledger import WORLD
from typer.testing import CliRunner

from sim.cli.main import app
from sim.cli.recorded.forms import of_data
from sinks.decoding import Decoder
from sinks.decoding.decoder import Writing
from sinks.formats.json import Json, Objects
from sinks.kafka.mock import MockBroker
from sinks.samples import sample_batch, sample_run, typed_stream


def command(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """A scenario, its facts with and without faults, and the ledger."""
    folder = tmp_path_factory.mktemp("outputs")
    (folder / "world.yaml").write_text(yaml.safe_dump(WORLD))
    command("run", folder / "world.yaml", "--to", f"parquet:{folder / 'faulty'}", "-q")
    command("run", folder / "world.yaml", "--to", f"parquet:{folder / 'ideal'}", "-q", "--no-faults")
    return folder


def verdict(folder, source, *words):
    result = command("verify", folder / "world.yaml", "--from", source, "--json", *words)
    assert result.exit_code in (0, 1), result.stderr
    said = json.loads(result.stdout)
    assert said["sound"] == (result.exit_code == 0)
    return said["streams"]["act"]


def unexplained(audit) -> dict[str, int]:
    """By kind, how many differences are not explained; kinds without any are left out."""
    findings = {kind: found for kind, found in audit.items() if isinstance(found, dict) and "found" in found}
    counts = {kind: found["found"] - found["explained"] for kind, found in findings.items()}
    return {kind: count for kind, count in counts.items() if count}


@pytest.fixture
def damaged(outputs, tmp_path):
    """What verify says of the facts with faults after somebody has changed them by hand."""

    def change(how) -> dict:
        shutil.copytree(outputs / "faulty", tmp_path / "out")
        (path,) = (tmp_path / "out" / "act").glob("*.parquet")
        table = parquet.read_table(path)
        parquet.write_table(how(table), path)
        return verdict(outputs, f"parquet:{tmp_path / 'out'}", "--ledger", outputs / "faulty.ledger")

    return change


def innocent(outputs, rows=1):
    """Numbers of rows whose facts suffer no fault, and whose keys have another such fact behind."""
    facts = pl.read_parquet(outputs / "faulty" / "act" / "*.parquet").with_row_index("row")
    hit = pl.read_parquet(outputs / "faulty.ledger" / "injections" / "*.parquet")["fact_id"].unique()
    plain = facts.filter(~pl.col("act_id").is_in(hit.implode()))
    return plain["row"].to_list()[1000 : 1000 + rows]


def test_what_was_injected_is_explained(outputs):
    audit = verdict(outputs, f"parquet:{outputs / 'faulty'}")
    kinds = dict(
        pl.read_parquet(outputs / "faulty.ledger" / "injections" / "*.parquet")["kind"].value_counts().iter_rows()
    )
    assert unexplained(audit) == {}
    assert (audit["lost"]["found"], audit["duplicated"]["found"]) == (kinds["drop"], kinds["duplicate"])
    assert audit["came"] == audit["happened"] - kinds["drop"] + kinds["duplicate"]
    assert audit["changed"]["found"] > 100
    assert audit["out_of_order"]["found"] > 10


def test_of_an_ideal_run_nothing_differs(outputs):
    audit = verdict(outputs, f"parquet:{outputs / 'ideal'}", "--expect", "ideal")
    assert all(not found["found"] for kind, found in audit.items() if isinstance(found, dict))


def test_a_faulty_run_is_not_ideal(outputs):
    found = unexplained(verdict(outputs, f"parquet:{outputs / 'faulty'}", "--expect", "ideal"))
    assert {"lost", "duplicated", "changed", "out_of_order", "windows"} <= found.keys()


def test_after_repair_only_what_nobody_can_repair_is_left(outputs, tmp_path):
    facts = pl.read_parquet(outputs / "faulty" / "act" / "*.parquet").unique("act_id")
    truth = pl.read_parquet(outputs / "ideal" / "act" / "*.parquet").select("act_id", true="event_time")
    (tmp_path / "clean" / "act").mkdir(parents=True)
    clean = facts.join(truth, on="act_id").sort("true").drop("true")
    clean.write_parquet(tmp_path / "clean" / "act" / "clean.parquet")
    words = ("--ledger", outputs / "faulty.ledger", "--stream", "act")
    assert unexplained(verdict(outputs, f"parquet:{tmp_path / 'clean'}", *words, "--expect", "repaired")) == {}
    assert "duplicated" in unexplained(
        verdict(outputs, f"parquet:{outputs / 'faulty'}", *words, "--expect", "repaired")
    )


def test_a_lost_fact_is_found(outputs, damaged):
    (row,) = innocent(outputs)
    audit = damaged(lambda table: pa.concat_tables([table.slice(0, row), table.slice(row + 1)]))
    assert unexplained(audit).keys() >= {"lost"}
    assert (unexplained(audit)["lost"], len(audit["lost"]["examples"])) == (1, 1)


def test_a_duplicate_is_found(outputs, damaged):
    (row,) = innocent(outputs)
    audit = damaged(lambda table: pa.concat_tables([table.slice(0, row + 1), table.slice(row)]))
    assert unexplained(audit)["duplicated"] == 1


def test_a_third_copy_is_one_too_many(outputs, damaged):
    hit = pl.read_parquet(outputs / "faulty.ledger" / "injections" / "*.parquet").filter(pl.col("kind") == "duplicate")
    ids = pl.read_parquet(outputs / "faulty" / "act" / "*.parquet")["act_id"]
    row = ids.to_list().index(hit["fact_id"][0])
    audit = damaged(lambda table: pa.concat_tables([table.slice(0, row + 1), table.slice(row)]))
    assert unexplained(audit)["duplicated"] == 1


def test_a_changed_value_is_found(outputs, damaged):
    (row,) = innocent(outputs)

    def change(table):
        amounts = table.column("amount").to_pylist()
        amounts[row] += 0.01
        return table.set_column(table.schema.get_field_index("amount"), "amount", pa.array(amounts))

    assert unexplained(damaged(change))["changed"] == 1


def test_a_swap_is_found(outputs, damaged):
    facts = pl.read_parquet(outputs / "faulty" / "act" / "*.parquet")
    rows = innocent(outputs, 3000)
    first = rows[0]
    other = next(row for row in rows[1:] if facts["user_id"][row] == facts["user_id"][first])
    order = list(range(len(facts)))
    order[first], order[other] = order[other], order[first]
    assert unexplained(damaged(lambda table: table.take(order)))["out_of_order"] >= 1


def test_what_comes_after_the_bound_is_found(outputs, damaged):
    (row,) = innocent(outputs)
    audit = damaged(lambda table: pa.concat_tables([table.slice(0, row), table.slice(row + 1), table.slice(row, 1)]))
    assert unexplained(audit)["beyond_the_bound"] == 1


def test_a_fact_that_never_happened_is_found(outputs, damaged):
    def change(table):
        ids = pa.array([2**60, *table.column("act_id").to_pylist()[1:]])
        return table.set_column(table.schema.get_field_index("act_id"), "act_id", ids)

    assert unexplained(damaged(change))["unknown"] == 1


def test_a_ledger_of_what_was_not_done_is_found(outputs):
    words = ("--ledger", outputs / "faulty.ledger")
    audit = verdict(outputs, f"parquet:{outputs / 'ideal'}", *words)
    assert not audit["sound"]
    assert audit["not_seen"] > 100


def test_tables_of_text_are_read_as_well(outputs, tmp_path):
    command("run", outputs / "world.yaml", "--to", f"csv:{tmp_path / 'out'}", "-q", "--workers", "2")
    assert unexplained(verdict(outputs, f"csv:{tmp_path / 'out'}")) == {}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_latencies_are_from_event_times_to_a_column_of_arrivals(outputs, tmp_path, kind):
    facts = pl.read_parquet(outputs / "ideal" / "act" / "*.parquet")
    (tmp_path / "out" / "act").mkdir(parents=True)
    late = facts.with_columns(at=pl.col("event_time") + pl.duration(milliseconds=pl.int_range(1, pl.len() + 1)))
    writers = {"parquet": late.write_parquet, "csv": late.cast({"at": pl.Datetime("us", "UTC")}).write_csv}
    texts = {"datetime_format": "%Y-%m-%dT%H:%M:%S%.6fZ"} if kind == "csv" else {}
    writers[kind](tmp_path / "out" / "act" / f"part.{kind}", **texts)
    words = ("--expect", "ideal", "--stream", "act", "--end", "2024-02-01", "--seed", "0", "--arrived", "at")
    audit = verdict(outputs, f"{kind}:{tmp_path / 'out'}", *words)
    assert audit["latency"]["p50_s"] == pytest.approx(len(facts) / 2000, rel=0.02)
    assert audit["latency"]["max_s"] == pytest.approx(len(facts) / 1000)
    assert audit["sound"]


def test_a_limited_run_is_compared_with_as_many_facts(outputs, tmp_path):
    command("run", outputs / "world.yaml", "--to", f"parquet:{tmp_path / 'out'}", "-q", "--limit", "3000")
    assert unexplained(verdict(outputs, f"parquet:{tmp_path / 'out'}", "--limit", "3000")) == {}


def test_topics_are_read_from_the_broker(outputs, tmp_path):
    with MockBroker() as broker:
        to = f"kafka://{broker.address}"
        command("run", outputs / "world.yaml", "--to", to, "-q", "--ledger", tmp_path / "ledger")
        assert unexplained(verdict(outputs, to, "--ledger", tmp_path / "ledger")) == {}
        assert "lost" in unexplained(verdict(outputs, to))


def test_broken_messages_are_told_from_lost_ones(outputs, tmp_path):
    kinds = ["missing_field", "wrong_type", "truncated", "bad_utf8", "oversize"]
    faults = {"act": {"corrupt": {"probability": "5%", "kinds": kinds}, "drops": "1%"}}
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(WORLD | {"faults": faults}))
    with MockBroker() as broker:
        to, ledger = f"kafka://{broker.address}", tmp_path / "ledger"
        command("run", tmp_path / "world.yaml", "--to", to, "-q", "--ledger", ledger)
        audit = verdict(tmp_path, to, "--ledger", ledger)
    details = pl.read_parquet(ledger / "injections" / "*.parquet")["detail"].drop_nulls().str.split(":").list.first()
    counts = dict(details.value_counts().iter_rows())
    assert unexplained(audit) == {}
    assert audit["sound"]
    assert audit["changed"]["found"] == counts["missing_field"]
    assert audit["unreadable"]["found"] == sum(counts[kind] for kind in ("wrong_type", "truncated", "bad_utf8"))
    assert counts["oversize"] > 50


def test_a_sink_says_what_it_cannot_damage(outputs, tmp_path):
    faults = {"act": {"corrupt": {"probability": "5%", "kinds": ["truncated", "missing_field"]}}}
    (tmp_path / "world.yaml").write_text(yaml.safe_dump(WORLD | {"faults": faults}))
    done = command("run", tmp_path / "world.yaml", "--to", f"parquet:{tmp_path / 'out'}", "-q")
    assert "this sink cannot damage facts so: truncated" in done.stderr
    assert unexplained(verdict(tmp_path, f"parquet:{tmp_path / 'out'}")) == {}


def test_messages_say_what_the_facts_say_whoever_has_written_them():
    stream = typed_stream()
    batch = sample_batch(stream, 200)
    values = Json(stream).encode(batch.data)
    again = [json.dumps(dict(reversed(json.loads(value).items())), indent=1).encode() for value in values]
    expected = of_data(batch.data, stream, ["count"], Objects()).rows
    for written in (values, again):
        read = Decoder(Writing(), stream, sample_run()).decode(written).data
        assert of_data(read, stream, ["count"], Objects()).rows.equals(expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "null:"), "'null' is not allowed|cannot be read back"),
        (("--from", "parquet:nowhere"), "is not a folder"),
        (("--from", "{faulty}", "--ledger", "nowhere"), "there is no ledger"),
        (("--from", "{faulty}", "--set", "streams.act.rate=3/day"), "is not the scenario of that run"),
        (("--from", "{faulty}", "--stream", "akt"), "'akt' is not a stream of world; did you mean 'act'"),
        (("--from", "{faulty}", "--window", "0s"), "must be longer than 0"),
    ],
)
def test_what_makes_no_sense_is_refused(outputs, words, message):
    filled = [word.format(faulty=f"parquet:{outputs / 'faulty'}") for word in words]
    result = command("verify", outputs / "world.yaml", *filled)
    assert result.exit_code in (2, 3)
    assert re.search(message, result.stderr)
