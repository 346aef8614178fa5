"""JSON objects by compiled code: says where Arrow has the columns, and has all objects written in one go.

Numbers, fractions of a few decimals, instants, booleans and text are written there. Text that repeats is written once,
and then copied for every fact that has it; structs are taken apart. What else there is (lists, fractions with all their
digits, text with characters to be escaped), polars makes text of, column by column, and the code copies it. The bytes
are those of `json.objects`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from sim.batch import TIME_TYPE
from sinks.formats import instants
from sinks.formats.buffers import Cells, Column, address, joined, length, places, repeats, validity

Render = Callable[[pa.RecordBatch], pl.Series]
"""The JSON text of each row."""

Shape = tuple[tuple[str, "Shape | None"], ...]
"""The names of members, each with the shape of what is in it where that is an object, too."""

_DEEP = 3
"""How many objects may stand in each other: what stands behind the last leaf must fit a word."""

_BEFORE, _BEHIND = b'{"v":', b"}"
_FEW = 1000
"""Rows from which the number of decimals is guessed."""

_KINDS = {
    pa.bool_(): "FLAG",
    pa.int64(): "NUMBER",
    TIME_TYPE: "INSTANT",
    pa.string(): "TEXT",
    pa.large_string(): "LONG_TEXT",
}
"""What the kernel calls the types that it reads, beside fractions."""

_SMALLER = (pa.int8(), pa.int16(), pa.int32(), pa.uint8(), pa.uint16(), pa.uint32())


class Written:
    """Writes objects by the compiled code of `kernel`, each behind `header` and before `tail`, of four bytes at most.

    `shape` is that of the facts; `first` are members with texts before theirs, the same in every object; `render`
    makes text of what the kernel does not know.
    """

    def __init__(
        self,
        kernel: ModuleType,
        shape: Shape,
        render: Render,
        first: Mapping[str, str],
        header: bytes = b"",
        tail: bytes = b"",
    ) -> None:
        self._kernel = kernel
        self._for = (shape, header)
        opening = "{" + "".join(f"{_text(name)}:{_text(text)}," for name, text in first.items())
        before, *others, end = _around(shape)
        texts = [header + (opening + before[1:]).encode(), *map(str.encode, others)]
        self._members = [_Member(kernel, text, render) for text in texts]
        self._end = end.encode() + tail

    def is_for(self, shape: Shape, header: bytes) -> bool:
        """Whether it writes facts of this shape behind `header`."""
        return self._for == (shape, header)

    def values(self, leaves: Sequence[pa.Array]) -> pa.Array:
        """The object of each row of the `leaves`: a large_binary array."""
        rows = len(leaves[0])
        offsets = np.empty(rows + 1, np.int64)
        end = np.uint64(int.from_bytes(self._end, "little"))
        while True:
            columns = [own.column(values) for own, values in zip(self._members, leaves, strict=True)]
            room = sum(column.room for column in columns) + rows * len(self._end) + self._kernel.SLACK
            # Arrow's own memory, which it uses again: new pages from the system would take a tenth of the time.
            target = pa.allocate_buffer(room)
            words = np.array([column.words for column in columns], np.int64)
            size = self._kernel.write(words, end, len(self._end), target.address, offsets)
            if size >= 0:
                return joined(rows, offsets, target, size)
            refused = -1 - size
            self._members[refused].refuse(leaves[refused])


def taken_apart(data: pa.RecordBatch) -> tuple[Shape, list[pa.Array]]:
    """The shape of facts, and the columns at its leaves: structs are taken apart where all of them are there."""
    return _apart(data.schema.names, data.columns, _DEEP)


def _apart(names: Sequence[str], columns: Sequence[pa.Array], deep: int) -> tuple[Shape, list[pa.Array]]:
    shape: list[tuple[str, Shape | None]] = []
    leaves: list[pa.Array] = []
    for name, values in zip(names, columns, strict=True):
        inner, own = None, [values]
        if deep and pa.types.is_struct(values.type) and values.type.num_fields and not values.null_count:
            inner, own = _apart([part.name for part in values.type], values.flatten(), deep - 1)
        shape.append((name, inner))
        leaves += own
    return tuple(shape), leaves


def _around(shape: Shape) -> list[str]:
    """What stands before the first leaf, between each two of them, and behind the last one."""
    found = ["{"]
    for place, (name, inner) in enumerate(shape):
        found[-1] += f"{',' if place else ''}{_text(name)}:"
        before, *others = [""] * 2 if inner is None else _around(inner)
        found[-1] += before
        found += others
    found[-1] += "}"
    return found


class _Member:
    """One member of the objects; it remembers what the kernel cannot write of it."""

    def __init__(self, kernel: ModuleType, before: bytes, render: Render) -> None:
        """`before` is what stands before each value."""
        self._kernel = kernel
        self._render = render
        self._length = len(before)
        self._before = np.frombuffer(before + bytes(8), np.uint8)
        self._cells = Cells()
        self._decimals: int | None = None
        self._refused = False

    def column(self, values: pa.Array) -> Column:
        """Values for the kernel."""
        words, room, kept = self._cell(values)
        return Column((*words, self._before.ctypes.data, self._length), room + len(values) * self._length, kept)

    def refuse(self, values: pa.Array) -> None:
        """Take note that the kernel cannot write one of `values`: more decimals may do, or others have to."""
        before, needed = self._decimals, None if self._decimals is None else self._needed(values)
        self._refused = before is None or needed is None or needed <= before
        self._decimals = needed

    def _cell(self, values: pa.Array) -> Column:
        if repeats(values):
            return self._repeating(values)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if values.type in _SMALLER:
            values = values.cast(pa.int64())
        if not self._refused and values.type == pa.float64():
            return self._decimal(values)
        if self._refused or values.type not in _KINDS:
            return self._ready(values)
        kernel, (_, *own) = self._kernel, values.buffers()
        kind = getattr(kernel, _KINDS[values.type])
        others, size = (address(own[0]), length(values)) if len(own) > 1 else (0, 0)
        if values.type == TIME_TYPE:
            others = instants.dates().ctypes.data
        words = (kind, address(own[-1]), others, validity(values), values.offset, 0)
        return Column(words, len(values) * kernel.CELL[kind] + size, values)

    def _decimal(self, values: pa.Array) -> Column:
        if self._decimals is None:
            self._decimals = self._needed(values.slice(0, _FEW))
        if self._decimals is None:
            self._refused = True
            return self._ready(values)
        kind, content = self._kernel.DECIMAL, address(values.buffers()[1])
        words = (kind, content, 0, validity(values), values.offset, self._decimals)
        return Column(words, len(values) * self._kernel.CELL[kind], values)

    def _needed(self, values: pa.Array) -> int | None:
        """How many decimals make all of the fractions; None where more are needed than the kernel writes."""
        sizes = np.abs(values.drop_null().to_numpy(zero_copy_only=False))
        sizes = sizes[np.isfinite(sizes)]
        with np.errstate(over="ignore"):
            for decimals in range(self._kernel.MOST_DECIMALS + 1):
                if np.array_equal(np.rint(sizes * 10**decimals) / 10**decimals, sizes):
                    return decimals
        return None

    def _ready(self, values: pa.Array) -> Column:
        """Values as JSON of which the kernel copies all but what stands around them."""
        found = self._rendered(values)
        content, others = address(found.buffers()[2]) + len(_BEFORE), address(found.buffers()[1])
        around = len(_BEFORE) + len(_BEHIND)
        words = (self._kernel.READY, content, others, 0, found.offset, around)
        return Column(words, length(found) - len(found) * around, found)

    def _repeating(self, values: pa.Array) -> Column:
        found, texts = places(values), values.dictionary
        table = self._cells.find(texts)
        if table is None:
            cells = pc.binary_slice(self._rendered(texts), len(_BEFORE), -len(_BEHIND))
            cells = pa.concat_arrays([cells, pa.array([bytes(8)], pa.large_binary())]).slice(0, len(cells))
            table = self._cells.keep(texts, cells)
        content = address(found.buffers()[1])
        words = (self._kernel.CELLS, content, table.words[0], validity(found), found.offset, 0)
        return Column(words, len(found) * max(table.room, self._kernel.CELL[self._kernel.CELLS]), (found, table))

    def _rendered(self, values: pa.Array) -> pa.Array:
        """`{"v":…}` for each of the values: large_binary."""
        texts = self._render(pa.RecordBatch.from_arrays([values], ["v"]))
        return texts.cast(pl.Binary).to_arrow(compat_level=pl.CompatLevel.oldest())


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
