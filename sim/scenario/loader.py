"""Reads scenario files: YAML (and so JSON) with lines, without surprises, and with limits on what a file may do.

Only scalars, lists and mappings with plain keys are read; tags, directives of other versions, several documents and
objects of any language are refused. This is the only module that knows a YAML library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from sim.errors import Problem, ScenarioError
from sim.scenario.builder import Builder, Unreadable
from sim.scenario.bundled import locate
from sim.scenario.check import check
from sim.scenario.document import Document, Node, resolve
from sim.scenario.overrides import override
from sim.scenario.schema import Scenario

MAX_BYTES = 1_000_000


def load(source: str | os.PathLike[str] | Mapping[str, Any], overrides: Mapping[str, object] | None = None) -> Scenario:
    """The scenario in a file, of a bundled name, or given as a mapping.

    `overrides` replace values by dotted path (`entities.customer.initial.count`, `streams.order.curves[0]`); a text is
    read as YAML. Raises ScenarioError with every problem that the scenario has.
    """
    document = Document.of(source) if isinstance(source, Mapping) else read(locate(source))
    for path, value in (overrides or {}).items():
        override(document, path, _parsed(value, f"--set {path}"))
    return check(document)


def read(path: Path) -> Document:
    """The document in a file. Raises ScenarioError where it cannot be read as YAML at all."""
    return parse(_text(path), str(path))


def parse(text: str, file: str = "<scenario>") -> Document:
    """The document in a text, whose problems name `file`. Raises ScenarioError where it is no YAML mapping."""
    root, problems = _nodes(text, file)
    if not isinstance(root.value, dict):
        raise _refused(file, "a scenario is a mapping of keys such as name, start, end, entities", root.line)
    return Document(root, file, problems)


def _parsed(value: object, source: str) -> Node:
    node = _nodes(value, source)[0] if isinstance(value, str) else Document.of({"": value}).root.inside[""]
    node.source = source
    return node


def _text(path: Path) -> str:
    file = str(path)
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refused(file, f"cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise _refused(file, f"is larger than {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _refused(file, f"is not UTF-8 text: byte {content[error.start]:#04x}", line) from None


def _nodes(text: str, file: str) -> tuple[Node, list[Problem]]:
    builder = Builder()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            _feed(builder, event)
    except Unreadable as error:
        raise _refused(file, str(error), error.line) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        raise _refused(file, f"is not YAML: {reason}", mark.line + 1 if mark else 0) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise _refused(file, f"is not YAML: {str(error).splitlines()[0] if str(error) else 'too complex'}") from None
    return builder.root(), [Problem(line, "", message, file) for line, message in builder.problems]


def _feed(builder: Builder, event: Event) -> None:
    line = event.start_mark.line + 1
    if isinstance(event, ScalarEvent):
        plain = event.implicit[0] and event.style is None
        builder.scalar(resolve(event.value) if plain else event.value, line, event.anchor, _tag(event))
    elif isinstance(event, MappingStartEvent | SequenceStartEvent):
        builder.open(isinstance(event, MappingStartEvent), line, event.anchor, _tag(event))
    elif isinstance(event, MappingEndEvent | SequenceEndEvent):
        builder.close()
    elif isinstance(event, AliasEvent):
        builder.alias(event.anchor, line)
    elif isinstance(event, DocumentStartEvent):
        builder.document(line)


def _tag(event: Any) -> str | None:
    return None if event.tag is None else str(event.tag)


def _refused(file: str, message: str, line: int = 0) -> ScenarioError:
    return ScenarioError([Problem(line, "", message, file)])
