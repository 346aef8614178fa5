"""Full runs of the bundled scenarios, made once per test session and open to SQL.

With UPDATE_GOLDEN=1 in the environment, test_scenarios.py and test_docs_sql.py store what the scenarios give now, where
that is what was intended.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

import duckdb
import pyarrow as pa

import sim
from sim.batch import Stream
from sim.model.model import Model
from sim.scenario.schema import Scenario

UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
SEED = int(os.environ["DATAGEN_TEST_SEED"]) if "DATAGEN_TEST_SEED" in os.environ else None
"""Another seed than the scenario's own, to try statistical tests by hand; answers on pages are for the latter only."""


@dataclass(frozen=True)
class FullRun:
    """A scenario, its model, and every stream as a table and as a view of that name."""

    scenario: Scenario
    model: Model
    tables: dict[str, pa.Table]
    db: duckdb.DuckDBPyConnection

    @property
    def streams(self) -> dict[str, Stream]:
        return {stream.name: stream for stream in self.model.streams}

    def rows(self, sql: str) -> list[tuple]:
        """The rows of a query's result."""
        return self.db.execute(sql).fetchall()

    def one(self, sql: str):
        """The only value of a query's result, or its only row where that has several."""
        (row,) = self.rows(sql)
        return row[0] if len(row) == 1 else row


@cache
def full_run(name: str) -> FullRun:
    """All facts of the bundled scenario `name`."""
    scenario = sim.load(name)
    model = sim.compile_scenario(scenario)
    tables = sim.to_arrow(sim.simulate(model, seed=SEED))
    db = duckdb.connect(config={"threads": 1})  # sums of floating-point numbers depend on their order
    db.execute(f"SET timezone = '{scenario.timezone}'")
    for stream, table in tables.items():
        db.register(stream, table)
    return FullRun(scenario, model, tables, db)
