"""Made-up facts in great number, for the tests of faults: evenly spread over time, of many entities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from worlds import SEED

from sim.batch import TIME, TIME_TYPE, Batch, Stream
from sim.delivery.faults import Injector, Struck
from sim.delivery.windows import Window
from sim.scenario.faults import Faults

MINUTE = 60_000_000
SPAN = 1_000 * MINUTE
ENTITIES = 2_000
SCHEMA = pa.schema([(TIME, TIME_TYPE), ("act_id", pa.int64()), ("user_id", pa.int64()), ("amount", pa.float64())])
STREAM = Stream("act", SCHEMA, "act_id", "user_id", 0)


def spec(**parts: Any) -> Faults:
    """The faults of a stream."""
    return Faults.model_validate(parts)


def made(rows: int = 50_000) -> Batch:
    """So many facts in [0, SPAN), their ids and entities in no order."""
    rng = np.random.default_rng(SEED)
    times = np.arange(rows) * (SPAN // rows)
    ids = rng.permutation(rows) + 10**9
    columns = [pa.array(times, TIME_TYPE), pa.array(ids), pa.array(ids % ENTITIES), pa.array(rng.random(rows))]
    return Batch(STREAM, pa.RecordBatch.from_arrays(columns, schema=SCHEMA), 0, SPAN)


def struck(rows: int = 50_000, **parts: Any) -> tuple[Batch, Struck, Mapping[str, Any]]:
    """Such facts, what becomes of them, and the injections by kind."""
    batch = made(rows)
    found = Injector(STREAM, spec(**parts), SEED).strike(batch)
    return batch, found, {injection.kind: injection for injection in found.injections}


def cut(batch: Batch, *instants: int) -> Iterator[Window]:
    """The batch as windows that end at these instants, and at its own end."""
    start = batch.start
    for until in (*instants, batch.until):
        first, last = np.searchsorted(batch.times, (start, until)).tolist()
        yield Window((batch.part(first, last, start, until),), start, until)
        start = until
