"""`datagen load`: a load test, the search for the limit, and the comparison of two reports."""

from __future__ import annotations

import json as encoder
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from sim.cli.jobs.job import WORKERS_USE
from sim.cli.loading.order import CARRIED, Asked
from sim.cli.terminal import logs, notices, when
from sim.cli.terminal.options import AsJson, End, LogFormat, Override, Progress, Quiet, Seed, Settings, Start
from sim.cli.terminal.signals import Interruption
from sim.cli.terminal.values import parse_overrides, parse_pairs
from sim.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sim.cli.loading.trial import Order, Story
    from sim.delivery.load.thresholds import Threshold

CROSSED = 5
"""Exit code where a threshold was crossed."""


def load(
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a bundled one.", show_default=False),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="URL", help="What is tested, as for `datagen run`.", show_default=False)
    ] = None,
    rate: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            help="Facts a second, or a profile, as for `datagen run`; with --find-limit the first rate.",
            show_default=False,
        ),
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(
            metavar="SPAN", help="How long, by the clock of the wall.", show_default="1min; 10s a step of --find-limit"
        ),
    ] = None,
    warmup: Annotated[
        str | None,
        typer.Option(metavar="SPAN", help="The beginning, which is not measured.", show_default="a tenth, 5s at most"),
    ] = None,
    find_limit: Annotated[
        bool, typer.Option("--find-limit", help="Search for the highest rate that is carried.")
    ] = False,
    precision: Annotated[str, typer.Option(metavar="SHARE", help="How closely --find-limit finds it.")] = "5%",
    at_most: Annotated[
        str | None, typer.Option(metavar="RATE", help="--find-limit tries nothing faster.", show_default=False)
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Exit code 5 where it holds: 'p99 > 200ms', 'achieved < 95% offered'. Repeatable.",
            show_default=False,
        ),
    ] = None,
    consume: Annotated[
        bool, typer.Option("--consume/--no-consume", help="Read topics back for end-to-end latencies.")
    ] = True,
    topic: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Read this topic back, the output of a pipeline that keeps the header `due`. Repeatable.",
            show_default="the topics that are written",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as JSON.", show_default=False)
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as HTML, with charts.", show_default=False)
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="BEFORE AFTER", help="Compare two saved reports; nothing is run.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that simulate.")] = 1,
    seed: Seed = None,
    start: Start = None,
    end: End = None,
    override: Override = None,
    setting: Settings = None,
    json: AsJson = False,
    quiet: Quiet = False,
    progress: Progress = None,
    log_format: LogFormat = logs.LogFormat.TEXT,
) -> None:
    """Test what takes facts at a rate that waits for nobody, and say who was the bottleneck.

    \b
      datagen load storefront --to kafka://localhost:9092 --rate 20k/s --duration 5min --report load.html
      datagen load storefront --to kafka://localhost:9092 --rate ramp:from=1k/s,to=50k/s,over=2min
      datagen load storefront --to kafka://localhost:9092 --rate 5k/s --fail-if 'p99 > 200ms' --save after.json
      datagen load storefront --to kafka://localhost:9092 --find-limit
      datagen load --compare before.json after.json --fail-if 'p99 > 120% before'

    Latencies count from the instant at which a fact was due, until it is acknowledged, and until it has come back from
    its topic. Where a scenario has too few facts it begins again, later and with ids of its own.
    """
    from sim.delivery.load.thresholds import parse_thresholds

    if report is not None:
        from sim.pages import library  # noqa: F401  (that it is missing must be known before anything runs)
    if compare is not None:
        if scenario is not None or to is not None:
            raise ParameterError("--compare reads two reports and runs nothing: leave SCENARIO and --to out")
        _compare(*compare, parse_thresholds(fail_if or [], relative=True), json, report)
    if scenario is None or to is None:
        raise ParameterError("a load test needs SCENARIO and --to URL (or --compare BEFORE AFTER for two reports)")
    if rate is None and not find_limit:
        raise ParameterError("a load test needs --rate RATE, such as 5k/s, or --find-limit")
    conditions = fail_if or (CARRIED if find_limit else [])
    order = Asked(
        scenario=scenario,
        to=to,
        overrides=parse_overrides(override or [], **when.interval(start, end)),
        settings=parse_pairs("-X", setting or []),
        seed=seed,
        workers=workers,
        consume=consume,
        topics=tuple(topic or ()),
    ).order(parse_thresholds(conditions), rate, duration, warmup, (precision, at_most) if find_limit else None)
    notices.show()
    said = not quiet and progress is not False
    with Interruption() as interruption:
        story = _conducted(order, interruption, said)
    _tell(story.document, save, report, json=json, quiet=quiet)
    if story.crossed and not interruption.exit_code:
        raise typer.Exit(CROSSED)
    if story.error is not None:
        raise story.error
    raise typer.Exit(interruption.exit_code)


def _conducted(order: Order, interruption: Interruption, said: bool) -> Story:
    from sim.cli.loading.trial import conduct
    from sim.cli.loading.words import Lines
    from sim.delivery.load.ear import EAR_USES
    from sim.delivery.nursery import prepare

    prepare(order.workers + order.consume, (*WORKERS_USE, *EAR_USES))
    lines = Lines(order.trial.duration)
    return conduct(order, interruption.stop, lines.tell if said else None, lines.step if said else _silent)


def _silent(step: object, document: object) -> None:
    pass


def _tell(document: dict[str, Any], save: Path | None, page: Path | None, *, json: bool, quiet: bool) -> None:
    """Write and print the report of a test."""
    from sim.cli.loading.words import printed
    from sim.cli.terminal.show import stderr, stdout

    taken = document["to"].startswith("stdout:")
    if save is not None:
        save.parent.mkdir(parents=True, exist_ok=True)
        save.write_text(encoder.dumps(document, indent=1) + "\n", encoding="utf-8")
    if json:
        typer.echo(encoder.dumps(document), err=taken)
    elif not quiet:
        printed(document, stderr() if taken else stdout())
    if logs.structured() and "verdict" in document:
        logs.say("end", document["verdict"]["text"], document["verdict"])
    if page is not None:
        from sim.cli.loading.page import page_of

        page_of(document).write(page)


def _compare(before: Path, after: Path, thresholds: Sequence[Threshold], json: bool, page: Path | None) -> NoReturn:
    from sim.cli.loading.compare import compared

    raise typer.Exit(CROSSED if compared(before, after, thresholds, json=json, page=page) else 0)
