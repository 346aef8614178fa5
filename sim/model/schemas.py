"""The streams of a model: their Arrow schemas and their place in the total order."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from sim.attributes.column import STRING_CODES
from sim.batch import TIME, TIME_TYPE, Stream
from sim.scenario.incidents import LABEL


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


def birth_stream(
    kind: str,
    parent: str | None,
    segmentations: Iterable[str],
    stateful: bool,
    attributes: Iterable[pa.Field],
    rank: int,
    description: str,
) -> Stream:
    """The stream of an entity's births: one fact an entity, at its birth, or at the start for those who exist then."""
    fields = [
        _field(f"{kind}_id", pa.int64(), f"which {kind}"),
        _field(TIME, TIME_TYPE, "when it was born, or the start of the run if that is later"),
        _field("born_at", TIME_TYPE, "when it was born"),
    ]
    if parent is not None:
        fields.append(_field(f"{parent}_id", pa.int64(), f"the {parent} that it belongs to"))
    fields.extend(_field(name, STRING_CODES, f"segment of the segmentation {name}") for name in segmentations)
    if stateful:
        fields.append(_field("state", STRING_CODES, "state at the event time"))
    fields.extend(attributes)
    return Stream(kind, pa.schema(fields), f"{kind}_id", f"{kind}_id", rank, description or f"births of {kind}")


def transition_stream(kind: str, rank: int) -> Stream:
    """The stream of an entity's changes of state."""
    name = f"{kind}_lifecycle"
    fields = [
        _field(f"{name}_id", pa.int64(), "which change"),
        _field(TIME, TIME_TYPE, "when it happened"),
        _field(f"{kind}_id", pa.int64(), f"which {kind}"),
        _field("from_state", STRING_CODES, "the state that it left"),
        _field("to_state", STRING_CODES, "the state that it entered"),
        _field("reason", STRING_CODES, "why, where the scenario gives a reason"),
        _field("seconds_in_state", pa.float64(), "how long it was in the state that it left"),
    ]
    return Stream(name, pa.schema(fields), f"{name}_id", f"{kind}_id", rank, f"changes of state of {kind}")


def fact_stream(
    name: str, kind: str, source: Stream | None, attributes: Iterable[pa.Field], rank: int, description: str
) -> Stream:
    """A stream of facts of the entity `kind`; `source` is the stream that each fact follows from, if any."""
    fields = [_field(f"{name}_id", pa.int64(), f"which {name}"), _field(TIME, TIME_TYPE, "when it happened")]
    if source is not None and source.name != kind:
        fields.append(_field(f"{source.name}_id", pa.int64(), f"the {source.name} that it follows from"))
    fields.append(_field(f"{kind}_id", pa.int64(), f"the {kind} whose fact it is"))
    fields.extend(attributes)
    return Stream(name, pa.schema(fields), f"{name}_id", f"{kind}_id", rank, description or f"{name} of {kind}")


def step_stream(name: str, kind: str, attributes: Iterable[pa.Field], rank: int, description: str) -> Stream:
    """The stream of a process: one fact for each step of each case."""
    fields = [
        _field(f"{name}_id", pa.int64(), "which step of which case"),
        _field(TIME, TIME_TYPE, "when the case came to the step"),
        _field(f"{name}_case_id", pa.int64(), "which case"),
        _field(f"{kind}_id", pa.int64(), f"the {kind} whose case it is"),
        _field("step", STRING_CODES, "the step"),
        _field("step_index", pa.int64(), "how many steps of the case came before"),
        *attributes,
    ]
    return Stream(name, pa.schema(fields), f"{name}_id", f"{kind}_id", rank, description or f"steps of {name}")


def case_stream(name: str, kind: str, attributes: Iterable[pa.Field], rank: int) -> Stream:
    """The stream of the finished cases of a process."""
    fields = [
        _field(f"{name}_case_id", pa.int64(), "which case"),
        _field(TIME, TIME_TYPE, "when it ended"),
        _field("started_at", TIME_TYPE, "when it began"),
        _field(f"{kind}_id", pa.int64(), f"the {kind} whose case it is"),
        _field("last_step", STRING_CODES, "the step at which it ended"),
        _field("steps", pa.int64(), "how many steps it took"),
        *attributes,
    ]
    return Stream(f"{name}_case", pa.schema(fields), f"{name}_case_id", f"{kind}_id", rank, f"finished cases of {name}")


