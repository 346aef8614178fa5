"""Attributes that others replace in some of the rows: what an incident does to the facts that it hits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sim.attributes.attribute import Attribute
from sim.attributes.column import Column
from sim.attributes.kinds import cast, is_number, is_text, name_of
from sim.attributes.nested import Repeated
from sim.attributes.rows import Rows

FLAG = "@"
"""Goes before the name of a column of booleans that says of rows whether something has happened to them."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """Where the rows' column `flag` is true, `attribute` gives the value; `place` is where the scenario says so."""

    flag: str
    attribute: Attribute
    place: str


def check_type(kind: pa.DataType, other: pa.DataType) -> None:
    """Raise ValueError unless values of type `other` can stand in a column of type `kind`."""
    fits = kind == other or (is_text(kind) and is_text(other)) or (kind == pa.float64() and is_number(other))
    if not fits:
        raise ValueError(f"gives {name_of(other)}, but the attribute that it replaces gives {name_of(kind)}")


def replaced(replacement: Replacement, name: str, rows: Rows, base: Column) -> Column:
    """`base` with the values where the flag is set drawn anew, from a random stream of their own called `name`."""
    where = np.flatnonzero(rows.column(replacement.flag).values)
    if not len(where):
        return base
    made = cast(replacement.attribute.make(Repeated(rows, where), name), base.type)
    place = np.arange(len(base))
    place[where] = len(base) + np.arange(len(where))
    return Column.concat([base, made]).take(place)
