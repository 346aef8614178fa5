from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
import yaml
from damage import MINUTE, SPAN, STREAM, cut, made, spec
from fake_batches import Collector
from test_faults import ALL
from typer.testing import CliRunner
from worlds import SEED, acting

from sim.cli.main import app
from sim.delivery.inject import Injected
from sim.delivery.ledger import Ledger
from sim.delivery.pipeline import deliver
from sim.delivery.seam import Seam
from sim.delivery.tallies import Tally
from sim.errors import SinkError
from sinks.registry import open_sink
from sinks.run import Run

WORLD = acting(
    300,
    "2/day",
    end="2024-02-01",
    stream={"attributes": {"amount": {"type": "lognormal", "median": 10, "sigma": 1}}},
    faults={"act": ALL},
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A scenario file whose facts suffer all faults."""
    path = tmp_path_factory.mktemp("world") / "world.yaml"
    path.write_text(yaml.safe_dump(WORLD))
    return path


def run(world, to, *words):
    result = CliRunner().invoke(app, ["run", str(world), "--to", str(to), "-q", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result


def table(folder, name) -> pl.DataFrame:
    return pl.read_parquet(folder / name / "*.parquet").with_columns(pl.col(pl.Categorical).cast(pl.String))


@pytest.fixture(scope="module")
def outputs(world, tmp_path_factory):
    """The facts with faults and without, and the ledger."""
    folder = tmp_path_factory.mktemp("outputs")
    run(world, f"parquet:{folder / 'faulty'}")
    run(world, f"parquet:{folder / 'ideal'}", "--no-faults")
    return table(folder / "faulty", "act"), table(folder / "ideal", "act"), folder / "faulty.ledger"


def hit(ledger, kind) -> pl.DataFrame:
    return table(ledger, "injections").filter(pl.col("kind") == kind)


def test_the_ledger_has_exactly_the_facts_that_are_missing(outputs):
    faulty, ideal, ledger = outputs
    missing = ideal.join(faulty, on="act_id", how="anti")
    assert len(missing) > 100
    assert sorted(missing["act_id"]) == sorted(hit(ledger, "drop")["fact_id"])
    assert hit(ledger, "drop")["arrived_at"].null_count() == len(missing)


def test_the_ledger_has_exactly_the_facts_that_came_twice(outputs):
    faulty, _, ledger = outputs
    twice = faulty.group_by("act_id").len().filter(pl.col("len") > 1)
    assert sorted(twice["act_id"]) == sorted(hit(ledger, "duplicate")["fact_id"])
    assert (twice["len"] == 2).all()


def test_the_ledger_has_exactly_the_keys_and_clocks_that_are_wrong(outputs):
    faulty, ideal, ledger = outputs
    both = faulty.unique("act_id").join(ideal, on="act_id", suffix="_true")
    moved = both.filter(pl.col("user_id") != pl.col("user_id_true")).sort("act_id")
    hot = hit(ledger, "hot_key").sort("fact_id")
    assert (moved["act_id"] == hot["fact_id"]).all()
    assert (moved["user_id"] == hot["detail"].cast(pl.Int64)).all()
    assert (moved["user_id_true"] == hot["key"].cast(pl.Int64)).all()
    off = both.filter(pl.col("event_time") != pl.col("event_time_true")).sort("act_id")
    skew = hit(ledger, "clock_skew").sort("fact_id")
    assert (off["act_id"] == skew["fact_id"]).all()
    assert ((off["event_time"] - off["event_time_true"]).dt.total_microseconds() == skew["detail"].cast(pl.Int64)).all()


def test_what_the_ledger_calls_late_stands_out_of_order_in_the_files(outputs):
    faulty, ideal, ledger = outputs
    happened = faulty.join(ideal.select("act_id", true="event_time"), on="act_id", maintain_order="left")
    behind = happened.filter(pl.col("true") < pl.col("true").cum_max())
    late = pl.concat([hit(ledger, "late"), hit(ledger, "duplicate")])
    assert set(behind["act_id"]) <= set(late["fact_id"])
    assert len(behind) > 0.5 * len(late)


def test_the_true_aggregates_are_those_of_the_facts_without_faults(outputs):
    _, ideal, ledger = outputs
    hourly = ideal.group_by(pl.col("event_time").dt.truncate("1h"))
    expected = hourly.agg(facts=pl.len(), keys=pl.col("user_id").n_unique(), sum=pl.col("amount").sum())
    told = table(ledger, "windows").filter(pl.col("stream") == "act").join(table(ledger, "sums"), on="event_time")
    both = expected.join(told, on="event_time", how="full", suffix="_told")
    assert both.null_count().sum_horizontal().item() == 0
    assert (both["facts"] == both["facts_told"]).all()
    assert (both["keys"] == both["keys_told"]).all()
    assert ((both["sum"] - both["sum_told"]).abs() < 1e-6).all()


def test_workers_inject_the_same_faults(world, outputs, tmp_path):
    faulty, _, ledger = outputs
    run(world, f"parquet:{tmp_path / 'two'}", "--workers", "2")
    assert table(tmp_path / "two", "act").sort(pl.all()).equals(faulty.sort(pl.all()))
    columns = ["kind", "fact_id"]
    injections = table(tmp_path / "two.ledger", "injections").sort(columns)
    assert injections.equals(table(ledger, "injections").sort(columns))
    shards = (
        table(tmp_path / "two.ledger", "windows").group_by("event_time", "stream").agg(pl.col("facts", "keys").sum())
    )
    alone = table(ledger, "windows").select("event_time", "stream", "facts", "keys")
    assert shards.sort(pl.all()).equals(alone.sort(pl.all()))


def test_files_and_lines_have_the_facts_in_the_same_order(world, outputs, tmp_path):
    faulty, _, _ = outputs
    text = run(world, "stdout:", "--workers", "2").stdout.encode()
    lines = pl.read_ndjson(text, infer_schema_length=None).filter(pl.col("stream") == "act")
    run(world, f"csv:{tmp_path / 'out'}")
    table = pl.read_csv(tmp_path / "out" / "act" / "*.csv")
    assert lines["act_id"].to_list() == faulty["act_id"].to_list() == table["act_id"].to_list()


def test_a_limit_counts_facts_that_happened(world, tmp_path):
    run(world, f"parquet:{tmp_path / 'out'}", "--limit", "2000")
    injections, facts = table(tmp_path / "out.ledger", "injections"), table(tmp_path / "out", "act")
    kinds = dict(injections["kind"].value_counts().iter_rows())
    assert len(facts) == 2000 - 300 - kinds["drop"] + kinds["duplicate"]
    assert table(tmp_path / "out.ledger", "windows")["facts"].sum() == 2000


def test_without_faults_a_ledger_has_the_truth_alone(world, tmp_path):
    run(world, "null:", "--no-faults", "--ledger", str(tmp_path / "ledger"), "--ledger-window", "1d")
    assert len(table(tmp_path / "ledger", "injections")) == 0
    assert len(table(tmp_path / "ledger", "windows").filter(pl.col("stream") == "act")) == 31


def test_nobody_is_left_in_the_dark_about_faults(world):
    assert "--ledger DIR keeps account" in run(world, "null:").stderr
    assert "ledger" not in run(world, "null:", "--no-faults").stderr


def test_the_ledger_says_nothing_of_what_was_not_delivered(tmp_path):
    sink = Collector(fail_at=3, error=SinkError("full"))
    ledger = Ledger(open_sink(f"parquet:{tmp_path}"), [STREAM], Run("x", "0" * 64, SEED, 0, SPAN), MINUTE)
    source = cut(made(), *range(99 * MINUTE, SPAN, 99 * MINUTE))
    batches = Injected(source, [STREAM], {"act": spec(**ALL)}, SEED, ledger)
    run = Run("x", "0" * 64, SEED, 0, SPAN)
    with ledger, pytest.raises(SinkError):
        deliver(batches, sink, [STREAM], run, on_progress=lambda progress: ledger.commit(progress.watermark))
    came = pl.concat([pl.from_arrow(pa.Table.from_batches([batch.data])) for batch in sink.batches[:3]])
    injections = table(tmp_path, "injections")
    assert injections.select(pl.coalesce("arrived_at", "event_time").max()).item().timestamp() < 3 * 99 * 60
    told = injections.filter(pl.col("kind") == "duplicate")["fact_id"]
    assert sorted(told) == sorted(came.filter(pl.col("act_id").is_duplicated())["act_id"].unique())


@pytest.mark.parametrize("cuts", [(), (MINUTE, 7 * MINUTE, 500 * MINUTE)])
def test_aggregates_do_not_depend_on_the_windows_of_the_run(cuts):
    tally, rows = Tally(STREAM, 7 * MINUTE), []
    for window in cut(made(), *cuts):
        rows += [data for stream, data in tally.add(window.batches[0]) if stream.name == "windows"]
    rows += [data for stream, data in tally.close() if stream.name == "windows"]
    found = pl.DataFrame(pl.from_arrow(pa.Table.from_batches(rows)))
    assert found["facts"].sum() == 50_000
    assert found["event_time"].is_sorted()
    assert found["facts"].to_list()[:-1] == [350] * (len(found) - 1)
    assert len(found) == -(-SPAN // (7 * MINUTE))
    facts = pl.DataFrame({"window": made().times // (7 * MINUTE), "user": made().data.column("user_id")})
    distinct = facts.group_by("window").agg(pl.col("user").n_unique()).sort("window")
    assert found["keys"].to_list() == distinct["user"].to_list()


def test_a_run_may_be_cut_while_facts_are_late():
    source = lambda: Injected(cut(made(), SPAN // 4), [STREAM], {"act": spec(**ALL)}, SEED)  # noqa: E731
    seam = Seam(source(), 1, SPAN // 3)
    parts = [*seam.before(), *seam.after()]
    assert sum(map(len, parts)) == sum(map(len, source()))
    assert all((batch.times >= batch.start).all() and (batch.times < batch.until).all() for batch in parts)
    assert {SPAN // 3} <= {batch.until for batch in parts}


def test_a_paced_run_lets_late_facts_leave_when_they_arrive(world, outputs, tmp_path):
    faulty, _, _ = outputs
    run(world, f"parquet:{tmp_path / 'paced'}", "--rate", "200k/s")
    assert table(tmp_path / "paced", "act")["act_id"].to_list() == faulty["act_id"].to_list()
    assert len(table(tmp_path / "paced.ledger", "injections")) == len(table(outputs[2], "injections"))
