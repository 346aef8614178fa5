from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import Problem, ScenarioError
from sim.scenario.bundled import bundled, path_of
from sim.scenario.loader import load, parse, read
from sim.scenario.problems import MOST_PROBLEMS

SHOP = """\
name: shop
start: 2024-01-01
end: 2024-03-01
curves:
  growth: {type: exponential, rate: 8%/year}
  daily: {type: hour_of_day, weights: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}
  both: {type: product, curves: [growth, daily]}
entities:
  product:
    initial: {count: 5}
    attributes:
      price: {type: lognormal, median: 35, sigma: 0.8}
  customer:
    initial: {count: 10}
    arrivals: {rate: 4/day, curves: [growth]}
    attributes:
      country: {type: choice, values: [FR, DE]}
    segments:
      tier:
        vip: {weight: 1, activity: 5}
        other: {weight: 3}
    lifecycle:
      initial: active
      states:
        active:
          transitions:
            - {to: churned, hazard: 3%/month}
        churned: {activity: 0}
  account:
    parent: customer
    arrivals: {per_parent: 2}
streams:
  order:
    entity: customer
    rate: 2/month
    curves: [growth, both]
    states: [active]
    segments: {tier: {vip: {activity: 3}}}
    attributes:
      product: {type: lookup, entity: product}
      quantity: {type: poisson, mean: 1.4}
      amount: {type: expression, sql: "product.price * quantity"}
      land: {type: expression, sql: "customer.country"}
    children:
      line:
        count: 2
        attributes:
          part: {type: expression, sql: "order.amount / 2"}
  payment:
    entity: account
    every: 1 month
incidents:
  outage: {from: 2024-02-01, until: 2024-02-03, segments: {tier: [vip]}, streams: {order: {rate: 0.1}}}
  takeover:
    per: customer
    rate: 2/year
    duration: {type: gamma, mean: 3d, shape: 2}
    states: [active]
    streams:
      order: {extra: 9/day, set: {quantity: {type: constant, value: 1}}}
      line: {probability: 0.5}
"""


def problems(old: str = "", new: str = "", text: str = SHOP) -> list[Problem]:
    assert old in text
    with pytest.raises(ScenarioError) as caught:
        load_text(text.replace(old, new, 1))
    return list(caught.value.problems)


def load_text(text: str):
    from sim.scenario.check import check

    return check(parse(text, "shop.yaml"))


def test_the_scenario_that_is_broken_below_is_right():
    assert load_text(SHOP).name == "shop"


