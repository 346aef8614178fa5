"""What a process declares is found again in its steps: shares of the ways on, times, loops, time-outs, starts."""

from __future__ import annotations

import math

import evidence
import numpy as np
import polars as pl
import pytest
from scipy import stats
from worlds import END, SEED, START, days, instants, micros, model, population, scenario, tables, words

from sim.engine.forecast import forecast
from sim.errors import SimulationError
from sim.maths.units import DAY, HOUR, MINUTE

TIERS = {"tier": {"vip": {"weight": 1}, "plain": {"weight": 3}}}
NEXT_YEAR = {"type": "window", "from": "2024-07-01", "until": "2025-01-01", "factor": 0.5}


def world(steps, start=None, count=2000, entity=None, streams=None, **process):
    """A scenario of `count` users with the process `trip`, which has cases as a stream too."""
    given = {"entity": "user", "start": start or {"rate": "1/month"}, "cases": True, "steps": steps, **process}
    return scenario(entities=population(count, **(entity or {})), processes={"trip": given}, streams=streams or {})


def run(*args, **parts):
    return tables(world(*args, **parts))


def ways(trips):
    """Steps in the order of their cases, with the step that follows (null: none) and the days until then."""
    ordered = trips.sort("trip_case_id", "step_index").with_columns(pl.col("step").cast(pl.String))
    following = pl.col("step", "event_time").shift(-1).over("trip_case_id").name.prefix("next_")
    lasting = (pl.col("next_event_time") - pl.col("event_time")).dt.total_microseconds() / DAY
    return ordered.with_columns(following).with_columns(days=lasting)


def at(trips, step, users=None):
    found = ways(trips).filter(pl.col("step") == step)
    return found if users is None else found.join(users.select("user_id", "tier", "born_at"), on="user_id")


def test_shares_of_the_ways_on_come_back_by_segment():
    on = [
        {"to": "b", "probability": 0.4, "segments": {"tier": {"vip": {"probability": 1.5}}}},
        {"to": "c", "probability": 0.3},
    ]
    trips = run({"a": {"next": on}, "b": {}, "c": {}}, entity={"segments": TIERS})
    steps = at(trips["trip"], "a", trips["user"])
    for tier, expected in (("vip", [0.6, 0.3, 0.1]), ("plain", [0.4, 0.3, 0.3])):
        mine = steps.filter(pl.col("tier") == tier)
        counts = [mine.filter(pl.col("next_step") == name).height for name in ("b", "c")]
        evidence.proportions([*counts, mine["next_step"].null_count()], expected)


def test_shares_of_the_ways_on_come_back_by_cohort():
    vintage = {"probability": {"type": "exponential", "rate": "-10%/month"}}
    trips = run(
        {"a": {"next": [{"to": "b", "probability": 0.8, "vintage": vintage}]}, "b": {}},
        entity={"initial": {"count": 2000, "age": {"type": "uniform", "low": "0d", "high": "600d"}}},
    )
    steps = at(trips["trip"], "a", trips["user"].with_columns(tier=1))
    ages = (instants(steps) - instants(steps, "born_at")) / (DAY * 365.25 / 12)
    expected = 0.8 * 0.9**ages
    went = (steps["next_step"] == "b").fill_null(False).to_numpy()
    for low, high in ((0, 6), (6, 12), (12, 24)):
        mine = (ages >= low) & (ages < high)
        error = math.sqrt((expected[mine] * (1 - expected[mine])).sum())
        evidence.near(went[mine].sum(), error, expected[mine].sum())


def test_shares_of_the_ways_on_follow_their_curves():
    on = [{"to": "b", "probability": 0.6, "curves": {"probability": [NEXT_YEAR]}}]
    steps = at(run({"a": {"next": on}, "b": {}})["trip"], "a")
    late = instants(steps) >= micros("2024-07-01")
    went = (steps["next_step"] == "b").fill_null(False).to_numpy()
    evidence.share(went[~late].sum(), (~late).sum(), 0.6)
    evidence.share(went[late].sum(), late.sum(), 0.3)


