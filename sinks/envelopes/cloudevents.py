"""CloudEvents 1.0 (CNCF): structured, with the fact inside an event, or binary, with the event's attributes as headers.

An event's `id` is the fact's, unique within its `source`, which is scenario, seed and stream; its `type` is the
namespace and the stream, its `subject` the key, its `time` the event time.
"""

from __future__ import annotations

import pyarrow as pa

from sim.batch import TIME, TIME_TYPE, Stream
from sinks.envelopes.envelope import Envelope, Varying, constant
from sinks.formats.columns import octets
from sinks.run import Run

VERSION = "1.0"


class CloudEvents(Envelope):
    """The fact is the member `data` of an event written as JSON."""

    name = "cloudevents"
    formats = frozenset({"json", "jsonschema"})

    def __init__(self, stream: Stream, run: Run, namespace: str) -> None:
        super().__init__(stream, run, namespace)
        self.source = f"/datagen/{run.scenario}/{run.seed}/{stream.name}"
        self.type = f"{namespace}.{stream.name}"
        self.namespace = self.type
        texts = ("specversion", "id", "source", "type", "subject", "datacontenttype")
        fields = [pa.field(name, pa.string(), nullable=name == "subject") for name in texts]
        fields.append(pa.field("time", TIME_TYPE, nullable=False))
        fields.append(pa.field("data", pa.struct(list(stream.schema))))
        self.stream = Stream("cloud_event", pa.schema(fields), "id", "subject", stream.rank, stream.description)

    def wrap(self, data: pa.RecordBatch) -> pa.RecordBatch:
        """One event for each fact."""
        count = data.num_rows
        columns = [
            constant(VERSION, count),
            data.column(self.facts.id).cast(pa.string()),
            constant(self.source, count),
            constant(self.type, count),
            data.column(self.facts.key).cast(pa.string()),
            constant("application/json", count),
            data.column(TIME),
            pa.StructArray.from_arrays(data.columns, fields=list(self.facts.schema)),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self.stream.schema)

    def headers(self, content_type: str) -> dict[str, bytes | Varying]:
        """The content type that tells a structured event from other JSON."""
        return {"content-type": b"application/cloudevents+json; charset=UTF-8"}


class CloudEventsBinary(Envelope):
    """The message is the fact, in any format; the event's attributes are headers that begin with `ce_`."""

    name = "cloudevents-binary"

    def headers(self, content_type: str) -> dict[str, bytes | Varying]:
        """The attributes."""
        run, facts = self.run, self.facts
        return {
            "ce_specversion": VERSION.encode(),
            "ce_id": lambda data: octets(data, facts.id),
            "ce_source": f"/datagen/{run.scenario}/{run.seed}/{facts.name}".encode(),
            "ce_type": f"{self.namespace}.{facts.name}".encode(),
            "ce_time": lambda data: octets(data, TIME),
            "ce_subject": lambda data: octets(data, facts.key),
            "content-type": content_type.encode(),
        }
