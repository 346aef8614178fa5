"""Generators of identifiers: `sequence` and `uuid`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator, Field

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column, fixed_width_text
from sim.attributes.rows import Rows

_FORMAT = re.compile(r"([^{}]*)\{(?::0?(\d{1,2})?d?)?\}([^{}]*)", re.ASCII)


def _check_format(text: str) -> str:
    match = _FORMAT.fullmatch(text)
    if match is None or int(match[2] or 0) > 30:
        raise ValueError(f"{text!r} is not a format: text with one number in it, such as 'ORD-{{:08d}}' or 'C{{}}'")
    return text


class Sequence(Attribute):
    """Numbers in the order of the rows' ids: unique, and the same however the work is divided."""

    type: Literal["sequence"]
    start: int = Field(1, ge=0, le=2**53, description="Number of the row with id 0.", examples=[1000])
    step: int = Field(1, ge=1, le=2**20, description="From one id to the next.", examples=[1])
    format: Annotated[str, Field(max_length=200), AfterValidator(_check_format)] | None = Field(
        None, description="Text around the number, which is padded with zeros to a width.", examples=["ORD-{:08d}"]
    )

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """int64, or text where there is a format."""
        return pa.int64() if self.format is None else pa.string()

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """start + step x id."""
        numbers = self.start + self.step * rows.ids
        return Column(numbers, pa.int64()) if self.format is None else self._formatted(numbers)

    @cached_property
    def _parts(self) -> tuple[str, int, str]:
        match = _FORMAT.fullmatch(self.format or "{}")
        return (match[1], int(match[2] or 0), match[3]) if match else ("", 0, "")

    def _formatted(self, numbers: Array) -> Column:
        prefix, width, suffix = self._parts
        digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width, "0")
        return Column.of(pc.binary_join_element_wise(prefix, digits, suffix, "").cast(pa.string()))


class Uuid(Attribute):
    """Random UUIDs (RFC 9562, version 4), from the run's seed and no other source."""

    type: Literal["uuid"]

    logical: ClassVar[str] = "uuid"

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """Text of 36 characters."""
        return pa.string()

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One for each row."""
        octets = rng.integers(0, 2**64, (len(rows), 2), np.uint64, endpoint=False).view(np.uint8)
        octets[:, 6] = (octets[:, 6] & 0x0F) | 0x40
        octets[:, 8] = (octets[:, 8] & 0x3F) | 0x80
        return fixed_width_text(_hyphenated(octets))


_HEX = np.array([f"{octet:02x}".encode() for octet in range(256)]).view(np.uint16)
_GROUPS = ((0, 0, 4), (9, 4, 6), (14, 6, 8), (19, 8, 10), (24, 10, 16))
"""Where in the text the octets from which to which are."""


def _hyphenated(octets: Array) -> Array:
    """uint8[n, 36]: the characters of uint8[n, 16]."""
    text = np.full((len(octets), 36), ord("-"), np.uint8)
    for place, first, last in _GROUPS:
        pairs = np.take(_HEX, octets[:, first:last])
        text[:, place : place + 2 * (last - first)] = pairs.view(np.uint8)
    return text
