"""What there is, at a glance."""

from __future__ import annotations

from sim.pages.page import Page, Tile
from sim.quality.report.reading import ROLES
from sim.quality.report.view import View, table


def overview(page: Page, view: View) -> None:
    """Figures of the whole, and a table of the streams."""
    section = page.section("Overview")
    facts = sum(view.rows(reading) for reading in view.all.values())
    entities = sum(view.rows(reading) for reading in view.of("entity"))
    section.tiles(
        [
            Tile("facts", facts, f"{facts / view.days:,.0f} a day"),
            Tile("streams", len(view.all)),
            Tile("entities", entities, f"of {len(view.of('entity'))} kinds"),
            Tile("from", f"{view.start:%Y-%m-%d}", f"{view.start:%H:%M} UTC"),
            Tile("until", f"{view.until:%Y-%m-%d}", f"{view.until:%H:%M} UTC, {view.days:,.0f} days"),
        ]
    )
    troubles = [trouble for each in view.data.tables.values() for trouble in each.troubles]
    for trouble in troubles:
        section.text(f"Not read: {trouble.file}: {trouble.reason}")
    rows = []
    for reading in view.all.values():
        first = last = "–"
        if reading.name in view.streams:
            found = view.query(f"SELECT min({view.at(reading)}), max({view.at(reading)}) FROM {table(reading)}")[0]
            first, last = (f"{moment:%Y-%m-%d}" for moment in found)
        many = view.rows(reading)
        rows.append([reading.name, ROLES[reading.role], many, first, last, view.described(reading.name)])
    names = ["stream", "rows are", "facts", "first", "last", "what it is"]
    section.table(names, rows, align=["left", "left", "right", "left", "left", "left"])
