from __future__ import annotations

from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journeys import NEXT, branches, journeys
from test_scenario_errors import SCRAPS, places

from sim.errors import Problem, ScenarioError
from sim.model.compile import compile_scenario
from sim.scenario.loader import load


def problem_of(change):
    spec = deepcopy(journeys(10))
    change(spec["processes"]["journey"])
    with pytest.raises(ScenarioError) as caught:
        compile_scenario(load(spec))
    return str(caught.value)


def set_steps(name, ways):
    return lambda process: process["steps"].update({name: {"next": ways}})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p.update(first={"serch": 1}), "processes.journey.first.serch: 'serch' is not a step; did you mean"),
        (lambda p: p.update(first={"search": 0}), "processes.journey.first: at least one weight must be above 0"),
        (lambda p: p.update(conversions=["buy"]), "processes.journey.conversions[0]: 'buy' is not a step"),
        (set_steps("search", {"purchas": 0.1}), "steps.search.next.purchas: 'purchas' is not a step; did you mean"),
        (set_steps("search", {"purchase": 0.6, "email": 0.6}), "sum to 1.2; at most 1 is possible"),
        (set_steps("search", {"purchase": 2}), "processes.journey.steps.search.next"),
        (
            set_steps("search", [{"to": "purchase", "history": {"mail": [1, 2]}}]),
            "steps.search.next[0].history.mail: 'mail' is not a step; did you mean 'email'",
        ),
        (set_steps("search", [{"to": "purchase", "history": {"email": []}}]), "history.email: must have at least 1"),
        (lambda p: p["steps"].update(any={}), "a step cannot be called 'any'"),
        (
            lambda p: p.update(timeout=None) or set_steps("search", [{"to": "purchase", "otherwise": "email"}])(p),
            "'otherwise' goes with 'timeout'",
        ),
        (
            lambda p: p.update(each={"cost": {"type": "expression", "sql": "stepp"}}),
            "processes.journey.each.cost.sql: 'stepp' is not a column here; did you mean 'step'",
        ),
        (lambda p: p.update(each={"step": {"type": "uniform", "low": 0, "high": 1}}), "the column 'step' is there"),
        (
            lambda p: p.update(
                attributes={"cost": {"type": "uniform", "low": 0, "high": 1}},
                each={"cost": {"type": "uniform", "low": 0, "high": 1}},
            ),
            "processes.journey.each.cost: the column 'cost' is there",
        ),
    ],
)
def test_what_is_wrong_with_a_journey_is_said(change, words):
    assert words in problem_of(change)


def test_an_attribute_of_the_case_cannot_read_the_step():
    message = problem_of(lambda p: p.update(attributes={"cost": {"type": "expression", "sql": "step_index + 1"}}))
    assert "processes.journey.attributes.cost.sql: 'step_index' is not a column here" in message


PARTS = {
    "attributes": {"budget": {"type": "uniform", "low": 0, "high": 1}},
    "each": {"cost": {"type": "expression", "sql": "step_index + budget"}},
    "steps": {name: {"next": ways} for name, ways in NEXT.items()}
    | {"search": {"next": branches("search", purchase={"history": {"email": [1, 2], "any": [1]}})}},
}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whatever_stands_in_a_journey_there_is_never_a_traceback(data):
    document = deepcopy(journeys(10, PARTS))
    for _ in range(data.draw(st.integers(1, 2))):
        target = document["processes"]["journey"]
        path = data.draw(st.sampled_from(places(target)[1:]))
        for part in path[:-1]:
            target = target[part]
        target[path[-1]] = data.draw(SCRAPS)
    outcome = [Problem(0, "", "none")]
    try:
        compile_scenario(load(document))
    except ScenarioError as error:
        outcome = list(error.problems)
    assert all(problem.message for problem in outcome)