@pytest.mark.parametrize(
    ("old", "new", "line", "path", "message"),
    [
        (
            "weight: 1,",
            "wieght: 1,",
            20,
            "entities.customer.segments.tier.vip.wieght",
            "unknown key 'wieght'; did you mean 'weight'?",
        ),
        ("weight: 1,", "wieght: 1,", 20, "entities.customer.segments.tier.vip", "the key 'weight' is missing"),
        ("4/day", "4", 15, "entities.customer.arrivals.rate", "4 has no period"),
        ("4/day", "4/dya", 15, "entities.customer.arrivals.rate", "'dya' is not a unit of time"),
        ("count: 10", "count: ten", 14, "entities.customer.initial.count", "must be a whole number, not 'ten'"),
        ("count: 10", "count: -1", 14, "entities.customer.initial.count", "must be at least 0, not -1"),
        (
            "type: exponential",
            "type: expnential",
            5,
            "curves.growth.type",
            "unknown type 'expnential'; did you mean 'exponential'?",
        ),
        ("type: lognormal", "type: logormal", 12, "entities.product.attributes.price.type", "lognormal"),
        ("type: exponential, ", "", 5, "curves.growth", "the key 'type' is missing"),
        ("[1, 1, 1", "[1, 1", 6, "curves.daily.weights", "must have at least 24 items, not 23"),
        ("name: shop\n", "", 1, "", "the key 'name' is missing"),
        ("2024-01-01", "2024-31-01", 2, "start", "'2024-31-01' is not a point in time"),
        ("2024-03-01", "2023-03-01", 1, "", "'end' must come after 'start'"),
        (
            "curves: [growth]",
            "curves: [grwth]",
            15,
            "entities.customer.arrivals.curves[0]",
            "'grwth' is not a curve; did you mean 'growth'?",
        ),
        ("[growth, daily]", "[growth, dialy]", 7, "curves.both.curves[1]", "did you mean 'daily'?"),
        ("[growth, daily]", "[growth, both]", 7, "curves.both", "is a product of itself: both -> both"),
        (
            "initial: active",
            "initial: actve",
            23,
            "entities.customer.lifecycle.initial",
            "'actve' is not a state of customer; did you mean 'active'?",
        ),
        (
            "to: churned",
            "to: churnt",
            27,
            "entities.customer.lifecycle.states.active.transitions[0].to",
            "did you mean 'churned'?",
        ),
        (
            "to: churned",
            "to: active",
            28,
            "entities.customer.lifecycle.states.churned",
            "no transition leads to 'churned'",
        ),
        (
            "hazard: 3%/month",
            "after: 3d, hazard: 3%/month",
            27,
            "entities.customer.lifecycle.states.active.transitions[0]",
            "exactly one of hazard, after, on",
        ),
        (
            "parent: customer",
            "parent: custmer",
            30,
            "entities.account.parent",
            "'custmer' is not an entity; did you mean 'customer'?",
        ),
        (
            "parent: customer",
            "parent: account",
            30,
            "entities.account.parent",
            "is its own ancestor: account -> account",
        ),
        ("entity: customer", "entity: costumer", 34, "streams.order.entity", "did you mean 'customer'?"),
        (
            "states: [active]",
            "states: [actif]",
            37,
            "streams.order.states[0]",
            "'actif' is not a state of customer; did you mean 'active'?",
        ),
        (
            "    every: 1 month",
            "    every: 1 month\n    states: [open]",
            52,
            "streams.payment.states[0]",
            "account has no lifecycle",
        ),
        (
            "{vip: {activity: 3}}",
            "{vpi: {activity: 3}}",
            38,
            "streams.order.segments.tier.vpi",
            "'vpi' is not a segment of tier; did you mean 'vip'?",
        ),
        (
            "{tier: {vip: {activity: 3}}}",
            "{teir: {vip: {activity: 3}}}",
            38,
            "streams.order.segments.teir",
            "did you mean 'tier'?",
        ),
        (
            "entity: product}",
            "entity: prodct}",
            40,
            "streams.order.attributes.product.entity",
            "'prodct' is not an entity; did you mean 'product'?",
        ),
        (
            "product.price *",
            "product.prise *",
            42,
            "streams.order.attributes.amount.sql",
            "product has no 'prise'; did you mean 'price'?",
        ),
        (
            "* quantity",
            "* quantty",
            42,
            "streams.order.attributes.amount.sql",
            "'quantty' is not a column here; did you mean 'quantity'?",
        ),
        (
            "customer.country",
            "customer.contry",
            43,
            "streams.order.attributes.land.sql",
            "did you mean 'customer.country'?",
        ),
        (
            "order.amount",
            "order.amont",
            48,
            "streams.order.children.line.attributes.part.sql",
            "did you mean 'order.amount'?",
        ),
        (
            "poisson, mean: 1.4",
            "expression, sql: amount",
            42,
            "streams.order.attributes.amount",
            "wait for each other",
        ),
        ("quantity: {", "customer_id: {", 41, "streams.order.attributes.customer_id", "'customer_id' is there already"),
        ("quantity: {", "product_id: {", 41, "streams.order.attributes.product_id", "by the attribute product"),
        ("  payment:", "  line:", 49, "streams.line", "'line' is taken by the stream line"),
        (
            "  payment:",
            "  customer_lifecycle:",
            49,
            "streams.customer_lifecycle",
            "is taken by the transitions of the entity customer",
        ),
        ("every: 1 month", "every: 1 fortnight", 51, "streams.payment.every", "fortnight"),
        ("values: [FR, DE]", "values: 5", 17, "entities.customer.attributes.country.values", "must be a list, not 5"),
        (
            "initial: {count: 5}",
            "initial: 5",
            10,
            "entities.product.initial",
            "must be a mapping with count, age, not 5",
        ),
        ("curves: [growth]", "curves: growth", 15, "entities.customer.arrivals.curves", "must be a list, not 'growth'"),
        ("initial: active", "initial: 5", 23, "entities.customer.lifecycle.initial", "5 is not a name"),
        ("start:", "5: 6\nstart:", 2, "[5]", "the key 5 must be text"),
    ],
)
def test_a_problem_has_line_path_value_and_the_nearest_word(old, new, line, path, message):
    found = problems(old, new)
    assert any((p.file, p.line, p.path) == ("shop.yaml", line, path) and message in p.message for p in found), found


