"""What facts set: divided work, and what is wrong with it said with line, path, value and the nearest word."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from test_recovery_changes import ring, world
from worlds import END, batches, model, scenario

from sim.attributes.column import Column, strings
from sim.engine.varying import Varying
from sim.errors import Problem, ScenarioError
from sim.model.compile import compile_scenario
from sim.scenario.check import check
from sim.scenario.loader import parse


def merged(made, shards):
    """The batches of all shards, put together window by window."""
    parts = [batches(made, shard=f"{number}/{shards}") for number in range(1, shards + 1)]
    for place, batch in enumerate(parts[0]):
        pieces = pa.concat_tables([pa.Table.from_batches([part[place].data]) for part in parts]).unify_dictionaries()
        yield pl.DataFrame(pl.from_arrow(pieces)).sort("event_time", batch.stream.id)


@pytest.mark.parametrize("made", [world(), ring()], ids=["world", "ring"])
@pytest.mark.parametrize("shards", [2, 3])
def test_shards_merged_are_one_run_row_for_row(made, shards):
    for whole, together in zip(batches(made), merged(made, shards), strict=True):
        assert together.equals(pl.DataFrame(pl.from_arrow(whole.data))), whole.stream.name


def test_what_nothing_sets_is_the_same_as_without_any_setting():
    plain, set_ = ring(), ring()
    for stream in plain["streams"].values():
        del stream["sets"]
    for one, other in zip(batches(plain), batches(set_), strict=True):
        kept = [name for name in one.data.schema.names if name != "seen"]
        assert one.data.select(kept).equals(other.data.select(kept))


def column(*words):
    return Column.of(list(words))


def test_an_attribute_is_as_of_any_time_of_the_window():
    varying = Varying()
    varying.extend(column("a", "b", None))
    varying.post(np.array([1, 0]), np.array([20, 10]), column("c", None))
    varying.post(np.array([1, 1]), np.array([10, 20]), column("d", "e"))
    entities, times = np.array([1, 1, 1, 0, 0, 2]), np.array([9, 10, 20, 9, 10, 99])
    assert varying.at(entities, times).to_arrow().to_pylist() == ["b", "d", "e", "a", None, None]
    assert varying.before(entities).to_arrow().to_pylist() == ["b", "b", "b", "a", "a", None]
    varying.close()
    assert varying.at(np.arange(3), np.zeros(3, dtype=np.int64)).to_arrow().to_pylist() == [None, "e", None]


def test_categories_that_nobody_has_any_more_are_forgotten():
    varying = Varying()
    varying.extend(column("a", "b"))
    for number in range(5):
        texts = strings([f"{number}/{place}" for place in range(1_000)])
        codes = np.arange(1_000)
        varying.post(codes % 2, codes, Column.coded(codes, texts))
        varying.close()
    kept = varying.before(np.array([0, 1]))
    assert kept.to_arrow().to_pylist() == ["4/998", "4/999"]
    assert len(kept.categories) < 2_100


SHOP = """\
name: shop
start: 2024-01-01
end: 2024-03-01
entities:
  customer:
    initial: {count: 10}
    attributes:
      plan: {type: choice, values: [basic, pro]}
      points: {type: constant, value: 0}
      store: {type: lookup, entity: store}
    segments: {tier: {vip: {weight: 1}, other: {weight: 3}}}
    lifecycle:
      initial: active
      states: {active: {transitions: [{to: gone, hazard: 3%/month}]}, gone: {terminal: true}}
  account:
    parent: customer
    arrivals: {per_parent: 1}
  store:
    initial: {count: 3}
    attributes:
      city: {type: choice, values: [Paris, Lyon]}
streams:
  upgrade:
    entity: customer
    rate: 1/month
    attributes:
      new_plan: {type: choice, values: [basic, pro]}
      amount: {type: uniform, low: 0, high: 9}
      shop: {type: lookup, entity: store, match: {city: shop_city}}
      shop_city: {type: choice, values: [Paris, Lyon]}
    sets: {plan: new_plan, store: shop_id}
  deposit:
    entity: account
    rate: 1/month
    sets: {customer.points: customer.points + 1}
  moving:
    entity: store
    rate: 1/month
    attributes: {town: {type: choice, values: [Paris, Lyon]}}
processes:
  checkout:
    entity: customer
    start: {rate: 1/month}
    attributes: {basket: {type: lognormal, median: 40, sigma: 1}}
    steps: {cart: {next: {paid: 50%}}, paid: {sets: {points: customer.points + step_index}}}
