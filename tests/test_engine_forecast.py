"""A forecast is within 5% of what then happens."""

from __future__ import annotations

import pytest
from worlds import SEED, acting, model, population, scenario, tables

from sim.engine.forecast import forecast
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
def test_counts_are_within_five_percent(name):
    found = {stream.name: stream.facts for stream in forecast(model(WORLDS[name]), SEED).streams}
    for stream, frame in tables(WORLDS[name], SEED).items():
        assert found[stream] == pytest.approx(frame.height, rel=0.05, abs=30), stream


@pytest.mark.parametrize("name", ["segments, frailty and states", "children and grandchildren"])
def test_a_pilot_that_is_thinned_is_as_near(name, monkeypatch):
    monkeypatch.setattr("sim.engine.forecast._SAMPLE", 60_000)
    monkeypatch.setattr("sim.engine.forecast._ENTITIES", 1500)
    found = {stream.name: stream.facts for stream in forecast(model(WORLDS[name]), SEED).streams}
    for stream, frame in tables(WORLDS[name], SEED).items():
        assert found[stream] == pytest.approx(frame.height, rel=0.12, abs=100), stream


def test_a_forecast_has_peaks_bytes_and_what_the_run_is_made_of():
    curve = {"type": "hour_of_day", "weights": [0] * 23 + [1]}
    world = acting(1000, "24/day", stream={"curves": [curve]}, end="2024-02-01", tick="1d", blocks=3)
    found = forecast(model(world), SEED)
    act = next(stream for stream in found.streams if stream.name == "act")
    assert (found.tick, found.windows, found.blocks) == (DAY, 31, 3)
    assert act.peak_per_s == pytest.approx(1000 * 24 * 24 / 86_400, rel=0.05)
    assert 60 < act.bytes / act.facts < 110
    assert found.facts == sum(stream.facts for stream in found.streams)
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
