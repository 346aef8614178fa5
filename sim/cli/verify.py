"""`datagen verify`: what came of a run against what happened, and against the ledger of its faults."""

from __future__ import annotations

import json as encoder
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.terminal import logs, notices, when
from sim.cli.terminal.options import AsJson, End, LogFormat, Override, Scenario, Seed, Start
from sim.cli.terminal.summary import QUANTILES
from sim.cli.terminal.values import parse_overrides, parse_pairs, parse_span
from sim.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.table import Table

    from sim.delivery.audit import Audit, Finding


class Expect(StrEnum):
    """What the facts that are read should be like."""

    INJECTED = "as-injected"
    REPAIRED = "repaired"
    IDEAL = "ideal"


def verify(
    scenario: Scenario,
    source: Annotated[
        str,
        typer.Option("--from", metavar="URL", help="What came: parquet:DIR, csv:DIR, kafka://HOST:PORT?format=avro..."),
    ],
    ledger: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The ledger of the run.", show_default="beside files: DIR.ledger"),
    ] = None,
    expect: Annotated[
        Expect,
        typer.Option(
            help="as-injected: what the ledger explains may differ; repaired: no duplicates and in order; ideal: as if "
            "nothing had gone wrong."
        ),
    ] = Expect.INJECTED,
    stream: Annotated[
        list[str] | None, typer.Option(help="Only this stream. Repeatable.", show_default="all streams")
    ] = None,
    seed: Seed = None,
    start: Start = None,
    end: End = None,
    override: Override = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="The run was limited to so many facts.", show_default=False)
    ] = None,
    window: Annotated[str, typer.Option(metavar="DURATION", help="Windows whose aggregates are compared.")] = "1h",
    windows: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write every aggregate that differs there: .csv or .parquet.", show_default=False
        ),
    ] = None,
    arrived: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN|broker",
            help="When a fact came, for latencies: a column, or the time at which the broker got it.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN|due",
            help="From when on latencies count: a column, or the header that paced runs write.",
            show_default="event time",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("-X", metavar="KEY=VALUE", help="A setting of the client. Repeatable.", show_default=False),
    ] = None,
    json: AsJson = False,
    log_format: LogFormat = logs.LogFormat.TEXT,
) -> None:
    """Compare what came of a run with what happened.

    \b
      datagen verify shop.yaml --from parquet:out
      datagen verify shop.yaml --from kafka://localhost:9092 --ledger ledger
      datagen verify shop.yaml --from 'kafka://localhost:9092?format=avro&registry=http://localhost:8081'
      datagen verify shop.yaml --from parquet:cleaned --ledger out.ledger --expect repaired

    The scenario is simulated again and compared with what is read, fact by fact: what is lost, unknown, there twice,
    changed, out of order within its key, later than the bound; and the counts and sums of every window. Differences
    that are in the ledger are explained. Exit code 0 where all are, 1 where one is not.
    """
    from sim.cli.recorded.comparison import Question, answers
    from sim.cli.recorded.differences import check, write
    from sim.cli.recorded.forms import Clocks
    from sim.cli.recorded.sightings import source as opened

    notices.show()
    span = parse_span("--window", window)
    if windows is not None:
        check(windows)
    found = opened(source, parse_pairs("-X", setting or []))
    if since is not None and arrived is None:
        raise ParameterError("--since is where latencies begin: it needs --arrived")
    found.clocks = Clocks(arrived, since)
    account = _ledger(ledger, source)
    overrides = parse_overrides(override or [], **when.interval(start, end))
    question = Question(scenario, overrides, seed, found, account, span, limit, tuple(stream or ()))
    audits = answers(question, expect.value)
    if windows is not None:
        write(audits, windows)
    typer.echo(encoder.dumps(_document(audits, expect))) if json else _print(audits)
    raise typer.Exit(0 if all(item.sound for item in audits) else 1)


def _ledger(ledger: str | None, source: str) -> Path | None:
    """Where the ledger is; None where there is none."""
    from sinks.target import Target

    if ledger is not None:
        if not (Path(ledger) / "injections").is_dir():
            raise ParameterError(f"--ledger {ledger!r}: there is no ledger")
        return Path(ledger)
    beside = Path(Target.parse(source).location.rstrip("/") + ".ledger")
    return beside if (beside / "injections").is_dir() else None


def _document(audits: Sequence[Audit], expect: Expect) -> dict[str, Any]:
    return {
        "sound": all(item.sound for item in audits),
        "expect": expect.value,
        "streams": {item.stream: _object(item) for item in audits},
    }


def _object(item: Audit) -> dict[str, Any]:
    findings = {
        finding.kind.replace(" ", "_"): {
            "found": finding.found,
            "explained": finding.explained,
            "examples": _examples(finding) if finding.kind == "windows" else list(finding.examples),
        }
        for finding in item.findings
    }
    return {
        "sound": item.sound,
        "happened": item.happened,
        "came": item.came,
        "not_seen": item.undone,
        **findings,
        "latency": _latency(item),
    }


def _latency(item: Audit) -> dict[str, float] | None:
    """Seconds until arrival that such shares of the facts did not exceed; None where nobody knows."""
    found = item.latencies
    if not found.count:
        return None
    return {name: round(found.quantile(share), 6) for name, share in QUANTILES.items()} | {"max_s": found.largest}


def _print(audits: Sequence[Audit]) -> None:
    from sim.cli.terminal.show import stdout

    console = stdout()
    console.print(_table(audits))
    for item in audits:
        for line in _lines(item):
            console.print(line, markup=False, soft_wrap=True)
    console.print(_verdict(audits), markup=False)


def _lines(item: Audit) -> Iterator[str]:
    """What is not explained, with a few examples (ids, or the beginnings of windows), and latencies."""
    for finding in item.findings:
        if finding.unexplained:
            which = ", ".join(_examples(finding))
            yield f"{item.stream}: {finding.unexplained:,} {finding.kind}, unexplained{': ' if which else ''}{which}"
    if (latency := _latency(item)) is not None:
        shares = ", ".join(f"{seconds:,.3f} s {name.removesuffix('_s')}" for name, seconds in latency.items())
        yield f"{item.stream}: until arrival {shares}"
    if item.undone:
        yield f"{item.stream}: {item.undone:,} injections of the ledger are not to be seen"


def _examples(finding: Finding) -> list[str]:
    from sim.cli.terminal.show import instant

    return [instant(number) if finding.kind == "windows" else str(number) for number in finding.examples]


def _verdict(audits: Sequence[Audit]) -> str:
    if not all(item.sound for item in audits):
        return "not all that differs is explained"
    differs = any(finding.found for item in audits for finding in item.findings)
    return "all that differs is explained" if differs else "nothing differs"


def _table(audits: Sequence[Audit]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("stream", "happened", "came", "difference", "found", "explained"):
        table.add_column(name, justify="left" if name in ("stream", "difference") else "right")
    for item in audits:
        head = (item.stream, f"{item.happened:,}", f"{item.came:,}")
        findings = [finding for finding in item.findings if finding.found]
        for place, finding in enumerate(findings):
            first = head if not place else ("", "", "")
            table.add_row(*first, finding.kind, f"{finding.found:,}", f"{finding.explained:,}")
        if not findings:
            table.add_row(*head, "none", "", "")
    return table
