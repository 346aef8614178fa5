"""Pages and charts: what a reader gets as one file, whatever is in the data."""

from __future__ import annotations

import datetime as dt
import importlib
import re
import sys
import xml.etree.ElementTree as xml

import polars as pl
import pytest

from sim.errors import MissingExtra, ParameterError
from sim.pages import charts
from sim.pages.charts import Axis, Rule
from sim.pages.page import Cell, Page, Tile
from sim.pages.values import shown

MONTHS = pl.datetime_range(dt.datetime(2023, 1, 1), dt.datetime(2023, 12, 1), "1mo", eager=True)
TREND = pl.DataFrame({"at": [*MONTHS, *MONTHS], "n": [float(n) for n in range(24)], "of": ["a"] * 12 + ["b"] * 12})
PARTS = pl.DataFrame({"part": ["one", "two"], "share": [0.2, 0.8], "low": [0.1, 0.7], "high": [0.3, 0.9]})
DRAWN = {
    "lines": lambda: charts.lines(TREND, "at", "n", by="of", band=("n", "n"), dashed=["b"], rules=[Rule(5, "limit")]),
    "ramp": lambda: charts.lines(TREND, "at", "n", by="of", ramp=True, points=True, y_axis=Axis(log=True)),
    "steps": lambda: charts.steps(TREND, "at", "n", by="of", size="half"),
    "areas": lambda: charts.areas(TREND, "at", "n", "of", share=True),
    "bars": lambda: charts.bars(PARTS, "part", "share", labels="part", y_axis=Axis(format="%")),
    "lying": lambda: charts.bars(TREND.head(2), "at", "n", by="of", horizontal=True),
    "histogram": lambda: charts.histogram(PARTS, "low", "high", "share", rules=[Rule(0.5, "half", "x")]),
    "dots": lambda: charts.dots(PARTS, "share", "part", interval=("low", "high"), declared="share"),
    "heat": lambda: charts.heat(PARTS, "low", "part", "share", text=".0%"),
    "diverging": lambda: charts.heat(PARTS, "low", "part", "share", diverging=True, legend=Axis("share", ".1f")),
}


def page_of(*charts_shown):
    page = Page("Title", "subtitle", {"data": "here"})
    section = page.section("Charts")
    for chart in charts_shown:
        section.chart(chart, "a caption")
    return page


@pytest.mark.parametrize("name", DRAWN)
def test_every_chart_is_drawn_on_light_and_on_dark_ground(name):
    light, dark = (DRAWN[name]().svg(theme) for theme in ("light", "dark"))
    assert xml.fromstring(light).tag.endswith("svg")
    assert light != dark
    assert "NaN" not in light
    assert light.count("<path") > 1


def test_marks_stand_where_the_numbers_are():
    drawing = charts.bars(pl.DataFrame({"k": ["a", "b"], "n": [1, 4]}), "k", "n").svg()
    low, high = (float(height) for height in re.findall(r'v([\d.]+)h-[\d.]+Z" fill="#0072b2"', drawing))
    assert high / low == pytest.approx(4)


