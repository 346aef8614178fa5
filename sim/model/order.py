"""What runs after what inside a window: causes before effects, as far as the scenario has no cycle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from sim.errors import Problem, ScenarioError
from sim.model.model import Machine, Node

Key = tuple[str, str]
"""The kind of a node, and its population (births, states) or the first of its streams."""


@dataclass(frozen=True, slots=True)
class Part:
    """Facts of a node that are made together: what they read, look up and set, all of it as `customer.plan`.

    `kinds` are the kinds of entities that they look up, and `strangers` those that they do not look up as their own.
    """

    label: str
    reads: frozenset[str]
    looks: frozenset[str]
    sets: frozenset[str]
    kinds: frozenset[str] = frozenset()
    strangers: frozenset[str] = frozenset()

    def beside(self, other: Part) -> Part:
        """Both as one."""
        return Part(
            f"{self.label}, {other.label}",
            self.reads | other.reads,
            self.looks | other.looks,
            self.sets | other.sets,
            self.kinds | other.kinds,
            self.strangers | other.strangers,
        )


@dataclass
class Graph:
    """The nodes of a scenario and what each of them waits for."""

    nodes: dict[Key, Node] = field(default_factory=dict)
    waits: dict[Key, set[Key]] = field(default_factory=dict)
    sources: dict[str, Key] = field(default_factory=dict)
    """Which node gives a stream."""
    parts: dict[Key, tuple[Part, ...]] = field(default_factory=dict)
    """What each node makes, in that order."""
    late: dict[Key, set[Key]] = field(default_factory=dict)
    """What nodes should wait for, and cannot because of a cycle."""

    def add(self, node: Node, key: str, streams: Iterable[str], waits: Iterable[Key], parts: Iterable[Part]) -> None:
        """Add a node that gives `streams` and waits for others (those that do not exist are no matter)."""
        place = (node.kind, key)
        self.nodes[place] = node
        self.waits[place] = set(waits)
        self.parts[place] = tuple(parts)
        self.sources.update(dict.fromkeys(streams, place))

    def join(self, places: Sequence[Key]) -> None:
        """Make one node of several, which then waits for all that they wait for, and is waited for as they are."""
        first, *others = places
        for other in others:
            node = self.nodes.pop(other)
            self.nodes[first] = replace(self.nodes[first], names=(*self.nodes[first].names, *node.names))
            self.waits[first] |= self.waits.pop(other)
            (own, *following), (its, *later) = self.parts[first], self.parts.pop(other)
            self.parts[first] = (own.beside(its), *following, *later)
        for waits in self.waits.values():
            if waits & set(others):
                waits.difference_update(others)
                waits.add(first)
        self.sources = {stream: first if place in others else place for stream, place in self.sources.items()}

    def reaches(self, late: Key, early: Key) -> bool:
        """Whether `late` waits for `early`, however indirectly."""
        seen: set[Key] = set()
        front = [late]
        while front:
            place = front.pop()
            if place == early:
                return True
            if place not in seen:
                seen.add(place)
                front.extend(self.waits.get(place, ()))
        return False

    def soften(self, late: Key, early: Key) -> bool:
        """Let `late` wait for `early` unless that closes a cycle; returns whether it would."""
        if self.reaches(early, late):
            self.late.setdefault(late, set()).add(early)
            return True
        self.waits[late].add(early)
        return False

    def needed(self, places: Iterable[Key]) -> set[Key]:
        """The nodes at `places`, and all whose facts theirs depend on, in the same tick or from one to the next."""
        found: set[Key] = set()
        front = list(places)
        while front:
            place = front.pop()
            if place in self.nodes and place not in found:
                found.add(place)
                front.extend(self.waits[place] | self.late.get(place, set()))
        return found

    def order(self) -> tuple[Node, ...]:
        """The nodes, everything after what it waits for; raises ScenarioError for a cycle."""
        waits: Mapping[Key, set[Key]] = {place: needs & self.nodes.keys() for place, needs in self.waits.items()}
        ranks = {place: rank for rank, place in enumerate(self.nodes)}
        sorter = TopologicalSorter({place: sorted(waits[place], key=ranks.__getitem__) for place in self.nodes})
        try:
            return tuple(self.nodes[place] for place in sorter.static_order())
        except CycleError as error:
            chain = " -> ".join(name for _, name in reversed(error.args[1]))
            raise ScenarioError([Problem(0, "", f"streams wait for each other: {chain}")]) from error


def words(nodes: Iterable[Node], kinds: list[str], machines: Mapping[str, Machine | None]) -> tuple[str, ...]:
    """The order in words, one line for each population, and one for each transition that takes effect late."""
    parts: dict[str, list[str]] = {kind: [] for kind in kinds}
    for node in nodes:
        what = {"births": ["births"], "states": ["lifecycle"]}.get(node.kind, list(node.names))
        parts[kinds[node.population]].extend(what)
    lines = [f"{kind}: {' -> '.join(names)}" for kind, names in parts.items()]
    for kind, machine in machines.items():
        for state, exits in zip(machine.states, machine.exits, strict=True) if machine is not None else ():
            for exit_ in exits:
                if exit_.trigger is not None and exit_.trigger.late:
                    target = machine.states[exit_.to] if machine is not None else ""
                    lines.append(
                        f"{kind}: {state} -> {target} on {exit_.trigger.source} takes effect at the next tick (a cycle)"
                    )
    return tuple(lines)