def test_times_to_the_next_step_have_their_distribution_by_segment():
    on = [
        {
            "to": "b",
            "after": {"type": "lognormal", "median": "5min", "sigma": 0.8},
            "segments": {"tier": {"vip": {"delay": 0.5}}},
        }
    ]
    trips = run({"a": {"next": on}, "b": {}}, entity={"segments": TIERS})
    steps = at(trips["trip"], "a", trips["user"]).drop_nulls("days")
    for tier, median in (("vip", 2.5), ("plain", 5.0)):
        minutes = steps.filter(pl.col("tier") == tier)["days"].to_numpy() * DAY / MINUTE
        evidence.distributed(minutes, stats.lognorm(0.8, scale=median).cdf)


def test_times_that_span_many_ticks_have_their_distribution():
    on = [{"to": "b", "after": {"type": "exponential", "mean": "20d"}}]
    trips = tables(world({"a": {"next": on}, "b": {}}) | {"tick": "1d"})["trip"]
    steps = at(trips, "a")
    early = days(steps) < 60
    lasting = steps.filter(pl.Series(early))["days"].fill_null(1e9).to_numpy()
    assert (lasting < 300).mean() > 0.999
    evidence.distributed(lasting, stats.expon(scale=20).cdf)


def test_a_loop_without_a_limit_is_geometric():
    loop = [{"to": "a", "probability": 0.6, "after": "1h"}]
    cases = run({"a": {"next": loop}})["trip_case"].filter(pl.col("started_at").dt.month() < 12)
    counts = np.bincount(np.minimum(cases["steps"].to_numpy(), 8), minlength=9)[1:]
    evidence.proportions(counts, [0.4 * 0.6**n for n in range(7)] + [0.6**7])


def test_a_limit_ends_a_loop():
    loop = [{"to": "b", "probability": 0.7, "after": "1h"}, {"to": "c", "probability": 0.2, "after": "1h"}]
    steps = {"a": {"limit": 3, "next": loop}, "b": {"next": [{"to": "a", "after": "2h"}]}, "c": {}}
    cases = run(steps)["trip_case"].filter(pl.col("started_at").dt.month() < 12)
    visits = (cases["steps"].to_numpy() + 1) // 2
    assert visits.max() == 3
    ended = [((words(cases, "last_step") == last) & (visits == n)).sum() for n in (1, 2, 3) for last in ("a", "c", "b")]
    at_once, to_c, on = 0.1, 0.2, 0.7
    # A case that is at c after n visits of a has taken 2n steps; one whose a is used up ends at b.
    expected = [at_once, to_c, 0, on * at_once, on * to_c, 0, on**2 * at_once, on**2 * to_c, on**3]
    evidence.proportions(ended, expected)


def test_who_would_take_longer_than_the_time_out_goes_elsewhere_exactly_then():
    wait = {"type": "exponential", "mean": "1h"}
    on = [{"to": "b", "probability": 0.9, "after": wait, "timeout": "2h", "otherwise": "c"}]
    steps = at(run({"a": {"next": on}, "b": {}, "c": {}})["trip"], "a")
    hours = steps["days"].to_numpy() * DAY / HOUR
    late, went = words(steps, "next_step") == "c", words(steps, "next_step") == "b"
    evidence.share(late.sum(), len(steps), 0.9 * math.exp(-2))
    assert np.all(hours[late] == 2)
    evidence.distributed(hours[went], lambda x: (1 - np.exp(-x)) / (1 - math.exp(-2)))


def test_without_a_step_for_it_a_time_out_ends_the_case_silently():
    on = [{"to": "b", "after": {"type": "exponential", "mean": "1h"}, "timeout": "2h"}]
    found = run({"a": {"next": on}, "b": {}})
    over = found["trip_case"].filter(pl.col("last_step") == "a")
    assert ((over["event_time"] - over["started_at"]).dt.total_hours() == 2).all()
    evidence.share(over.height, found["trip_case"].height, math.exp(-2))


