"""The entry point: the commands, the exit codes, and how errors look."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from traceback import format_exc
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sim.cli.catalog import scenarios, validate
from sim.cli.check import check
from sim.cli.compare import compare
from sim.cli.demo import demo
from sim.cli.load import load
from sim.cli.plan import plan
from sim.cli.preview import preview
from sim.cli.replay import replay
from sim.cli.report import report
from sim.cli.run import run
from sim.cli.schema import schema
from sim.cli.terminal import logs
from sim.cli.terminal.signals import ABORTED, TERMINATED, Terminated, terminable
from sim.cli.truth import truth
from sim.cli.verify import verify
from sim.errors import DatagenError, ScenarioError

HELP = """Scenario files become realistic, reproducible facts in Kafka, Parquet or stdout.

A scenario describes entities (customers, accounts, devices), how they are born, age, change state and act. datagen
simulates it and hands the facts, ordered by event time, to a sink. The same scenario and seed give the same facts.

\b
  datagen scenarios                                        what comes with datagen
  datagen preview storefront order                         a few rows
  datagen plan storefront                                  what a run would produce
  datagen run storefront --to parquet:out                  files
  datagen run storefront --to kafka://localhost:9092       topics
  datagen run my.yaml --limit 10                           JSON lines on stdout
  datagen verify storefront --from parquet:out             what came, against what happened
  datagen check parquet:out                                whether it is sound and as declared
  datagen compare parquet:out csv:other                    in what two data sets differ
  datagen report parquet:out                               its charts, as a page
  datagen replay parquet:out --at now --speed 1x           what was recorded, once more
  datagen load storefront --to kafka://… --rate 20k/s      a load test
  datagen demo                                             a broker, a stream and a consumer in this terminal

\b
Exit codes: 0 done; 1 failed while running; 2 bad input; 3 the sink cannot take the facts;
4 facts were not acknowledged; 5 a threshold was crossed;
130 / 143 ended by Ctrl-C / SIGTERM, after the sink was closed.
"""


_UsageError: Any = typer.BadParameter.__base__


class Commands(TyperGroup):
    """Turns errors into lines on stderr and an exit code: a user's mistake never shows a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors, Ctrl-C and a closed pipe end it with their exit code."""
        logs.choose([*ctx._protected_args, *ctx.args])
        if not logs.structured():
            return self._run(ctx)
        try:
            return self._run(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except _UsageError as error:
            raise _ended(error.exit_code, error.format_message()) from None
        except Exception as error:  # a fault of datagen's own: whoever reads the log can read it, too
            logs.entry("error", "error", repr(error), {"exit_code": 1, "traceback": format_exc()})
            raise typer.Exit(1) from None

    def _run(self, ctx: Any) -> Any:
        try:
            with terminable():
                return super().invoke(ctx)
        except ScenarioError as error:
            raise _ended(error.exit_code, *map(str, error.problems)) from None
        except DatagenError as error:
            raise _ended(error.exit_code, str(error) or type(error).__name__) from None
        except BrokenPipeError:
            raise _ended(0) from None
        except OSError as error:
            raise _ended(1, str(error)) from None
        except Terminated:
            raise _ended(TERMINATED) from None
        except KeyboardInterrupt:
            raise _ended(ABORTED) from None


def _ended(exit_code: int, *reasons: str) -> typer.Exit:
    """Say why on stderr, and see to it that a broken stdout troubles nobody when the interpreter ends."""
    for reason in reasons:
        if logs.structured():
            logs.entry("error", "error", reason, {"exit_code": exit_code})
            continue
        for line in reason.splitlines():
            typer.echo(f"datagen: {line}", err=True)
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return typer.Exit(exit_code)


app = typer.Typer(
    name="datagen",
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import sim

        typer.echo(f"datagen {sim.__version__}")
        raise typer.Exit


@app.callback()
def _datagen(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


for _command in (
    run,
    replay,
    load,
    plan,
    preview,
    truth,
    verify,
    check,
    report,
    compare,
    validate,
    scenarios,
    schema,
    demo,
):
    app.command()(_command)


def main() -> None:
    """What the console script runs."""
    # Before NumPy is imported: its algebra is too small here for threads, which spin while they wait for more.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    app(prog_name="datagen")
