"""Incidents that hit some of the entities are measured: which share of them, and what is done to these."""

from __future__ import annotations

from functools import cache

import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from worlds import SEED, acting

FRAIL = {
    "frailty": {"type": "gamma", "shape": 4},
    "segments": {"region": {"north": {"weight": 1}, "south": {"weight": 2}}},
}
SPREE = {
    "from": "2024-06-01",
    "until": "2024-07-15",
    "share": 0.4,
    "segments": {"region": {"south": 0.5}},
    "ramp": "5d",
    "streams": {"act": {"rate": 3}},
}
STORM = {"from": "2024-09-01", "until": "2024-10-15", "share": 0.6, "streams": {"act": {"rate": 0.3}}}
TOWN = acting(700, "5/month", FRAIL, incidents={"spree": SPREE, "storm": STORM})
OTHERWISE = {
    "incident_share": ("incidents.storm.share", 0.45),
    "incident_factor": ("incidents.spree.streams.act.rate", 2.2),
}


@cache
def town():
    return facts_of(TOWN)


def test_good_facts_raise_no_alarm():
    assert failed("rates", TOWN, town()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_another_incident_is_found_by_the_check_for_it_and_by_no_other(name):
    assert failed("rates", changed(TOWN, *OTHERWISE[name]), town()) == {name}


@pytest.mark.parametrize("subject", ["act: spree", "act: storm"])
def test_share_and_factor_have_an_interval(subject):
    found = {f.name: f for f in measured("rates", TOWN, town()) if f.subject == subject}
    for name in ("incident_share", "incident_factor"):
        assert found[name].low < found[name].estimate < found[name].high
        assert found[name].estimate == pytest.approx(found[name].declared, rel=0.35)


def test_incidents_at_the_same_time_are_not_measured_and_it_is_said_why():
    both = changed(changed(TOWN, "incidents.storm.from", "2024-07-01"), "incidents.storm.until", "2024-08-01")
    told = {f.subject: f.detail for f in measured("rates", both, facts_of(both)) if not f.measured}
    assert "at the same time" in told["act: spree"]


def test_an_incident_that_marks_nobody_is_not_measured_and_it_is_said_why():
    hidden = changed(TOWN, "incidents.storm.label", False)
    told = {f.subject: f.detail for f in measured("rates", hidden, facts_of(hidden)) if not f.measured}
    assert "not told whom" in told["act: storm"]


def test_p_values_are_uniform_where_facts_are_as_declared():
    small = changed(TOWN, "entities.user.initial.count", 200)
    found = p_values("rates", small, range(SEED * 1000, SEED * 1000 + SEEDS))
    assert uneven({key: values for key, values in found.items() if key[0].startswith("incident")}) == {}
