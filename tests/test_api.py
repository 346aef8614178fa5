"""datagen from Python: in five lines, with processes and generators of one's own."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats
from worlds import SEED, START, acting, days, instants, population, scenario, stays

import sim
from sim.errors import ParameterError, ScenarioError, SimulationError
from sim.maths.units import DAY, HOUR

LIFE = {
    "initial": "on",
    "states": {
        "on": {"transitions": [{"to": "off", "hazard": "2/month"}]},
        "off": {"activity": 0, "transitions": [{"to": "on", "hazard": "4/month"}]},
    },
}


def run(process, entity=None, seed=SEED, **parts):
    """Tables of a world of users and what a process of one's own adds."""
    users = {"arrivals": {"rate": "2/day"}, **(entity or {})}
    world = scenario(entities=population(50, **users), **{"end": "2024-04-01", "tick": "30d", **parts})
    return sim.to_polars(sim.compile_scenario(sim.load(world), processes=[process]), seed)


def every(span, act):
    """A process that does `act` with its block again and again."""

    def live(env, block):
        while True:
            yield env.timeout(span)
            act(block)

    return live


def test_a_scenario_becomes_tables_in_five_lines(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text("{name: small, start: 2024-01-01, end: 2024-02-01, entities: {user: {initial: {count: 10}}}}")
    scenario = sim.load(path, {"entities.user.initial.count": 20})
    model = sim.compile_scenario(scenario)
    tables = sim.to_polars(sim.simulate(model, seed=7))
    assert tables["user"].shape == (20, 3)
    assert sim.to_arrow(model, 7)["user"].num_rows == 20


def test_everything_that_is_announced_is_there():
    assert all(getattr(sim, name) is not None for name in sim.__all__)
    with pytest.raises(AttributeError, match="no attribute 'simulated'"):
        sim.simulated  # noqa: B018


def test_a_process_adds_a_stream_to_the_ordered_flow():
    counting = every(HOUR, lambda block: block.emit(entity=block.entities("user")[:3], note="seen", size=3))
    schema = {"note": pa.string(), "size": pa.int64()}
    tables = run(sim.process("audit", counting, entity="user", schema=schema))
    audit = tables["audit"]
    assert audit.columns == ["audit_id", "event_time", "user_id", "note", "size"]
    assert (np.lexsort((audit["audit_id"], instants(audit))) == np.arange(audit.height)).all()
    assert audit["audit_id"].n_unique() == audit.height == 4 * 3 * (91 * 24 - 1)
    assert set(audit["note"]) == {"seen"}


def test_a_process_sees_the_births_of_its_own_time_and_not_those_to_come():
    census = every(5 * HOUR, lambda block: block.emit(entity=block.entities("user")))
    tables = run(sim.process("census", census, entity="user"))
    births = np.sort(instants(tables["user"], "born_at"))
    seen = tables["census"].group_by("event_time").len()
    assert seen.height == 91 * 24 // 5
    assert (seen["len"] == np.searchsorted(births, instants(seen), side="right")).all()


def test_a_process_sees_the_states_of_its_own_time():
    look = every(5 * HOUR, lambda block: block.emit(entity=block.entities("user", state="on")))
    tables = run(sim.process("look", look, entity="user"), {"lifecycle": LIFE})
    times = np.unique(instants(tables["look"]))
    on = stays(tables, end=START + 91 * DAY).of("on")
    inside = (on.entered[:, None] <= times) & (times < on.left[:, None])
    assert (tables["look"].group_by("event_time").len().sort("event_time")["len"] == inside.sum(axis=0)).all()


def test_a_process_reads_states_segments_and_attributes():
    def act(block):
        users = block.entities("user", segment="vip")
        levels = block.attribute("user", "level", users).floats()
        block.emit(entity=users, level=levels, state=block.state("user", users))

    entity = {
        "lifecycle": LIFE,
        "segments": {"tier": {"vip": {"weight": 1}, "standard": {"weight": 1}}},
        "attributes": {"level": {"type": "normal", "mean": 5, "sd": 1}},
    }
    schema = {"level": pa.float64(), "state": pa.string()}
    look = sim.process("look", every(DAY, act), entity="user", schema=schema, reads=["user.level"])
    tables = run(look, entity)
    both = tables["look"].join(tables["user"].select("user_id", "tier", own="level"), on="user_id")
    assert (both["level"] == both["own"]).all()
    assert set(both["tier"].cast(pl.String)) == {"vip"}
    assert set(both["state"]) == {"on", "off"}


def test_a_process_can_be_a_poisson_process_of_its_own():
    def live(env, block):
        while True:
            yield env.timeout(int(block.rng.exponential(DAY / 10)))
            block.emit(entity=block.rng.choice(block.entities("user")))

    tables = run(sim.process("rare", live, entity="user"))
    evidence.poisson(tables["rare"].height, 4 * 10 * 91)
    evidence.distributed(np.diff(days(tables["rare"])) * 40, stats.expon.cdf)


def test_a_process_gives_the_same_facts_in_any_number_of_shards():
    live = every(7 * HOUR, lambda block: block.emit(entity=block.entities("user"), x=block.rng.random()))
    world = scenario(entities=population(50), end="2024-02-01", tick="30d")
    model = sim.compile_scenario(
        sim.load(world), processes=[sim.process("p", live, entity="user", schema={"x": pa.float64()})]
    )
    whole = sim.to_polars(model, SEED)["p"]
    parts = pl.concat(sim.to_polars(model, SEED, f"{number}/3")["p"] for number in (1, 2, 3))
    assert whole.equals(parts.sort("event_time", "p_id"))


def test_processes_may_start_others_and_wait_for_them():
    def visit(env, block, user):
        yield env.timeout(2 * HOUR)
        block.emit(entity=user)

    def live(env, block):
        for user in block.entities("user"):
            yield env.process(visit(env, block, user))

    tables = run(sim.process("visit", live, entity="user"))
    assert (days(tables["visit"]) * 12 % 1 == 0).all()
    assert tables["visit"].height == 50


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda block: block.entities("usr"), "'usr' is not a kind of entity; there are"),
        (lambda block: block.entities("user", state="on"), "user has no lifecycle|'on' is not a state"),
        (lambda block: block.entities("user", segment="vip"), "no segment 'vip'"),
        (lambda block: block.state("user", block.entities("user")), "user has no lifecycle"),
        (lambda block: block.attribute("user", "level", [0]), "user.level is not kept|not born"),
        (lambda block: block.emit(entity=10**6), "user 1000000 is not born"),
        (lambda block: block.emit(entity=block.entities("user"), x=1), "has the columns"),
    ],
)
def test_what_a_process_does_wrong_is_said_with_its_value(act, message):
    with pytest.raises(ParameterError, match=message):
        run(sim.process("wrong", every(HOUR, act), entity="user"))


