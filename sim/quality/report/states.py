"""States: how many entities are in which over time, and at which rates they change."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from sim.pages.charts import Axis, areas, heat
from sim.pages.diagram import BOX, Edge, Node, diagram, layered
from sim.pages.library import networkx
from sim.pages.page import Page, Section
from sim.quality.report.lives import MONTH, days
from sim.quality.report.reading import Reading
from sim.quality.report.view import View, table

POINTS = 120
MANY = 10
"""Ways from state to state that a diagram can show."""

RATES = ((30.44 * 24 * 60, "min"), (30.44 * 24, "h"), (30.44, "day"))
"""How much of a month other spans of time are."""


def states(page: Page, view: View) -> None:
    """For every kind of entity with states: occupancy over time, and a diagram of the changes with their rates."""
    told = machines(view)
    if not told:
        return
    section = page.section("States", "Who is in which state over time, and how often each change happens.")
    for entity, changes in told:
        _occupancy(section, view, entity, changes)
        _changes(section, view, entity, changes)


def machines(view: View) -> list[tuple[Reading, Reading]]:
    """The kinds of entity whose states can be followed, with the streams of their changes."""
    kinds = {entity.name: entity for entity in view.of("entity") if "state" in entity.texts}
    return [(kinds[changes.owner], changes) for changes in view.of("changes") if changes.owner in kinds]


def moved(view: View, entity: Reading, changes: Reading) -> str:
    """SQL that gives every entry into a state (`d` 1) and every exit (-1), births and the start included."""
    return (
        f"(SELECT {view.at(entity)} AS t, state, 1 AS d FROM {table(entity)} "
        f"UNION ALL SELECT {view.at(changes)}, to_state, 1 FROM {table(changes)} "
        f"UNION ALL SELECT {view.at(changes)}, from_state, -1 FROM {table(changes)})"
    )


def _occupancy(section: Section, view: View, entity: Reading, changes: Reading) -> None:
    step = view.days * 86_400 / POINTS
    since = f"(epoch(t) - epoch({view.instant(view.start)})) / {step}"
    found = view.frame(
        f"""
        SELECT state, greatest(0, ceil({since}))::INT AS cell, sum(d) AS d
        FROM {moved(view, entity, changes)} GROUP BY ALL
        """
    )
    order = found.group_by("state").agg(pl.col("d").abs().sum()).sort("d", descending=True)["state"]
    grid = pl.DataFrame({"cell": range(POINTS + 1)}, schema={"cell": pl.Int32}).join(order.to_frame(), how="cross")
    filled = grid.join(found, on=["cell", "state"], how="left").with_columns(pl.col("d").cast(pl.Int64).fill_null(0))
    counted = filled.sort("cell").with_columns(n=pl.col("d").cum_sum().over("state"))
    rank = {name: place for place, name in enumerate(order)}
    at = pl.lit(view.began) + pl.col("cell").cast(pl.Int64) * timedelta(seconds=step)
    shown = counted.with_columns(at=at, rank=pl.col("state").replace_strict(rank)).sort("rank", "cell")
    section.chart(
        areas(shown, "at", "n", "state", title=f"{entity.name} by state", y_axis=Axis(format="~s")),
        f"{view.rows(changes):,} changes of state, {view.rows(entity):,} entities.",
    )


def _changes(section: Section, view: View, entity: Reading, changes: Reading) -> None:
    """The diagram; a rate is the number of changes over the time that was spent in the state."""
    until = view.instant(view.until)
    spent = view.frame(
        f"SELECT state, sum(d) AS now, sum(d * {days(until, 't')}) / {MONTH} AS months "
        f"FROM {moved(view, entity, changes)} GROUP BY 1"
    )
    ways = view.frame(
        f"SELECT from_state AS source, to_state AS target, count(*) AS n FROM {table(changes)} "
        f"WHERE from_state IS NOT NULL AND to_state IS NOT NULL GROUP BY ALL ORDER BY n DESC"
    )
    rated = ways.join(spent, left_on="source", right_on="state", how="left")
    rows = [(row["source"], row["target"], row["n"] / max(row["months"] or 0, 1e-9)) for row in rated.to_dicts()]
    if len(rows) > MANY:
        _matrix(section, entity, rows)
    rates = {(source, target): rate for source, target, rate in rows[:MANY]}
    born = f"count(*) FILTER ({view.at(entity, 'born_at')} >= {view.instant(view.start)})"
    order = view.query(f"SELECT state FROM {table(entity)} GROUP BY 1 ORDER BY {born} DESC, count(*) DESC")
    first = [str(row[0]) for row in order]
    columns = _columns(first, list(rates), spent["state"].to_list())
    height = max(120, int(max(len(names) for names in columns) * (BOX[1] + 44)))
    at = layered(columns, height)
    now = dict(zip(spent["state"], spent["now"], strict=True))
    nodes = [Node(name, f"{int(now[name]):,} at the end", at[name]) for names in columns for name in names]
    edges = [Edge(a, b, _rate(rate), _bend(rates, columns, a, b)) for (a, b), rate in rates.items()]
    section.chart(
        diagram(nodes, edges, height, f"Changes of state of {entity.name}"),
        "Rates are changes per entity and time in the state that is left."
        + (f" The {MANY} most frequent of {len(rows)} changes." if len(rows) > MANY else ""),
    )


def _matrix(section: Section, entity: Reading, rows: list[tuple[str, str, float]]) -> None:
    """All rates, where a diagram of them would be a tangle."""
    names = sorted({name for source, target, _ in rows for name in (source, target)})
    rates = pl.DataFrame(rows, schema=["source", "target", "rate"], orient="row")
    grid = pl.DataFrame({"source": names}).join(pl.DataFrame({"target": names}), how="cross")
    every = grid.join(rates, on=["source", "target"], how="left", maintain_order="left")
    section.chart(
        heat(
            every, "target", "source", "rate", text=".1%", title=f"{entity.name}: from state (down) to state (across)"
        ),
        "Changes per entity and month in the state that is left.",
    )


def _columns(first: list[str], ways: list[tuple[str, str]], names: list[str]) -> list[list[str]]:
    """States in columns by how many changes they are away from the most frequent first state; ends come last."""
    graph = networkx.DiGraph(ways)
    graph.add_nodes_from(names)
    reached = networkx.single_source_shortest_path_length(graph, first[0])
    far = max(reached.values(), default=0)
    depth = {name: reached.get(name, 0 if name in first else far + 1) for name in names}
    depth |= {name: far + 1 for name in names if graph.in_degree(name) and not graph.out_degree(name)}
    return [[name for name in names if depth[name] == column] for column in sorted(set(depth.values()))]


def _bend(rates: dict[tuple[str, str], float], columns: list[list[str]], a: str, b: str) -> float:
    """Ways there and back pass each other; ways over other columns go around what stands there."""
    column = {name: place for place, names in enumerate(columns) for name in names}
    over, back = abs(column[a] - column[b]), column[b] < column[a]
    if over > 1:
        return (38.0 if back else -38.0) * (over - 1)
    return 0.0 if (b, a) not in rates else 16.0 if back else -16.0


def _rate(rate: float) -> str:
    """A rate a month as people read it, of shorter spans where that is very many."""
    if rate < 0.001:
        return f"{100 * 12 * rate:.2g}%/year"
    if rate < 0.3:
        return f"{rate:.1%}/month"
    times, unit = next(((times, unit) for times, unit in RATES if rate / times >= 2), (1.0, "month"))
    return f"{rate / times:.3g}/{unit}"
