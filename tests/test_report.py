"""The report: what its charts show is what is in the data, and it can be drawn of any data."""

from __future__ import annotations

import re
from datetime import datetime

import numpy as np
import polars as pl
import pytest
from commands import invoke
from lifelines import KaplanMeierFitter
from outputs import written
from worlds import SEED, scenario

from sim.model.compile import compile_scenario
from sim.pages.page import Page
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared
from sim.quality.report import funnels, view
from sim.quality.report.cohorts import cohorts
from sim.quality.report.fits import trend
from sim.quality.report.reading import readings
from sim.quality.report.report import report
from sim.quality.report.survival import product_limit
from sim.quality.report.view import View
from sim.scenario.loader import load

WORLD = scenario(
    timezone="Europe/Paris",
    curves={"nine": {"type": "hour_of_day", "weights": [0] * 9 + [1] + [0] * 14}},
    entities={
        "user": {
            "initial": {"count": 400, "age": {"type": "exponential", "mean": "100d"}},
            "arrivals": {"rate": "5/day"},
            "segments": {"tier": {"vip": {"weight": 0.3, "activity": 4.0}, "plain": {"weight": 0.7}}},
            "attributes": {"note": {"type": "choice", "values": {"<b>bold</b>": 3, "": 1}}},
            "lifecycle": {
                "initial": "active",
                "states": {
                    "active": {
                        "transitions": [{"to": "paused", "hazard": "20%/month"}, {"to": "gone", "hazard": "5%/month"}]
                    },
                    "paused": {"activity": 0, "transitions": [{"to": "active", "hazard": "50%/month"}]},
                    "gone": {"terminal": True},
                },
            },
        }
    },
    streams={
        "buy": {
            "entity": "user",
            "rate": "3/month",
            "curves": ["nine"],
            "attributes": {"amount": {"type": "lognormal", "median": 20, "sigma": 0.5}},
        }
    },
    processes={
        "visit": {
            "entity": "user",
            "start": {"rate": "2/month"},
            "steps": {
                "home": {"next": [{"to": "cart", "probability": 0.5, "after": {"type": "exponential", "mean": "1h"}}]},
                "cart": {"next": [{"to": "paid", "probability": 0.8, "after": {"type": "exponential", "mean": "1h"}}]},
                "paid": {},
            },
        }
    },
)  # fmt: skip
SECTIONS = [
    "Overview", "Volume and value", "Week and day", "Growth and adoption", "Cohorts", "Segments", "States", "Survival",
    "Processes", "Distributions", "Relations", "Data dictionary",
]  # fmt: skip


