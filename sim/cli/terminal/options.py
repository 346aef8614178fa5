"""The arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from sim.cli.terminal import logs

Scenario = Annotated[
    str,
    typer.Argument(metavar="SCENARIO", help="A scenario file, or the name of a bundled scenario.", show_default=False),
]
Seed = Annotated[
    int | None,
    typer.Option(min=0, max=2**63 - 1, help="Seed of all randomness instead of the scenario's.", show_default=False),
]
Start = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="First instant, not the scenario's: 2024-01-01, now-90d.", show_default=False),
]
End = Annotated[
    str | None,
    typer.Option(metavar="WHEN", help="The run ends before it, not at the scenario's end.", show_default=False),
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Replace a value of the scenario: --set streams.order.rate=3/month. Repeatable.",
        show_default=False,
    ),
]
Shard = Annotated[
    str,
    typer.Option(metavar="I/N", help="Simulate only the I-th of N shards, counted from 1: 2/8.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object for machines instead of a table.")]
MetricsPort = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Serve /metrics for Prometheus and /healthz meanwhile.", show_default=False),
]
Limit = Annotated[
    int | None, typer.Option(min=0, help="Stop after so many facts, over all streams.", show_default=False)
]
Settings = Annotated[
    list[str] | None,
    typer.Option("-X", metavar="KEY=VALUE", help="A setting of the sink's driver. Repeatable.", show_default=False),
]
LogFormat = Annotated[
    logs.LogFormat,
    typer.Option(
        logs.OPTION,
        case_sensitive=False,
        envvar=logs.VARIABLE,
        help="Messages on stderr: text, or one JSON object a line.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Neither progress nor summary, only errors.")]
Progress = Annotated[
    bool | None,
    typer.Option("--progress/--no-progress", help="Show progress on stderr.", show_default="where useful"),
]
WithFaults = Annotated[bool, typer.Option("--faults/--no-faults", help="Inject the scenario's faults.")]
Ledger = Annotated[
    str | None,
    typer.Option(
        metavar="DIR",
        help="Where every injected fault and the true aggregates are written, as Parquet.",
        show_default="beside files: DIR.ledger",
    ),
]
LedgerWindow = Annotated[str, typer.Option(metavar="DURATION", help="Windows of the true aggregates in the ledger.")]
