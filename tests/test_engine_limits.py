"""Odd worlds: empty, tiny, huge, at the edges of what numbers can say."""

from __future__ import annotations

import evidence
import numpy as np
import pytest
from scipy import stats
from worlds import START, acting, batches, facts, instants, model, per_entity, population, scenario, tables, words

from sim.errors import ScenarioError, SimulationError
from sim.maths.units import DAY, HOUR

EVERYTHING = {
    "a": {"type": "normal", "mean": 0, "sd": 1},
    "b": {"type": "choice", "values": ["x", "y"]},
    "c": {"type": "faker", "provider": "email"},
    "d": {"type": "lookup", "entity": "user", "weights": {"type": "zipf", "exponent": 1}},
    "e": {"type": "expression", "sql": "a * 2"},
    "f": {"type": "running_total", "of": "a"},
    "g": {"type": "uuid"},
    "h": {"type": "sequence"},
    "i": {"type": "lookup", "entity": "user", "weights": {"type": "recent", "mean": "1d"}},
}
MILLION = {"all": {"weight": 1, "activity": 1e6}}


@pytest.mark.parametrize(("count", "rate"), [(0, "1/day"), (10, "0/day")])
def test_nobody_or_nothing_gives_empty_tables_with_all_columns(count, rate):
    child = {"line": {"attributes": {"a": EVERYTHING["a"]}}}
    run = tables(acting(count, rate, stream={"attributes": EVERYTHING, "children": child}))
    assert run["act"].height == run["line"].height == 0
    assert run["act"].columns[3:] == ["a", "b", "c", "d_id", "e", "f", "g", "h", "i_id"]
    assert run["user"].height == count


def test_a_world_may_have_no_streams():
    assert list(tables(scenario(entities=population(3)))) == ["user"]


def test_one_entity_in_many_blocks_is_enough():
    evidence.poisson(facts(acting(1, "10/day", blocks=64)).height, 3660)


@pytest.mark.parametrize(("tick", "hours"), [("10 years", 24), ("1d", 1), ("7h", 24)])
def test_ticks_need_not_fit_the_run(tick, hours):
    end = "2024-01-02" if hours == 24 else "2024-01-01T01:00:00"
    act = facts(acting(1000, "2/hour", tick=tick, end=end))
    evidence.poisson(act.height, 1000 * 2 * hours)
    evidence.distributed((instants(act) - START) / HOUR, stats.uniform(0, hours).cdf)


def test_a_run_of_a_microsecond_is_a_run():
    run = tables(acting(10, "1/day", end="2024-01-01T00:00:00.000001"))
    assert (run["user"].height, run["act"].height) == (10, 0)


def test_nobody_is_in_a_segment_of_weight_zero():
    tier = {"none": {"weight": 0, "activity": 9}, "all": {"weight": 1}}
    assert set(words(tables(scenario(entities=population(1000, segments={"tier": tier})))["user"], "tier")) == {"all"}


def test_entities_of_weight_zero_do_nothing_and_the_others_their_share():
    tier = {"idle": {"weight": 1, "activity": 0}, "busy": {"weight": 1}}
    run = tables(acting(500, "20/year", {"segments": {"tier": tier}}))
    busy = words(run["user"], "tier") == "busy"
    counts = per_entity(run["act"], 500)
    assert not counts[~busy].any()
    evidence.poisson(counts.sum(), busy.sum() * 20 * 366 / 365.25)


def test_extreme_multipliers_multiply_exactly():
    segments = {"one": MILLION, "two": MILLION, "three": {"all": {"weight": 1, "activity": 10}}}
    act = facts(acting(10, "0.00000001/year", {"segments": segments}))
    evidence.poisson(act.height, 10 * 1e5 * 366 / 365.25)
    tiny = {name: {"all": {"weight": 1, "activity": 1e-6}} for name in ("one", "two", "three")}
    few = facts(acting(10, "10000000000/year", {"segments": tiny | {"four": MILLION}}))
    evidence.poisson(few.height, 10 * 1e-2 * 366 / 365.25)


def test_very_different_weights_keep_their_ratio():
    tier = {"much": {"weight": 1, "activity": 1e6}, "little": {"weight": 20}}
    run = tables(acting(2000, "0.1/year", {"segments": {"tier": tier}}, end="2024-01-08", tick="30d"))
    much = words(run["user"], "tier") == "much"
    counts, days = per_entity(run["act"], 2000), 7 / 365.25 * 0.1
    evidence.poisson(counts[~much].sum(), (~much).sum() * days)
    evidence.poisson(counts[much].sum(), much.sum() * days * 1e6)


