from __future__ import annotations

import numpy as np
import pytest
from worlds import END, START, acting, batches, instants, population, scenario, stays, tables, words

from sim.engine.clocks import NEVER, _later
from sim.errors import SimulationError
from sim.maths.units import DAY


def flipping(count, up, down, **parts):
    states = {
        "up": {"transitions": [{"to": "down", "hazard": up}]},
        "down": {"activity": 0.5, "transitions": [{"to": "up", "after": down}]},
    }
    return acting(count, "2/day", {"lifecycle": {"initial": "up", "states": states}}, **parts)


@pytest.mark.parametrize("tick", ["1d", "400d"])
def test_states_at_event_times_are_those_of_the_transitions(tick):
    sql = {"seen": {"type": "expression", "sql": "state"}}
    run = tables(flipping(40, "3/month", "5d", tick=tick, stream={"attributes": sql}))
    stay, act = stays(run), run["act"]
    span = 2 * (END - START)
    keys = stay.entity * span + stay.entered - START
    place = np.searchsorted(keys, act["user_id"].to_numpy() * span + instants(act) - START, side="right") - 1
    assert (words(act, "seen") == stay.state[place]).all()


def test_time_in_a_state_adds_up():
    run = tables(flipping(40, "3/month", {"type": "uniform", "low": "1d", "high": "9d"}, tick="30d"))
    left = run["user_lifecycle"].sort("user_id", "event_time")
    stay = stays(run)
    assert np.allclose(left["seconds_in_state"], stay.length[stay.ended] * 86_400)


def test_a_lifecycle_that_turns_in_circles_ends_with_who_and_when():
    with pytest.raises(
        SimulationError, match=r"user \d+, 2024-01-01T00:00:00\.0\d+Z: in state '(up|down)' after 10,000"
    ):
        batches(flipping(10, "90000/s", "0s", blocks=1))


def test_the_past_may_turn_in_circles_as_little_as_the_present():
    world = flipping(10, "90000/s", "0s", blocks=1)
    world["entities"]["user"]["initial"]["age"] = "30d"
    with pytest.raises(SimulationError, match=r"2023-12-02.* in state '(up|down)' after 10,000"):
        batches(world)


def test_many_changes_of_state_in_one_tick_are_no_circle():
    run = tables(flipping(5, "1/minute", "30s", tick="10d", end="2024-01-11", blocks=1))
    per_user = run["user_lifecycle"].height / 5
    assert 2 * 10 * 960 * 0.9 < per_user < 2 * 10 * 960 * 1.1


def test_an_exit_that_never_comes_never_comes():
    weak = [{"to": "b", "hazard": "0%/month"}, {"to": "b", "hazard": {"type": "weibull", "scale": "1d", "shape": 1}}]
    weak[1]["curves"] = [{"type": "constant", "value": 0}]
    states = {"a": {"transitions": weak}, "b": {}}
    entities = population(100, lifecycle={"initial": "a", "states": states})
    assert tables(scenario(entities=entities))["user_lifecycle"].height == 0


def test_what_lies_beyond_all_times_is_never():
    delays = np.array([0.2, 3.0, 2.0**59, 2.0**60, np.inf])
    assert _later(np.full(5, 7), delays).tolist() == [8, 10, 7 + 2**59, NEVER, NEVER]


def test_branches_that_do_not_sum_to_one_leave_some_behind():
    states = {"a": {"transitions": [{"to": "b", "after": "10d", "probability": 0}]}, "b": {}}
    entities = population(100, lifecycle={"initial": "a", "states": states})
    assert tables(scenario(entities=entities))["user_lifecycle"].height == 0


def test_a_dwell_time_of_zero_takes_a_microsecond():
    states = {"a": {"transitions": [{"to": "b", "after": "0s"}]}, "b": {}}
    run = tables(scenario(entities=population(3, lifecycle={"initial": "a", "states": states})))
    assert (instants(run["user_lifecycle"]) == START + 1).all()


def test_a_state_that_is_left_at_the_edge_of_a_tick_is_left_once():
    states = {"a": {"transitions": [{"to": "b", "after": "7d"}]}, "b": {"transitions": [{"to": "a", "after": "7d"}]}}
    run = tables(scenario(entities=population(9, lifecycle={"initial": "a", "states": states}), tick="7d"))
    assert (instants(run["user_lifecycle"]) == np.repeat(START + 7 * DAY * np.arange(1, 53), 9)).all()


def test_a_hazard_that_hardly_ever_is_what_it_can_be_ends_with_who_and_when():
    fading = {"type": "exponential", "rate": "-99.9999%/day"}
    exits = [{"to": "off", "hazard": "1000/s", "curves": [fading]}]
    entity = {"initial": {"count": 1, "age": "30d"}, "arrivals": {"rate": "5/day"}}
    entity["lifecycle"] = {"initial": "on", "states": {"on": {"transitions": exits}, "off": {}}}
    with pytest.raises(SimulationError, match=r"user \d+, 20.*: no time to leave its state is found"):
        batches(scenario(entities={"user": entity}))
