"""Questions about Arrow types that generators and modifiers ask, and columns as another type."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sim.attributes.column import TIME_TYPE, Column


def is_integer(kind: pa.DataType) -> bool:
    """Whole numbers; booleans are none."""
    return bool(pa.types.is_integer(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whole or floating-point numbers."""
    return is_integer(kind) or bool(pa.types.is_floating(kind))


def is_time(kind: pa.DataType) -> bool:
    """Instants."""
    return bool(kind == TIME_TYPE)


def is_text(kind: pa.DataType) -> bool:
    """Strings, coded or not."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind))


def name_of(kind: pa.DataType) -> str:
    """The word for a type in a message to the author of a scenario."""
    if is_text(kind):
        return "text"
    if is_integer(kind):
        return "whole numbers"
    if is_number(kind):
        return "numbers"
    if is_time(kind):
        return "timestamps"
    words = {pa.bool_(): "booleans", pa.date32(): "dates"}
    return words.get(kind, "nested values")


def want_number(kind: pa.DataType, what: str) -> None:
    """Raise ValueError unless `kind` is numeric; `what` says who asks."""
    if not is_number(kind):
        raise ValueError(f"{what} needs numbers, but these are {name_of(kind)}")


def cast(column: Column, kind: pa.DataType) -> Column:
    """The column as another type that takes its values: numbers as floats, text as text, coded or plain."""
    if column.type == kind:
        return column
    if kind == pa.float64():
        return Column(column.decoded().values.astype(np.float64), kind, column.mask)
    array = column.to_arrow()
    plain = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    return Column.of(plain.dictionary_encode() if pa.types.is_dictionary(kind) else plain)