SHOP = {
    "visit": {"next": [{"to": "cart", "probability": 0.5, "after": {"type": "exponential", "mean": "2h"}}]},
    "cart": {
        "next": [
            {"to": "paid", "probability": 0.5, "after": {"type": "exponential", "mean": "5d"}},
            {"to": "visit", "probability": 0.2, "after": "3h"},
        ]
    },
    "paid": {},
}


def test_finished_cases_agree_with_their_steps():
    found = run(SHOP, attributes={"basket": {"type": "lognormal", "median": 40, "sigma": 1}})
    steps = found["trip"].sort("trip_case_id", "step_index")
    told = steps.group_by("trip_case_id", maintain_order=True).agg(
        pl.len(),
        pl.col("step").cast(pl.String).last(),
        pl.col("basket", "user_id").n_unique().name.suffix("s"),
        pl.col("event_time").first().alias("first"),
        pl.col("event_time").last().alias("last"),
        pl.col("basket").first().alias("carried"),
        (pl.col("step_index") == pl.int_range(pl.len())).all().alias("whole"),
    )
    both = found["trip_case"].join(told, on="trip_case_id", how="full")
    done = both.drop_nulls("last_step")
    assert done.filter(pl.col("len") != pl.col("steps")).height == 0
    assert (words(done, "last_step") == words(done, "step")).all()
    assert (done["first"] == done["started_at"]).all()
    assert (done["last"] == done["event_time"]).all()
    assert (done["carried"] == done["basket"]).all()
    assert told.select((pl.col("whole") & (pl.col("baskets") == 1) & (pl.col("user_ids") == 1)).all()).item()
    under_way = both.filter(pl.col("last_step").is_null())
    assert set(words(under_way, "step")) <= {"visit", "cart"}
    assert 0 < under_way.height < 0.02 * both.height


def test_steps_are_in_the_order_of_time_with_unique_ids():
    trips = run(SHOP)["trip"]
    assert trips["trip_id"].is_unique().all()
    assert trips.select("event_time", "trip_id").rows() == sorted(trips.select("event_time", "trip_id").rows())


def test_cases_start_at_their_rate_with_the_segments_of_the_entity():
    segments = {"tier": {"vip": {"weight": 1, "activity": 3}, "plain": {"weight": 3}}}
    found = run({"a": {}}, {"rate": "1/month"}, entity={"segments": segments})
    vips = found["user"].filter(pl.col("tier") == "vip").height
    months = (END - START) / DAY / 365.25 * 12
    cases = found["trip"].join(found["user"].select("user_id", "tier"), on="user_id")
    evidence.poisson(cases.filter(pl.col("tier") == "vip").height, 3 * vips * months)
    evidence.poisson(cases.filter(pl.col("tier") == "plain").height, (2000 - vips) * months)


def test_cases_start_on_a_schedule():
    found = run({"a": {}}, {"every": {"period": "1 month", "anchor": "calendar"}}, count=50)
    assert set(found["trip"]["event_time"].dt.day()) == {1}
    assert (np.bincount(found["trip"]["user_id"].to_numpy()) == found["trip"].height / 50).all()


def test_a_fact_starts_so_many_cases_with_its_columns():
    act = {"entity": "user", "rate": "1/month", "attributes": {"size": {"type": "uniform", "low": 0, "high": 10}}}
    start = {"on": {"stream": "act", "where": "size > 5", "probability": 0.4, "after": "3h"}}
    size = {"size": {"type": "expression", "sql": "act.size"}}
    found = run({"a": {}}, start, streams={"act": act}, count=3000, attributes=size)
    both = found["trip_case"].join(found["act"], on=["user_id", "size"], suffix="_act")
    assert both.height == found["trip_case"].height
    assert ((both["event_time"] - both["event_time_act"]).dt.total_microseconds() == 3 * HOUR).all()
    large = found["act"].filter((pl.col("size") > 5) & (pl.col("event_time").dt.month() < 12))
    started = both.filter(pl.col("event_time_act").dt.month() < 12)
    evidence.share(started.height, large.height, 0.4)


