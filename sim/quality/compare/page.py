"""A comparison as a page to read and to hand on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import polars as pl

from sim.pages.page import Cell, Page, Tile
from sim.pages.sections import Section, Tone
from sim.quality.compare.compare import Compared
from sim.quality.compare.difference import Difference

_COLUMNS = ("subject", "compared", "A", "B", "distance", "by chance below", "p-value", "", "detail")
_DRAWN = 20


def page(a: str, b: str, found: Compared) -> Page:
    """Figures at a glance, what differs, all that was compared by stream, and how close the rows are."""
    comparison = found.comparison
    made = Page(
        "Comparison",
        f"A: {a}   B: {b}",
        {"A": a, "B": b, "Error": f"at most {comparison.alpha:g} for any false alarm (Holm)"},
    )
    largest = max((own.distance or 0.0 for own in comparison.real), default=0.0)
    made.section("At a glance").tiles(
        [
            Tile("Differences", len(comparison.real), f"of {comparison.tests} tests", _tone(comparison.real)),
            Tile("Largest distance", f"{largest:.3f}", "from 0, the same, to 1"),
            Tile("Streams", len(found.streams)),
        ]
    )
    if comparison.real:
        _real(made.section("What differs", "The clearest first."), comparison.real)
    everything = made.section("All that was compared", "By stream; distances lie between 0 and 1.")
    for stream, group in groupby(sorted(comparison.differences, key=lambda own: own.stream), lambda own: own.stream):
        own = list(group)
        real = sum(bool(difference.differs) for difference in own)
        _table(everything.details(f"{stream}: {real} of {len(own)} differ"), own)
    if found.closeness:
        _closeness(made, found)
    return made


def _tone(real: Sequence[Difference]) -> Tone:
    return "bad" if real else "good"


def _real(section: Section, real: Sequence[Difference]) -> None:
    from sim.pages.charts import Axis, bars

    drawn = [own for own in real if own.distance is not None][:_DRAWN]
    if drawn:
        frame = pl.DataFrame(
            {
                "what": [f"{own.subject}: {own.name}" for own in drawn] * 2,
                "distance": [own.distance or 0.0 for own in drawn] + [own.floor or 0.0 for own in drawn],
                "which": ["measured"] * len(drawn) + ["chance stays below"] * len(drawn),
            }
        )
        axis = Axis(title="distance", zero=True)
        section.chart(bars(frame, "what", "distance", by="which", horizontal=True, y_axis=axis, size="wide"))
    _table(section, real)


def _table(section: Section, differences: Sequence[Difference]) -> None:
    section.table(_COLUMNS, [_row(own) for own in differences])


def _row(own: Difference) -> list[object]:
    word = {True: Cell("differs", "bad"), False: Cell("alike", "good"), None: Cell("not tested", "muted")}[own.differs]
    distance = "" if own.distance is None else Cell(f"{own.distance:.4f}", bar=min(own.distance, 1.0))
    figures = ["" if value is None else f"{value:.3g}" for value in (own.floor, own.p_value)]
    return [own.subject, own.name, own.a, own.b, distance, *figures, word, own.detail]


def _closeness(made: Page, found: Compared) -> None:
    text = (
        "How often a row of B is closer to its nearest row in A than a row of A is to its nearest other row: "
        "about a half for new data of the same kind, nearly 1 where B repeats A. Intervals take rows for independent."
    )
    made.section("Distance to the closest record", text).table(
        ("stream", "rows", "B is closer", "interval", "equal rows", "equal rows within A"),
        [
            (
                own.stream,
                own.rows,
                f"{own.share:.3f}",
                f"{own.low:.3f} to {own.high:.3f}",
                *_percent(own.copies, own.usual),
            )
            for own in found.closeness
        ],
    )


def _percent(*shares: float) -> list[str]:
    return [f"{share:.2%}" for share in shares]
