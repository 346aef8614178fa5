"""Small worlds for the tests of the engine: scenarios as mappings, run to tables in memory.

Every statistical test must hold for any seed, not just for the one that it runs with. To try another one:

    DATAGEN_TEST_SEED=7 pytest tests/test_recovery_*.py
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from sim.batch import Batch
from sim.delivery.collect import to_arrow, to_polars
from sim.engine.simulate import simulate
from sim.maths.units import DAY
from sim.model.compile import compile_scenario
from sim.model.model import Model
from sim.scenario.loader import load

SEED = int(os.environ.get("DATAGEN_TEST_SEED", "1"))
YEAR_DAYS = 366
"""Length of the default run: the whole of 2024."""


def micros(moment: str) -> int:
    """Microseconds since the epoch of an ISO date or time, UTC unless it says otherwise."""
    parsed = datetime.fromisoformat(moment)
    parsed = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp()) * 1_000_000


START, END = micros("2024-01-01"), micros("2025-01-01")


def scenario(**parts: Any) -> dict[str, Any]:
    """A scenario over the year 2024 in UTC with 4 blocks; `parts` add to it or say otherwise."""
    return {"name": "world", "start": "2024-01-01", "end": "2025-01-01", "blocks": 4, **parts}


def population(count: int, **parts: Any) -> dict[str, Any]:
    """An entity called `user`, of which `count` exist at the start: the value of `entities`."""
    return {"user": {"initial": {"count": count}, **parts}}


def acting(count: int, rate: str, entity: Mapping[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """A scenario of `count` users, each doing `act` at `rate`; `entity` adds to the user, `parts` to the scenario."""
    stream = {"entity": "user", "rate": rate, **parts.pop("stream", {})}
    return scenario(entities=population(count, **(entity or {})), streams={"act": stream}, **parts)


def model(mapping: Mapping[str, Any]) -> Model:
    """The compiled scenario."""
    return compile_scenario(load(mapping))


def batches(mapping: Mapping[str, Any], seed: int = SEED, shard: str | None = None) -> list[Batch]:
    """All batches of a run."""
    return list(simulate(model(mapping), seed, shard))


def tables(mapping: Mapping[str, Any], seed: int = SEED, shard: str | None = None) -> dict[str, pl.DataFrame]:
    """A whole run, one frame a stream."""
    return to_polars(model(mapping), seed, shard)


def arrow(source: Iterable[Batch]) -> dict[str, pa.Table]:
    """Batches as one Arrow table a stream."""
    return to_arrow(source)


def facts(mapping: Mapping[str, Any], stream: str = "act", seed: int = SEED) -> pl.DataFrame:
    """One stream of a whole run."""
    return tables(mapping, seed)[stream]


def instants(frame: pl.DataFrame, column: str = "event_time") -> np.ndarray:
    """A column of times as int64 microseconds since the epoch."""
    return frame[column].to_physical().to_numpy()


def days(frame: pl.DataFrame, since: int = START, column: str = "event_time") -> np.ndarray:
    """A column of times as float64 days since `since`."""
    return (instants(frame, column) - since) / DAY


def ages(frame: pl.DataFrame, births: pl.DataFrame, kind: str = "user") -> np.ndarray:
    """Age in days of the entity of each fact, from the stream of births."""
    born = instants(births, "born_at")[frame[f"{kind}_id"].to_numpy()]
    return (instants(frame) - born) / DAY


def words(frame: pl.DataFrame, column: str) -> np.ndarray:
    """A categorical column as an array of text."""
    return frame[column].cast(pl.String).to_numpy()


def per_entity(frame: pl.DataFrame, count: int, kind: str = "user") -> np.ndarray:
    """How many facts each of the entities 0..count-1 has: int64[count]."""
    return np.bincount(frame[f"{kind}_id"].to_numpy(), minlength=count)


@dataclass(frozen=True)
class Stays:
    """Every stay of every entity in a state, during the run: arrays of one element a stay, times in microseconds.

    Of entities that exist at the start, the first stay began before: it is cut off there.
    """

    entity: np.ndarray
    state: np.ndarray
    entered: np.ndarray
    left: np.ndarray
    to: np.ndarray
    """Where it went, the empty text where the run ended first."""

    def of(self, state: str) -> Stays:
        """The stays in one state."""
        return Stays(*(getattr(self, field.name)[self.state == state] for field in fields(self)))

    @property
    def ended(self) -> np.ndarray:
        """Whether each stay ended before the run did."""
        return self.to != ""

    @property
    def length(self) -> np.ndarray:
        """Lengths in days."""
        return (self.left - self.entered) / DAY

    def exposure(self, since: Any, until: Any) -> float:
        """Days that entities spend here in [since, until), which may be numbers or have one element a stay."""
        overlap = np.minimum(self.left, until) - np.maximum(self.entered, since)
        return float(np.maximum(overlap, 0).sum() / DAY)


def stays(run: Mapping[str, pl.DataFrame], kind: str = "user", end: int = END) -> Stays:
    """The stays in states, put together from births and transitions."""
    births, changes = run[kind], run[f"{kind}_lifecycle"]
    entity = np.concatenate([births[f"{kind}_id"].to_numpy(), changes[f"{kind}_id"].to_numpy()])
    entered = np.concatenate([instants(births), instants(changes)])
    state = np.concatenate([words(births, "state"), words(changes, "to_state")])
    # Births go before changes of the same instant.
    order = np.lexsort((np.arange(len(entity)), entered, entity))
    entity, entered, state = entity[order], entered[order], state[order]
    again = np.append(entity[1:] == entity[:-1], False)
    left = np.where(again, np.roll(entered, -1), end)
    return Stays(entity, state, entered, left, np.where(again, np.roll(state, -1), ""))
