"""States act at the exact time: activity changes with the state, not with the tick."""

from __future__ import annotations

import math

import evidence
import numpy as np
import pytest
from scipy import stats
from worlds import END, START, acting, facts, instants, per_entity, population, scenario, stays, tables, words

from sim.maths.units import DAY, HOUR

MONTH = 365.25 / 12
LIFE = {
    "initial": "active",
    "states": {
        "active": {"transitions": [{"to": "paused", "hazard": "0.5/month"}, {"to": "gone", "hazard": "5%/month"}]},
        "paused": {"activity": 0.25, "transitions": [{"to": "active", "after": {"type": "exponential", "mean": "9d"}}]},
        "gone": {"activity": 0, "transitions": [{"to": "active", "hazard": "20%/month"}]},
    },
}


def located(run, stay, stream="act"):
    """For each fact, the index of the stay in which it falls."""
    entity, times = run[stream]["user_id"].to_numpy(), instants(run[stream])
    keys = stay.entity * 4 * (END - START) + (stay.entered - START)
    return np.searchsorted(keys, entity * 4 * (END - START) + (times - START), side="right") - 1


@pytest.mark.parametrize("tick", ["1d", "30d", "400d"])
def test_the_rate_in_each_state_is_the_states_own(tick):
    run = tables(acting(500, "1/day", {"lifecycle": LIFE}, tick=tick))
    stay = stays(run)
    state = stay.state[located(run, stay)]
    exposure = [stay.of(name).length.sum() for name in LIFE["states"]]
    evidence.levels([(state == name).sum() for name in LIFE["states"]], np.array(exposure) * [1, 0.25, 0])


def test_activity_changes_at_the_moment_of_the_transition():
    run = tables(acting(500, "24/day", {"lifecycle": LIFE}, tick="30d", end="2024-02-15"))
    end = START + 45 * DAY
    stay = stays(run, end=end)
    since = (instants(run["act"]) - stay.entered[located(run, stay)]) / HOUR
    state = stay.state[located(run, stay)]
    for name, level in (("active", 1), ("paused", 0.25)):
        # The first stays began before or with the run: only what was entered by a transition counts.
        entered = stay.of(name)
        later = entered.entered > START
        fresh = stay.entered[located(run, stay)] > START
        exposure = [np.clip(entered.length[later] * 24 - hour, 0, 1).sum() for hour in range(6)]
        counts = np.histogram(since[(state == name) & fresh], np.arange(7))[0]
        evidence.levels(counts, np.array(exposure) * level)


def test_terminal_states_end_everything():
    states = {"on": {"transitions": [{"to": "dead", "hazard": "30%/month"}]}, "dead": {"terminal": True}}
    run = tables(acting(500, "1/day", {"lifecycle": {"initial": "on", "states": states}}, tick="30d"))
    dead = stays(run).of("dead")
    last = np.full(500, END)
    last[dead.entity] = dead.entered
    assert (instants(run["act"]) < last[run["act"]["user_id"].to_numpy()]).all()
    evidence.poisson(run["act"].height, stays(run).of("on").length.sum())


def test_a_stream_can_be_limited_to_states():
    run = tables(acting(500, "1/day", {"lifecycle": LIFE}, stream={"states": ["paused", "gone"]}, tick="30d"))
    stay = stays(run)
    assert set(stay.state[located(run, stay)]) == {"paused"}
    evidence.poisson(run["act"].height, stay.of("paused").length.sum() * 0.25)


