"""Births, cases and changes of state that follow from facts are measured: how many do, and how long after."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from worlds import SEED, model, scenario

HELP = scenario(
    entities={
        "user": {"initial": {"count": 400}, "arrivals": {"rate": "0.5/day"}},
        "ticket": {
            "parent": "user",
            "arrivals": {
                "on": {
                    "stream": "order",
                    "where": "amount > 5",
                    "probability": 0.4,
                    "after": {"type": "gamma", "mean": "5d", "shape": 2},
                },
                "count": {"type": "poisson", "mean": 1.5, "min": 1},
            },
        },
    },
    streams={
        "order": {
            "entity": "user",
            "rate": "0.4/month",
            "attributes": {"amount": {"type": "uniform", "low": 0, "high": 10}},
        }
    },
    processes={
        "parcel": {"entity": "user", "start": {"on": {"stream": "order", "probability": 0.7}}, "steps": {"sent": {}}},
        "survey": {
            "entity": "user",
            "start": {"on": {"stream": "ticket", "probability": 0.5, "after": "2d"}},
            "steps": {"asked": {}},
        },
    },
)
TICKET = "entities.ticket.arrivals"
OTHERWISE = {
    "followers": (f"{TICKET}.on.probability", 0.6),
    "delays": (f"{TICKET}.on.after.mean", "9d"),
    "follower_counts": ("processes.parcel.start.on.probability", 0.8),
    "uncaused": ("processes.survey.start.on.after", "3d"),
}


@cache
def help_desk():
    return facts_of(HELP)


def test_good_facts_raise_no_alarm():
    assert failed("triggers", HELP, help_desk()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_trigger_is_found(name):
    assert name in failed("triggers", changed(HELP, *OTHERWISE[name]), help_desk())


def test_another_delay_is_no_other_number():
    assert failed("triggers", changed(HELP, f"{TICKET}.on.after.shape", 1), help_desk()) == {"delays"}


def test_another_number_is_found_where_its_mean_is_the_same():
    other = changed(HELP, f"{TICKET}.count", {"type": "geometric", "mean": 1.5, "min": 1})
    assert failed("triggers", other, help_desk()) == {"follower_counts"}


def test_a_case_that_no_fact_has_started_is_uncaused():
    run = facts_of(HELP)
    parcels = pl.from_arrow(run.db.sql("FROM parcel ORDER BY event_time").to_arrow_table())
    moved = parcels.with_columns(pl.col("event_time") + pl.duration(hours=(pl.int_range(pl.len()) == 7).cast(pl.Int64)))
    run.db.register("parcel", moved.to_arrow())
    (finding,) = (f for f in measured("triggers", HELP, run) if (f.name, f.subject) == ("uncaused", "parcel"))
    assert finding.estimate == 1


def test_facts_that_come_too_fast_say_nothing_of_delays():
    few = changed(changed(HELP, "entities.user.initial.count", 5), "entities.user.arrivals.rate", "0.01/day")
    busy = changed(changed(few, f"{TICKET}.on.after.mean", "200d"), "streams.order.rate", "1/day")
    told = {(f.name, f.subject): f.detail for f in measured("triggers", busy, facts_of(busy)) if not f.measured}
    assert "too fast" in told["delays", "ticket"]


def test_p_values_are_uniform_where_facts_are_as_declared():
    small = changed(HELP, "entities.user.initial.count", 150)
    assert uneven(p_values("triggers", small, range(SEED * 1000, SEED * 1000 + SEEDS))) == {}


MOOD = scenario(
    entities={
        "user": {
            "initial": {"count": 500},
            "lifecycle": {
                "initial": "calm",
                "states": {
                    "calm": {
                        "transitions": [
                            {"to": "busy", "on": {"stream": "call", "where": "length > 3", "probability": 0.3}},
                            {"to": "cross", "on": {"stream": "call", "probability": 0.2}},
                        ]
                    },
                    "busy": {"transitions": [{"to": "calm", "hazard": "60%/month"}]},
                    "cross": {
                        "transitions": [
                            {
                                "to": "calm",
                                "on": {
                                    "stream": "gift",
                                    "probability": 0.6,
                                    "after": {"type": "gamma", "mean": "15d", "shape": 2},
                                },
                            },
                            {"to": "busy", "hazard": "10%/month"},
                        ]
                    },
                },
            },
        }
    },
    streams={
        "call": {
            "entity": "user",
            "rate": "1/month",
            "attributes": {"length": {"type": "uniform", "low": 0, "high": 10}},
        },
        "gift": {"entity": "user", "rate": "0.7/month"},
    },
)
STATES = "entities.user.lifecycle.states"


@cache
def moods():
    return facts_of(MOOD)


def test_changes_of_state_that_are_as_declared_raise_no_alarm():
    assert failed("pushes", MOOD, moods()) == set()
    assert failed("hazards", MOOD, moods()) == set()


@pytest.mark.parametrize("path", ["calm.transitions.0.on.probability", "cross.transitions.0.on.probability"])
def test_another_share_of_facts_that_lead_on_is_found(path):
    assert "triggered" in failed("pushes", changed(MOOD, f"{STATES}.{path}", 0.42), moods())


def test_what_a_fact_has_led_to_first_it_does_not_lead_to_again():
    found = {f.subject: f for f in measured("pushes", MOOD, moods()) if f.name == "triggered"}
    second = found["user: calm to cross"]
    assert second.declared == 0.2
    assert second.low < 0.2 < second.high


def test_another_time_until_a_change_of_state_is_found():
    after = {"type": "gamma", "mean": "25d", "shape": 10}
    later = changed(MOOD, f"{STATES}.cross.transitions.0.on.after", after)
    assert "delays" in failed("pushes", later, moods())


def test_changes_of_state_without_a_fact_are_uncaused():
    otherwise = changed(MOOD, f"{STATES}.calm.transitions.0.on.where", "length > 6")
    assert "uncaused" in failed("pushes", otherwise, moods())


def test_facts_that_have_their_effect_at_the_next_tick_are_found_there():
    late = changed(MOOD, f"{STATES}.busy.activity", 0.5)
    assert model(late).populations[0].machine.exits[0][0].trigger.late
    run = facts_of(late)
    assert failed("pushes", late, run) == set()
    assert failed("pushes", changed(late, f"{STATES}.calm.transitions.0.on.probability", 0.42), run) == {"triggered"}


def test_p_values_of_changes_of_state_are_uniform():
    small = changed(MOOD, "entities.user.initial.count", 200)
    assert uneven(p_values("pushes", small, range(SEED * 1000, SEED * 1000 + SEEDS))) == {}
