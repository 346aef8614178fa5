"""Rows and populations as plain arrays, for testing attributes without an engine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.attributes.column import TIME_TYPE, Column

DAY = 86_400_000_000


def stream(*names: object) -> np.random.Generator:
    """A random stream named after `names`."""
    digest = hashlib.sha256(repr(names).encode()).digest()
    return np.random.Generator(np.random.PCG64DXSM(int.from_bytes(digest[:16], "little")))


class FakeReference:
    """A population with given birth times (ascending) and columns."""

    def __init__(self, births: Any, columns: Mapping[str, Any] | None = None, nominal: int | None = None) -> None:
        self.births = np.asarray(births, np.int64)
        self.columns = {name: Column.of(values) for name, values in (columns or {}).items()}
        self.columns["born_at"] = Column(self.births, TIME_TYPE)
        self.columns["id"] = Column.of(np.arange(len(self.births)))
        self.nominal = nominal or max(1, len(self.births))
        self.cache: dict[str, Any] = {}
        self.mortal = False

    def born(self, times: Any) -> Any:
        return np.searchsorted(self.births, times, side="right")

    def column(self, name: str, ids: Any, times: Any = None) -> Column:
        return self.columns[name].take(ids)


@dataclass
class FakeRows:
    """n rows, one a second from time 0 on unless `times` are given; `columns` is their context."""

    n: int
    seed: int = 0
    times: Any = None
    ids: Any = None
    subject: str | None = None
    columns: dict[str, Any] = field(default_factory=dict)
    references: dict[str, FakeReference] = field(default_factory=dict)
    factors: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    children: dict[str, tuple[Any, Any, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.times = np.arange(self.n) * 1_000_000 if self.times is None else np.asarray(self.times, np.int64)
        self.ids = np.arange(self.n) if self.ids is None else np.asarray(self.ids)
        self.columns = {name: Column.of(values) for name, values in self.columns.items()}
        self.columns.setdefault("event_time", Column(self.times, TIME_TYPE))

    def __len__(self) -> int:
        return self.n

    def rng(self, name: str) -> np.random.Generator:
        return stream(self.seed, "rows", name, int(self.ids[0]) if self.n else -1)

    def shared_rng(self, name: str) -> np.random.Generator:
        return stream(self.seed, "shared", name)

    def column(self, name: str) -> Column:
        return self.columns[name]

    def value_factor(self, attribute: str) -> Any:
        return self.factors.get(attribute)

    def curve(self, curve: Any) -> Any:
        return self.curves[curve if isinstance(curve, str) else curve.type](self.times)

    def reference(self, entity: str) -> FakeReference:
        return self.references[entity]

    def own(self, entity: str) -> tuple[Any, Any, Any]:
        return self.children[entity]