def test_weights_beyond_all_bounds_are_an_error_that_names_the_entity():
    states = {"on": {"activity": 1e6}}
    entity = {"segments": dict.fromkeys("stuvw", MILLION), "lifecycle": {"initial": "on", "states": states}}
    with pytest.raises(SimulationError, match=r"user \d+, 2024-01-01T00:00:00Z: its multipliers come to 1\.\de\+36"):
        batches(acting(10, "0.000000000000000000001/year", entity))


@pytest.mark.parametrize(
    ("world", "message"),
    [
        (acting(100, "100000000/day", tick="30d"), "act: .* facts in block 0 within the tick"),
        (
            acting(100, "1/day", tick="30d", stream={"children": {"kid": {"count": 1_000_000}}}),
            "kid: .* facts in block 0",
        ),
        (
            scenario(entities=population(900), tick="30d", streams={"act": {"entity": "user", "every": "1 second"}}),
            "act: ",
        ),
    ],
)
def test_more_facts_than_ids_are_refused_before_they_are_made(world, message):
    with pytest.raises(SimulationError, match=message):
        batches(world)


def test_too_many_ticks_are_refused():
    with pytest.raises(ScenarioError, match=r"tick: 1s cuts the run into 31,622,400 ticks; at most 2,097,152"):
        model(acting(1, "1/day", tick="1s"))


def test_births_that_have_no_time_are_refused():
    arrivals = {"total": 5, "curves": [{"type": "constant", "value": 0}]}
    with pytest.raises(ScenarioError, match="leaves no time for 5 births"):
        model(scenario(entities={"user": {"arrivals": arrivals}}))


def test_totals_of_children_are_refused():
    child = {"attributes": {"one": {"type": "constant", "value": 1}, "sum": {"type": "running_total", "of": "one"}}}
    with pytest.raises(ScenarioError, match=r"children\.line\.attributes\.sum"):
        model(acting(1, "1/day", stream={"children": {"line": child}}))


def test_ages_may_be_huge_and_are_never_negative():
    ages = {"count": 2000, "age": {"type": "pareto", "minimum": "1d", "shape": 0.05}}
    vintage = {"activity": {"type": "points", "values": [1, 0.5], "per": "month"}}
    run = tables(acting(0, "1/day", {"initial": ages, "vintage": vintage}, end="2024-01-08"))
    born = instants(run["user"], "born_at")
    assert (born < START).all()
    evidence.levels(
        [per_entity(run["act"], 2000)[old].sum() for old in (born < START - 40 * DAY, born > START - 20 * DAY)],
        [(born < START - 40 * DAY).sum() * 3.5, (born > START - 20 * DAY).sum() * 7],
    )


def test_heavy_delays_do_not_wrap_around():
    heavy = {"type": "pareto", "minimum": "1d", "shape": 0.05}
    every = {"period": "1 month", "jitter": heavy}
    entities = population(300) | {"account": {"parent": "user", "arrivals": {"per_parent": 1, "after": heavy}}}
    streams = {
        "act": {"entity": "user", "rate": "10/year", "children": {"line": {"after": heavy}}},
        "bill": {"entity": "user", "every": every},
    }
    run = tables(scenario(entities=entities, streams=streams))
    for name, low in (("account", DAY), ("line", DAY), ("bill", 31 * DAY)):
        assert instants(run[name]).min() >= START + low
        share = run[name].height / {"account": 300, "line": run["act"].height, "bill": 3600}[name]
        assert 0.05 < share < 0.5


def test_a_curve_may_be_zero_over_whole_ticks():
    curve = {"type": "window", "from": "2024-02-01", "until": "2024-06-01", "factor": 0}
    act = facts(acting(100, "1/day", stream={"curves": [curve]}, tick="1d"))
    evidence.poisson(act.height, 100 * (366 - 121))
    assert np.isin(act["event_time"].dt.month().to_numpy(), [2, 3, 4, 5]).sum() == 0


def test_a_spike_shorter_than_a_cell_is_neither_lost_nor_smeared():
    curve = {"type": "window", "from": "2024-03-01T12:00:00", "until": "2024-03-01T12:00:01", "factor": 1_000_000}
    act = facts(acting(100, "1/day", stream={"curves": [curve]}, tick="400d"))
    second = act["event_time"].dt.truncate("1s").dt.to_string("%F %T") == "2024-03-01 12:00:00"
    evidence.poisson(second.sum(), 100 * 1e6 / 86_400)
    evidence.poisson((~second).sum(), 100 * 366)
