"""`datagen load` as a user meets it."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from commands import SMALL, invoke, start, wait_for

from sim.cli.loading.order import with_due


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("load") / "small.yaml"
    path.write_text(SMALL)
    return str(path)


@pytest.fixture(scope="module")
def saved(small, tmp_path_factory):
    """A test of a second, its output, its report and its page."""
    folder = tmp_path_factory.mktemp("saved")
    words = ("load", small, "--to", "null:", "--rate", "500/s", "--duration", "1s", "--no-progress")
    done = invoke(*words, "--save", str(folder / "a.json"), "--report", str(folder / "a.html"))
    return done, folder / "a.json", folder / "a.html"


def test_a_test_says_what_was_offered_and_achieved_and_who_was_in_the_way(saved):
    done, _, _ = saved
    assert done.exit_code == 0
    for words in ("offered 500/s", "acknowledgement", "lag of the generator", "p99.99", "bottleneck"):
        assert words in done.stdout


def test_a_report_is_whole(saved):
    report = json.loads(saved[1].read_text())
    assert report["report"] == "load"
    assert report["ack"]["facts"] == sum(count for _, count in report["ack"]["histogram"]) == 450
    assert report["sent"] == report["acknowledged"] >= 500
    assert report["e2e"] is None
    assert report["verdict"]["bottleneck"] in ("nobody", "generator")
    quantiles = [report["ack"][f"{name}_s"] for name in ("p50", "p90", "p99", "p99.9", "p99.99", "max")]
    assert quantiles == sorted(quantiles)


def test_a_page_needs_nothing_else_and_shows_the_charts(saved):
    text = saved[2].read_text()

    found = []

    class Links(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend(value for name, value in attrs if name in ("src", "href") and value[0] != "#")

    Links().feed(text)
    assert set(found) <= {"data:,"}
    for title in ("Facts a second", "Latency by share of facts", "How late facts left", "Processors"):
        assert title in text


def test_a_crossed_threshold_has_an_exit_code_of_its_own(small):
    words = ("load", small, "--to", "null:", "--rate", "200/s", "--duration", "500ms", "--no-progress")
    crossed = invoke(*words, "--fail-if", "achieved > 1/s", "--fail-if", "errors > 0")
    assert crossed.exit_code == 5
    assert "CROSSED: achieved > 1/s" in crossed.stdout
    assert "kept: errors > 0 (0)" in crossed.stdout


def test_the_search_says_each_step_and_the_limit(small, tmp_path):
    words = ("load", small, "--to", "null:", "--find-limit", "--rate", "100/s", "--at-most", "200/s")
    done = invoke(
        *words,
        "--duration",
        "1s",
        "--json",
        "--fail-if",
        "achieved > 110/s",
        "--report",
        str(tmp_path / "limit.html"),
    )
    report = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [step["carried"] for step in report["steps"]][:2] == [True, False]
    assert 100 <= report["limit"]["carried_per_s"] <= 165
    assert report["limit"]["failed_by"][0]["expression"] == "achieved > 110/s"
    assert len(done.stderr.splitlines()) == len(report["steps"])
    page = (tmp_path / "limit.html").read_text()
    assert "The search" in page
    assert "achieved &gt; 110/s" in page


def test_a_search_in_which_nothing_is_carried_has_crossed_a_threshold(small):
    words = ("load", small, "--to", "null:", "--find-limit", "--rate", "2/s", "--duration", "500ms")
    assert invoke(*words, "--fail-if", "achieved >= 0/s").exit_code == 5


def test_two_reports_are_compared(saved, tmp_path):
    report = json.loads(saved[1].read_text())
    report["ack"]["p99_s"] *= 3
    slower = tmp_path / "slower.json"
    slower.write_text(json.dumps(report))
    done = invoke("load", "--compare", str(saved[1]), str(slower), "--json")
    rows = {row["metric"]: row for row in json.loads(done.stdout)["metrics"]}
    assert rows["p99"]["is"] == "worse"
    assert rows["p99"]["change"] == pytest.approx(2)
    assert rows["p50"]["is"] == "alike"
    assert invoke("load", "--compare", str(saved[1]), str(slower), "--fail-if", "p99 > 2 before").exit_code == 5
    page = tmp_path / "both.html"
    done = invoke("load", "--compare", str(slower), str(saved[1]), "--report", str(page), "--fail-if", "p99 > 2 before")
    assert done.exit_code == 0
    assert "better" in page.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "SCENARIO and --to"),
        (("SMALL", "--to", "null:"), "--rate"),
        (("SMALL", "--to", "null:", "--rate", "5"), "5"),
        (("SMALL", "--to", "null:", "--rate", "5/s", "--duration", "soon"), "--duration 'soon'"),
        (("SMALL", "--to", "null:", "--rate", "5/s", "--duration", "1s", "--warmup", "2s"), "--warmup"),
        (("SMALL", "--to", "null:", "--rate", "1/h", "--duration", "1s"), "not a single fact"),
        (("SMALL", "--to", "null:", "--rate", "5/s", "--fail-if", "p98 > 1s"), "'p98' is not a metric"),
        (("SMALL", "--to", "null:", "--rate", "5/s", "--fail-if", "e2e.p99 > 1s"), "e2e.p99 is not measured"),
        (("SMALL", "--to", "null:", "--rate", "5/s", "--topic", "x"), "--topic x"),
        (("SMALL", "--to", "null:", "--find-limit", "--precision", "none"), "--precision"),
        (("SMALL", "--to", "null:", "--find-limit", "--rate", "ramp:from=1/s,to=9/s,over=1s"), "constant rate"),
        (("SMALL", "--to", "nul:", "--rate", "5/s"), "null"),
        (("--compare", "no.json", "none.json"), "no.json"),
        (("SMALL", "--compare", "a.json", "b.json"), "--compare"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_exit_code_2(small, words, said):
    done = invoke("load", *(small if word == "SMALL" else word for word in words))
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_no_report_cannot_be_compared(saved, tmp_path):
    other = tmp_path / "other.json"
    other.write_text("[]")
    done = invoke("load", "--compare", str(saved[1]), str(other))
    assert done.exit_code == 2
    assert "not a report" in done.stderr


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("kafka://h:1", "kafka://h:1?headers=due"),
        ("kafka://h:1?prefix=a.", "kafka://h:1?prefix=a.&headers=due"),
        ("kafka://h:1?headers=id&format=avro", "kafka://h:1?format=avro&headers=id,due"),
        ("kafka://h:1?headers=due,id", "kafka://h:1?headers=due,id"),
        ("parquet:out", "parquet:out"),
    ],
)
def test_messages_tell_when_they_were_due(url, asked):
    assert with_due(url) == asked


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_sink_gets_the_facts_of_the_scenario_and_no_others(small, tmp_path, workers):
    words = ("load", small, "--to", f"parquet:{tmp_path / 'out'}", "--rate", "1k/s", "--duration", "1s")
    report = json.loads(invoke(*words, "--workers", workers, "--json").stdout)
    run = invoke("run", small, "--limit", str(report["sent"]), "--to", f"parquet:{tmp_path / 'run'}", "--json")
    assert json.loads(run.stdout)["facts"] == report["sent"] == report["acknowledged"]
    import polars as pl

    loaded, plain = (pl.read_parquet(tmp_path / name / "order" / "**/*.parquet") for name in ("out", "run"))
    assert loaded.sort("order_id").equals(plain.sort("order_id"))


def test_ctrl_c_ends_a_test_with_its_report(small, tmp_path):
    target = tmp_path / "early.json"
    words = ("load", small, "--to", "null:", "--rate", "200/s", "--duration", "10min", "--save", str(target))
    process = start(*words)
    wait_for(lambda: process.stderr.readline())
    process.send_signal(2)
    assert process.wait(60) == 130
    assert 0 < json.loads(target.read_text())["ended_s"] < 500