def declared(mapping):
    loaded = load(mapping)
    return Declared(loaded, compile_scenario(loaded), True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("report") / "one"
    written(WORLD, f"parquet:{root}")
    return root


@pytest.fixture(scope="module")
def data(folder):
    with open_dataset(str(folder)) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(data):
    return report(data, declared(WORLD))


def rows(page, title):
    """What the chart of that title is drawn from."""
    (chart,) = [chart for chart in page.charts() if chart.title == title]
    return pl.DataFrame(max(chart.spec["datasets"].values(), key=len))


def test_every_section_is_there_and_every_chart_has_a_title_of_its_own(page):
    assert [section.title for section in page.sections] == SECTIONS
    titles = [chart.title for chart in page.charts()]
    assert len(titles) == len(set(titles)) > 15


def test_the_volume_is_counted_in_weeks_of_civil_time(page, data):
    drawn = rows(page, "buy a day").filter(pl.col("by") == "measured")
    ((count,),) = data.query(
        "SELECT count(*) FROM buy WHERE event_time >= '2024-06-02T22:00:00Z' AND event_time < '2024-06-09T22:00:00Z'"
    )
    assert drawn.filter(pl.col("x") == "2024-06-03T00:00:00.000Z")["y"].to_list() == [pytest.approx(count / 7)]
    assert drawn.height == 52


def test_hours_are_those_of_the_scenarios_clocks_all_year(page):
    week = rows(page, "buy by hour of the week")
    assert week.filter(pl.col("value") > 0)["x"].unique().to_list() == [9]
    assert week.height == 168
    assert week["value"].mean() == pytest.approx(1.0)


def test_segments_are_apart_by_the_factor_that_was_declared(page):
    found = rows(page, "buy per user and month").filter(pl.col("y").str.starts_with("tier"))
    low, high = found.sort("x").select("x", "x_low", "x_high").rows()
    assert low[2] < high[1]
    assert high[1] / low[2] < 4.0 < high[2] / low[1]


def test_intervals_of_segments_are_as_wide_as_entities_are_different(page, data):
    found = rows(page, "buy per user and month").filter(pl.col("y") == "tier: vip").to_dicts()[0]
    each = data.query(
        "SELECT (epoch(TIMESTAMPTZ '2024-12-31T23:00:00Z') - epoch(any_value(user.event_time))) / 2629800, count(act) "
        "FROM user LEFT JOIN (SELECT user_id, 1 AS act FROM buy) USING (user_id) WHERE tier = 'vip' GROUP BY user_id"
    )
    months, counts = np.array(each, float).T
    drawn = np.random.default_rng(SEED).integers(0, len(each), (600, len(each)))
    spread = np.std(counts[drawn].sum(axis=1) / months[drawn].sum(axis=1)) / (counts.sum() / months.sum())
    assert (found["x_high"] - found["x_low"]) / (2 * 1.96) / found["x"] == pytest.approx(spread, rel=0.15)


def test_retention_is_the_share_of_those_born_that_are_active_in_the_month(page, data):
    drawn = rows(page, "Retention: share of user cohorts with buy in the month of age")
    cell = drawn.filter((pl.col("y") == "2024-03") & (pl.col("x") == 2))["value"][0]
    ((share,),) = data.query(
        """
        WITH born AS (
            SELECT user_id, born_at FROM user
            WHERE born_at >= '2024-02-29T23:00:00Z' AND born_at < '2024-03-31T22:00:00Z'
        )
        SELECT count(DISTINCT user_id) FILTER (
            epoch(event_time) - epoch(born_at) >= 2 * 2629800 AND epoch(event_time) - epoch(born_at) < 3 * 2629800
        ) / count(DISTINCT user_id) FROM born LEFT JOIN buy USING (user_id)
        """
    )
    assert cell == pytest.approx(share)
    assert drawn.height == sum(range(1, 12))


def test_occupancy_ends_with_the_states_that_everybody_is_in_at_the_end(page, data):
    drawn = rows(page, "user by state").filter(pl.col("x") == pl.col("x").max())
    last = data.query(
        """
        SELECT state, count(*) FROM (
            SELECT user_id, arg_max(state, t) AS state FROM (
                SELECT user_id, event_time AS t, state FROM user
                UNION ALL SELECT user_id, event_time, to_state FROM user_lifecycle
            ) GROUP BY 1
        ) GROUP BY 1
        """
    )
    assert dict(drawn.select("by", "y").rows()) == dict(last)


def test_rates_of_change_are_the_declared_hazards(page):
    (chart,) = [chart for chart in page.charts() if chart.title == "Changes of state of user"]
    told = {way: float(rate) for way, rate in re.findall(r"(\w+ to \w+) ([\d.]+)", chart.description)}
    percent = {way: rate if rate > 1 else 100 * rate for way, rate in told.items()}
    hazards = {"active to paused": 0.2, "active to gone": 0.05, "paused to active": 0.5}
    assert percent == {way: pytest.approx(-100 * np.log(1 - share), rel=0.2) for way, share in hazards.items()}


def test_the_funnel_has_the_declared_shares(page):
    (title,) = [chart.title for chart in page.charts() if chart.title.startswith("visit: share of")]
    found = rows(page, title)
    cases = int(re.search(r"([\d,]+) cases", title)[1].replace(",", ""))
    shares = dict(found.select("y", "x").rows())
    error = 4 * np.sqrt(0.25 / cases)
    assert shares == {"home": 1.0, "cart": pytest.approx(0.5, abs=error), "paid": pytest.approx(0.4, abs=error)}


def test_it_is_said_how_many_cases_a_funnel_is_of(data, page, monkeypatch):
    ((every,),) = data.query("SELECT count(DISTINCT visit_case_id) FROM visit")
    monkeypatch.setattr(funnels, "SAMPLE", 900)
    monkeypatch.setattr(view, "SAMPLE", 900)
    sampled = Page("sampled")
    funnels.funnels(sampled, View(data, None, "Europe/Paris"))
    (caption,) = [caption for caption in _captions(sampled.sections[0]) if "are looked at" in caption]
    looked, of, part = re.search(r"([\d,]+) of ([\d,]+) cases are looked at: one in (\d+) of those", caption).groups()
    assert (int(of.replace(",", "")), int(part)) == (every, every // 900)
    assert int(looked.replace(",", "")) == pytest.approx(every / (every // 900), rel=0.15)
    assert any(
        "are looked at: those that began early enough" in text
        for section in page.sections
        for text in _captions(section)
    )


def _captions(section):
    inner = [block.content for block in section.blocks if block.kind == "section"]
    own = [block.content["caption"] for block in section.blocks if block.kind == "chart"]
    return own + [caption for each in inner for caption in _captions(each)]


@pytest.mark.parametrize(("price", "worth"), [("9.0", 9.0), ("CASE WHEN step = 'paid' THEN 9.0 END", 9.0)])
def test_what_a_case_is_worth_counts_once_wherever_it_stands(price, worth, tmp_path):
    steps = {"home": {"next": [{"to": "paid", "probability": 1.0, "after": "1min"}]}, "paid": {}}
    visit = {"entity": "user", "start": {"rate": "2/month"}, "steps": steps}
    each = {"price": {"type": "expression", "sql": price}}
    written(
        scenario(entities={"user": {"initial": {"count": 200}}}, processes={"visit": visit | {"each": each}}),
        f"parquet:{tmp_path}",
    )
    with open_dataset(str(tmp_path)) as other:
        made = report(other)
    begun, paid = (
        rows(made, title).filter(pl.col("by") == "measured")["y"].to_numpy()
        for title in ("visit (cases begun) a day", "price of visit a day")
    )
    assert paid.sum() == pytest.approx(worth * begun.sum(), rel=1e-3)


def test_cohorts_are_of_what_is_done_again_and_segments_also_of_what_is_rare(tmp_path):
    users = {"arrivals": {"rate": "6/day"}, "segments": {"tier": {"a": {"weight": 1}, "b": {"weight": 1}}}}
    apply = {"entity": "user", "start": {"on": "user"}, "steps": {"sent": {"next": {"read": 1.0}}, "read": {}}}
    streams = {"buy": {"entity": "user", "rate": "1/month"}, "complain": {"entity": "user", "rate": "0.03/month"}}
    world = scenario(entities={"user": users}, processes={"apply": apply}, streams=streams)
    written(world, f"parquet:{tmp_path}")
    with open_dataset(str(tmp_path)) as other:
        titles = [chart.title for chart in report(other).charts()]
    assert [title for title in titles if "cohorts" in title] == [
        "Retention: share of user cohorts with buy in the month of age"
    ]
    compared = [title for title in titles if title.endswith("per user and month")]
    assert compared == ["buy per user and month", "complain per user and month"]


def test_bins_of_rounded_numbers_are_equally_full(tmp_path):
    values = np.round(np.random.default_rng(SEED).uniform(0, 10, 40_000), 1)
    pl.DataFrame({"at": [datetime(2024, 1, 1)] * len(values), "heat": values}).write_parquet(tmp_path / "t.parquet")
    with open_dataset(str(tmp_path / "t.parquet")) as other:
        bins = rows(report(other), "t.heat").sort("x")["y"].to_numpy()[1:-1]
    assert bins.std() < 5 * np.sqrt(bins.mean())


def test_values_are_shown_with_their_shares_and_empty_text_is_named(page):
    found = dict(rows(page, "user.note").select("y", "x").rows())
    assert found == {"<b>bold</b>": pytest.approx(0.75, abs=0.05), "(empty)": pytest.approx(0.25, abs=0.05)}


def test_two_shards_give_the_same_report_as_one(page, tmp_path):
    written(WORLD, f"parquet:{tmp_path}/two", shards=2)
    with open_dataset(f"{tmp_path}/two") as other:
        again = report(other, declared(WORLD))
    counts = ["user by state", "visit: from step (down) to step (across)", "user.tier", "buy by hour of the week"]
    assert all(rows(again, title).equals(rows(page, title)) for title in counts)
    assert [chart.title for chart in again.charts()] == [chart.title for chart in page.charts()]


def test_many_entities_are_followed_in_a_sample_and_that_is_said(data, page, monkeypatch):
    monkeypatch.setattr(view, "SAMPLE", 700)
    sampled = Page("sampled")
    cohorts(sampled, View(data, None, "Europe/Paris"))
    captions = [block.content["caption"] for block in sampled.sections[0].blocks]
    assert any(re.search(r"From one in \d of [\d,]+ entities", caption) for caption in captions)
    title = "Retention: share of user cohorts with buy in the month of age"
    part, whole = rows(sampled, title), rows(page, title)
    assert part["value"].mean() == pytest.approx(whole["value"].mean(), abs=0.1)


@pytest.fixture
def sales(tmp_path):
    lines = (f"{n},2024-01-{1 + n % 28:02d} 10:00:00,{'ab'[n % 2]},{n}.5\n" for n in range(900))
    (tmp_path / "sales.csv").write_text("id,sold_at,shop,price\n" + "".join(lines))
    return tmp_path


def test_other_peoples_tables_are_streams_of_facts(sales):
    with open_dataset(str(sales)) as other:
        titles = [section.title for section in report(other).sections]
        (stream,) = readings({name: other.schema(name) for name in other.streams}).values()
    assert (stream.role, stream.id, stream.time, stream.value) == ("facts", "id", "sold_at", "price")
    assert titles == ["Overview", "Volume and value", "Week and day", "Distributions", "Data dictionary"]


def test_a_table_without_times_has_distributions_and_a_dictionary(tmp_path):
    (tmp_path / "things.csv").write_text("name,size\n" + "".join(f"{'xyz'[n % 3]},{n}\n" for n in range(60)))
    with open_dataset(str(tmp_path)) as other:
        titles = [section.title for section in report(other).sections]
    assert titles == ["Overview", "Distributions", "Data dictionary"]


def test_an_exponential_trend_is_found_under_the_shape_of_the_year():
    draw = np.random.default_rng(SEED)
    months = np.arange(48)
    season = np.array([1, 1, 1.1, 1, 0.9, 1, 1, 0.8, 1, 1.2, 1.5, 2.0])[months % 12]
    values = 100 * 1.08 ** (months / 12) * season * np.exp(draw.normal(0, 0.01, 48))
    found = trend(months * 365.25 / 12, values, months % 12 + 1)
    assert found.growth == pytest.approx(0.08, abs=0.01)
    assert found.r2 < 0.5 < 0.98 < found.seasonal


def test_the_interval_of_a_trend_holds_as_often_as_it_says():
    draw, days = np.random.default_rng(SEED), np.arange(36) * 30.4
    noise = np.exp(draw.normal(0, 0.1, (400, 36)))
    found = [trend(days, 50 * 1.2 ** (days / 365.25) * each) for each in noise]
    assert sum(each.low < 0.2 < each.high for each in found) == pytest.approx(380, abs=4 * np.sqrt(400 * 0.95 * 0.05))


def test_what_fills_from_nothing_is_a_straight_line():
    draw, days = np.random.default_rng(SEED), np.arange(48) * 30.4
    found = trend(days, 2 + days / 365.25 * 30 + draw.normal(0, 0.5, 48))
    assert (found.straight, found.growth) == (True, pytest.approx(30, rel=0.02))
    assert found.words(1461.0).startswith("Straight line, +")


def test_there_is_no_trend_where_most_is_nothing():
    values = np.array([0, 0, 0, 5, 0, 0, 3, 0, 0, 0, 0, 1], float)
    assert trend(np.arange(12) * 30.0, values) is None
    assert trend(np.arange(3) * 30.0, np.ones(3)) is None


def test_survival_is_that_of_kaplan_and_meier():
    draw = np.random.default_rng(SEED)
    length, over = np.ceil(draw.exponential(20, 800)), draw.random(800) < 0.7
    spells = pl.DataFrame({"by": "all", "bin": length.astype(int), "over": over})
    bins = spells.group_by("by", "bin").agg(ended=pl.col("over").sum(), censored=(~pl.col("over")).sum())
    found = product_limit(bins)
    # Half of a bin's censored count as gone before its ends, so those are put half a bin earlier there.
    known = KaplanMeierFitter().fit(length, over).survival_function_at_times(found["bin"].to_numpy())
    assert np.max(np.abs(found["share"].to_numpy() - known.to_numpy())) < 0.02


def test_the_command_writes_a_page_and_a_picture_of_every_chart(sales, tmp_path):
    done = invoke("report", str(sales), "--out", f"{tmp_path}/r.html", "--png", f"{tmp_path}/png")
    charts = int(re.search(r"(\d+) charts in 5 sections", done.stdout)[1])
    assert (done.exit_code, len(list((tmp_path / "png").glob("*.png")))) == (0, charts)
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert [path.name for path in (tmp_path / "png").glob("001-*-a-day.png")]


def test_settings_that_were_changed_are_told_with_the_scenario(tmp_path):
    changed = ["--set", "entities.customer.initial.count=50", "--end", "2023-02-01"]
    out = f"parquet:{tmp_path}/out"
    assert invoke("run", "storefront", *changed, "--to", out, "-q").exit_code == 0
    unknown = invoke("report", out, "--out", f"{tmp_path}/a.html")
    known = invoke("report", out, "--scenario", "storefront", *changed[:2], "--out", f"{tmp_path}/b.html")
    assert (unknown.exit_code, known.exit_code) == (0, 0)
    assert "no scenario is known for these facts" in unknown.stderr
    assert "datagen:" not in known.stderr
    assert ["Europe/Paris" in (tmp_path / name).read_text() for name in ("a.html", "b.html")] == [False, True]


def test_files_that_do_not_fit_together_are_an_error_in_a_line(tmp_path):
    moment = datetime(2024, 1, 1, 12)
    pl.DataFrame({"t": [moment]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"t": [moment.time()]}).write_parquet(tmp_path / "b.parquet")
    done = invoke("report", str(tmp_path), "--out", f"{tmp_path}/r.html")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "nowhere: there is no such file or folder"),
        (["DATA", "--scenario", "nothing"], "nothing"),
        (["smoke:signals"], "'smoke' is not a kind of data set; allowed: DIR, parquet, csv, json, kafka"),
        (["DATA", "--set", "a=b"], "--set, --start and --end are about a scenario: name it with --scenario"),
        (["DATA", "--end", "2024-02-01"], "name it with --scenario"),
        (["DATA", "--scenario", "storefront", "--set", "streams.order.rat=1"], "did you mean 'rate'?"),
    ],
)
def test_what_cannot_be_read_is_said(words, said, folder):
    done = invoke("report", *(str(folder) if word == "DATA" else word for word in words))
    assert (done.exit_code, said in done.stderr) == (2, True)
