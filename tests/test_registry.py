"""URLs of sinks: which sink they name, and what is said where they name none."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from sim.errors import ParameterError, SinkError
from sinks import open_sink, register, registry, schemes
from sinks.conformance import check_sink
from sinks.null import Null
from sinks.target import Options, Target


@pytest.mark.parametrize("url", ["null:", "stdout:", "stdout:?format=csv", "parquet:out", "csv:out", "kafka://h:1"])
def test_every_built_in_sink_opens_by_url(url):
    assert open_sink(url).scheme == url.partition(":")[0]


def test_an_unknown_scheme_names_the_nearest():
    with pytest.raises(ParameterError, match="'parket' is not a sink; did you mean 'parquet'"):
        open_sink("parket:out")


def test_a_url_without_a_scheme_says_what_is_missing():
    with pytest.raises(ParameterError, match="'out' is not the URL of a sink: it needs a scheme"):
        open_sink("out")


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ParameterError, match="'partitoin' is not an option of parquet; did you mean 'partition'"):
        open_sink("parquet:out?partitoin=date")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("parquet:out?partition=hour", "option partition: 'hour' is not allowed; allowed: date"),
        ("parquet:out?roll_size=5", "option roll_size: '5' must be a size with its unit"),
        ("parquet:out?roll_time=0d", "option roll_time: '0d' must be a duration above 0"),
        ("kafka://h:1?partitions=-1", "option partitions: '-1' must be a whole number from 0"),
        ("stdout:?format=", "option format: '' is not allowed; allowed: csv, json"),
        ("null:?a", "option 'a' has no value"),
        ("null:?a=1&a=2", "option 'a' is given twice"),
        ("parquet:", "a folder is needed"),
        ("kafka:", "an address is needed"),
    ],
)
def test_a_wrong_option_gives_place_value_and_what_is_allowed(url, message):
    with pytest.raises(ParameterError) as caught:
        open_sink(url)
    assert message in str(caught.value)


def test_settings_are_refused_where_a_sink_takes_none():
    with pytest.raises(ParameterError, match="null takes no settings, but 'acks' was given"):
        open_sink("null:", {"acks": "all"})


def test_a_target_is_taken_apart():
    target = Target.parse("parquet://a/b c?mode=over%20write&x=a+b", {"k": "v"})
    assert (target.scheme, target.location) == ("parquet", "a/b c")
    assert target.options == {"mode": "over write", "x": "a+b"}
    assert target.settings == {"k": "v"}


@pytest.mark.parametrize(("text", "size"), [("128MB", 128_000_000), ("1KiB", 1024), ("1.5 kb", 1500), ("7B", 7)])
def test_sizes_have_units(text, size):
    assert Options(Target("", "x", options={"s": text})).size("s", 1) == size


@pytest.mark.parametrize(("text", "span"), [("1d", 86_400_000_000), ("2 weeks", 1_209_600_000_000), ("500ms", 500_000)])
def test_spans_have_units(text, span):
    assert Options(Target("", "x", options={"s": text})).span("s") == span


class Other(Null):
    scheme = "other"


def test_a_sink_can_be_registered_once(monkeypatch):
    monkeypatch.setattr(registry, "_SINKS", dict(registry._SINKS))
    register("other", Other)
    assert isinstance(open_sink("other:"), Other)
    assert "other" in schemes()
    with pytest.raises(ParameterError, match="there is a sink 'null' already"):
        register("null", Other)


def entry_points(*points):
    return lambda group: [EntryPoint(name, value, group) for name, value in points]


def test_a_package_brings_a_sink_by_entry_point(monkeypatch):
    monkeypatch.setattr(registry, "_SINKS", dict(registry._SINKS))
    monkeypatch.setattr(registry, "entry_points", entry_points(("mine", "sinks.null:Null")))
    assert isinstance(open_sink("mine:"), Null)


def test_two_packages_cannot_bring_the_same_scheme(monkeypatch):
    points = entry_points(("mine", "sinks.null:Null"), ("mine", "sinks.stdout:Stdout"))
    monkeypatch.setattr(registry, "entry_points", points)
    with pytest.raises(ParameterError, match="several packages bring a sink 'mine'"):
        open_sink("mine:")


@pytest.mark.parametrize("value", ["sinks.absent:Sink", "sinks.target:Target"])
def test_a_broken_entry_point_is_a_sink_error(monkeypatch, value):
    monkeypatch.setattr(registry, "entry_points", entry_points(("mine", value)))
    with pytest.raises(SinkError, match="the sink 'mine'"):
        open_sink("mine:")


def test_looking_at_sinks_loads_no_heavy_library():
    code = "import sys, sinks; sinks.schemes(); print({'polars', 'pyarrow', 'confluent_kafka'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_sink_that_the_documentation_shows_is_one(capsys):
    page = (Path(__file__).parent.parent / "docs" / "sinks.md").read_text()
    names = {}
    exec(page.partition("```python\n")[2].partition("```")[0], names)
    check_sink(lambda: names["Loud"](Target.parse("loud:?word=thing")))
    assert "13 things of visit" in capsys.readouterr().out


def test_a_password_in_a_url_is_shown_in_no_message():
    for url in (
        "kafka//user:hunter2@host:9092",
        "kafka://user:hunter2@host:9092",
        "kafka://host?sasl.password=hunter2",
    ):
        with pytest.raises(ParameterError) as caught:
            open_sink(url)
        assert "hunter2" not in str(caught.value)
