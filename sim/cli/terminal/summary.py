"""What a run has written: a table on stderr, or one JSON object."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from json import dumps
from typing import TYPE_CHECKING, Any

import typer

from sim.cli.terminal import logs
from sim.cli.terminal.show import brief, clock, instant, iso, short, size, stderr

if TYPE_CHECKING:
    from rich.table import Table

    from sim.delivery.pacing import Punctuality
    from sim.delivery.pipeline import Outcome
    from sinks.contract import Sink
    from sinks.run import Run


@dataclass(frozen=True, slots=True)
class Leg:
    """A run, or the part of it that goes to one sink."""

    outcome: Outcome
    run: Run
    sink: Sink


def begin(legs: Sequence[Leg], *, quiet: bool, workers: int = 1) -> None:
    """Where messages are JSON, say what begins, unless `quiet`."""
    if logs.structured() and not quiet:
        run, places = legs[0].run, [leg.sink.target.url for leg in legs]
        fields = {**_identity(run, workers), "to": places, "start": iso(run.start), "end": iso(legs[-1].run.end)}
        logs.entry("info", "start", f"{run.scenario} to {' and '.join(places)}", fields)


def tell(legs: Sequence[Leg], *, json: bool, quiet: bool, workers: int = 1) -> None:
    """Say what became of a run of one or two legs: an object for machines, or a table for each unless `quiet`.

    Where messages are JSON, the same object is the last of them.
    """
    said, *live = (as_json(leg.outcome, leg.run, leg.sink, workers) for leg in legs)
    if live:
        said["live"] = live[0]
    to_stderr = any(leg.sink.scheme == "stdout" for leg in legs)
    if json and not (to_stderr and logs.structured()):
        typer.echo(dumps(said), err=to_stderr)
    if logs.structured() and (json or not quiet):
        logs.entry("info", "end", "; ".join(sentence(leg.outcome, leg.run, leg.sink) for leg in legs), said)
    elif not (json or quiet):
        for leg in legs:
            if not leg.outcome.closed and leg.outcome.reports:
                print_table(leg.outcome, leg.run, leg.sink)


def _identity(run: Run, workers: int) -> dict[str, Any]:
    return {
        "scenario": run.scenario,
        "digest": run.digest,
        "seed": run.seed,
        "shard": f"{run.shard}/{run.shards}",
        "workers": workers,
    }


def as_json(outcome: Outcome, run: Run, sink: Sink, workers: int) -> dict[str, Any]:
    """The summary as an object for machines; the command line's page lists its keys."""
    return {
        **_identity(run, workers),
        "to": sink.target.url,
        "guarantee": sink.guarantee,
        "start": iso(run.start),
        "end": iso(run.end),
        "until": iso(outcome.watermark),
        "streams": outcome.facts,
        "facts": outcome.total,
        "acknowledged": sum(report.acknowledged for report in outcome.reports),
        "failed": failures(outcome),
        "bytes": outcome.bytes,
        "files": sum(report.files for report in outcome.reports),
        "resumed": outcome.resumed,
        "elapsed_s": round(outcome.elapsed_s, 3),
        "facts_per_s": round(outcome.total / max(outcome.elapsed_s, 1e-9)),
        "stopped": outcome.stopped,
        "pacing": pacing_object(outcome.punctuality, sink),
    }


QUANTILES = {"p50_s": 0.5, "p90_s": 0.9, "p99_s": 0.99, "p999_s": 0.999}
"""Of the lateness of a paced run."""


def pacing_object(account: Punctuality | None, sink: Sink) -> dict[str, Any] | None:
    """How late facts left, in seconds after they were due, and why; None for a run that was not paced."""
    if account is None:
        return None
    late = account.late
    quantiles = {name: round(late.quantile(share), 6) for name, share in QUANTILES.items()}
    return {
        "mean_s": round(late.mean, 6),
        **quantiles,
        "max_s": round(late.largest, 6),
        "asked_s": round(account.asked_s, 3),
        "took_s": round(account.took_s, 3),
        "starved_s": round(account.starved_s, 3),
        "blocked_s": round(account.blocked_s, 3),
        "kept": account.kept,
        "verdict": account.verdict(sink.target.url),
    }


def failures(outcome: Outcome) -> dict[str, int]:
    """Facts that the sinks could not deliver, by reason."""
    total: Counter[str] = Counter()
    for report in outcome.reports:
        total.update(report.failed)
    return dict(total)


def print_table(outcome: Outcome, run: Run, sink: Sink) -> None:
    """Facts and rates per stream, then a line about the whole."""
    console = stderr()
    if outcome.total:
        console.print(_table(outcome))
    console.print(sentence(outcome, run, sink), soft_wrap=True, markup=False)


def _table(outcome: Outcome) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_footer=True, pad_edge=False)
    total = outcome.total
    table.add_column("stream", "total")
    table.add_column("facts", f"{total:,}", justify="right")
    table.add_column("share", "", justify="right")
    table.add_column("facts/s", short(total / max(outcome.elapsed_s, 1e-9)), justify="right")
    for name, facts in outcome.facts.items():
        table.add_row(name, f"{facts:,}", f"{facts / total:.1%}", short(facts / max(outcome.elapsed_s, 1e-9)))
    return table


def sentence(outcome: Outcome, run: Run, sink: Sink) -> str:
    """How much went where, up to when, in how long; what failed and how far behind a paced run was."""
    files = sum(report.files for report in outcome.reports)
    where = f"{sink.target.url} ({size(outcome.bytes)}{f' in {files:,} files' if files else ''})"
    until = instant(run.start if outcome.watermark is None else outcome.watermark)
    parts = [f"{outcome.total:,} facts of {run.scenario} until {until} to {where} in {clock(outcome.elapsed_s)}"]
    if outcome.resumed:
        parts.append(f"{outcome.resumed:,} facts were there already")
    if failed := failures(outcome):
        parts.append("not delivered: " + ", ".join(f"{count:,} ({reason})" for reason, count in failed.items()))
    if (account := outcome.punctuality) is not None:
        median, slow = (brief(account.late.quantile(share)) for share in (0.5, 0.99))
        parts.append(f"facts left {median} late in the median, {slow} at p99, {brief(account.late.largest)} at most")
        parts.append(account.verdict(sink.target.url))
    if outcome.stopped:
        parts.append("stopped before the end; the sink is closed and whole up to there")
    return "; ".join(parts)
