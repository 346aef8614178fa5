"""Cycles among things that need each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter


def cycle(graph: Mapping[str, Iterable[str]]) -> list[str] | None:
    """The names along a cycle of `graph` (name -> names that it needs), the first repeated at the end, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in reversed(error.args[1])]
    return None
