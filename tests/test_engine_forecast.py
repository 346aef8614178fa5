"""A forecast is near what then happens, and says how near."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evidence import levels
from worlds import END, SEED, acting, batches, model, population, scenario, stays, tables

from sim.engine.forecast import forecast
from sim.engine.forecast.pilot import first_pilot, more_pilots
from sim.engine.simulate import simulate
from sim.maths.units import DAY
from sim.model.compile import compile_scenario
from sim.scenario.loader import load

LIFE = {
    "initial": "on",
    "states": {
        "on": {"transitions": [{"to": "off", "hazard": "10%/month"}]},
        "off": {"activity": 0.1, "transitions": [{"to": "on", "after": {"type": "gamma", "mean": "40d", "shape": 2}}]},
    },
}
GROWTH = {"type": "exponential", "rate": "150%/year"}
WORLDS = {
    "a flat rate": acting(3000, "20/year"),
    "a trend, a season and a vintage": acting(
        1000,
        "1/day",
        {"arrivals": {"rate": "5/day"}, "vintage": {"activity": {"type": "exponential", "rate": "-10%/month"}}},
        stream={"curves": [GROWTH, {"type": "day_of_week", "weights": [1, 1, 1, 1, 1, 3, 0]}]},
    ),
    "segments, frailty and states": acting(
        3000,
        "1/day",
        {
            "lifecycle": LIFE,
            "frailty": {"type": "gamma", "shape": 2},
            "segments": {"tier": {"vip": {"weight": 1, "activity": 5}, "standard": {"weight": 3, "activity": 0.3}}},
        },
    ),
    "children and grandchildren": acting(
        2000,
        "100/year",
        stream={
            "children": {
                "line": {
                    "count": {"type": "poisson", "mean": 2, "min": 1},
                    "after": {"type": "lognormal", "median": "9d", "sigma": 1},
                    "children": {"return": {"probability": "10%", "after": "60d"}},
                }
            }
        },
    ),
    "schedules and families": scenario(
        entities=population(2000, lifecycle=LIFE)
        | {"account": {"parent": "user", "arrivals": {"per_parent": {"type": "poisson", "mean": 1.4, "min": 1}}}},
        streams={
            "bill": {"entity": "account", "every": {"period": "1 month", "anchor": "calendar", "probability": 0.7}},
            "use": {"entity": "account", "rate": "1/day"},
        },
    ),
    "a diffusion": scenario(
        entities={
            "user": {"arrivals": {"diffusion": {"type": "bass", "market": 9000, "p": "0.3/year", "q": "3/year"}}}
        },
        streams={"act": {"entity": "user", "rate": "50/year"}},
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_run_is_within_twice_the_interval_and_the_interval_is_narrow(name):
    found = {stream.name: stream for stream in forecast(model(WORLDS[name]), SEED).streams}
    for stream, frame in tables(WORLDS[name], SEED).items():
        width = found[stream].high - found[stream].low
        assert abs(found[stream].facts - frame.height) <= 1.1 * width, stream
        assert width <= 0.5 * found[stream].facts, stream


def test_a_forecast_has_peaks_bytes_and_what_the_run_is_made_of():
    curve = {"type": "hour_of_day", "weights": [0] * 23 + [1]}
    world = acting(1000, "24/day", stream={"curves": [curve]}, end="2024-02-01", tick="1d", blocks=3)
    found = forecast(model(world), SEED)
    act = next(stream for stream in found.streams if stream.name == "act")
    assert (found.tick, found.windows, found.blocks) == (DAY, 31, 3)
    assert act.peak_per_s == pytest.approx(1000 * 24 * 24 / 86_400, rel=0.05)
    assert 60 < act.bytes / act.facts < 110
    assert found.facts == pytest.approx(found.total.mean, rel=0.05)
    assert found.memory_bytes > 1e8


def test_the_peak_of_a_schedule_is_that_of_the_hours_into_which_it_crowds():
    every = {"period": "1 month", "anchor": "calendar", "jitter": {"type": "uniform", "low": "0h", "high": "2h"}}
    model = compile_scenario(
        load(
            {
                "name": "wages",
                "start": "2024-01-01",
                "end": "2024-06-15",
                "entities": {"worker": {"initial": {"count": 5000}}},
                "streams": {"wage": {"entity": "worker", "every": every}},
            }
        )
    )
    peak = next(stream.peak_per_s for stream in forecast(model).streams if stream.name == "wage")
    assert 5000 / 7200 <= peak <= 3 * 5000 / 7200


RUNS = 25
FAMILIES = scenario(
    end="2024-09-01",
    entities=population(
        60,
        arrivals={"rate": "8/month"},
        frailty={"type": "gamma", "shape": 1.5},
        lifecycle=LIFE,
        segments={"tier": {"vip": {"weight": 1, "activity": 5}, "standard": {"weight": 3, "activity": 0.3}}},
    ),
    streams={
        "act": {
            "entity": "user",
            "rate": "3/month",
            "children": {"line": {"count": {"type": "poisson", "mean": 2, "min": 1}, "after": "5d"}},
        }
    },
)


def by_month(world, seed, ends):
    """Facts of a run by stream and month."""
    found = {stream.name: np.zeros(len(ends)) for stream in world.streams}
    for batch in simulate(world, seed):
        months = np.searchsorted(ends, batch.times, side="right")
        found[batch.stream.name] += np.bincount(months, minlength=len(ends))
    return found


def covered(world, runs=RUNS):
    """For each stream, whether its count was in its interval: bool[runs, months]. Each has a forecast of its own."""
    inside = {stream.name: [] for stream in world.streams}
    for number in range(SEED * 1000, SEED * 1000 + runs):
        expected = forecast(world, number)
        happened = by_month(world, 10_000_000 + number, expected.months)
        for stream in expected.streams:
            bounds = np.array([(month.low, month.high) for month in stream.months]).T
            inside[stream.name].append((bounds[0] <= happened[stream.name]) & (happened[stream.name] <= bounds[1]))
    return {stream: np.array(rows) for stream, rows in inside.items()}


def test_runs_lie_in_the_intervals_as_often_as_these_say(monkeypatch):
    monkeypatch.setattr("sim.engine.forecast.forecaster.BUDGET", 20_000)
    for stream, inside in covered(model(FAMILIES)).items():
        # Months of a run depend on each other: a run counts for about two independent ones.
        error = 4 * np.sqrt(0.95 * 0.05 / (2 * RUNS))
        assert 0.95 - error < inside.mean(), stream
        assert stream == "user" or inside.mean() < 0.998, stream


def test_few_entities_with_many_facts_are_thinned_and_the_intervals_still_hold(monkeypatch):
    monkeypatch.setattr("sim.engine.forecast.forecaster.BUDGET", 3000)
    world = model(acting(20, "15/day", {"frailty": {"type": "gamma", "shape": 2}}, end="2024-04-01"))
    assert 0 < first_pilot(world, SEED, 3000).thinning["act"] < 0.5
    assert covered(world, 25)["act"].mean() > 0.8


def test_births_of_roots_are_integrals_and_poisson():
    curve = {"type": "month", "weights": [1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]}
    world = model(scenario(entities=population(500, arrivals={"rate": "20/day", "curves": [curve]})))
    found = next(stream for stream in forecast(world, SEED).streams if stream.name == "user")
    happened = by_month(world, SEED, forecast(world, SEED).months)["user"]
    assert found.months[0].low - 500 > 0
    levels(happened - np.eye(12)[0] * 500, [month.mean - 500 * (n == 0) for n, month in enumerate(found.months)])
    half = [(month.high - month.low) / 2 / np.sqrt(month.mean) for month in found.months[1:]]
    assert half == pytest.approx([1.96] * 11, abs=0.05)


def test_a_total_is_certain():
    world = model(scenario(entities={"user": {"arrivals": {"total": 700}}}))
    found = forecast(world, SEED).streams[0]
    assert (found.facts, found.low, found.high) == (700, 700, 700)


def test_who_is_alive_and_in_which_state_at_the_end_of_each_month():
    ended = {**LIFE, "states": {**LIFE["states"], "gone": {"terminal": True}}}
    ended["states"]["on"] = {
        "transitions": [*LIFE["states"]["on"]["transitions"], {"to": "gone", "hazard": "5%/month"}]
    }
    mapping = scenario(entities=population(2000, arrivals={"rate": "3/day"}, lifecycle=ended))
    expected = forecast(model(mapping), SEED)
    spent = stays(tables(mapping, SEED))
    users = expected.populations[0]
    for month, end in enumerate(expected.months):
        here = {s: spent.of(s) for s in ("on", "off", "gone")}
        counts = {s: int(((own.entered < end) & (own.left >= end)).sum()) for s, own in here.items()}
        counts = {
            s: int((own.entered < END).sum()) if end == END and s == "gone" else counts[s] for s, own in here.items()
        }
        for state, count in counts.items():
            assert users.states[state][month].mean == pytest.approx(count, rel=0.12, abs=60), (state, month)
        assert users.alive[month].mean == pytest.approx(counts["on"] + counts["off"], rel=0.08)


def test_what_strikes_everybody_by_chance_makes_the_interval_wider():
    flood = {
        "flood": {
            "rate": "4/year",
            "duration": {"type": "exponential", "mean": "20d"},
            "streams": {"act": {"rate": 4}},
        }
    }
    calm = acting(500, "1/day")
    width = {}
    for name, mapping in {"calm": calm, "flood": {**calm, "incidents": flood}}.items():
        total = forecast(model(mapping), SEED).total
        width[name] = (total.high - total.low) / total.mean
    assert width["flood"] > 5 * width["calm"]


def test_a_pilot_is_as_large_as_it_need_be_and_never_a_run():
    large, small = model(acting(400_000, "1/day")), model(acting(50, "1/month"))
    assert first_pilot(large, SEED, 600_000).scales[0] < 0.01
    first = first_pilot(small, SEED, 600_000)
    assert first.scales[0] == more_pilots(first, SEED, 4000, 600_000)[0].scales[0] == 8
    assert first.seed != small.seed


def test_a_pilot_of_few_roots_has_more_of_them_than_a_run():
    few = model(acting(13, "40/hour"))
    thorough, quick = (first_pilot(few, SEED, budget).scales[0] for budget in (600_000, 100_000))
    assert thorough == pytest.approx(48 / 13, rel=0.01)
    assert quick == pytest.approx(24 / 13, rel=0.01)


def test_what_a_small_pilot_has_not_seen_may_still_happen():
    lucky = {**LIFE, "states": {**LIFE["states"], "on": {"transitions": [{"to": "off", "hazard": "0.0001%/year"}]}}}
    found = forecast(model(acting(2000, "2/day", {"lifecycle": lucky})), SEED, quick=True)
    users = found.populations[0]
    for remain, leaves in zip(users.states["on"], users.states["off"], strict=True):
        assert remain.low < remain.high == 2000
        assert (leaves.mean, leaves.low) == (0, 0)
        assert 1 <= leaves.high <= 60
    assert {(own.low, own.high) for own in users.alive} == {(2000, 2000)}


def test_clumps_that_come_in_some_month_may_come_in_any():
    families = scenario(
        end="2024-05-01",
        entities={
            "house": {"arrivals": {"rate": "1/month"}},
            "sensor": {"parent": "house", "arrivals": {"per_parent": {"type": "fixed", "n": 20}}},
        },
    )
    found = next(stream for stream in forecast(model(families), SEED, quick=True).streams if stream.name == "sensor")
    assert min(month.high for month in found.months) >= 40


def test_the_same_seed_gives_the_same_forecast_and_another_one_another():
    world = model(FAMILIES)
    one, again, other = (replace(forecast(world, seed), seconds=0.0) for seed in (SEED, SEED, SEED + 1))
    assert one == again
    assert one.monthly != other.monthly


def test_quick_forecasts_have_wider_intervals():
    world = model(acting(3000, "100/year", {"frailty": {"type": "gamma", "shape": 1}}))
    quick, thorough = forecast(world, SEED, quick=True).total, forecast(world, SEED).total
    assert quick.high - quick.low > 1.2 * (thorough.high - thorough.low)
    assert quick.mean == pytest.approx(thorough.mean, rel=0.2)


def test_a_year_of_batches_is_inside_the_forecast_of_all_streams():
    expected = forecast(model(FAMILIES), SEED).total
    assert expected.low * 0.8 < sum(map(len, batches(FAMILIES, SEED))) < expected.high * 1.2
