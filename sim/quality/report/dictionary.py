"""The data dictionary: every column of every stream, and how the streams refer to each other."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sim.pages.diagram import BOX, Edge, Node, diagram, layered
from sim.pages.library import networkx
from sim.pages.page import Cell, Page, Section, shown
from sim.quality.kinds import told
from sim.quality.report.reading import ROLES, Reading
from sim.quality.report.view import View


def relations(page: Page, view: View) -> None:
    """The diagram of streams and their references."""
    if len(view.all) < 2:
        return
    graph = networkx.DiGraph()
    graph.add_nodes_from(view.all)
    for reading in view.all.values():
        for _, to in reading.references:
            if not networkx.has_path(graph, reading.name, to):
                graph.add_edge(to, reading.name)
    words = "Which stream refers to which; a reference that follows from others on its way is left out."
    section = page.section("Relations", words)
    columns = _ordered(graph)
    height = int(max(len(names) for names in columns) * (BOX[1] + 16) + 20)
    at = layered(columns, height)
    nodes = [Node(name, f"{view.rows(view.all[name]):,} {ROLES[view.all[name].role]}", at[name]) for name in view.all]
    column = {name: place for place, names in enumerate(columns) for name in names}
    edges = [Edge(a, b, bend=16.0 * (column[b] - column[a] - 1)) for a, b in networkx.transitive_reduction(graph).edges]
    section.chart(
        diagram(nodes, edges, height, "Streams and what they refer to"), "Arrows go from what is referred to."
    )


def dictionary(page: Page, view: View) -> None:
    """A table for every stream."""
    section = page.section(
        "Data dictionary",
        f"Every column; numbers of different values are estimates; times are those of {view.zone}.",
    )
    for reading in view.all.values():
        _stream(section, view, reading)


def _ordered(graph: networkx.DiGraph) -> list[list[str]]:
    """Columns of streams, each right of all that it refers to; in a column, near what they refer to."""
    columns = [list(names) for names in networkx.topological_generations(graph)]
    single = {name for name in graph if not graph.degree(name)}
    place: dict[str, float] = {}
    for column in columns:
        column.sort(key=lambda name: (name in single, _near(graph, place, name), not graph.out_degree(name)))
        place.update({name: (row + 0.5) / len(column) for row, name in enumerate(column)})
    return columns


def _near(graph: networkx.DiGraph, place: dict[str, float], name: str) -> float:
    """The mean height of what a stream refers to."""
    heights = [place[to] for to in graph.predecessors(name)]
    return sum(heights) / len(heights) if heights else 0.5


def _stream(section: Section, view: View, reading: Reading) -> None:
    many = view.rows(reading)
    inner = section.details(f"{reading.name}: {many:,} {ROLES[reading.role]}")
    if described := view.described(reading.name):
        inner.text(described)
    schema, found = view.data.schema(reading.name), view.columns[reading.name]
    rows = []
    for field in schema:
        column = found[field.name]
        said = (field.metadata or {}).get(b"description", b"").decode() or view.column_described(
            reading.name, field.name
        )
        absent = 1 - column.count / many if many else 0.0
        rows.append(
            [
                field.name,
                told(field.type).replace("timestamp[us, tz=UTC]", "timestamp"),
                said,
                Cell(f"{absent:.1%}" if absent else "–", "muted" if not absent else "plain"),
                _rounded(min(column.distinct, column.count)) or None,
                *(_text(value, view.zone) for value in (column.least, column.most, column.example)),
            ]
        )
    names = ["column", "type", "what it is", "null", "distinct", "least", "most", "example"]
    inner.table(names, rows, align=["left", "left", "left", "right", "right", "left", "left", "left"])


def _rounded(count: int) -> int:
    """An estimate of a large number has three digits that mean something, at the most."""
    return count if count < 1000 else int(float(f"{count:.2e}"))


def _text(value: object, zone: str) -> str:
    """A value as it stands in the data, in a line."""
    if isinstance(value, datetime):
        text = (value.astimezone(ZoneInfo(zone)) if value.tzinfo else value).strftime("%Y-%m-%d %H:%M")
    elif isinstance(value, int) and not isinstance(value, bool):
        text = str(value)
    else:
        text = "(empty)" if value == "" else shown(value)
    return text if len(text) <= 40 else text[:39] + "…"