def test_all_problems_come_at_once_in_the_order_of_the_file():
    text = SHOP.replace("4/day", "4").replace("to: churned", "to: churnt").replace("weight: 1,", "wieght: 1,")
    text = text.replace("entity: product}", "entity: prodct}").replace("start:", "name: twice\nstart:")
    found = problems(text=text)
    assert [problem.line for problem in found] == [2, 16, 21, 21, 28, 41]
    assert str(found[0]) == "shop.yaml:2: the key 'name' is already on line 1"


def test_one_mistake_is_one_problem():
    for old, new in [
        ("4/day", "4"),
        ("to: churned", "to: churnt"),
        ("type: lognormal", "type: logormal"),
        ("values: [FR, DE]", "values: 5"),
    ]:
        assert len(problems(old, new)) == 1


def test_very_many_problems_are_cut_short():
    many = "".join(f"  c{i}: {{type: constant, value: -1}}\n" for i in range(5 * MOST_PROBLEMS))
    found = problems("curves:\n", f"curves:\n{many}")
    assert len(found) == MOST_PROBLEMS + 1
    assert "400 more problems" in found[-1].message


def test_problems_of_a_mapping_have_paths_without_lines():
    with pytest.raises(ScenarioError) as caught:
        load({**parse(SHOP).data, "end": "soon"})
    assert str(caught.value).startswith("<scenario>: end: 'soon' is not a point in time")


def test_problems_found_later_get_their_lines():
    scenario = load_text(SHOP)
    placed = scenario.place(Problem(0, "streams.order.attributes.amount.modifiers[0]", "is wrong"))
    assert str(placed) == "shop.yaml:42: streams.order.attributes.amount.modifiers[0]: is wrong"
    assert scenario.place(Problem(0, "", "is wrong")).file == "shop.yaml"


SCRAPS: Any = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10**20),
    st.floats(allow_nan=True),
    st.sampled_from(["", "customer", "order", "growth", "active", "5d", "3/day", "type", "id", "2024-01-01"]),
    st.lists(st.sampled_from(["a", 1, None]), max_size=2),
    st.dictionaries(
        st.sampled_from(["type", "x", "to", "rate", "points"]), st.sampled_from(["points", 1, None, [], {}]), max_size=2
    ),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path, *(place for key, inner in pairs for place in places(inner, (*path, key)))]


BASES = {"shop": parse(SHOP).data, **{name: read(path_of(name)).data for name in bundled()}}


@pytest.mark.parametrize("base", BASES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_file_there_is_never_a_traceback(base, data):
    document = deepcopy(BASES[base])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)[1:]))
        target: Any = document
        for part in path[:-1]:
            target = target[part]
        if data.draw(st.booleans()):
            target[path[-1]] = data.draw(SCRAPS)
        elif isinstance(target, dict):
            target[data.draw(st.sampled_from(["type", "x", "sql", "curves", "states"]))] = target.pop(path[-1])
    outcome = [Problem(0, "", "none")]
    try:
        load(document)
    except ScenarioError as error:
        outcome = list(error.problems)
    assert outcome
    assert all(problem.message for problem in outcome)
