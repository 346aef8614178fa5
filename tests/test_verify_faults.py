"""Each kind of fault by itself: `verify` finds all of it, and finds out where the ledger does not say the truth."""

from __future__ import annotations

import polars as pl
import pytest
from commands import invoke, start, wait_for
from injections import SHOWN, counted, emptied, faulty, verdict

import sim.delivery.audit.heaps
from sim.delivery.audit.heaps import COUNT, Heaps, by_hash

IN_FILES = ("late", "duplicate", "drop", "clock_skew", "hot_key", "missing_field")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder for each kind of fault: the scenario, the facts with and without it, the ledger."""
    folders = {}
    for kind in IN_FILES:
        folders[kind] = folder = tmp_path_factory.mktemp(kind)
        world = faulty(folder, kind)
        invoke("run", str(world), "--to", f"parquet:{folder / 'faulty'}", "-q")
        invoke("run", str(world), "--to", f"parquet:{folder / 'ideal'}", "-q", "--no-faults")
    return folders


def audited(folder, facts, ledger):
    return verdict(folder / "world.yaml", f"parquet:{folder / facts}", ledger)


@pytest.mark.parametrize("kind", IN_FILES)
def test_what_was_done_is_found_and_explained(runs, kind):
    code, unseen, found = audited(runs[kind], "faulty", runs[kind] / "faulty.ledger")
    assert (code, unseen) == (0, 0)
    assert set(found) <= {SHOWN[kind], "out_of_order", "windows"}
    hit = counted(runs[kind] / "faulty.ledger")
    assert 20 < found[SHOWN[kind]]["found"] <= hit
    assert kind == "late" or found[SHOWN[kind]]["found"] == hit


@pytest.mark.parametrize("kind", IN_FILES)
def test_what_the_ledger_does_not_know_is_not_explained(runs, kind):
    ledger = emptied(runs[kind] / "faulty.ledger")
    code, _, found = audited(runs[kind], "faulty", ledger)
    assert code == 1
    assert all(one["explained"] == 0 for one in found.values())
    assert found[SHOWN[kind]]["found"] > 20


@pytest.mark.parametrize("kind", IN_FILES)
def test_what_the_ledger_says_and_nobody_did_is_missed(runs, kind):
    code, unseen, found = audited(runs[kind], "ideal", runs[kind] / "faulty.ledger")
    assert (code, found) == (1, {})
    assert 20 < unseen <= counted(runs[kind] / "faulty.ledger")


def test_a_late_fact_in_another_place_than_the_ledger_gives_it_is_not_explained(runs, tmp_path):
    folder = runs["late"]
    facts = pl.read_parquet(folder / "faulty" / "act" / "*.parquet")
    hit = pl.read_parquet(folder / "faulty.ledger" / "injections" / "*.parquet")["fact_id"]
    # Some that are late come last: within the bound they are so by more than they should.
    last = facts.filter(pl.col("act_id").is_in(hit.tail(40).implode()))
    (tmp_path / "moved" / "act").mkdir(parents=True)
    moved = pl.concat([facts.join(last, on="act_id", how="anti", maintain_order="left"), last])
    moved.write_parquet(tmp_path / "moved" / "act" / "facts.parquet")
    code, _, found = verdict(folder / "world.yaml", f"parquet:{tmp_path / 'moved'}", folder / "faulty.ledger")
    assert code == 1
    assert found["out_of_order"]["found"] > found["out_of_order"]["explained"]


@pytest.mark.parametrize("kind", IN_FILES)
@pytest.mark.parametrize("known", [True, False])
def test_what_does_not_fit_into_memory_is_compared_all_the_same(runs, kind, known, monkeypatch):
    folder, ledger = runs[kind], runs[kind] / "faulty.ledger"
    ledger = ledger if known else emptied(ledger)
    expected = audited(folder, "faulty", ledger)
    monkeypatch.setattr(sim.delivery.audit.heaps, "MOST", 100)
    assert audited(folder, "faulty", ledger) == expected


def test_heaps_keep_every_row_in_the_order_in_which_it_came(tmp_path, monkeypatch):
    monkeypatch.setattr(sim.delivery.audit.heaps, "MOST", 1000)
    heaps = Heaps({"id": pl.Int64, "place": pl.Int64}, tmp_path, by_hash("id"))
    rows = pl.DataFrame({"id": [number * number % 997 for number in range(20_000)], "place": range(20_000)})
    for part in rows.iter_slices(300):
        heaps.add(part)
    found = list(heaps.heaps(True))
    assert (len(found), heaps.spilled) == (COUNT, True)
    assert all(heap["place"].is_sorted() for heap in found)
    assert pl.concat(found).sort("place").equals(rows)
    assert pl.concat([heap.select("id").unique() for heap in found])["id"].is_unique().all()
    heaps.close()
    assert not list(tmp_path.iterdir())


def test_equal_rows_count_once_where_they_are_to(tmp_path, monkeypatch):
    monkeypatch.setattr(sim.delivery.audit.heaps, "MOST", 1000)
    heaps = Heaps({"id": pl.Int64}, tmp_path, by_hash("id"), distinct=True)
    for first in range(0, 20_000, 500):
        heaps.add(pl.DataFrame({"id": range(first // 4, first // 4 + 500)}))
    assert sum(map(len, heaps.heaps(False))) == 19_500 // 4 + 500


def test_whoever_is_ended_leaves_nothing_behind(runs, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process = start("verify", str(runs["drop"] / "world.yaml"), "--from", "kafka://127.0.0.1:1?timeout=2min")
    wait_for(lambda: list(tmp_path.iterdir()))
    process.terminate()
    stderr = process.communicate(timeout=30)[1]
    assert (process.returncode, list(tmp_path.iterdir())) == (143, []), stderr


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_windows_that_differ_are_written_down_with_what_they_should_be(runs, suffix, tmp_path):
    folder, file = runs["drop"], tmp_path / f"windows.{suffix}"
    words = ("--from", f"parquet:{folder / 'faulty'}", "--stream", "act", "--window", "6h", "--windows", str(file))
    assert invoke("verify", str(folder / "world.yaml"), *words).exit_code == 0
    read = {"csv": lambda path: pl.read_csv(path, try_parse_dates=True), "parquet": pl.read_parquet}[suffix]
    found, facts = read(file), {}
    for name in ("ideal", "faulty"):
        rows = pl.read_parquet(folder / name / "act" / "*.parquet")
        window = pl.col("event_time").dt.truncate("6h").alias("window_start")
        facts[name] = rows.group_by(window).agg(pl.len().alias(name), pl.col("amount").sum().alias(f"{name}_sum"))
    both = facts["ideal"].join(facts["faulty"], on="window_start").sort("window_start")
    for aggregate, names in {"facts": ("ideal", "faulty"), "amount": ("ideal_sum", "faulty_sum")}.items():
        expected = both.select("window_start", *names).filter(pl.col(names[0]) != pl.col(names[1]))
        own = found.filter(pl.col("aggregate") == aggregate).select("window_start", "true", "seen")
        assert own.cast({"true": pl.Int64, "seen": pl.Int64}).rows() == expected.rows()
    assert found["explained"].all()


@pytest.mark.parametrize(("name", "message"), [("a.json", "must end with .csv or .parquet"), ("no/a.csv", "no folder")])
def test_a_table_of_windows_that_cannot_be_written_is_refused_first(runs, name, message, tmp_path):
    words = ("--from", f"parquet:{runs['drop'] / 'faulty'}", "--windows", str(tmp_path / name))
    done = invoke("verify", str(runs["drop"] / "world.yaml"), *words)
    assert (done.exit_code, message in done.stderr) == (2, True)
