"""What there is, at a glance."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from sim.pages.page import Page, Tile
from sim.quality.report.reading import ROLES
from sim.quality.report.view import View, table


def overview(page: Page, view: View) -> None:
    """Figures of the whole, and a table of the streams."""
    section = page.section("Overview")
    facts = sum(view.rows(reading) for reading in view.all.values())
    entities = sum(view.rows(reading) for reading in view.of("entity"))
    kinds = len(view.of("entity"))
    start, until = (moment.astimezone(ZoneInfo(view.zone)) for moment in view.interval)
    section.tiles(
        [
            Tile("facts", facts, f"{facts / view.days:,.0f} a day"),
            Tile("streams", len(view.all)),
            Tile("entities", entities, f"of {kinds} kind{'s' if kinds != 1 else ''}"),
            Tile("from", f"{start:%Y-%m-%d}", f"{start:%H:%M} {view.zone}"),
            Tile("until", f"{until:%Y-%m-%d}", f"{until:%H:%M}, {view.days:,.0f} days"),
        ]
    )
    troubles = [trouble for each in view.data.tables.values() for trouble in each.troubles]
    for trouble in troubles:
        section.text(f"Not read: {trouble.file}: {trouble.reason}")
    rows = []
    for reading in view.all.values():
        first = last = "–"
        if reading.name in view.streams:
            found = view.query(f"SELECT min({view.civil(reading)}), max({view.civil(reading)}) FROM {table(reading)}")[
                0
            ]
            first, last = (f"{moment:%Y-%m-%d}" for moment in found)
        many = view.rows(reading)
        rows.append([reading.name, ROLES[reading.role], many, first, last, view.described(reading.name)])
    names = ["stream", "rows are", "facts", "first", "last", "what it is"]
    section.table(names, rows, align=["left", "left", "right", "right", "right", "left"])
