from __future__ import annotations

import numpy as np
import pytest
from worlds import SEED, instants, model, population, scenario, tables

from sim.engine.kernel import run
from sim.engine.world import World
from sim.maths.units import DAY

LATER = {"type": "uniform", "low": "0d", "high": "300d"}


@pytest.fixture(scope="module")
def world():
    """A world of three generations, lived through; it knows all of its blocks."""
    entities = {
        "user": {"initial": {"count": 37, "age": "90d"}, "arrivals": {"rate": "2/day"}},
        "account": {"parent": "user", "arrivals": {"per_parent": {"type": "poisson", "mean": 1.5}, "after": "20d"}},
        "card": {"parent": "account", "arrivals": {"per_parent": 1}},
    }
    stream = {"entity": "user", "rate": "1/day", "attributes": {"card": {"type": "lookup", "entity": "card"}}}
    compiled = model(scenario(entities=entities, streams={"act": stream}, tick="11d", blocks=5))
    world = World(compiled, SEED, frozenset(range(5)))
    for _ in run(world, ()):
        pass
    return world


@pytest.mark.parametrize("kind", ["user", "account", "card"])
def test_blocks_share_the_population_among_them(world, kind):
    blocks = world.blocks[kind]
    ids = np.sort(np.concatenate([block.ids for block in blocks.values()]))
    assert (ids == np.arange(len(world.rosters[kind]))).all()
    assert all((np.diff(block.ids) > 0).all() and (np.diff(block.births) >= 0).all() for block in blocks.values())


@pytest.mark.parametrize("kind", ["user", "account", "card"])
def test_the_roster_knows_where_everybody_lives(world, kind):
    roster = world.rosters[kind]
    for index, block in world.blocks[kind].items():
        assert (roster.blocks(block.ids) == index).all()
        assert (roster.locals(block.ids) == np.arange(len(block))).all()
        assert (roster.births[block.ids] == block.births).all()


@pytest.mark.parametrize("kind", ["account", "card"])
def test_children_live_with_their_parents(world, kind):
    for block in world.blocks[kind].values():
        assert (world.rosters[kind].parents(block.ids) == block.parent.ids[block.parents]).all()
        assert (block.parent.births[block.parents] <= block.births).all()


def test_ancestors_are_found_over_generations(world):
    for block in world.blocks["card"].values():
        grandparents = block.ancestors(np.arange(len(block)), 2)
        assert (grandparents == block.parent.parents[block.parents]).all()
        assert [relative.population.name for relative in block.lineage()] == ["card", "account", "user"]


def test_who_is_born_by_a_time_is_counted_at_any_time(world):
    roster = world.rosters["user"]
    times = np.random.default_rng(SEED).integers(roster.births[0] - 10, roster.births[-1] + 10, 200)
    assert (roster.born(times) == (roster.births <= times[:, None]).sum(axis=1)).all()
    assert (roster.born(roster.births[-1:] + 5) == len(roster)).all()


def test_own_children_are_those_born_by_the_time(world):
    block = world.blocks["user"][2]
    offspring, accounts = world._children(block, "account"), world.blocks["account"][2]
    rng = np.random.default_rng(SEED)
    parents, times = rng.integers(0, len(block), 300), rng.integers(block.births[0], accounts.births[-1] + 10, 300)
    first, count, ids = offspring.of(parents, times)
    for parent, time, begin, size in zip(parents, times, first, count, strict=True):
        own = accounts.ids[(accounts.parents == parent) & (accounts.births <= time)]
        assert ids[begin : begin + size].tolist() == own.tolist()


def test_large_families_are_counted_as_quickly_as_small_ones():
    entities = population(5) | {"account": {"parent": "user", "arrivals": {"per_parent": 4000, "after": LATER}}}
    own = {"account": {"type": "lookup", "entity": "account", "of": "own"}}
    stream = {"entity": "user", "rate": "10/day", "attributes": own}
    run = tables(scenario(entities=entities, streams={"act": stream}))
    births = instants(run["account"], "born_at")
    known = run["act"].filter(run["act"]["account_id"].is_not_null())
    assert (births[known["account_id"]] <= instants(known)).all()
    assert known.height > 0.9 * run["act"].height


def test_parents_without_children_yet_can_look_for_them():
    entities = {
        "user": {"arrivals": {"rate": "1/day"}},
        "account": {"parent": "user", "arrivals": {"per_parent": 1, "after": "50d"}},
    }
    own = {"account": {"type": "lookup", "entity": "account", "of": "own"}}
    stream = {"entity": "user", "rate": "1/day", "attributes": own}
    run = tables(scenario(entities=entities, streams={"act": stream}, tick="1d", blocks=1))
    old = run["act"].join(run["user"].select("user_id", "born_at"), on="user_id", maintain_order="left")
    missing = run["act"]["account_id"].is_null().to_numpy()
    assert (missing == (instants(old) - instants(old, "born_at") < 50 * DAY)).all()
