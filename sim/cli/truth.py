"""`datagen truth`: what each step of a process truly contributes to its conversions."""

from __future__ import annotations

import json as encoder
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from sim.cli.terminal.options import AsJson, Override, Scenario, Seed
from sim.cli.terminal.values import parse_overrides

if TYPE_CHECKING:
    from rich.table import Table

    from sim.model.model import Flow, Model
    from sim.model.truth import Truth


def truth(scenario: Scenario, seed: Seed = None, override: Override = None, json: AsJson = False) -> None:
    """Say what each step of a process truly contributes to its conversions.

    \b
      datagen truth journeys.yaml
      datagen truth journeys.yaml --json

    Of processes that declare `conversions`, shown are the visits of each step per case, its removal effect (the share
    of the converting cases that would be lost if cases ended instead of going there), and its share of the credit. They
    follow from the scenario exactly; where chances change with time or age, they are measured in a run, with their
    standard error.
    """
    from sim.cli.jobs.job import Job
    from sim.cli.terminal.show import stdout
    from sim.errors import ParameterError

    model = Job(scenario, parse_overrides(override or [])).model()
    found = [item for flow in model.flows if flow.conversions for item in _truths(model, flow, seed)]
    if not found:
        raise ParameterError(f"{scenario}: no process has 'conversions'")
    if json:
        typer.echo(_document(model, found))
        return
    console = stdout()
    for item in found:
        console.print(headline(item), markup=False, soft_wrap=True)
        console.print(table(item))


def _truths(model: Model, flow: Flow, seed: int | None) -> tuple[Truth, ...]:
    from sim.model.journeys import exact
    from sim.model.truth import truths_of

    if exact(model, flow):
        return truths_of(model, flow)
    from sim.engine.influence import measured

    return (measured(model, flow, seed),)


def document(model: Model) -> str | None:
    """All that is exactly true of the model's processes, as a JSON text; None where nothing is."""
    from sim.errors import ParameterError
    from sim.model.journeys import exact
    from sim.model.truth import truths_of

    found: list[Truth] = []
    for flow in model.flows:
        if flow.conversions and exact(model, flow):
            # What is wrong with the chances of a process is for the run to say, where and when it happens.
            with suppress(ParameterError):
                found.extend(truths_of(model, flow))
    return _document(model, found) if found else None


def _document(model: Model, found: Sequence[Truth]) -> str:
    parts = {"scenario": model.name, "digest": model.digest, "truth": [as_json(item) for item in found]}
    return encoder.dumps(parts)


def headline(item: Truth) -> str:
    """Which cases, and how many of them convert."""
    segment = ", ".join(f"{name} {value}" for name, value in item.segment.items())
    who = f"{segment} ({item.weight:.1%} of the cases)" if segment else "all cases"
    how = f"; measured in a run with {item.cases:,} cases" if item.cases else ""
    return f"{item.process}, {who}: {item.converting:.3%} convert, {item.conversions:.5f} conversions per case{how}"


def table(item: Truth) -> Table:
    """One row for each step that can contribute."""
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("step", "visits per case", "removal effect", "share of credit"):
        found.add_column(name, justify="left" if name == "step" else "right")
    for touch in item.touches:
        error = f" +- {touch.error:.4f}" if item.cases else ""
        effect = f"{touch.removal_effect:.4f}{error}"
        found.add_row(touch.step, f"{touch.visits:.4f}", effect, f"{item.shares[touch.step]:.2%}")
    return found


def as_json(item: Truth) -> dict[str, Any]:
    """The same as plain values; `method` is exact, or measured in a run with so many `cases`."""
    return {
        "process": item.process,
        "segment": dict(item.segment),
        "weight": item.weight,
        "method": "measured" if item.cases else "exact",
        "cases": item.cases or None,
        "converting": item.converting,
        "conversions_per_case": item.conversions,
        "steps": [
            {
                "step": touch.step,
                "visits_per_case": touch.visits,
                "removal_effect": touch.removal_effect,
                "removal_effect_error": touch.error,
                "conversions_lost": touch.conversions_lost,
                "share": item.shares[touch.step],
            }
            for touch in item.touches
        ],
    }
