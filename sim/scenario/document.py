"""A scenario as it stands in its file: plain values, each with the line that it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sim.errors import Problem
from sim.maths.model import shown

Path = tuple[str | int | float | bool | None, ...]
"""Keys of mappings and places in lists, from the outermost in."""

MAX_DEPTH = 50
MAX_NODES = 200_000

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    ".nan": float("nan"),
    **dict.fromkeys((".inf", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
}
_MAX_DIGITS = 400


def resolve(text: str) -> Any:
    """The value of an unquoted scalar by the core schema of YAML 1.2.

    `12:30`, `no`, `2024-01-01` and `007` are text, `1e-3` is a number: what a person means who knows no rules of YAML.
    """
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    leading_zero = text.lstrip("+-")[:2].isdigit() and text.lstrip("+-").startswith("0")
    return float(text) if _FLOAT.fullmatch(text) and not leading_zero else text


@dataclass(slots=True)
class Node:
    """A value, the line of it, and for mappings and lists the nodes inside (with the line of each key)."""

    value: Any
    line: int = 0
    inside: dict[Any, Node] = field(default_factory=dict)
    size: int = 1
    source: str | None = None

    def add(self, key: Any, node: Node) -> None:
        """Put `node` into this mapping under `key`, or at the end of this list."""
        self.inside[key] = node
        self.size += node.size
        if isinstance(self.value, list):
            self.value.append(node.value)
        else:
            self.value[key] = node.value


@dataclass(slots=True)
class Document:
    """A whole file: its root node, its name, and the problems that reading it has already shown."""

    root: Node
    file: str = "<scenario>"
    problems: list[Problem] = field(default_factory=list)

    @property
    def data(self) -> dict[str, Any]:
        """The plain values."""
        value = self.root.value
        return value if isinstance(value, dict) else {}

    def at(self, path: Path) -> Any:
        """The plain value at `path`, None where there is none."""
        node: Node | None = self.root
        for part in path:
            node = node.inside.get(part) if node is not None else None
        return node.value if node is not None else None

    def place(self, problem: Problem) -> Problem:
        """A problem that was found later, without a line, on the line of its path."""
        if problem.line or not problem.path:
            return problem if problem.line else Problem(0, "", problem.message, self.file)
        parts = [match[1] or int(match[2]) for match in _PATH_PART.finditer(problem.path)]
        return replace(self.problem(tuple(parts), problem.message), path=problem.path)

    def problem(self, path: Path, message: str) -> Problem:
        """A problem at `path`, on the line of it or of the nearest thing around it."""
        node = self.root
        line, source = node.line, None
        for part in path:
            if part not in node.inside:
                break
            node = node.inside[part]
            line, source = node.line, node.source or source
        return Problem(0 if source else line, dotted(path), message, source or self.file)

    @classmethod
    def of(cls, data: Mapping[str, Any], file: str = "<scenario>") -> Document:
        """A document of plain values, without lines. Depth and size are limited as for files."""
        document = cls(Node({}, 0), file)
        root, problem = _node(data, 0, [0])
        document.root = root
        if problem:
            document.problems.append(Problem(0, "", problem, file))
        return document


def _node(value: Any, depth: int, count: list[int]) -> tuple[Node, str | None]:
    count[0] += 1
    if depth > MAX_DEPTH:
        return Node(None), f"more than {MAX_DEPTH} levels of nesting"
    if count[0] > MAX_NODES:
        return Node(None), f"more than {MAX_NODES} values"
    pairs: Iterator[tuple[Any, Any]]
    if isinstance(value, Mapping):
        node, pairs = Node({}), iter(value.items())
    elif isinstance(value, list | tuple):
        node, pairs = Node([]), iter(enumerate(value))
    else:
        return Node(value), None
    for key, item in pairs:
        inner, problem = _node(item, depth + 1, count)
        if problem:
            return Node(None), problem
        node.add(key, inner)
    return node, None


_PATH_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_:+-]+")


def dotted(path: Sequence[Any]) -> str:
    """`entities.customer.curves[0]`, as errors show a path."""
    text = ""
    for part in path:
        if isinstance(part, int) and not isinstance(part, bool):
            text += f"[{part}]"
        else:
            word = part if isinstance(part, str) and _PLAIN_KEY.fullmatch(part) else shown(part)
            text += f".{word}" if text else word
    return text
