"""Protobuf schemas (proto3) of streams, from their Arrow schemas: as text, and as a descriptor.

Columns are numbered in their order, from 1, among all that the stream ever has, and keep their names. A scalar that may
be null is `optional`, so that a reader can tell null from 0. Lists, which cannot be null or hold nulls, are empty where
they are null and drop the nulls in them; a list in a list stands in a message with one field, `values`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pyarrow as pa

from sinks.formats.normal import description, legal_names, said, type_name
from sinks.formats.pieces import Piece
from sinks.formats.versions import NUMBER

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto

VALUES = "values"
"""The field that holds a list inside a list."""

_SCALARS = {
    pa.bool_(): "bool",
    pa.int32(): "int32",
    pa.int64(): "int64",
    pa.float32(): "float",
    pa.float64(): "double",
    pa.string(): "string",
    pa.binary(): "bytes",
}
_KNOWN = {"google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration"}


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a message; `inner` is the message that it holds, where that is one of our own."""

    name: str
    number: int
    kind: str
    repeated: bool
    doc: str = ""
    inner: Message | None = None

    @property
    def is_optional(self) -> bool:
        """Whether it needs the word to be told from its default."""
        return not self.repeated and self.inner is None and "." not in self.kind


@dataclass(frozen=True, slots=True)
class Message:
    """A message type with its fields and the types inside it."""

    name: str
    parts: list[Part] = field(default_factory=list)
    doc: str = ""


def message(schema: pa.Schema, name: str, doc: str = "") -> Message:
    """The message of facts with the columns of `schema`, all of normal types."""
    return _message(list(schema), name, doc)


def _message(fields: list[pa.Field], name: str, doc: str = "") -> Message:
    made = Message(name, doc=doc)
    names = legal_names(one.name for one in fields)
    # Fields, the types inside and what `optional` implies share one set of names.
    taken = [*names, *(f"_{own}" for own in names)]
    for place, (one, own) in enumerate(zip(fields, names, strict=True), 1):
        made.parts.append(_part(one, own, int(said(one, NUMBER) or place), taken))
    return made


def _part(column: pa.Field, name: str, number: int, taken: list[str]) -> Part:
    kind, repeated = column.type, False
    if pa.types.is_list(kind):
        kind, repeated = kind.value_type, True
    if pa.types.is_struct(kind) or pa.types.is_list(kind):
        fields = list(kind) if pa.types.is_struct(kind) else [pa.field(VALUES, kind)]
        inner = _message(fields, type_name(column.name, taken))
        taken.append(inner.name)
        return Part(name, number, inner.name, repeated, description(column), inner)
    return Part(name, number, _scalar(kind), repeated, description(column))


def _scalar(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "google.protobuf.Timestamp"
    if pa.types.is_duration(kind):
        return "google.protobuf.Duration"
    return _SCALARS.get(kind, "string")


def wire_type(kind: pa.DataType) -> pa.DataType:
    """The type in which values of the normal type `kind` are encoded: text for dates, times of day and decimals."""
    types = pa.types
    if types.is_struct(kind):
        return pa.struct([part.with_type(wire_type(part.type)) for part in kind])
    if types.is_list(kind):
        return pa.list_(kind.value_field.with_type(wire_type(kind.value_type)))
    if types.is_timestamp(kind):
        return pa.timestamp("us", "UTC")
    return pa.string() if types.is_date(kind) or types.is_time(kind) or types.is_decimal(kind) else kind


def text(top: Message, package: str, needs: Sequence[str] = ()) -> str:
    """The .proto file with that one message; `needs` are files of ours that it imports."""
    head = ['syntax = "proto3";', "", f"package {package};", ""]
    head += [f'import "google/protobuf/{file}.proto";' for file in _imports(top)]
    head += [f'import "{name}";' for name in needs]
    return "\n".join([*head, "", *_lines(top), ""])


def pieces(top: Message, package: str) -> list[Piece]:
    """The file of the message and, before it, those of the messages inside it, which have packages of their own."""
    # A package may not be called as a message is.
    own = top.name.lower() if top.name.lower() != top.name else f"{top.name}_types"
    found: list[Piece] = []
    parts, needs = [], []
    for part in top.parts:
        if part.inner is not None:
            found += pieces(part.inner, f"{package}.{own}")
            needs.append(found[-1].name)
            part = replace(part, kind=_absolute(f"{package}.{own}.{part.kind}"), inner=None)
        parts.append(part)
    made = text(Message(top.name, parts, top.doc), package, needs)
    return [*found, Piece(file_name(top, package), made, tuple(needs))]


def _absolute(name: str) -> str:
    """The full name as it has to stand in a field: with a dot where its first part might be found further inside."""
    first, _, rest = name.partition(".")
    return f".{name}" if first in rest.split(".") else name


def file_name(top: Message, package: str) -> str:
    """The name by which others import the file of a message."""
    return f"{package.replace('.', '/')}/{top.name}.proto"


def _lines(top: Message) -> Iterator[str]:
    yield from _comment(top.doc)
    yield f"message {top.name} {{"
    for part in top.parts:
        if part.inner is not None:
            yield from (f"  {line}" for line in _lines(part.inner))
    for part in top.parts:
        yield from (f"  {line}" for line in _comment(part.doc))
        word = "repeated " if part.repeated else "optional " if part.is_optional else ""
        yield f"  {word}{part.kind} {part.name} = {part.number};"
    yield "}"


def _comment(doc: str) -> Iterator[str]:
    yield from (f"// {line}".rstrip() for line in doc.splitlines())


def _imports(top: Message) -> list[str]:
    used = {_KNOWN[part.kind] for part in top.parts if part.kind in _KNOWN}
    inner = (_imports(part.inner) for part in top.parts if part.inner is not None)
    return sorted(used.union(*inner))


def descriptor(top: Message, package: str) -> FileDescriptorProto:
    """The file that `text` writes, as Protobuf describes files itself."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    file = FileDescriptorProto(name=file_name(top, package), package=package, syntax="proto3")
    file.dependency.extend(f"google/protobuf/{name}.proto" for name in _imports(top))
    _describe(top, file.message_type.add(name=top.name), f".{package}.{top.name}")
    return file


def _describe(top: Message, into: DescriptorProto, place: str) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    for part in top.parts:
        own = into.field.add(name=part.name, number=part.number)
        own.label = Field.LABEL_REPEATED if part.repeated else Field.LABEL_OPTIONAL
        if part.inner is not None:
            own.type, own.type_name = Field.TYPE_MESSAGE, f"{place}.{part.kind}"
            _describe(part.inner, into.nested_type.add(name=part.kind), f"{place}.{part.kind}")
        elif part.kind in _KNOWN:
            own.type, own.type_name = Field.TYPE_MESSAGE, f".{part.kind}"
        else:
            own.type = Field.Type.Value(f"TYPE_{part.kind.upper()}")
        if part.is_optional:
            own.proto3_optional, own.oneof_index = True, len(into.oneof_decl)
            into.oneof_decl.add(name=_implied(part.name, into, {part.name for part in top.parts}))


def _implied(name: str, into: DescriptorProto, taken: set[str]) -> str:
    """The name of the group that `optional` makes of one field, as the compiler finds it."""
    found = name if name.startswith("_") else f"_{name}"
    while found in taken.union(group.name for group in into.oneof_decl):
        found = f"X{found}"
    return found