def test_times_are_drawn_in_utc():
    aware = TREND.with_columns(pl.col("at").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo"))
    assert charts.lines(aware, "at", "n", by="of").svg() == charts.lines(TREND, "at", "n", by="of").svg()


def test_names_of_columns_may_be_anything():
    odd = TREND.rename({"at": "a.t:Q", "n": "n[0]", "of": "of'\\"})
    assert charts.lines(odd, "a.t:Q", "n[0]", by="of'\\").svg() == charts.lines(TREND, "at", "n", by="of").svg()


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(ParameterError, match="no column 'x' to draw; there are at, n, of"):
        charts.lines(TREND, "x", "n")


def test_a_theme_that_is_not_there_is_named():
    with pytest.raises(ParameterError, match="'blue' is not a theme of charts; there are light, dark"):
        DRAWN["bars"]().svg("blue")


def test_a_picture_of_a_chart_is_a_png(tmp_path):
    DRAWN["bars"]().png(tmp_path / "bars.png")
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")


def test_text_from_data_is_never_markup():
    page = Page("<b>1", "<b>2", {"<b>3": "<b>4"})
    section = page.section("<b>5", "<b>6")
    section.text("<b>7").tiles([Tile("<b>8", "<b>9", "<b>10")]).table(["<b>11"], [["<b>12"]], "<b>13")
    section.details("<b>14").section("<b>15", "<b>16")
    bad = pl.DataFrame({"part": ["<b>19"], "share": [1.0]})
    section.chart(charts.bars(bad, "part", "share", title="<b>17"), "<b>18")
    html = page.html()
    assert "<b>" not in html
    assert all(f"&lt;b&gt;{n}" in html for n in range(1, 19))


def test_a_page_refers_to_nothing_outside_itself():
    html = page_of(*(make() for make in DRAWN.values())).html()
    assert set(re.findall(r"https?://[^\"' )]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"<script|@import|src=|url\((?!#)", html)


def test_names_inside_charts_are_names_of_one_thing_only():
    html = page_of(*(make() for make in DRAWN.values())).html()
    names = re.findall(r'\bid="([^"]+)"', html)
    assert len(names) == len(set(names)) > 20
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(names)


def test_the_same_page_is_the_same_file():
    first, second = (page_of(*(make() for make in DRAWN.values())).html() for _ in range(2))
    assert first == second


def test_sections_of_the_same_title_have_anchors_of_their_own():
    page = Page("Title")
    page.section("Orders & more").text("one")
    page.section("Orders & more").text("two")
    assert re.findall(r'<section id="(\S+)">', page.html()) == ["orders-more", "orders-more-1"]


def test_a_page_is_replaced_when_it_is_done_and_not_before(tmp_path):
    class Broken:
        title, size, description = "broken", "wide", ""

        def svg(self, theme):
            raise ParameterError("cannot be drawn")

    path = tmp_path / "page.html"
    page_of(DRAWN["bars"]()).write(path)
    before = path.read_text()
    with pytest.raises(ParameterError, match="cannot be drawn"):
        page_of(Broken()).write(path)
    assert [path.read_text(), [found.name for found in tmp_path.iterdir()]] == [before, ["page.html"]]


def test_progress_counts_charts_not_themes():
    seen = []
    page_of(DRAWN["bars"](), DRAWN["dots"]()).html(watch=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_numbers_stand_to_the_right_and_nothing_is_a_dash():
    page = Page("Title")
    page.section("One").table(
        ["name", "n", "ok"], [["a", 1, Cell("yes", "good")], ["b", None, Cell("no", "bad", 0.25)]]
    )
    cells = re.findall(r'<td class="([a-z ]+)"([^>]*)>([^<]*)', page.html())
    assert cells[:3] == [("left plain", "", "a"), ("right plain", "", "1"), ("left good", "", "yes")]
    assert cells[4:] == [("right plain", "", "–"), ("left bad", ' style="--share: 25.0%"', "no")]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (1234.5678, "1,235"),
        (0.123456, "0.1235"),
        (10.50, "10.5"),
        (2e-7, "2e-07"),
        (100.0, "100"),
        (0.0, "0"),
        (float("nan"), "–"),
        (float("-inf"), "-∞"),
        (None, "–"),
        (True, "yes"),
        ("text", "text"),
    ],
)
def test_values_are_shown_as_people_read_them(value, text):
    assert shown(value) == text


def test_without_the_libraries_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    monkeypatch.delitem(sys.modules, "sim.pages.library")
    with pytest.raises(MissingExtra, match=r"datagen\[report\]"):
        importlib.import_module("sim.pages.library")


@pytest.mark.parametrize(
    ("most", "labels"), [(2500.0, ["0", "500", "1k", "1.5k"]), (1.0, ["0", "0.2", "0.4"]), (3e6, ["0", "500k", "1M"])]
)
def test_large_numbers_are_each_as_short_as_they_can_be(most, labels):
    frame = pl.DataFrame({"x": [0.0, 1.0], "n": [0.0, most]})
    svg = charts.lines(frame, "x", "n", y_axis=charts.Axis(format="~s", zero=True)).svg()
    told = re.findall(r">([\d.]+[kMm]?)</text>", svg)
    assert set(labels) <= set(told)
    assert not {"0k", "0M", "0.0k", "500m"} & set(told)


@pytest.mark.parametrize(
    ("values", "side"),
    [
        ([1, 2.5, None], "right"), (["1,234", "–", "0.5%", "12 MB"], "right"), (["3.4e-05", "", "2 ms"], "right"),
        (["1 of 2"], "left"), ([True, False], "left"), (["", None], "left"), (["2024-01-01"], "left"),
    ],
)  # fmt: skip
def test_numbers_stand_to_the_right_also_where_they_are_text(values, side):
    (block,) = Page("one").section("s").table(["x"], [[value] for value in values]).blocks
    assert block.content["align"] == [side]