def test_an_error_inside_a_process_comes_out_as_it_is():
    def live(env, block):
        yield env.timeout(HOUR)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(sim.process("broken", live, entity="user"))


@pytest.mark.parametrize(
    ("name", "entity", "reads"), [("user", "user", ()), ("p", "usr", ()), ("p", "user", ("user.levle",))]
)
def test_what_a_process_declares_is_checked_before_anything_runs(name, entity, reads):
    with pytest.raises((ScenarioError, ParameterError)):
        run(sim.process(name, every(HOUR, lambda block: None), entity=entity, reads=reads))


def test_a_registered_generator_is_used_by_name():
    sim.register_generator(
        "test_api_dice", lambda rows, rng, sides: rng.integers(1, sides, len(rows), endpoint=True), pa.int64()
    )
    dice = {"type": "test_api_dice", "sides": 6}
    model = sim.compile_scenario(sim.load(acting(100, "100/year", stream={"attributes": {"eyes": dice}})))
    eyes = sim.to_polars(model, SEED)["act"]["eyes"]
    evidence.proportions(np.bincount(eyes)[1:], np.ones(6))
    assert sim.to_polars(model, SEED)["act"]["eyes"].equals(eyes)


def test_a_registered_generator_reads_the_row_and_takes_modifiers():
    def taxed(rows, rng, rate=0.2):
        return rows.column("amount").floats() * (1 + rate)

    sim.register_generator("test_api_taxed", taxed, reads=("amount",))
    attributes = {
        "total": {"type": "test_api_taxed", "modifiers": [{"type": "round", "digits": 1}]},
        "amount": {"type": "uniform", "low": 1, "high": 9},
    }
    act = sim.to_polars(sim.compile_scenario(sim.load(acting(20, "1/day", stream={"attributes": attributes}))))["act"]
    assert np.allclose(act["total"], (act["amount"] * 1.2).round(1))


def test_a_generator_that_returns_the_wrong_number_of_values_is_an_error():
    sim.register_generator("test_api_short", lambda rows, rng: rng.random(max(len(rows) - 1, 0)))
    world = acting(20, "1/day", stream={"attributes": {"x": {"type": "test_api_short"}}})
    with pytest.raises(SimulationError, match=r"'test_api_short' returned \d+ values for \d+ rows"):
        sim.to_polars(sim.compile_scenario(sim.load(world)))


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1/65", "half", (1, 5)])
def test_a_shard_that_cannot_be_is_refused(shard):
    model = sim.compile_scenario(sim.load(acting(20, "1/day")))
    with pytest.raises(ParameterError, match="shard"):
        sim.simulate(model, shard=shard)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_cannot_be_is_refused(seed):
    with pytest.raises(ParameterError, match=str(seed)):
        sim.simulate(sim.compile_scenario(sim.load(acting(20, "1/day"))), seed=seed)
