"""The streams of what becomes of entities: changes, versions and snapshots."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from sim.attributes.column import STRING_CODES
from sim.attributes.nested import plain
from sim.batch import TIME, TIME_TYPE, Stream
from sim.scenario.schedule import Schedule

OPERATIONS = ("create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Chronicle:
    """What is told of the entities of `population`: `record` are the columns that one of them has, but for its id."""

    population: int
    record: tuple[pa.Field, ...]
    changes: Stream | None
    versions: Stream | None
    snapshots: Stream | None
    schedule: Schedule | None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The streams that there are."""
        return tuple(stream for stream in (self.changes, self.versions, self.snapshots) if stream is not None)


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


def record_of(birth: Stream) -> tuple[pa.Field, ...]:
    """The columns of an entity, from the stream of its births, but for its id."""
    return tuple(field for field in birth.schema if field.name not in (TIME, birth.id))


def struct_of(kind: str, record: tuple[pa.Field, ...]) -> pa.DataType:
    """An entity as one value: its id, and all that it has."""
    return pa.struct([pa.field(f"{kind}_id", pa.int64()), *(pa.field(f.name, plain(f.type)) for f in record)])


def change_stream(kind: str, record: tuple[pa.Field, ...], rank: int) -> Stream:
    """The stream of creations, changes and deletions."""
    name, entity = f"{kind}_change", struct_of(kind, record)
    fields = [
        _field(f"{name}_id", pa.int64(), "which change"),
        _field(TIME, TIME_TYPE, "when it happened"),
        _field(f"{kind}_id", pa.int64(), f"which {kind}"),
        _field("op", STRING_CODES, "create, update or delete"),
        _field("changed", pa.list_(pa.string()), "the columns that an update has changed"),
        _field("before", entity, f"the {kind} before; null for create"),
        _field("after", entity, f"the {kind} from then on; null for delete"),
    ]
    return Stream(name, pa.schema(fields), f"{name}_id", f"{kind}_id", rank, f"changes of {kind}")


def version_stream(kind: str, record: tuple[pa.Field, ...], rank: int) -> Stream:
    """The stream of versions (a slowly changing dimension of type 2): each when it ends, or when the run does."""
    name = f"{kind}_version"
    fields = [
        _field(f"{name}_id", pa.int64(), "which version of whom"),
        _field(TIME, TIME_TYPE, "when the version ended, or the end of the run"),
        _field(f"{kind}_id", pa.int64(), f"which {kind}"),
        _field("version", pa.int64(), "1 for the first"),
        _field("valid_from", TIME_TYPE, "since when it was so"),
        _field("valid_to", TIME_TYPE, "until when, this instant not included; null for the current version"),
        _field("is_current", pa.bool_(), "whether it was still so when the run ended"),
        *record,
    ]
    return Stream(name, pa.schema(fields), f"{name}_id", f"{kind}_id", rank, f"versions of {kind}")


def snapshot_stream(kind: str, record: tuple[pa.Field, ...], rank: int) -> Stream:
    """The stream of snapshots: everybody who exists, again and again."""
    name = f"{kind}_snapshot"
    fields = [
        _field(f"{name}_id", pa.int64(), "whom, and when"),
        _field(TIME, TIME_TYPE, "the moment of the snapshot"),
        _field(f"{kind}_id", pa.int64(), f"which {kind}"),
        *record,
    ]
    return Stream(name, pa.schema(fields), f"{name}_id", f"{kind}_id", rank, f"all of {kind}, at regular times")