def test_those_who_exist_at_the_start_have_a_past():
    states = {"on": {"transitions": [{"to": "gone", "hazard": "10%/month"}]}, "gone": {}}
    entity = {"initial": {"count": 5000, "age": {"type": "exponential", "mean": "300d"}}}
    entity["lifecycle"] = {"initial": "on", "states": states}
    users = tables(scenario(entities={"user": entity}, end="2024-01-02"))["user"]
    ages = (START - instants(users, "born_at")) / DAY
    evidence.distributed(ages, stats.expon(scale=300).cdf)
    gone = words(users, "state") == "gone"
    share = 1 - 0.9 ** (ages / MONTH)
    z = (gone - share).sum() / math.sqrt((share * (1 - share)).sum())
    assert abs(z) < evidence.Z
    slope = np.cov(gone - share, ages)[0, 1] / ages.var()
    evidence.near(slope, math.sqrt((share * (1 - share)).mean() / 5000) / ages.std(), 0.0)


def test_the_time_in_a_state_counts_from_before_the_start():
    states = {"on": {"transitions": [{"to": "gone", "after": "400d"}]}, "gone": {}}
    entity = {"initial": {"count": 300, "age": {"type": "uniform", "low": "0d", "high": "400d"}}}
    run = tables(scenario(entities={"user": entity | {"lifecycle": {"initial": "on", "states": states}}}))
    changes = run["user_lifecycle"]
    assert np.allclose(changes["seconds_in_state"], 400 * 86400)
    due = instants(run["user"], "born_at") + 400 * DAY
    assert set(changes["user_id"]) == set(np.flatnonzero(due < END))


@pytest.mark.parametrize("tick", ["1d", "30d"])
def test_what_belongs_to_an_entity_rests_while_the_entity_does(tick):
    entities = population(300, lifecycle=LIFE) | {
        "account": {
            "parent": "user",
            "arrivals": {"per_parent": 2},
            "lifecycle": {"initial": "on", "states": {"on": {"activity": 3}}},
        },
    }
    run = tables(scenario(entities=entities, streams={"use": {"entity": "account", "rate": "1/day"}}, tick=tick))
    users = run["use"].select("event_time", "account_id").join(run["account"].drop("event_time"), on="account_id")
    stay = stays(run)
    state = stay.state[located({"use": users.sort("event_time")}, stay, "use")]
    exposure = np.array([stay.of(name).length.sum() for name in LIFE["states"]]) * 2 * 3
    evidence.levels([(state == name).sum() for name in LIFE["states"]], exposure * [1, 0.25, 0])


def test_given_the_states_facts_are_a_poisson_process():
    curve = {"type": "hour_of_day", "weights": [1] * 12 + [5] * 12}
    run = tables(acting(50, "2/day", {"lifecycle": LIFE}, stream={"curves": [curve]}, tick="30d"))
    stay = stays(run)
    level = np.array([{"active": 1, "paused": 0.25, "gone": 0}[state] for state in stay.state])

    def integral(times):
        day, rest = np.divmod((times - START) / DAY, 1)
        return 2 * (day + np.where(rest < 0.5, rest / 3, 1 / 6 + (rest - 0.5) * 5 / 3))

    mass = level * (integral(stay.left) - integral(stay.entered))
    place = located(run, stay)
    # On the scale of its own intensity each entity's process has rate 1: put all of them one after the other.
    clock = (np.cumsum(mass) - mass)[place] + level[place] * (
        integral(instants(run["act"])) - integral(stay.entered[place])
    )
    gaps = np.diff(np.sort(clock), prepend=0)
    evidence.distributed(gaps, "expon")
    evidence.near(np.corrcoef(gaps[:-1], gaps[1:])[0, 1], 1 / math.sqrt(len(gaps)), 0.0)


@pytest.mark.parametrize("tick", ["1d", "400d"])
def test_waiting_times_of_one_entity_are_exponential(tick):
    act = facts(acting(400, "0.2/day", tick=tick)).sort("user_id", "event_time", maintain_order=True)
    first = np.flatnonzero(np.diff(act["user_id"].to_numpy(), prepend=-1))
    times = (instants(act) - START) / DAY
    evidence.distributed(times[first] * 0.2, "expon")
    evidence.distributed((times[first + 9] - times[first + 8]) * 0.2, "expon")
    assert per_entity(act, 400).min() > 20
