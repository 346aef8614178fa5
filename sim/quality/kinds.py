"""Types of columns: as Arrow has them, as manifests write them, and as DuckDB calls them."""

from __future__ import annotations

import re

import pyarrow as pa

_TIMESTAMP = re.compile(r"^timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]$")
_DICTIONARY = re.compile(r"^dictionary<values=(.+), indices=.*>$")
_PLAIN: dict[str, tuple[pa.DataType, str]] = {
    "bool": (pa.bool_(), "BOOLEAN"),
    "int8": (pa.int8(), "TINYINT"),
    "int16": (pa.int16(), "SMALLINT"),
    "int32": (pa.int32(), "INTEGER"),
    "int64": (pa.int64(), "BIGINT"),
    "uint8": (pa.uint8(), "UTINYINT"),
    "uint16": (pa.uint16(), "USMALLINT"),
    "uint32": (pa.uint32(), "UINTEGER"),
    "uint64": (pa.uint64(), "UBIGINT"),
    "float": (pa.float32(), "FLOAT"),
    "double": (pa.float64(), "DOUBLE"),
    "date32[day]": (pa.date32(), "DATE"),
    "string": (pa.string(), "VARCHAR"),
    "large_string": (pa.string(), "VARCHAR"),
    "string_view": (pa.string(), "VARCHAR"),
    "binary": (pa.binary(), "BLOB"),
}


def plain(kind: pa.DataType) -> pa.DataType:
    """The type of a column's values: without dictionary, and one kind of text only, in lists and structs as well."""
    if pa.types.is_dictionary(kind):
        return plain(kind.value_type)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(part.name, plain(part.type)) for part in kind])
    return kind


def told(kind: pa.DataType) -> str:
    """The type in words, the same for types that hold the same values."""
    return str(plain(kind))


def told_text(text: str) -> str:
    """What `told` says of the type that a manifest names."""
    found = _DICTIONARY.match(text)
    inner = found[1] if found else text
    return str(_PLAIN[inner][0]) if inner in _PLAIN else re.sub(r"dictionary<values=(\w+), [^>]*>", r"\1", inner)


def arrow_of(text: str) -> pa.DataType:
    """The Arrow type that a manifest names; lists, structs and what else is nested are text, as they are in CSV."""
    inner = told_text(text)
    if found := _TIMESTAMP.match(inner):
        return pa.timestamp(found[1], found[2])
    return _PLAIN[inner][0] if inner in _PLAIN else pa.string()


def sql_of(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type; text for what is nested."""
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP"
    return _PLAIN.get(told(kind), (None, "VARCHAR"))[1]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds text, however it is stored."""
    return bool(pa.types.is_string(plain(kind)))


def is_number(kind: pa.DataType) -> bool:
    """Whether a column holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
