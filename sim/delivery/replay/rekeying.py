"""Further copies of entities: ids and keys that nobody has yet, the same wherever the entity is spoken of.

Copy number k of the whole number n is n + k * offset, `offset` being a power of ten above all recorded ids, so that
the number that it was can still be read in its last digits. Text gets `~k` behind it; in text that has the form of a
UUID, k is combined into its first eight digits, so that it keeps the form.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sim.delivery.replay.clock import Times, is_text

MOST = 2**63 - 1
_UUID = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_DIGITS = b"0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Rekeying:
    """Which columns hold ids and keys, and how far apart copies of whole numbers are."""

    columns: frozenset[str]
    offset: int

    @classmethod
    def above(cls, largest: int, columns: Iterable[str]) -> Rekeying:
        """For columns whose largest whole number this is."""
        return cls(frozenset(columns), 10 ** len(str(largest)))

    @property
    def copies(self) -> int:
        """How many copies there can be before numbers no longer fit into 64 bits."""
        return MOST // self.offset

    def applies(self, field: pa.Field) -> bool:
        """Whether values of that column are changed."""
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        return field.name in self.columns and (pa.types.is_integer(kind) or is_text(kind))

    def copy(self, column: pa.Array, number: int) -> pa.Array:
        """The ids or keys of copy `number`; number 0 are those recorded. Nulls stay null."""
        if number == 0:
            return column
        if pa.types.is_dictionary(column.type):
            return pa.DictionaryArray.from_arrays(column.indices, self.copy(column.dictionary, number))
        if pa.types.is_integer(column.type):
            return pc.add(column.cast(pa.int64()), pa.scalar(number * self.offset, pa.int64()))
        return _text(column, number)


def _text(column: pa.Array, number: int) -> pa.Array:
    if len(column) and pc.all(pc.match_substring_regex(column, _UUID)).as_py():
        return _uuids(column, number)
    return pc.binary_join_element_wise(column, pa.scalar(f"~{number}", column.type), pa.scalar("", column.type))


def _uuids(column: pa.Array, number: int) -> pa.Array:
    """The first eight digits, as a number, exclusive-or `number`: no two copies of one UUID are equal."""
    head = pc.utf8_slice_codeunits(pc.utf8_lower(column).fill_null("0" * 36), 0, 8)
    codes = np.frombuffer("".join(head.to_pylist()).encode(), dtype=np.uint8).reshape(-1, 8)
    values = codes - np.where(codes >= ord("a"), ord("a") - 10, ord("0"))
    steps = np.array([number >> shift & 15 for shift in range(28, -4, -4)])
    changed = np.frombuffer(_DIGITS, dtype=np.uint8)[values ^ steps]
    heads = pa.array(np.ascontiguousarray(changed).view("S8").ravel().astype(str)).cast(column.type)
    return pc.if_else(
        pc.is_valid(column), pc.binary_join_element_wise(heads, pc.utf8_slice_codeunits(column, 8), ""), column
    )


def hashes(column: pa.Array, salt: int) -> NDArray[np.uint64]:
    """64 well-mixed bits for each value of a column, uint64[n], that follow from the value and `salt` alone."""
    if pa.types.is_dictionary(column.type):
        words = hashes(column.dictionary, salt)
        return words[np.asarray(column.indices.fill_null(0).to_numpy(zero_copy_only=False), np.int64)]
    if pa.types.is_integer(column.type):
        numbers = np.asarray(column.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), np.int64)
        return _mixed(numbers.view(np.uint64) + _mixed(np.array([salt], dtype=np.uint64)))
    return _text_hashes(column.cast(pa.string()).fill_null(""), salt)


def _text_hashes(column: pa.Array, salt: int) -> NDArray[np.uint64]:
    """By words of eight bytes, one after the other; there are as many rounds as the longest text has words."""
    texts = np.char.encode(np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.str_), "utf-8")
    width = -(-max(1, texts.dtype.itemsize) // 8) * 8
    words = texts.astype(f"S{width}").view("<u8").reshape(len(texts), width // 8)
    found = np.full(len(texts), salt, dtype=np.uint64)
    for word in words.T:  # an all-zero word is the end of the text, so that its neighbours in a chunk do not matter
        found = np.where(word > 0, _mixed(found ^ word), found)
    return _mixed(found)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea and Flood 2014)."""
    words = words + np.uint64(0x9E3779B97F4A7C15)
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def delays(keys: pa.Array, number: int, most: int) -> Times:
    """Microseconds by which the facts of copy `number` come later, int64[n] in [0, most), equal for equal keys."""
    shares = hashes(keys, number) >> np.uint64(11)
    return (shares.astype(np.float64) * 2.0**-53 * most).astype(np.int64)
