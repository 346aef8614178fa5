"""Two reports of load tests beside each other."""

from __future__ import annotations

import json as encoder
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sim.cli.loading.words import SHOWN, outcome, worded
from sim.cli.terminal.show import stdout
from sim.delivery.load.metrics import LATENCIES, METRICS, POINTS, Metric
from sim.errors import ParameterError

if TYPE_CHECKING:
    from rich.table import Table

    from sim.delivery.load.thresholds import Threshold
    from sim.pages.page import Page

Document = dict[str, Any]

MANIFOLD = 9.0
"""Changes, as shares, from which on they are told as multiples."""

PLAIN = ("offered", "achieved", "errors", "unsent", "cpu", "machine")

SAME = 0.05
"""The share by which figures differ from test to test without a reason: up to that they are called alike."""


def compared(before: Path, after: Path, thresholds: Sequence[Threshold], *, json: bool, page: Path | None) -> bool:
    """Show how two saved reports differ; whether the second crosses a threshold. Raises ParameterError."""
    old, new = read(before), read(after)
    judged = [one.judge(new, old) for one in thresholds]
    rows = list(differences(old, new))
    shown = [
        row for row in rows if row["metric"].removeprefix("e2e.").removeprefix("lag.") in ("limit", *PLAIN, *SHOWN)
    ]
    if json:
        document = {"before": str(before), "after": str(after), "metrics": rows, "thresholds": judged}
        typer.echo(encoder.dumps(document))
    else:
        console = stdout()
        for name, report in (("before", old), ("after", new)):
            console.print(f"{name}: {described(report)}", markup=False, soft_wrap=True)
        console.print(_table(shown))
        for one in judged:
            console.print(outcome(one), markup=False, soft_wrap=True)
    if page is not None:
        _page(old, new, shown).write(page)
    return any(one["crossed"] for one in judged)


def read(path: Path) -> Document:
    """A saved report. Raises ParameterError where it is none, or nothing was measured."""
    try:
        found = encoder.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not JSON"
        raise ParameterError(f"--compare {path}: {reason}") from None
    if not isinstance(found, dict) or found.get("report") != "load":
        raise ParameterError(f"--compare {path}: not a report that datagen load --save has written")
    if "ack" not in found:
        raise ParameterError(f"--compare {path}: nothing was measured in that test")
    return found


def described(report: Document) -> str:
    """What a report is about, in a line."""
    return f"{report['scenario']} to {report['to']} at {report['rate']}, {report['ended'][:19]}"


def differences(old: Document, new: Document) -> Iterator[Document]:
    """Every metric that both have: its value before and after, the change as a share, and what it means."""
    names = list(PLAIN)
    if "limit" in old and "limit" in new:
        first, last = (report["limit"]["carried_per_s"] for report in (old, new))
        yield _row("limit", "rate", first, last, "more")
    names += [METRICS[point if kind == "ack" else f"{kind}.{point}"].name for kind in LATENCIES for point in POINTS]
    for name in names:
        metric = METRICS[name]
        yield from _difference(metric, metric.of(old), metric.of(new))


def _difference(metric: Metric, old: float | None, new: float | None) -> Iterator[Document]:
    if old is not None and new is not None:
        yield _row(metric.name, metric.unit, old, new, metric.good)


def _row(name: str, unit: str, old: float | None, new: float | None, good: str) -> Document:
    change = None if not old or new is None else new / old - 1
    return {"metric": name, "unit": unit, "before": old, "after": new, "change": change, "is": _word(old, new, good)}


def _word(old: float | None, new: float | None, good: str) -> str:
    if old is None or new is None:
        return "not known"
    if abs(new - old) <= SAME * max(abs(old), abs(new)):
        return "alike"
    if good == "neither":
        return "different"
    return "better" if (new < old) == (good == "less") else "worse"


def _cells(row: Document) -> tuple[str, str, str, str, str]:
    change = row["change"]
    said = "" if change is None else f"{change:+.1%}" if change < MANIFOLD else f"{change + 1:,.0f} times"
    return row["metric"], worded(row["before"], row["unit"]), worded(row["after"], row["unit"]), said, row["is"]


def _table(rows: Sequence[Document]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("metric", "before", "after", "change", ""):
        table.add_column(name, justify="left" if name in ("metric", "") else "right")
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _page(old: Document, new: Document, rows: Sequence[Document]) -> Page:
    from sim.cli.loading.page import by_share, sentence
    from sim.pages.page import Cell, Page

    page = Page("Two load tests", f"{old['scenario']} to {old['to']}")
    section = page.section("Difference")
    for name, report in (("Before", old), ("After", new)):
        section.text(f"{name}: {described(report)}. {sentence(report['verdict']['text'])}")
    tones = {"better": "good", "worse": "bad"}
    cells = [(*_cells(row)[:4], Cell(row["is"], tones.get(row["is"], "plain"))) for row in rows]  # type: ignore[arg-type]
    section.table(("metric", "before", "after", "change", ""), cells, align=["left", "right", "right", "right", "left"])
    charts = page.section("Latency", "From the instant at which a fact was due.")
    for kind, title in LATENCIES.items():
        if old[kind] is not None and new[kind] is not None:
            charts.section(title[:1].upper() + title[1:]).chart(by_share({"before": old[kind], "after": new[kind]}))
    return page
