"""Finds everything that is wrong with a document, or turns it into a `Scenario`."""

from __future__ import annotations

from datetime import UTC, tzinfo

from pydantic import ValidationError

from sim.errors import Problem, ScenarioError
from sim.maths.instants import parse_zone
from sim.scenario.document import Document
from sim.scenario.problems import MOST_PROBLEMS, shape_problems
from sim.scenario.references import reference_problems
from sim.scenario.schema import Scenario


def check(document: Document) -> Scenario:
    """The scenario that `document` describes. Raises ScenarioError with all problems: of shape and of reference."""
    problems = list(document.problems)
    scenario = None
    try:
        scenario = Scenario.model_validate(document.data, context={"zone": _zone(document)})
    except ValidationError as error:
        problems += shape_problems(error, document, Scenario)
    problems += reference_problems(document)
    if problems or scenario is None:
        raise ScenarioError(_few(problems, document.file))
    return scenario.read_from(document)


def _zone(document: Document) -> tzinfo:
    """The zone of civil times; where it is wrong, another problem says so."""
    try:
        return parse_zone(document.data.get("timezone", "UTC"))
    except ValueError:
        return UTC


def _few(problems: list[Problem], file: str) -> list[Problem]:
    found = sorted(set(problems))
    if len(found) <= MOST_PROBLEMS:
        return found
    more = Problem(10**9, "", f"and {len(found) - MOST_PROBLEMS} more problems", file)
    return [*found[:MOST_PROBLEMS], more]
