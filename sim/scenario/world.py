"""A tolerant view of a scenario's raw document: what is there, whatever shape the rest is in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sim.errors import Problem
from sim.scenario.document import Document, Path


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Fact:
    """A stream of the document, or the children of one (then `parent` is the stream that they follow from)."""

    path: Path
    spec: Mapping[str, Any]
    entity: str
    parent: str | None = None

    @property
    def name(self) -> str:
        """The stream's name."""
        return str(self.path[-1])


@dataclass
class World:
    """The named parts of a document, and the problems found with them."""

    document: Document
    problems: list[Problem] = field(default_factory=list)

    def report(self, path: Path, message: str) -> None:
        """Add a problem."""
        self.problems.append(self.document.problem(path, message))

    @cached_property
    def curves(self) -> Mapping[str, Any]:
        """Curves by name."""
        return mapping(self.document.data.get("curves"))

    @cached_property
    def entities(self) -> Mapping[str, Mapping[str, Any]]:
        """Entities by name."""
        return {name: mapping(spec) for name, spec in mapping(self.document.data.get("entities")).items()}

    @cached_property
    def streams(self) -> Mapping[str, Mapping[str, Any]]:
        """Streams by name, without their children."""
        return {name: mapping(spec) for name, spec in mapping(self.document.data.get("streams")).items()}

    @cached_property
    def processes(self) -> Mapping[str, Mapping[str, Any]]:
        """Processes by name."""
        return {name: mapping(spec) for name, spec in mapping(self.document.data.get("processes")).items()}

    def facts(self) -> Iterator[Fact]:
        """All streams, each followed by its children."""
        for name, spec in self.streams.items():
            fact = Fact(("streams", name), spec, str(spec.get("entity")))
            yield fact
            yield from self._children(fact)

    def _children(self, fact: Fact) -> Iterator[Fact]:
        for name, spec in mapping(fact.spec.get("children")).items():
            child = Fact((*fact.path, "children", name), mapping(spec), fact.entity, fact.name)
            yield child
            yield from self._children(child)

    def has(self, entity: Any) -> bool:
        """Whether `entity`, whatever stands there, names an entity."""
        return isinstance(entity, str) and entity in self.entities

    def lineage(self, entity: str) -> list[str]:
        """`entity`, its parent, the parent's parent and so on, as far as they exist; a cycle is gone through once."""
        line: list[str] = []
        kind: Any = entity
        while isinstance(kind, str) and kind in self.entities and kind not in line:
            line.append(kind)
            kind = self.entities[kind].get("parent")
        return line

    def segmentations(self, entity: str) -> dict[str, Mapping[str, Any]]:
        """Segmentations in effect for `entity`: its own and those of its ancestors."""
        found: dict[str, Mapping[str, Any]] = {}
        for kind in self.lineage(entity):
            for name, segments in mapping(self.entities[kind].get("segments")).items():
                found.setdefault(name, mapping(segments))
        return found

    def states(self, entity: str) -> Mapping[str, Any]:
        """States of `entity` by name; empty without a lifecycle."""
        return mapping(mapping(mapping(self.entities.get(entity)).get("lifecycle")).get("states"))
