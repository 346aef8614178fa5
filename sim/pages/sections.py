"""Sections of a page and what stands in them: tiles, tables, charts, text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

_NUMBER = re.compile(r"[<>±+-]?\d[\d,.]*(e[+-]?\d+)?( ?(%|[kMGT]?B|/s|d|h|min|s|ms|µs))?")
"""Numbers as they are written in tables, with a unit at the most."""

Kind = Literal["tiles", "table", "chart", "text", "details", "section"]
Tone = Literal["plain", "good", "bad", "muted"]
Align = Literal["left", "right", "center"]
Size = Literal["wide", "half", "third"]


class Picture(Protocol):
    """What a page can show as a chart."""

    @property
    def title(self) -> str:
        """The heading above it."""
        ...

    @property
    def size(self) -> Size:
        """How much of the page's width it takes."""
        ...

    @property
    def description(self) -> str:
        """What a screen reader says."""
        ...

    def svg(self, theme: str) -> str:
        """The picture for `light` or `dark` ground."""
        ...


@dataclass(frozen=True)
class Tile:
    """A figure to see at a glance."""

    label: str
    value: object
    note: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True)
class Cell:
    """A cell of a table that is more than its value: coloured, or with a bar of that share of its width behind it."""

    value: object
    tone: Tone = "plain"
    bar: float | None = None


@dataclass
class Block:
    """One thing on a page; `kind` says what its `content` is."""

    kind: Kind
    content: Any


@dataclass
class Section:
    """A part of a page, in the order in which its methods were called; they give the section, to go on with."""

    title: str = ""
    note: str = ""
    blocks: list[Block] = field(default_factory=list)

    def tiles(self, tiles: Iterable[Tile]) -> Section:
        """Figures side by side."""
        return self._add("tiles", list(tiles))

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        caption: str = "",
        align: Sequence[Align] | None = None,
    ) -> Section:
        """Rows of values or `Cell`s under the names of their columns; numbers stand to the right unless told."""
        cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
        sides = list(align) if align else [_side(column) for column in _transposed(cells, len(columns))]
        return self._add("table", {"columns": list(columns), "rows": cells, "caption": caption, "align": sides})

    def chart(self, chart: Picture, caption: str = "") -> Section:
        """A chart under its title; charts of half or a third of the width that follow each other stand side by side."""
        return self._add("chart", {"chart": chart, "caption": caption})

    def text(self, paragraph: str) -> Section:
        """A paragraph."""
        return self._add("text", paragraph)

    def details(self, summary: str) -> Section:
        """A new section inside this one that is folded away under its summary."""
        inner = Section(summary)
        self._add("details", inner)
        return inner

    def section(self, title: str, text: str = "") -> Section:
        """A new section inside this one, with a smaller heading."""
        inner = Section(title, text)
        self._add("section", inner)
        return inner

    def charts(self) -> Iterator[Picture]:
        """Every chart of the section and those inside it, in order."""
        for block in self.blocks:
            if block.kind == "chart":
                yield block.content["chart"]
            elif isinstance(block.content, Section):
                yield from block.content.charts()

    def runs(self) -> Iterator[tuple[Kind, list[Block]]]:
        """Blocks of one kind that follow each other."""
        return ((kind, list(run)) for kind, run in itertools.groupby(self.blocks, key=lambda block: block.kind))

    def _add(self, kind: Kind, content: object) -> Section:
        self.blocks.append(Block(kind, content))
        return self


def _transposed(rows: Sequence[Sequence[Cell]], width: int) -> Iterator[list[Cell]]:
    return ([row[place] for row in rows if place < len(row)] for place in range(width))


def _side(cells: Sequence[Cell]) -> Align:
    values = [cell.value for cell in cells if cell.value not in (None, "", "–")]
    return "right" if values and all(map(_numeric, values)) else "left"


def _numeric(value: object) -> bool:
    """Whether it is a number, or a text that is one with its unit."""
    if isinstance(value, str):
        return bool(_NUMBER.fullmatch(value))
    return isinstance(value, int | float) and not isinstance(value, bool)
