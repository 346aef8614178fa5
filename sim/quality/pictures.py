"""Charts of statistical findings: estimates beside what is declared, and p-values beside those of sound data."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np
import polars as pl

from sim.pages.charts import Axis, Chart, Rule, dots, lines
from sim.quality.finding import Finding

MOST = 30
"""Findings that one chart shows."""


def ratios(findings: Sequence[Finding], title: str) -> Chart | None:
    """Estimates with their intervals, as multiples of what is declared; those with the smallest p-values."""
    fit = [finding for finding in findings if _is_ratio(finding)]
    shown = sorted(fit, key=lambda finding: finding.p_value or 0.0)[:MOST]
    if not shown:
        return None
    frame = pl.DataFrame([_ratio(finding) for finding in shown])
    told = "Estimates divided by what is declared, with intervals of 95%; 1 is what is declared."
    axis = Axis(title="measured / declared")
    rule = Rule(1.0, "declared", "x")
    return dots(
        frame,
        "ratio",
        "what",
        interval=("low", "high"),
        title=title,
        x_axis=axis,
        rules=[rule],
        size="wide",
        description=told,
    )


def p_values(findings: Sequence[Finding]) -> Chart | None:
    """The p-values in order, beside those that sound data has on average."""
    found = np.sort([finding.p_value for finding in findings if finding.p_value is not None])
    if len(found) < 5:
        return None
    sound = (np.arange(len(found)) + 0.5) / len(found)
    frame = pl.DataFrame(
        {
            "sound": np.concatenate([sound, sound]),
            "p": np.concatenate([found, sound]),
            "of": ["these facts"] * len(found) + ["sound data, on average"] * len(found),
        }
    )
    told = "P-values in order against the quantiles of the uniform distribution; failures are at the bottom left."
    return lines(
        frame,
        "sound",
        "p",
        by="of",
        title="P-values in order",
        x_axis=Axis(title="quantile"),
        y_axis=Axis(title="p-value", domain=(0, 1)),
        dashed=["sound data, on average"],
        description=told,
    )


def _is_ratio(finding: Finding) -> bool:
    numbers = (finding.estimate, finding.low, finding.high, finding.declared)
    known = finding.p_value is not None and all(number is not None and isfinite(number) for number in numbers)
    return known and (finding.declared or 0.0) > 0


def _ratio(finding: Finding) -> dict[str, object]:
    declared = finding.declared or 1.0
    what = f"{finding.name.replace('_', ' ')}: {finding.subject}"
    estimate, low, high = ((number or 0.0) / declared for number in (finding.estimate, finding.low, finding.high))
    return {"what": what, "ratio": estimate, "low": low, "high": high}
