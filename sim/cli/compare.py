"""`datagen compare`: two data sets side by side."""

from __future__ import annotations

import json as encoder
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.terminal import logs
from sim.cli.terminal.options import AsJson, LogFormat, Quiet
from sim.cli.terminal.values import parse_pairs

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from sim.quality.compare.compare import Compared
    from sim.quality.compare.difference import Difference
    from sim.quality.compare.privacy import Closeness

Data = Annotated[
    str, typer.Argument(help="DIR, FILE, parquet:DIR, csv:DIR, json:DIR or kafka://HOST:PORT/TOPIC,TOPIC.")
]
_SHOWN = 20


def compare(
    a: Data,
    b: Data,
    stream: Annotated[
        list[str] | None, typer.Option(help="Only this stream. Repeatable.", show_default="all that both have")
    ] = None,
    sample: Annotated[
        int, typer.Option(min=100, max=5_000_000, help="Rows of a stream that are looked at, about.")
    ] = 50_000,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Seed of the samples.")] = 0,
    alpha: Annotated[
        float, typer.Option(min=1e-12, max=0.5, help="Probability of any false alarm among all tests.")
    ] = 0.01,
    fail_over: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="DISTANCE",
            help="Exit code 1 where something differs by more than that.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write the comparison as an HTML page.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="List what is alike, too.")] = False,
    setting: Annotated[
        list[str] | None,
        typer.Option("-X", metavar="KEY=VALUE", help="A setting of the Kafka client. Repeatable.", show_default=False),
    ] = None,
    json: AsJson = False,
    quiet: Quiet = False,
    log_format: LogFormat = logs.LogFormat.TEXT,
) -> None:
    """Say in what two data sets differ, and whether that is more than chance.

    \b
      datagen compare monday tuesday
      datagen compare parquet:real csv:synthetic --stream order --report compare.html
      datagen compare before after --fail-over 0.02

    Two seeds, two versions, synthetic against real: streams and columns are matched by name. Compared are schemas,
    nulls, shares and distributions of every column, volumes over time, activity and gaps per entity, transitions and
    correlations, with tests that know that the facts of one entity resemble each other; and, for privacy, how close
    the rows of B come to those of A.
    """
    from sim.quality.compare.compare import compare as compared

    with _pair(a, b, parse_pairs("-X", setting or [])) as (one, other):
        tell: Callable[[str], None] = _silent if quiet or json else _aside
        found = compared(one, other, streams=_known(stream, one, other), seed=seed, rows=sample, alpha=alpha, tell=tell)
    if report is not None:
        from sim.quality.compare.page import page

        page(a, b, found).write(report)
    if json:
        typer.echo(encoder.dumps(document(a, b, found)))
    elif not quiet:
        _print(found, everything)
    raise typer.Exit(1 if fail_over is not None and found.comparison.over(fail_over) else 0)


def document(a: str, b: str, found: Compared) -> dict[str, Any]:
    """All of it for machines."""
    comparison = found.comparison
    return {
        "a": a,
        "b": b,
        "alpha": comparison.alpha,
        "tests": comparison.tests,
        "differs": len(comparison.real),
        "streams": list(found.streams),
        "differences": [{**asdict(own), "p_value": own.p_value} for own in comparison.differences],
        "closeness": [asdict(own) for own in found.closeness],
    }


def table(differences: list[Difference]) -> Table:
    """One row for each: what, in both, how far apart, and how far chance goes."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "subject", "compared", "A", "B", "distance", "chance", "p", "detail"):
        shown.add_column(name, justify="right" if name in ("distance", "chance", "p") else "left")
    for own in differences:
        figures = ["" if value is None else f"{value:.3g}" for value in (own.distance, own.floor, own.p_value)]
        texts = [escape(text) for text in (own.subject, own.name, own.a, own.b)]
        shown.add_row("DIFFERS" if own.differs else "", *texts, *figures, escape(own.detail))
    return shown


def close_table(closeness: tuple[Closeness, ...]) -> Table:
    """How close the rows of B come to those of A."""
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("closest records", "rows", "B closer", "from .. to", "equal rows", "within A"):
        shown.add_column(name, justify="left" if name == "closest records" else "right")
    for own in closeness:
        interval = f"{own.low:.3f} .. {own.high:.3f}"
        shown.add_row(
            own.stream, f"{own.rows:,}", f"{own.share:.3f}", interval, f"{own.copies:.2%}", f"{own.usual:.2%}"
        )
    return shown


def _print(found: Compared, everything: bool) -> None:
    from sim.cli.terminal.show import stdout

    console, comparison = stdout(), found.comparison
    shown = list(comparison.differences) if everything else list(comparison.real[:_SHOWN])
    if shown:
        console.print(table(shown))
    if found.closeness:
        console.print(close_table(found.closeness))
    more = "" if everything or len(comparison.real) <= _SHOWN else f", {_SHOWN} of them shown (--all)"
    line = f"{len(comparison.real)} differences{more} among {comparison.tests} tests of {len(found.streams)} streams"
    console.print(f"{line}; a false alarm has a probability of {comparison.alpha:g}", markup=False, soft_wrap=True)


def _pair(a: str, b: str, settings: Any) -> Any:
    """Both data sets, open; settings go to those that are topics."""
    from contextlib import ExitStack, contextmanager

    from sim.cli.recorded.datasets import opened

    @contextmanager
    def both() -> Any:
        with ExitStack() as stack:
            yield tuple(
                stack.enter_context(opened(url, settings if url.startswith("kafka:") else None)) for url in (a, b)
            )

    return both()


def _known(names: list[str] | None, one: Any, other: Any) -> tuple[str, ...]:
    """The streams that are asked for; ParameterError where not both data sets have them."""
    from sim.errors import ParameterError
    from sinks.words import nearest

    common = [name for name in one.streams if name in other.streams]
    for name in names or ():
        if name not in common:
            raise ParameterError(f"--stream {name!r}: not in both data sets{nearest(name, common)}")
    if not common:
        raise ParameterError(
            f"{one.url} has {', '.join(one.streams)}, {other.url} {', '.join(other.streams)}: nothing in common"
        )
    return tuple(names or ())


def _aside(line: str) -> None:
    logs.say("progress", f"comparing: {line}")


def _silent(line: str) -> None:
    pass
