"""What is wrong with triggers and processes is said with line, path, value and the nearest word."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_scenario_errors import SCRAPS, places

from sim.errors import Problem, ScenarioError
from sim.model.compile import compile_scenario
from sim.scenario.check import check
from sim.scenario.loader import load, parse

FUNNEL = """\
name: funnel
start: 2024-01-01
end: 2024-03-01
entities:
  customer:
    initial: {count: 10}
    segments: {tier: {vip: {weight: 1}, plain: {weight: 3}}, land: {fr: {weight: 1}, de: {weight: 1}}}
    lifecycle:
      initial: prospect
      states:
        prospect: {transitions: [{to: buyer, on: {stream: checkout, where: "step = 'paid'"}}]}
        buyer: {transitions: [{to: prospect, hazard: 5%/month}]}
  account:
    parent: customer
    arrivals: {on: {stream: checkout, where: "step = 'paid' AND basket > 60"}}
processes:
  checkout:
    entity: customer
    start: {rate: 2/month, states: [prospect, buyer]}
    cases: true
    attributes:
      basket: {type: lognormal, median: 40, sigma: 1}
    steps:
      visit:
        next:
          - {to: cart, probability: 0.4, segments: {tier: {vip: {probability: 1.5}}, land: {fr: {probability: 1.2}}}}
      cart:
        next:
          - {to: paid, probability: 0.5, after: 5min, timeout: 1h, otherwise: left}
          - {to: visit, probability: 0.3, after: 1h}
      paid: {}
      left: {}
  care:
    entity: account
    start: {on: {stream: account, after: 1d}}
    steps: {open: {next: [{to: closed, after: 2d}]}, closed: {}}
streams:
  order:
    entity: customer
    rate: 1/month
    attributes: {amount: {type: lognormal, median: 40, sigma: 1}}
    children: {line: {count: 2}}
  refund:
    entity: customer
    on: {stream: order, where: "amount > 50", probability: 20%, after: 5d}
    attributes: {back: {type: expression, sql: "order.amount * 0.9"}}
  mail:
    entity: customer
    on: checkout_case
