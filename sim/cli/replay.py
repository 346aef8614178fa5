"""`datagen replay`: recorded facts into a sink, once more."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli.jobs.metrics import Monitor, served
from sim.cli.terminal import logs, notices, when
from sim.cli.terminal.options import (
    AsJson,
    Ledger,
    LedgerWindow,
    Limit,
    LogFormat,
    MetricsPort,
    Progress,
    Quiet,
    Seed,
    Settings,
    WithFaults,
)
from sim.cli.terminal.progress import Meter, shown
from sim.cli.terminal.signals import Interruption
from sim.cli.terminal.summary import Leg, begin, failures, tell
from sim.cli.terminal.values import parse_pairs, parse_passes, parse_span
from sim.errors import DatagenError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sim.cli.jobs.faults import Injection
    from sim.cli.recorded.recordings import Facts
    from sim.delivery.replay.playing import Play
    from sim.delivery.schedule import Schedule
    from sinks.contract import Sink


def replay(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="parquet:DIR, csv:DIR, a FILE of these, kafka://HOST:PORT/TOPIC[,TOPIC]",
            show_default=False,
        ),
    ],
    to: Annotated[str, typer.Option(metavar="URL", help="Where the facts go, as for `datagen run`.")] = "stdout:",
    speed: Annotated[
        str, typer.Option(metavar="PACE", help="max, or a multiple of the recorded pace: 1x, 60x, 0.5x.")
    ] = "max",
    rate: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="Facts a second, or a profile, as for `datagen run`.", show_default=False),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Move all instants so that it begins then: now, 2025-01-01.", show_default=False
        ),
    ] = None,
    loop: Annotated[str, typer.Option(metavar="N|forever", help="How many times over.")] = "1",
    amplify: Annotated[int, typer.Option(metavar="N", help="So many of every entity, with ids of their own.")] = 1,
    jitter: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="Further copies come later by up to this: 30s, 2h.", show_default=False),
    ] = None,
    blend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCENARIO", help="Simulate this over the same time, as well. Repeatable.", show_default=False
        ),
    ] = None,
    faults: WithFaults = True,
    ledger: Ledger = None,
    ledger_window: LedgerWindow = "1h",
    seed: Seed = None,
    start: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only what was recorded from then on.", show_default=False)
    ] = None,
    end: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Only what was recorded before.", show_default=False)
    ] = None,
    stream: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Only this stream, repeatable; or the name for files that are one stream.",
            show_default=False,
        ),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="When a row happened: ts, or ts:ms for whole numbers.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Whose row it is: equal values stay in order.", show_default=False),
    ] = None,
    id: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="A whole number, unique in the stream.", show_default=False)
    ] = None,
    rekey: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Holds ids of entities under another name. Repeatable.", show_default=False
        ),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN", help="Instants that --at and --loop do not move. Repeatable.", show_default=False
        ),
    ] = None,
    same_keys: Annotated[bool, typer.Option("--same-keys", help="--loop repeats ids and keys as well.")] = False,
    limit: Limit = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an earlier process has left behind of this replay.")
    ] = False,
    setting: Settings = None,
    metrics_port: MetricsPort = None,
    json: AsJson = False,
    quiet: Quiet = False,
    progress: Progress = None,
    log_format: LogFormat = logs.LogFormat.TEXT,
) -> None:
    """Send recorded facts to a sink again, in order of time.

    \b
      datagen replay parquet:out --to kafka://localhost:9092 --speed 60x
      datagen replay parquet:out --to kafka://localhost:9092 --at now --speed 1x
      datagen replay parquet:rides.parquet --time pickup_at --key vehicle --rate 5k/s
      datagen replay parquet:out --amplify 10 --jitter 1h --loop 3 --to parquet:larger
      datagen replay kafka://localhost:9092/order,visit --to parquet:recorded
      datagen replay parquet:out --blend bank --to kafka://localhost:9092

    What datagen has written explains itself. Of other Parquet files --time says which column tells when a row
    happened, --key whose it is. Topics are read to the end that they have at the start; what their values are
    stands in the URL: ?format=avro&registry=http://localhost:8081.
    """
    from sim.cli.recorded.recordings import earlier, opened, played
    from sim.delivery.pipeline import Outcome, deliver
    from sim.delivery.replay.naming import Naming
    from sim.delivery.replay.playing import Play
    from sim.delivery.schedule import parse_pace
    from sinks.registry import open_sink

    notices.show()
    present = when.now()
    naming = Naming(time, key, id, tuple(stream or ()), tuple(rekey or ()))
    sink = open_sink(to, parse_pairs("-X", setting or []))
    interval = when.instant("--start", start, present), when.instant("--end", end, present)
    when.instant("--at", at, present)  # whether it makes sense, before anything is read
    play = Play(
        passes=parse_passes(loop),
        copies=amplify,
        jitter=0 if jitter is None else parse_span("--jitter", jitter),
        same_keys=same_keys,
        fixed=frozenset(fixed or ()),
        rekeyed=frozenset(rekey or ()),
    )
    _check(source, sink, play, seed, blend)
    span = parse_span("--ledger-window", ledger_window)
    if resume:
        _check_resume(sink, {"--at": at, "--start": start, "--end": end})
    origin = earlier(source, sink) if resume else None
    outcome, spoken = Outcome(), not quiet and progress is not False
    parse_pace(speed, rate)
    with Interruption() as interruption, opened(source, naming, interruption.stop, spoken, origin) as recording:
        # Topics may have taken a while to read: now is when they have been.
        present = when.now()
        target = when.instant("--at", at, present)
        schedule = _schedule(speed, rate, target, present)
        facts = played(recording.part(*interval), play, target, blend or [], seed, faults)
        if resume and limit is not None and facts.faults:
            raise ParameterError("--limit and --resume do not go together where faults are injected")
        injection = _injection(facts, sink, ledger, span, resume)
        run, legs = facts.run, [Leg(outcome, facts.run, sink)]
        begin(legs, quiet=quiet)
        try:
            monitor, meter = Monitor(legs, interruption.stop), Meter(run.start, run.end, limit)
            with (
                served(monitor, metrics_port),
                shown(meter, False if quiet else progress, sink.interleaved) as show,
                injection.way(facts.batches, limit, monitor.beside(show), sink.damages) as way,
            ):
                paced = partial(deliver, schedule=schedule, stop=interruption.stop, outcome=outcome, resume=resume)
                paced(way.batches, sink, facts.streams, run, limit=way.limit, on_progress=way.on_progress)
        except DatagenError:
            if outcome.total or failures(outcome):
                tell(legs, json=json, quiet=quiet)
            raise
    tell(legs, json=json, quiet=quiet)
    raise typer.Exit(interruption.exit_code if outcome.stopped else 0)


def _check(source: str, sink: Sink, play: Play, seed: int | None, blend: list[str] | None) -> None:
    """Raise ParameterError for options that would do nothing, or harm."""
    if seed is not None and not blend:
        raise ParameterError("--seed is for simulations: it needs --blend")
    if play.jitter and play.copies == 1:
        raise ParameterError("--jitter delays further copies of entities: it needs --amplify")
    scheme, _, place = source.partition(":")
    if scheme == sink.scheme and scheme != "kafka" and Path(place).resolve() == Path(sink.target.location).resolve():
        raise ParameterError(f"{source} cannot be both the recording and the sink: choose another folder for --to")


def _injection(facts: Facts, sink: Sink, ledger: str | None, span: int, resume: bool) -> Injection:
    """How faults of blended scenarios are injected, and where account of them is kept."""
    from sim.cli.jobs.faults import Account, Injection, place_of

    place = place_of(ledger, sink, bool(facts.faults))
    again = "?mode=overwrite" if resume and place and "?" not in place else ""
    account = None if place is None else Account(place + again, span)
    return Injection(facts.streams, facts.faults, facts.seeds, facts.run, account)


def _check_resume(sink: Sink, instants: Mapping[str, str | None]) -> None:
    """Raise ParameterError where the same replay cannot be begun once more, or its output not be gone on with."""
    if not sink.resumable:
        raise ParameterError(f"--resume: {sink.target.url}: {sink.unresumable}")
    for option, text in instants.items():
        if text is not None and "now" in text:
            reason = "is another instant in every process; say the one that the replay was begun with"
            raise ParameterError(f"{option} {text}: --resume: {text} {reason}")


def _schedule(speed: str, rate: str | None, target: int | None, present: int) -> Schedule | None:
    """What `--speed` and `--rate` ask for; at real time from now on, or later, event times are those of the clock."""
    from sim.delivery.schedule import Live, Speed, parse_pace

    asked = parse_pace(speed, rate)
    if isinstance(asked, Speed) and asked.speed == 1 and target is not None and target >= present:
        return Live(target)
    return asked
