"""The generator `pattern`: random text along a template.

In a template stand `#` for a digit, `?` for a capital letter, `[...]` for one character of a class with ranges (such as
`[A-F0-9]`), `{3}` after any of these for three of them, and a backslash before a character that is meant literally.
Everything else is literal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import AfterValidator, Field

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column, fixed_width_text
from sim.attributes.rows import Rows

MAX_WIDTH = 256

_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PIECE = re.compile(
    r"(?:(?P<sign>[#?])|\[(?P<members>[^\[\]]+)\]|\\(?P<escaped>.)|(?P<literal>[^\[\]{}\\]))(?:\{(?P<times>\d{1,3})\})?"
)


def parse_template(template: str) -> list[bytes]:
    """For each byte of the text the bytes that may stand there; raises ValueError where the template makes no sense."""
    places: list[bytes] = []
    start = 0
    while start < len(template):
        piece = _PIECE.match(template, start)
        if piece is None:
            raise ValueError(
                f"{template!r}: {template[start]!r} at {start + 1} has no meaning there; use # ? [A-Z] {{3}}"
            )
        places += _alternatives(piece, template) * int(piece["times"] or 1)
        start = piece.end()
    if not 0 < len(places) <= MAX_WIDTH:
        raise ValueError(f"{template!r} makes texts of {len(places)} bytes; 1 to {MAX_WIDTH} are possible")
    return places


def _alternatives(piece: re.Match[str], template: str) -> list[bytes]:
    if piece["sign"]:
        return [(_DIGITS if piece["sign"] == "#" else _LETTERS).encode()]
    if piece["members"]:
        return [_members(piece["members"], template)]
    return [bytes([octet]) for octet in (piece["escaped"] or piece["literal"]).encode()]


def _members(text: str, template: str) -> bytes:
    found: set[int] = set()
    for low, high in re.findall(r"(.)(?:-(.))?", text, re.DOTALL):
        if not (low + high).isascii() or (high and high < low):
            raise ValueError(f"{template!r}: [{text}] is not a class of ASCII characters such as [A-Z0-9]")
        found.update(range(ord(low), ord(high or low) + 1))
    return bytes(sorted(found))


def _check(template: str) -> str:
    parse_template(template)
    return template


class Pattern(Attribute):
    """Random text along a template; not necessarily unique."""

    type: Literal["pattern"]
    template: Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_check)] = Field(
        description="# is a digit, ? a capital letter, [a-f] a class, {3} repeats, a backslash makes literal.",
        examples=["[A-Z]{2}-####", "+33 6 ## ## ## ##"],
    )

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """Text."""
        return pa.string()

    @cached_property
    def _places(self) -> list[Array]:
        return [np.frombuffer(allowed, np.uint8) for allowed in parse_template(self.template)]

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """Every place drawn on its own, all characters equally likely."""
        text = np.empty((len(self._places), len(rows)), np.uint8)
        for line, allowed in zip(text, self._places, strict=True):
            line[:] = allowed[0] if len(allowed) == 1 else _characters(allowed, rng, len(rows))
        return fixed_width_text(np.ascontiguousarray(text.T))


def _characters(allowed: Array, rng: np.random.Generator, length: int) -> Array:
    return np.asarray(np.take(allowed, rng.integers(0, len(allowed), length, np.uint8)))
