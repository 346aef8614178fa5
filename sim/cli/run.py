"""`datagen run`: simulate a scenario into a sink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.jobs.continuing import past_of, resolved, state_of
from sim.cli.jobs.faults import place_of
from sim.cli.jobs.job import WORKERS_USE, Job
from sim.cli.jobs.metrics import Monitor, served
from sim.cli.terminal import logs, notices, when
from sim.cli.terminal.options import (
    AsJson,
    End,
    Ledger,
    LedgerWindow,
    Limit,
    LogFormat,
    MetricsPort,
    Override,
    Progress,
    Quiet,
    Scenario,
    Seed,
    Settings,
    Shard,
    Start,
    WithFaults,
)
from sim.cli.terminal.progress import Meter, shown
from sim.cli.terminal.signals import Interruption
from sim.cli.terminal.summary import Leg, begin, failures, tell
from sim.cli.terminal.values import parse_overrides, parse_pairs, parse_shard, parse_span
from sim.errors import DatagenError, ParameterError

if TYPE_CHECKING:
    from sim.cli.jobs.execute import Live
    from sim.model.model import Model
    from sinks.contract import Sink
    from sinks.run import Past

MAX_WORKERS = 256
AT_LEAST = "1 year"
"""How long a live run lasts from now on unless --end says otherwise."""


def run(
    scenario: Scenario,
    to: Annotated[
        str,
        typer.Option(metavar="URL", help="Where the facts go: stdout:, parquet:DIR, csv:DIR, kafka://HOST:PORT, null:"),
    ] = "stdout:",
    seed: Seed = None,
    start: Start = None,
    end: End = None,
    shard: Shard = "1/1",
    workers: Annotated[int, typer.Option(min=1, max=MAX_WORKERS, help="Processes to share the work.")] = 1,
    limit: Limit = None,
    override: Override = None,
    speed: Annotated[
        str, typer.Option(metavar="PACE", help="max, or a multiple of real time at which facts leave: 1x, 60x, 0.5x.")
    ] = "max",
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Facts a second, whatever their event times: 50k/s, or a profile: ramp:from=1k/s,to=50k/s,over=5min "
            "(others: steps, spike, sine, file).",
            show_default=False,
        ),
    ] = None,
    setting: Settings = None,
    then_live: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="After the history, go on live into this sink: facts leave when their event time is now.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str, typer.Option(metavar="WHEN", help="With --then-live: where the history ends and the live part begins.")
    ] = "now",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an earlier process has left behind of this run.")
    ] = False,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Where a long run keeps snapshots, so that --resume goes on within seconds.",
            show_default="beside files: DIR.state",
        ),
    ] = None,
    faults: WithFaults = True,
    ledger: Ledger = None,
    ledger_window: LedgerWindow = "1h",
    metrics_port: MetricsPort = None,
    json: AsJson = False,
    quiet: Quiet = False,
    progress: Progress = None,
    log_format: LogFormat = logs.LogFormat.TEXT,
) -> None:
    """Simulate a scenario and write its facts to a sink.

    \b
      datagen run storefront --limit 10
      datagen run storefront --to parquet:out --workers 2
      datagen run storefront --to kafka://localhost:9092 --speed 60x
      datagen run storefront --to kafka://localhost:9092 --rate 20k/s
      datagen run storefront --start now-90d --to parquet:lake --then-live kafka://localhost:9092
      datagen run bank --end 2024-02-01 --set entities.customer.initial.count=500 --to csv:out

    Ctrl-C finishes the window in hand and closes the sink; a second one aborts. With --shard 1/4 to 4/4, four machines
    share a run; together they write the facts of one. Facts go to stdout in one order, to files and topics in one
    order per stream and worker.
    """
    from sim.cli.jobs.execute import Execution, execute
    from sim.delivery.nursery import prepare
    from sim.delivery.pipeline import Outcome
    from sim.delivery.schedule import parse_pace
    from sinks.registry import open_sink

    notices.show()
    present = when.now()
    schedule = parse_pace(speed, rate)
    if then_live is not None and (schedule is not None or limit is not None):
        raise ParameterError("--then-live goes by the wall's clock: --speed, --rate and --limit do not go with it")
    if then_live is not None and end is None:
        end = f"now+{AT_LEAST}"
    times = {"start": start, "end": end} | ({} if then_live is None else {"until": until})
    instants = resolved(times, present)
    pairs = parse_pairs("-X", setting or [])
    overrides = parse_overrides(override or [], start=instants["start"], end=instants["end"])
    job = Job(scenario, overrides, seed, parse_shard(shard), to, {} if then_live else pairs)
    job = replace(job, resume=resume, faults=faults, span=parse_span("--ledger-window", ledger_window))
    with Interruption() as interruption:
        if workers > 1:
            prepare(workers, WORKERS_USE)
        sinks = [job.sink(), *([] if then_live is None else [open_sink(then_live, pairs)])]
        if resume:
            past = _past(job, sinks, times, interruption.stop)
            instants = resolved(times, present, past)
            overrides = parse_overrides(override or [], start=instants["start"], end=instants["end"])
            job = replace(job, overrides=overrides)
        sink, model = sinks[0], job.model()
        if resume and limit is not None and faults and model.faults:
            raise ParameterError("--limit and --resume do not go together where faults are injected")
        job = replace(job, ledger=place_of(ledger, sink, faults and bool(model.faults)))
        live = None if then_live is None else _live(sinks[1], instants["until"], model)
        outcome, whole = Outcome(), job.run(model)
        legs = [Leg(outcome, whole, sink)]
        if live is not None:
            legs = [
                Leg(outcome, replace(whole, end=live.since), sink),
                Leg(live.outcome, replace(whole, start=live.since), live.sink),
            ]
        begin(legs, quiet=quiet, workers=workers)
        tell_end = partial(tell, legs, json=json, quiet=quiet, workers=workers)
        plan = Execution(workers, limit, schedule, live)
        job = replace(job, state=state_of(state, job, sink, faults and bool(model.faults), plan))
        try:
            monitor = Monitor(legs, interruption.stop)
            meter = Meter(model.start, model.end, limit)
            with (
                served(monitor, metrics_port),
                shown(meter, False if quiet else progress, sink.interleaved) as show,
            ):
                execute(job, model, sink, plan, interruption.stop, monitor.beside(show), outcome)
        except DatagenError:
            if any(leg.outcome.total or failures(leg.outcome) for leg in legs):
                tell_end()
            raise
    tell_end()
    raise typer.Exit(interruption.exit_code if any(leg.outcome.stopped for leg in legs) else 0)


def _past(job: Job, sinks: Sequence[Sink], times: Mapping[str, str | None], stop: Event) -> Past | None:
    """What there is to go on with. Raises ParameterError where a sink cannot."""
    for sink in sinks:
        sink.stop = stop
        if not sink.resumable:
            raise ParameterError(f"--resume: {sink.target.url}: {sink.unresumable}")
    return past_of(job, sinks, times)


def _live(sink: Sink, until: str | None, model: Model) -> Live:
    """The live part of a run. Raises ParameterError where it would not lie inside the run."""
    from sim.cli.jobs.execute import Live
    from sim.maths.instants import format_instant, parse_instant

    try:
        since = parse_instant(until, model.timeline.zone)
    except ValueError as error:
        raise ParameterError(f"--until: {error}") from None
    if not model.start <= since < model.end:
        first, last = format_instant(model.start), format_instant(model.end)
        raise ParameterError(f"--until {format_instant(since)} is not in the run, which goes from {first} to {last}")
    return Live(sink, since)
