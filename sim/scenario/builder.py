"""Builds nodes from the events of a parser, with an explicit stack, so that no nesting exhausts the interpreter's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sim.maths.model import shown
from sim.scenario.document import MAX_DEPTH, MAX_NODES, Node

_MERGE = "<<"
_NO_KEY = object()


class Unreadable(ValueError):
    """Reading stops here: the message says why, `line` where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class _Open:
    node: Node
    anchor: str | None
    key: Any = _NO_KEY
    key_line: int = 0
    merges: list[Node] = field(default_factory=list)


class Builder:
    """Takes scalars, openings, closings and aliases in the order of the file."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._root: Node | None = None
        self._documents = 0
        self._count = 0

    def root(self) -> Node:
        """The outermost node; an empty file's is null."""
        return self._root or Node(None, 1)

    def document(self, line: int) -> None:
        """A document begins."""
        self._documents += 1
        if self._documents > 1:
            raise Unreadable("holds more than one YAML document", line)

    def scalar(self, value: Any, line: int, anchor: str | None, tag: str | None) -> None:
        """A number, a text, a boolean or null."""
        self._refuse_tag(tag, line)
        self._place(Node(_whole(value, line), line), anchor)

    def open(self, mapping: bool, line: int, anchor: str | None, tag: str | None) -> None:
        """A mapping or a list begins."""
        self._refuse_tag(tag, line)
        if self._stack and self._expects_key():
            raise Unreadable("a mapping or a list cannot be a key", line)
        if len(self._stack) >= MAX_DEPTH:
            raise Unreadable(f"more than {MAX_DEPTH} levels of nesting", line)
        self._stack.append(_Open(Node({} if mapping else [], line), anchor))

    def close(self) -> None:
        """The innermost mapping or list ends."""
        opened = self._stack.pop()
        for merged in opened.merges:
            for key, node in merged.inside.items():
                if key not in opened.node.inside:
                    opened.node.add(key, node)
        self._place(opened.node, opened.anchor)

    def alias(self, name: str, line: int) -> None:
        """A value that was given before, again."""
        if name not in self._anchors:
            raise Unreadable(f"*{name} stands for nothing: no value above is marked &{name}", line)
        self._place(self._anchors[name], None, line)

    def _place(self, node: Node, anchor: str | None, line: int = 0) -> None:
        if anchor:
            self._anchors[anchor] = node
        # what an alias repeats counts again, so that a short file cannot stand for a huge one
        self._count += node.size if line else 1
        if self._count > MAX_NODES:
            raise Unreadable(f"more than {MAX_NODES} values", line or node.line)
        if not self._stack:
            self._root = node
        elif isinstance(self._stack[-1].node.value, list):
            opened = self._stack[-1].node
            opened.add(len(opened.value), node)
        elif self._expects_key():
            self._key(node, line)
        else:
            self._entry(self._stack[-1], node)

    def _expects_key(self) -> bool:
        top = self._stack[-1]
        return isinstance(top.node.value, dict) and top.key is _NO_KEY

    def _key(self, node: Node, line: int) -> None:
        if isinstance(node.value, dict | list):
            raise Unreadable("a mapping or a list cannot be a key", line or node.line)
        self._stack[-1].key, self._stack[-1].key_line = node.value, line or node.line

    def _entry(self, opened: _Open, node: Node) -> None:
        key, opened.key = opened.key, _NO_KEY
        if key == _MERGE:
            opened.merges.extend(self._mergeable(node, opened.key_line))
        elif key in opened.node.inside:
            first = opened.node.inside[key].line
            self.problems.append((opened.key_line, f"the key {shown(key)} is already on line {first}"))
        else:
            opened.node.add(key, Node(node.value, opened.key_line, node.inside, node.size))

    def _mergeable(self, node: Node, line: int) -> list[Node]:
        nodes = list(node.inside.values()) if isinstance(node.value, list) else [node]
        if not all(isinstance(part.value, dict) for part in nodes):
            raise Unreadable("<< takes in mappings only", line)
        return nodes

    @staticmethod
    def _refuse_tag(tag: str | None, line: int) -> None:
        if tag is not None:
            raise Unreadable(f"tags such as {shown(tag)} are not allowed", line)


def _whole(value: Any, line: int) -> Any:
    """Text with the surrogate pairs of JSON's escapes joined."""
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise Unreadable("half of a surrogate pair is not a character", line) from None
