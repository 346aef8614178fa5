"""What a load test has found, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sim.cli.terminal import logs
from sim.cli.terminal.show import brief, clock, short
from sim.delivery.load.metrics import LATENCIES, METRICS, Unit

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from sim.delivery.load.measured import Measured
    from sim.delivery.load.recorder import Recorder
    from sim.delivery.load.search import Step

Document = dict[str, Any]

SHOWN = ("p50", "p90", "p99", "p99.9", "p99.99", "max")
EVERY = 5.0
"""Seconds between lines about how far a test is."""


def worded(value: float | None, unit: Unit) -> str:
    """A figure as people read it."""
    if value is None:
        return "?"
    if unit == "duration":
        return brief(value)
    if unit == "rate":
        return f"{value:,.0f}/s" if value >= 10 else f"{value:.2f}/s"
    return f"{value:,.0f}" if unit == "count" else f"{value:.0%}"


class Lines:
    """Tells on stderr how far a test is, every few seconds, and of each step of a search."""

    def __init__(self, duration: float) -> None:
        self._duration, self._last = duration, 0.0

    def tell(self, seconds: float, recorder: Recorder) -> None:
        """So many seconds of a trial are over."""
        if seconds < self._last:
            self._last = 0.0
        if seconds - self._last >= EVERY and seconds < self._duration:
            self._last = seconds
            slow = brief(recorder.acks.whole.quantile(0.99)) if recorder.acks.samples else "?"
            rate = short(recorder.trial.profile.rate(seconds))
            text = f"{clock(seconds):>7} of {clock(self._duration)}  {rate}/s due  {recorder.sent:,} facts sent"
            logs.say("progress", f"{text}  p99 {slow}", {"seconds": round(seconds, 1), "facts": recorder.sent})

    def step(self, step: Step[Measured], document: Document) -> None:
        """A step of a search is over."""
        self._last = 0.0
        why = ", ".join(failure(one) for one in document["crossed"]) or "carried"
        slow = worded(document["ack"]["p99_s"], "duration")
        errors = f", {document['errors']:,} not acknowledged" if document["errors"] else ""
        text = f"{worded(step.rate, 'rate'):>12}: {worded(document['achieved_per_s'], 'rate')} acknowledged, p99 {slow}"
        fields = {"rate_per_s": step.rate, "carried": step.carried, "achieved_per_s": document["achieved_per_s"]}
        logs.say("step", f"{text}; {why}{errors}", fields)


def failure(judged: Document) -> str:
    """A threshold that was crossed, with what was found."""
    return f"{judged['expression']} ({worded(judged['value'], METRICS[judged['metric']].unit)})"


def printed(document: Document, console: Console) -> None:
    """The whole of a report."""
    console.print(_heading(document), markup=False, soft_wrap=True)
    if document.get("steps"):
        console.print(steps(document["steps"]))
        console.print(limit_sentence(document), markup=False, soft_wrap=True)
    if "ack" not in document:
        return
    console.print(latencies(document))
    for line in (rates(document), processors(document), *remarks(document)):
        console.print(line, markup=False, soft_wrap=True)
    console.print(document["verdict"]["text"], markup=False, soft_wrap=True, style="bold")
    for one in document["thresholds"]:
        console.print(outcome(one), markup=False, soft_wrap=True)


def outcome(judged: Document) -> str:
    """What became of a threshold."""
    if judged["crossed"] is None:
        return f"not known: {judged['expression']}"
    return f"{'CROSSED' if judged['crossed'] else 'kept'}: {failure(judged)}"


def _heading(document: Document) -> str:
    span = clock(document["duration_s"]) if "duration_s" in document else "no time"
    what = f"{document['scenario']} to {document['to']}"
    rate = "" if document.get("steps") else f" at {document.get('rate', '?')}"
    warm = document.get("warmup_s")
    return f"{what}{rate} for {span}{f', the first {clock(warm)} not measured' if warm else ''}"


def latencies(document: Document) -> Table:
    """Quantiles of every latency, from when facts were due."""
    found = _table("from when facts were due", *SHOWN, "facts", "looked at")
    for kind, title in LATENCIES.items():
        if (timed := document.get(kind)) is not None:
            points = [brief(timed[f"{name}_s"]) for name in SHOWN]
            found.add_row(title, *points, f"{timed['facts']:,}", f"{timed['samples']:,}")
    return found


def steps(made: Sequence[Document]) -> Table:
    """The steps of a search, in order."""
    found = _table("offered", "achieved", "p50", "p99", "lag p99", "errors", "carried")
    for step in made:
        figures = (worded(step["rate_per_s"], "rate"), worded(step["achieved_per_s"], "rate"))
        timed = (brief(step["ack"]["p50_s"]), brief(step["ack"]["p99_s"]), brief(step["lag"]["p99_s"]))
        found.add_row(*figures, *timed, f"{step['errors']:,}", "yes" if step["carried"] else "no")
    return found


def limit_sentence(document: Document) -> str:
    """The highest rate that was carried, and what was in the way above it."""
    limit, to = document["limit"], document["to"]
    carried, failed = limit["carried_per_s"], limit["failed_per_s"]
    if carried is None:
        return f"{to} carried none of the rates that were tried, the lowest being {worded(failed, 'rate')}"
    text = f"the highest rate that {to} carried is {worded(carried, 'rate')}"
    if failed is None:
        return f"{text}, and nothing faster was tried"
    why = ", ".join(map(failure, limit["failed_by"])) or "facts were not acknowledged"
    who = "; the generator was the limit there: the target may carry more" if limit["bottleneck"] == "generator" else ""
    return f"{text}; at {worded(failed, 'rate')}: {why}{who}"


def rates(document: Document) -> str:
    """What was offered and achieved, in a sentence."""
    offered, achieved = (worded(document[f"{name}_per_s"], "rate") for name in ("offered", "achieved"))
    return (
        f"offered {offered}, achieved {achieved}; {document['sent']:,} facts sent, {document['errors']:,} of them not"
        f" acknowledged, {document['unsent']:,} more were due and did not leave"
    )


def processors(document: Document) -> str:
    """What the generator and the machine took of the processors."""
    cpu = document["cpu"]
    return (
        f"the generator took {cpu['generator']:.0%} of a core, the machine {cpu['machine']:.0%} of its {cpu['cores']};"
        f" the sink waited for its target for {clock(document['blocked_s'])}"
    )


def remarks(document: Document) -> list[str]:
    """What else is to be known."""
    found = []
    if document["laps"] > 1:
        again = "later, with the next seeds and ids of their own"
        found.append(f"the scenario has fewer facts: it was gone through {document['laps']} times, {again}")
    if document["failed"]:
        reasons = ", ".join(f"{count:,} ({reason})" for reason, count in document["failed"].items())
        found.append(f"not delivered: {reasons}")
    return found


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="right" if number else "left")
    return table