LOAD = "resource_load"
"""The stream of the load of all resources."""


def visit_stream(name: str, kind: str, rank: int) -> Stream:
    """The stream of what the cases of a process did at resources: one fact for each visit, when it ends."""
    fields = [
        _field(f"{name}_service_id", pa.int64(), "which visit"),
        _field(TIME, TIME_TYPE, "when the case left the resource, or gave up waiting for it"),
        _field(f"{name}_case_id", pa.int64(), "which case"),
        _field(f"{kind}_id", pa.int64(), f"the {kind} whose case it is"),
        _field("step", STRING_CODES, "the step"),
        _field("step_index", pa.int64(), "how many steps of the case came before"),
        _field("resource", STRING_CODES, "the resource"),
        _field("outcome", STRING_CODES, "served or reneged"),
        _field("queued_at", TIME_TYPE, "when the case joined the queue"),
        _field("waited_s", pa.float64(), "seconds in the queue"),
        _field("served_s", pa.float64(), "seconds in service; null for those who reneged"),
    ]
    return Stream(
        f"{name}_service", pa.schema(fields), f"{name}_service_id", f"{kind}_id", rank, f"{name} at its resources"
    )


def load_stream(rank: int) -> Stream:
    """The stream of the hourly load of all resources."""
    fields = [
        _field(f"{LOAD}_id", pa.int64(), "which hour of which resource"),
        _field(TIME, TIME_TYPE, "the end of the hour that the fact is about"),
        _field("resource", STRING_CODES, "the resource"),
        _field("capacity", pa.float64(), "how many cases could be served at once, on average over the hour"),
        _field("busy", pa.float64(), "how many were, on average over the hour"),
        _field("waiting", pa.float64(), "how many waited, on average over the hour"),
    ]
    return Stream(LOAD, pa.schema(fields), f"{LOAD}_id", "resource", rank, "hourly load of the resources")


def labelled(attributes: Iterable[pa.Field], label: bool) -> list[pa.Field]:
    """The attributes of a stream, and the column that says what has hit the fact, if it is asked for."""
    own = _field(LABEL, STRING_CODES, "the incident that has hit it; null for the others")
    return [*attributes, *([own] if label else [])]


def incident_stream(rank: int) -> Stream:
    """The stream of the incidents themselves: one fact when one begins."""
    name = LABEL
    fields = [
        _field(f"{name}_id", pa.int64(), "which of them"),
        _field(TIME, TIME_TYPE, "when it began, or the start of the run if that is later"),
        _field(name, STRING_CODES, "its name"),
        _field("entity", STRING_CODES, "the kind of entity that it happens to; null where it is on for all"),
        _field("entity_id", pa.int64(), "which entity"),
        _field("began_at", TIME_TYPE, "when it began"),
        _field("ends_at", TIME_TYPE, "when it has ended, also if that is after the run"),
    ]
    return Stream(name, pa.schema(fields), f"{name}_id", f"{name}_id", rank, "ground truth: what was unusual, and when")


def label_stream(rank: int) -> Stream:
    """The stream of the facts that incidents have hit: one fact for each of them and each incident."""
    name = f"{LABEL}_fact"
    fields = [
        _field(f"{name}_id", pa.int64(), "which label"),
        _field(TIME, TIME_TYPE, "when the fact happened"),
        _field("fact_stream", STRING_CODES, "the fact's stream"),
        _field("fact_id", pa.int64(), "the fact's id there"),
        _field("entity", STRING_CODES, "the kind of the entity whose fact it is"),
        _field("entity_id", pa.int64(), "which entity"),
        _field(LABEL, STRING_CODES, "the name of the incident"),
        _field("began_at", TIME_TYPE, "when the incident began; null where it hits single facts"),
    ]
    return Stream(name, pa.schema(fields), f"{name}_id", "entity_id", rank, "ground truth: which facts are unusual")
