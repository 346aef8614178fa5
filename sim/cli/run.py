"""`datagen run`: simulate a scenario into a sink."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from sim.cli import notices
from sim.cli.job import WORKERS_USE, Job
from sim.cli.options import AsJson, End, Override, Scenario, Seed, Shard, Start
from sim.cli.progress import Meter, shown
from sim.cli.signals import Interruption
from sim.cli.summary import as_json, failures, print_table
from sim.cli.values import parse_overrides, parse_pairs, parse_shard
from sim.errors import DatagenError

if TYPE_CHECKING:
    from sim.delivery.pipeline import Outcome
    from sinks.contract import Run, Sink

MAX_WORKERS = 256


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
    limit: Annotated[
        int | None, typer.Option(min=0, help="Stop after so many facts, over all streams.", show_default=False)
    ] = None,
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
    setting: Annotated[
        list[str] | None,
        typer.Option("-X", metavar="KEY=VALUE", help="A setting of the sink's driver. Repeatable.", show_default=False),
    ] = None,
    json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Neither progress nor summary, only errors.")] = False,
    progress: Annotated[
        bool | None,
        typer.Option("--progress/--no-progress", help="Show progress on stderr.", show_default="where useful"),
    ] = None,
) -> None:
    """Simulate a scenario and write its facts to a sink.

    \b
      datagen run storefront --limit 10
      datagen run storefront --to parquet:out --workers 2
      datagen run storefront --to kafka://localhost:9092 --speed 60x
      datagen run storefront --to kafka://localhost:9092 --rate 20k/s
      datagen run bank --end 2024-02-01 --set entities.customer.initial.count=500 --to csv:out

    Ctrl-C finishes the window in hand and closes the sink; a second one aborts. With --shard 1/4 to 4/4, four machines
    share a run; together they write the facts of one. Facts go to stdout in one order, to files and topics in one
    order per stream and worker.
    """
    from sim.cli.execute import Execution, execute
    from sim.delivery.nursery import prepare
    from sim.delivery.pipeline import Outcome
    from sim.delivery.schedule import parse_pace

    notices.show()
    plan = Execution(workers, limit, parse_pace(speed, rate))
    overrides = parse_overrides(override or [], start=start, end=end)
    job = Job(scenario, overrides, seed, parse_shard(shard), to, parse_pairs("-X", setting or []))
    with Interruption() as interruption:
        if workers > 1:
            prepare(workers, WORKERS_USE)
        sink, model = job.sink(), job.model()
        tell = partial(_tell_end, json=json, quiet=quiet, workers=workers, run=job.run(model), sink=sink)
        outcome = Outcome()
        try:
            with shown(Meter(model.start, model.end, limit), False if quiet else progress, sink.interleaved) as show:
                execute(job, model, sink, plan, interruption.stop, show, outcome)
        except DatagenError:
            if outcome.total or failures(outcome):
                tell(outcome)
            raise
    tell(outcome)
    raise typer.Exit(interruption.exit_code if outcome.stopped else 0)


def _tell_end(outcome: Outcome, *, json: bool, quiet: bool, workers: int, run: Run, sink: Sink) -> None:
    if json:
        typer.echo(as_json(outcome, run, sink, workers), err=sink.scheme == "stdout")
    elif not quiet and not outcome.closed:
        print_table(outcome, run, sink)
