"""What is on a schedule is measured: when it happens, how often, how late."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from worlds import SEED, scenario

from sim.quality.score import grade

OFFICE = scenario(
    timezone="Europe/Paris",
    entities={
        "account": {
            "initial": {"count": 200, "age": {"type": "exponential", "mean": "100d"}},
            "arrivals": {"rate": "0.5/day"},
            "lifecycle": {
                "initial": "open",
                "states": {
                    "open": {"transitions": [{"to": "frozen", "hazard": "20%/month"}]},
                    "frozen": {"transitions": [{"to": "open", "hazard": "70%/month"}]},
                },
            },
        }
    },
    streams={
        "bill": {
            "entity": "account",
            "every": {"period": "10 days", "probability": 0.8, "jitter": {"type": "exponential", "mean": "12h"}},
            "states": ["open"],
        },
        "salary": {"entity": "account", "every": {"period": "1 month", "anchor": "calendar", "offset": "24d"}},
    },
    processes={
        "audit": {
            "entity": "account",
            "start": {"every": {"period": "2 weeks", "jitter": {"type": "uniform", "low": "1h", "high": "5d"}}},
            "steps": {"letter": {}},
        }
    },
)
BILL = "streams.bill.every"
OTHERWISE = {
    "scheduled": (f"{BILL}.probability", 0.7),
    "jitter": (f"{BILL}.jitter.mean", "9h"),
    "off_schedule": ("streams.salary.every.offset", "23d"),
}


@cache
def office():
    return facts_of(OFFICE)


def test_good_facts_raise_no_alarm():
    assert failed("schedules", OFFICE, office()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_schedule_is_found(name):
    assert name in failed("schedules", changed(OFFICE, *OTHERWISE[name]), office())


@pytest.mark.parametrize("name", ["scheduled", "jitter"])
def test_and_by_no_other_check(name):
    assert failed("schedules", changed(OFFICE, *OTHERWISE[name]), office()) == {name}


def test_facts_in_a_state_that_does_not_allow_them_are_off_schedule():
    otherwise = changed(OFFICE, f"{BILL}.probability", 0.8)
    del otherwise["streams"]["bill"]["states"]
    run = facts_of(otherwise)
    assert failed("schedules", otherwise, run) == set()
    assert "off_schedule" in failed("schedules", OFFICE, run)


def test_two_facts_of_one_time_that_is_due_are_off_schedule():
    run = facts_of(OFFICE)
    salary = pl.from_arrow(run.db.sql("FROM salary ORDER BY event_time").to_arrow_table())
    run.db.register("salary", pl.concat([salary, salary.head(1)]).to_arrow())
    (finding,) = (f for f in measured("schedules", OFFICE, run) if (f.name, f.subject) == ("off_schedule", "salary"))
    assert finding.estimate == 1


def test_facts_that_stop_for_a_while_are_found_though_the_share_may_hold():
    run = facts_of(OFFICE)
    bills = pl.from_arrow(run.db.sql("FROM bill").to_arrow_table())
    stopped = pl.col("event_time").dt.month() == 6
    run.db.register("bill", bills.filter(~stopped).to_arrow())
    assert "scheduled_time" in failed("schedules", OFFICE, run)


def test_an_incident_that_stops_a_schedule_does_no_harm():
    gone = {"from": "2024-06-01", "until": "2024-06-20", "streams": {"bill": {"probability": 0.1}}}
    world = OFFICE | {"incidents": {"outage": gone}}
    assert not grade(measured("schedules", world, facts_of(world)), 1e-4).failed


def test_p_values_are_uniform_where_facts_are_as_declared():
    small = changed(OFFICE, "entities.account.initial.count", 60)
    assert uneven(p_values("schedules", small, range(SEED * 1000, SEED * 1000 + SEEDS))) == {}
