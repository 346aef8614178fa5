"""Values replaced from outside, by dotted path: `entities.customer.initial.count`, `streams.order.curves[0]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sim.errors import Problem, ScenarioError
from sim.maths.model import shown
from sim.scenario.document import Document, Node
from sim.scenario.words import nearest

Parts = Sequence[str | int]

_PART = re.compile(r"([^.\[\]]+)|\[(\d{1,9})\]")


def override(document: Document, path: str, node: Node) -> None:
    """Put `node` at `path`, making the mappings on the way that the language knows.

    Raises ScenarioError where the path leads through a name that the scenario does not have.
    """
    source = node.source or f"--set {path}"
    document.root = _placed(document.root, _parts(path, source), node, source, "")


def _parts(path: str, source: str) -> Parts:
    parts: list[str | int] = []
    for piece in path.split("."):
        found = list(_PART.finditer(piece))
        if not found or "".join(match[0] for match in found) != piece or found[0][1] is None:
            raise ScenarioError([Problem(0, "", "is not a path such as entities.customer.initial.count", source)])
        parts.extend(match[1] if match[1] is not None else int(match[2]) for match in found)
    return parts


def _placed(place: Node, parts: Parts, node: Node, source: str, before: str) -> Node:
    """A copy of `place` with `node` inside it; nothing that aliases may share is changed."""
    if not parts:
        return node
    key = _key(place, parts[0])
    old = place.inside.get(key)
    if old is None:
        _check_new(place, parts, source, before)
        old = Node({}, place.line, source=source)
    inner = _placed(old, parts[1:], node, source, f"{before}.{parts[0]}".strip("."))
    fresh = Node([] if isinstance(place.value, list) else {}, place.line, source=place.source)
    for name, value in {**place.inside, key: inner}.items():
        fresh.add(name, value)
    return fresh


def _check_new(place: Node, parts: Parts, source: str, before: str) -> None:
    """A new key is fine at the end of the path; on the way it must be a word of the language, not a name."""
    if isinstance(place.value, dict) and (len(parts) == 1 or parts[0] in _words()):
        return
    where = f"'{before}'" if before else "the scenario"
    keys = [str(key) for key in place.inside]
    message = f"{where} has no {shown(parts[0])}{nearest(str(parts[0]), keys)}"
    raise ScenarioError([Problem(0, "", message if keys else f"{message}; there is nothing inside", source)])


def _key(place: Node, part: str | int) -> Any:
    """The key of `place` that `part` writes: itself, a place in a list, or a key that is no text."""
    if isinstance(place.value, list) and isinstance(part, str) and part.isdigit():
        return int(part)
    if part in place.inside or isinstance(place.value, list):
        return part
    return next((key for key in place.inside if not isinstance(key, str) and str(key) == part), part)


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    """Every key that the language has."""
    from sim.scenario.json_schema import json_schema

    schema = json_schema()
    models = [schema, *schema.get("$defs", {}).values()]
    return frozenset(key for model in models for key in model.get("properties", {}))
