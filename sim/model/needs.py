"""Who reads what: the order in which populations come, and which of their attributes must be remembered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from sim.errors import Problem, ScenarioError
from sim.scenario.schema import Scenario


class Readers:
    """Collects what tables read of populations.

    `shared` are the populations that lookups go to: these are known to every shard.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.shared: set[str] = set()
        self.looked_up: dict[str, set[str]] = {}
        """By kind, what is read of those who are looked up."""
        self._kinds = frozenset(scenario.entities)
        self._kept: dict[str, set[str]] = {kind: set() for kind in scenario.entities}

    def add(self, names: Iterable[str]) -> None:
        """Note names such as `customer.country`; those that are of no population are somebody else's."""
        for name in names:
            kind, _, attribute = name.partition(".")
            if kind in self._kinds and attribute:
                self._kept[kind].add(attribute)

    def look_up(self, columns: Mapping[str, Iterable[str]]) -> None:
        """Note that rows look up entities, and which of their attributes they read."""
        for kind, names in columns.items():
            self.shared.add(kind)
            self._kept[kind].update(names)
            self.looked_up.setdefault(kind, set()).update(names)

    def kept(self, kind: str) -> set[str]:
        """What is read of `kind`."""
        return self._kept[kind]


def arrival_order(scenario: Scenario) -> list[str]:
    """Kinds of entities in an order in which parents, and whoever is looked up at birth, come first.

    Raises ScenarioError where entities wait for each other in a cycle.
    """
    waits = {kind: set(_awaited(scenario, kind)) - {kind} for kind in scenario.entities}
    try:
        return list(TopologicalSorter(waits).static_order())
    except CycleError as error:
        chain = " -> ".join(reversed(error.args[1]))
        problem = Problem(0, "entities", f"entities wait for each other to be born: {chain}")
        raise ScenarioError([problem]) from error


def _awaited(scenario: Scenario, kind: str) -> Iterator[str]:
    entity = scenario.entities[kind]
    if entity.parent is not None:
        yield entity.parent
    for attribute in entity.attributes.values():
        yield from attribute.looks_up()