"""


def problems(old: str, new: str, text: str = SHOP) -> list[Problem]:
    assert old in text
    with pytest.raises(ScenarioError) as caught:
        compile_scenario(check(parse(text.replace(old, new, 1), "shop.yaml")))
    return list(caught.value.problems)


def test_the_scenario_that_is_broken_below_is_right():
    model = compile_scenario(check(parse(SHOP, "shop.yaml")))
    assert model.population("customer").changing == {"plan", "points", "store_id"}


SETS = "streams.upgrade.sets"


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        (
            "{plan: new_plan,",
            "{pln: new_plan,",
            SETS + ".pln",
            "'pln' is not an attribute of customer; did you mean 'plan'",
        ),
        (
            "{plan: new_plan,",
            "{plan: new_pln,",
            SETS + ".plan",
            "'new_pln' is not a column here; did you mean 'new_plan'?",
        ),
        ("{plan: new_plan,", "{plan: amount,", SETS + ".plan", "'amount' is double, but customer.plan is text"),
        ("{plan: new_plan,", "{points: amount,", SETS + ".points", "'amount' is double, but customer.points is int64"),
        (
            "{plan: new_plan,",
            "{tier: new_plan,",
            SETS + ".tier",
            "'tier' is not an attribute: it stays as it is at birth",
        ),
        (
            "{plan: new_plan,",
            "{state: new_plan,",
            SETS + ".state",
            "a transition of the lifecycle with `on` changes it",
        ),
        ("{plan: new_plan,", "{id: new_plan,", SETS + ".id", "'id' is not an attribute: it stays as it is at birth"),
        ("{plan: new_plan,", "{plan: 'len(',", SETS + ".plan", "'len('"),
        ("{plan: new_plan,", "{A plan: new_plan,", SETS + ".'A plan'", "'A plan' is not a name"),
        (
            "{customer.points:",
            "{custmer.points:",
            "streams.deposit.sets.'custmer.points'",
            "'custmer' is not account or an entity that it belongs to; did you mean 'customer'?",
        ),
        (
            "{customer.points:",
            "{store.city:",
            "streams.deposit.sets.'store.city'",
            "'store' is not account or an entity",
        ),
        (
            "customer.points + step_index",
            "customer.pints",
            "processes.checkout.steps.paid.sets.points",
            "did you mean 'customer.points'?",
        ),
        (
            "attributes: {town: {type: choice, values: [Paris, Lyon]}}",
            "sets: {city: \"'Nice'\"}",
            "streams.upgrade.attributes.shop.match.city",
            "store.city is set by facts; match on what stays",
        ),
        (
            "segments: {tier:",
            "emit: false\n    history: {changes: true}\n    segments: {tier:",
            "entities.customer",
            "with 'emit: false' these are no output",
        ),
        (
            "segments: {tier:",
            "history: {chnges: true}\n    segments: {tier:",
            "entities.customer.history.chnges",
            "did you mean 'changes'?",
        ),
        (
            "segments: {tier:",
            "history: {}\n    segments: {tier:",
            "entities.customer.history",
            "give at least one of changes, versions, snapshots",
        ),
        (
            "segments: {tier:",
            "history: {snapshots: daily}\n    segments: {tier:",
            "entities.customer.history.snapshots",
            "'daily'",
        ),
        (
            "segments: {tier:",
            "history: {snapshots: 1}\n    segments: {tier:",
            "entities.customer.history.snapshots",
            "1 is not a period such as '1 day'",
        ),
        (
            "  upgrade:\n",
            "  customer_change: {entity: customer, on: store_change}\n  upgrade:\n",
            "streams.customer_change.on",
            "it tells what has become of store; follow what changes it instead",
        ),
        (
            "gone: {terminal: true}",
            "gone: {cut: true}",
            "entities.customer.lifecycle.states.gone",
            "'cut' goes with 'terminal: true'",
        ),
        ("attributes: {basket:", "attributes: {step:", "processes.checkout.attributes.step", "is there already"),
    ],
)
def test_a_problem_has_its_place_and_the_nearest_word(old, new, path, message):
    found = problems(old, new)
    assert any(problem.path == path and message in problem.message for problem in found), [
        (problem.path, problem.message) for problem in found
    ]


@pytest.mark.parametrize("name", ["case", "began", "index", "id"])
def test_attributes_of_cases_may_be_called_as_the_engine_calls_its_own(name):
    attributes = {name: {"type": "constant", "value": "mine"}}
    steps = {"one": {"next": [{"to": "two", "after": "1d"}]}, "two": {}}
    process = {"entity": "user", "start": {"rate": "1/month"}, "cases": True, "attributes": attributes, "steps": steps}
    made = scenario(entities={"user": {"initial": {"count": 20}}}, processes={"flow": process})
    whole = {batch.stream.name: batch.data for batch in batches(made) if len(batch) and batch.until == END}
    assert set(whole["flow"].column(name).to_pylist()) == {"mine"}
    assert {len(str(value)) for value in whole["flow"].column("flow_case_id").to_pylist()} != {4}


def test_streams_cannot_be_called_like_a_history():
    found = problems(
        "segments: {tier:",
        "history: {changes: true}\n    segments: {tier:",
        SHOP.replace("  upgrade:", "  customer_change:"),
    )
    assert "is taken by the changes of the entity customer" in found[0].message


def test_an_attribute_cannot_be_called_like_a_column_of_versions():
    attributes = {"version": {"type": "constant", "value": 1}}
    users = {"user": {"initial": {"count": 1}, "attributes": attributes, "history": {"versions": True}}}
    with pytest.raises(ScenarioError, match="two columns are called 'version'"):
        model(scenario(entities=users))