def test_a_birth_starts_so_many_cases_at_its_time():
    made = world({"a": {}}, {"on": "user"}, entity={"arrivals": {"rate": "5/day"}}, count=9)
    made["processes"]["trip"]["count"] = 3
    found = tables(made)
    both = found["trip"].join(found["user"], on="user_id", suffix="_birth")
    assert found["trip"].height == both.height == 3 * found["user"].height
    assert (both["event_time"] == both["event_time_birth"]).all()


LIFE = {
    "initial": "on",
    "states": {
        "on": {"transitions": [{"to": "off", "hazard": "20%/month"}]},
        "off": {"activity": 0.5, "transitions": [{"to": "on", "after": "9d"}]},
    },
}


def test_a_change_of_state_starts_a_case_at_its_time():
    start = {"on": {"stream": "user_lifecycle", "where": "to_state = 'off'"}}
    found = run({"a": {}}, start, entity={"lifecycle": LIFE})
    left = found["user_lifecycle"].filter(pl.col("to_state") == "off").select("event_time", "user_id")
    assert found["trip"].select("event_time", "user_id").rows() == left.rows()


def test_cases_start_only_in_the_states_that_are_named():
    found = run({"a": {}}, {"every": "1 day", "states": ["off"]}, entity={"lifecycle": LIFE}, count=200)
    changes = found["user_lifecycle"].sort("event_time")
    before = found["trip"].join_asof(changes, on="event_time", by="user_id", check_sortedness=False)
    assert set(words(before, "to_state")) == {"off"}
    assert found["trip"].height > 500


def test_no_cases_give_empty_streams():
    found = run(SHOP, count=0)
    assert (found["trip"].height, found["trip_case"].height) == (0, 0)
    assert found["trip"].columns[:4] == ["trip_id", "event_time", "trip_case_id", "user_id"]


def test_a_delay_beyond_all_time_never_comes():
    wait = {"type": "lognormal", "median": "1000 years", "sigma": 5}
    found = run({"a": {"next": [{"to": "b", "after": wait}]}, "b": {}}, count=200)
    assert at(found["trip"], "a")["next_step"].null_count() > 4 * found["trip_case"].height


def test_probabilities_that_time_lifts_above_one_are_an_error_with_case_and_time():
    boom = {"type": "window", "from": "2024-05-01", "until": "2025-01-01", "factor": 3}
    on = [{"to": "b", "probability": 0.5, "curves": {"probability": [boom]}}]
    with pytest.raises(SimulationError, match=r"trip, user \d+, 2024-05-01.*'a' sum to 1.5"):
        run({"a": {"next": on}, "b": {}})


@pytest.mark.parametrize("tick", ["6h", "11d", "30d"])
def test_ticks_leave_no_trace(tick):
    found = tables(world(SHOP, count=800) | {"tick": tick, "end": "2024-07-01"})
    steps = found["trip"]
    visits = at(steps, "visit")
    early = visits.filter(pl.Series(days(visits) < 170))
    evidence.share((early["next_step"] == "cart").sum(), early.height, 0.5)
    evidence.poisson(steps.filter(pl.col("step_index") == 0).height, 800 * 182 / (365.25 / 12))


def test_a_forecast_is_within_five_percent_of_the_steps():
    made = world(SHOP, streams={"mail": {"entity": "user", "on": {"stream": "trip_case", "probability": 0.5}}})
    found = {stream.name: stream.facts for stream in forecast(model(made), SEED).streams}
    for stream, frame in tables(made).items():
        assert found[stream] == pytest.approx(frame.height, rel=0.05, abs=30), stream


def test_a_plan_does_not_run_the_whole_of_what_leads_to_births(monkeypatch):
    plan = {"parent": "user", "arrivals": {"on": {"stream": "trip", "where": "step = 'paid'"}}}
    made = world(SHOP, streams={"fee": {"entity": "plan", "every": "1 month"}})
    made = made | {"entities": made["entities"] | {"plan": plan}, "blocks": 16}
    exact = tables(made)
    monkeypatch.setattr("sim.engine.forecast.pilot.BUDGET", 20_000)
    for stream in forecast(model(made), SEED).streams:
        seen = exact[stream.name].height
        assert stream.facts == pytest.approx(seen, rel=0.15), stream.name
        assert stream.low <= seen <= stream.high, stream.name