"""


def scenario(text: str):
    return check(parse(text, "funnel.yaml"))


def problems(old: str, new: str) -> list[Problem]:
    assert old in FUNNEL
    with pytest.raises(ScenarioError) as caught:
        compile_scenario(scenario(FUNNEL.replace(old, new, 1)))
    return list(caught.value.problems)


def line_of(text: str) -> int:
    return FUNNEL[: FUNNEL.index(text)].count("\n") + 1


def test_the_scenario_that_is_broken_below_is_right():
    assert len(compile_scenario(scenario(FUNNEL)).flows) == 2


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("on: checkout_case", "on: chekout", "streams.mail.on", "'chekout' is not a stream; did you mean 'checkout'?"),
        ("stream: order,", "stream: ordr,", "streams.refund.on.stream", "did you mean 'order'?"),
        ("on: checkout_case", "on: care_case", "streams.mail.on", "the process care has it with 'cases: true'"),
        ("on: checkout_case", "on: account_lifecycle", "streams.mail.on", "account has no lifecycle"),
        ("stream: account,", "stream: order,", "processes.care.start.on.stream", "does not belong to account"),
        (
            "amount > 50",
            "amont > 50",
            "streams.refund.on.where",
            "'amont' is not a column of order; did you mean 'amount'?",
        ),
        ("amount > 50", "amount + 50", "streams.refund.on.where", "is not a condition, but double"),
        ("amount > 50", "amount > 'much'", "streams.refund.on.where", "cannot compare string"),
        (
            "step = 'paid'\"}}]}",
            "stp = 'paid'\"}}]}",
            "entities.customer.lifecycle.states.prospect.transitions[0].on.where",
            "'stp' is not a column of checkout; did you mean 'step'?",
        ),
        ("AND basket", "AND baskt", "entities.account.arrivals.on.where", "did you mean 'basket'?"),
        ("order.amount *", "order.amont *", "streams.refund.attributes.back.sql", "did you mean 'order.amount'?"),
        ("entity: account", "entity: acount", "processes.care.entity", "'acount' is not an entity"),
        ("[prospect, buyer]", "[prospct]", "processes.checkout.start.states[0]", "did you mean 'prospect'?"),
        (
            "to: cart",
            "to: crat",
            "processes.checkout.steps.visit.next[0].to",
            "'crat' is not a step; did you mean 'cart'?",
        ),
        (
            "otherwise: left",
            "otherwise: lift",
            "processes.checkout.steps.cart.next[0].otherwise",
            "did you mean 'left'?",
        ),
        ("    cases: true", "    cases: true\n    first: vist", "processes.checkout.first", "did you mean 'visit'?"),
        (
            "vip: {probability",
            "vpi: {probability",
            "processes.checkout.steps.visit.next[0].segments.tier.vpi",
            "'vip'?",
        ),
        (", timeout: 1h, otherwise: left", "", "processes.checkout.steps.left", "no case comes to 'left'"),
        (
            "paid: {}",
            "paid: {next: [{to: paid, after: 1d}]}",
            "processes.checkout.steps.paid",
            "never ends: paid -> paid",
        ),
        (
            "probability: 0.4,",
            "probability: 0.6,",
            "processes.checkout.steps.visit.next",
            "for tier vip, land fr the probabilities of the ways on sum to 1.08",
        ),
        (", after: 5min, timeout: 1h, otherwise: left", "", "processes.checkout.steps.left", "no case comes"),
        ("probability: 0.3, after: 1h", "probability: 0.3", "processes.checkout.steps", "takes no time"),
        ("  care:", "  order:", "processes.order", "'order' is taken by the stream order"),
        ("line: {", "checkout_case: {", "processes.checkout", "'checkout_case' is taken by the stream checkout_case"),
        ("basket: {", "step: {", "processes.checkout.attributes.step", "the column 'step' is there already"),
        ("basket: {", "last_step: {", "processes.checkout.attributes.last_step", "'last_step' is there already"),
        ("back: {", "order_id: {", "streams.refund.attributes.order_id", "'order_id' is there already"),
        ("rate: 1/month", "on: refund", "streams", "order -> refund -> order"),
        (
            "stream: checkout, where: \"step = 'paid' AND basket > 60\"",
            "stream: account",
            "entities.account",
            "account",
        ),
        (
            "stream: checkout, where: \"step = 'paid' AND basket > 60\"",
            "stream: care",
            "entities.account",
            "waits for itself",
        ),
    ],
)
def test_a_problem_has_line_path_value_and_the_nearest_word(old, new, path, message):
    found = problems(old, new)
    assert any(
        p.file == "funnel.yaml" and p.line and p.path.startswith(path) and message in p.message for p in found
    ), found


def test_problems_of_triggers_and_processes_come_at_once_with_their_lines():
    text = (
        FUNNEL.replace("to: cart", "to: crat")
        .replace("amount > 50", "amont > 50")
        .replace("on: checkout_case", "on: x")
    )
    with pytest.raises(ScenarioError) as caught:
        scenario(text)
    wanted = [line_of("to: cart"), line_of("amount > 50"), line_of("on: checkout_case")]
    assert [problem.line for problem in caught.value.problems] == wanted


def test_one_mistake_is_one_problem():
    for old, new in [("to: cart", "to: crat"), ("on: checkout_case", "on: x"), ("rate: 1/month", "on: refund")]:
        found = problems(old, new)
        assert len(found) == 1, found


def test_a_limit_or_a_way_out_ends_a_loop():
    for step in ("{limit: 3, next: [{to: paid, after: 1d}]}", "{next: [{to: paid, probability: 0.9, after: 1d}]}"):
        compile_scenario(scenario(FUNNEL.replace("paid: {}", f"paid: {step}")))


def test_shares_that_vary_with_age_are_left_to_the_run():
    ageing = "probability: 0.9, vintage: {probability: {type: points, values: [0.3], per: month}},"
    compile_scenario(scenario(FUNNEL.replace("probability: 0.4,", ageing)))


def test_a_transition_that_closes_a_cycle_is_no_error():
    eager = scenario(FUNNEL.replace("buyer: {", "buyer: {activity: 2, "))
    assert any("next tick (a cycle)" in line for line in compile_scenario(eager).order)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_process_there_is_never_a_traceback(data):
    document = deepcopy(parse(FUNNEL).data)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(places(document)[1:]))
        target: Any = document
        for part in path[:-1]:
            target = target[part]
        target[path[-1]] = data.draw(SCRAPS)
    outcome = [Problem(0, "", "none")]
    try:
        compile_scenario(load(document))
    except ScenarioError as error:
        outcome = list(error.problems)
    assert outcome
    assert all(problem.message for problem in outcome)
