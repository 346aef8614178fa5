"""Streams of changes, for tests of envelopes and of deletions."""

import pyarrow as pa

from sim.batch import Batch, Stream
from sinks.samples import sample_batch, simple_stream


def deletions():
    """Each customer is created and deleted in turns."""
    row = pa.struct([("plan", pa.string())])
    fields = [("event_time", pa.timestamp("us", "UTC")), ("c_change_id", pa.int64()), ("customer_id", pa.int64())]
    fields += [("op", pa.string()), ("before", row), ("after", row)]
    stream = Stream("c_change", pa.schema(fields), "c_change_id", "customer_id")
    batch = sample_batch(simple_stream(), 28)
    rows = [{"plan": "x"} if i // 7 % 2 == 0 else None for i in range(28)]
    columns = [batch.data.column(name) for name in ("event_time", "visit_id", "customer_id")]
    columns.append(pa.array(["create" if row else "delete" for row in rows]))
    columns += [pa.array([None if row else {"plan": "x"} for row in rows], row), pa.array(rows, row)]
    return Batch(stream, pa.RecordBatch.from_arrays(columns, schema=stream.schema), batch.start, batch.until)
