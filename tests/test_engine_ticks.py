"""The tick comes from the scenario's own numbers: large where little happens, small where much does."""

from __future__ import annotations

import pytest
from worlds import acting, model, population, scenario

from sim.maths.units import DAY
from sim.model.sizes import FACTS_PER_TICK, MAX_TICKS, changes_per_microsecond
from sim.scenario.loader import load


def flipping(up, down, count=1):
    states = {
        "up": {"transitions": [{"to": "down", "hazard": up}]},
        "down": {"transitions": [{"to": "up", "after": down}]},
    }
    return scenario(entities=population(count, lifecycle={"initial": "up", "states": states}))


def test_more_facts_make_shorter_ticks():
    ticks = [model(acting(count, "10/day")).tick for count in (10, 10_000, 100_000, 10_000_000)]
    assert ticks == sorted(ticks, reverse=True)
    assert ticks[0] == 30 * DAY
    assert 10_000_000 * 10 * ticks[-1] / DAY <= FACTS_PER_TICK


def test_every_stream_counts_with_its_own_curves():
    def tick(**values):
        constants = {name: [{"type": "constant", "value": value}] for name, value in values.items()}
        streams = {name: {"entity": "user", "rate": "10/day", "curves": own} for name, own in constants.items()}
        return model(scenario(entities=population(100_000), streams=streams)).tick

    assert tick(many=1) < tick(few=0.001)
    assert tick(few=0.001, many=1) == tick(many=1, few=0.001) == tick(many=1)


def test_a_tick_that_is_given_is_taken():
    assert model(acting(10, "1/day", tick="36h")).tick == 1.5 * DAY


def test_there_are_never_more_ticks_than_ids_can_number():
    busy = model(acting(10_000_000, "10/day", start="2000-01-01", end="2030-01-01"))
    assert (busy.end - busy.start) / busy.tick <= MAX_TICKS


def test_busy_lifecycles_make_short_ticks():
    assert model(flipping("0.1/year", "1y", 100_000)).tick == 30 * DAY
    assert model(flipping("6/hour", "10min", 100_000)).tick < DAY


@pytest.mark.parametrize(
    ("up", "down", "cycle"), [("1/day", "2d", 3), ("0.1/day", "3h", 10.125), ("6/hour", "10min", 1 / 72)]
)
def test_changes_of_state_are_counted_by_the_length_of_a_round_trip(up, down, cycle):
    lifecycle = load(flipping(up, down)).entities["user"].lifecycle
    assert changes_per_microsecond(lifecycle, 366 * DAY) * DAY == pytest.approx(2 / cycle, rel=0.01)


def test_lifecycles_that_end_cause_few_changes():
    exits = {"to": "gone", "hazard": {"type": "weibull", "scale": "1h", "shape": 0.7}}
    states = {"on": {"transitions": [exits]}, "gone": {}}
    world = scenario(entities=population(1000, lifecycle={"initial": "on", "states": states}))
    assert changes_per_microsecond(load(world).entities["user"].lifecycle, 366 * DAY) < 1e-9 / DAY
    assert model(world).tick == 30 * DAY
