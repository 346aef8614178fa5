"""Turns what pydantic finds into problems with line, path, value and the nearest allowed word."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sim.errors import Problem
from sim.maths.model import shown
from sim.scenario.document import Document, Path
from sim.scenario.shape import Place, keys, locate, types_of
from sim.scenario.words import nearest

MOST_PROBLEMS = 100
_MOST_ERRORS = 1_000

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "list_type": "a list",
    "dict_type": "a mapping",
}
_LIMITS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "above"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "below"),
}


def shape_problems(error: ValidationError, document: Document, root: Any) -> list[Problem]:
    """The problems behind `error`, which came from validating `document` as the model `root`."""
    found: dict[Path, list[tuple[Place, ErrorDetails]]] = defaultdict(list)
    for details in error.errors(include_url=False)[:_MOST_ERRORS]:
        place = locate(root, document.data, _outer(details))
        found[place.path].append((place, details))
    # a member of a union that went deeper is the one that was meant
    deeper = {path[:length] for path in found for length in range(len(path))}
    problems = []
    for path, errors in found.items():
        if not (path in deeper and all(place.guessed for place, _ in errors)):
            problems += _at(errors, document)
    return problems


def _outer(details: ErrorDetails) -> tuple[str | int, ...]:
    """The `loc` up to what is there in the file: a missing key is not."""
    return details["loc"][:-1] if details["type"] == "missing" else details["loc"]


def _at(errors: list[tuple[Place, ErrorDetails]], document: Document) -> list[Problem]:
    wanted = list(dict.fromkeys(_wanted(place, details) for place, details in errors if place.guessed))
    if wanted and all(wanted):
        place, details = errors[0]
        message = f"must be {' or '.join(str(want) for want in wanted)}, not {shown(details['input'])}"
        return [document.problem(place.path, message)]
    return [_problem(place, details, document) for place, details in errors]


def _wanted(place: Place, details: ErrorDetails) -> str | None:
    """What should have been there, in words, for errors that say no more than that."""
    kind = details["type"]
    if kind in {"model_type", "model_attributes_type"}:
        known = list(keys(place.annotation)) or ["type"]
        return f"a mapping with {', '.join(known[:12])}"
    return _WANTED.get(kind)


def _problem(place: Place, details: ErrorDetails, document: Document) -> Problem:
    kind, value = details["type"], details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    path = place.path
    if kind == "missing":
        return document.problem(path, f"the key {shown(details['loc'][-1])} is missing")
    if kind == "extra_forbidden":
        return _unknown_key(details, document)
    if kind == "union_tag_invalid":
        hint = nearest(context["tag"], _quoted(context["expected_tags"]))
        return document.problem((*path, "type"), f"unknown type {shown(context['tag'])}{hint}")
    if kind == "union_tag_not_found":
        allowed = types_of(place.annotation)
        return document.problem(path, "the key 'type' is missing" + nearest("", allowed))
    return document.problem(path, _message(kind, value, context, place, details))


def _unknown_key(details: ErrorDetails, document: Document) -> Problem:
    from sim.scenario.schema import Scenario

    around = locate(Scenario, document.data, details["loc"][:-1])
    key = details["loc"][-1]
    message = f"unknown key {shown(key)}{nearest(key, keys(around.annotation))}"
    return document.problem((*around.path, key), message)


def _message(kind: str, value: Any, context: dict[str, Any], place: Place, details: ErrorDetails) -> str:
    wanted = _wanted(place, details)
    if wanted:
        return f"must be {wanted}, not {shown(value)}"
    if kind in _LIMITS:
        key, words = _LIMITS[kind]
        return f"must be {words} {context[key]:.12g}, not {shown(value)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"{shown(value)} is not allowed{nearest(value, _quoted(context['expected']))}"
    if kind == "invalid_key":
        return f"the key {shown(value)} must be text; put it in quotes"
    return _length(kind, value, context) or _plain(details["msg"], value)


def _length(kind: str, value: Any, context: dict[str, Any]) -> str | None:
    if kind in {"too_short", "too_long"}:
        side, limit = ("at least", "min_length") if kind == "too_short" else ("at most", "max_length")
        count = context["actual_length"]
        return f"must have {side} {context[limit]} items" + (f", not {count}" if count is not None else "")
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters"
    return None


def _plain(message: str, value: Any) -> str:
    text = message.replace("Input should be", "must be").replace("Value error, ", "")
    return f"{text[:1].lower()}{text[1:]}, not {shown(value)}"


def _quoted(text: str) -> list[str]:
    return re.findall(r"'([^']*)'", text)
