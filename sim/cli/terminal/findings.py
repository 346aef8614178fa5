"""The findings of a check as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from sim.quality.finding import Finding
    from sim.quality.score import Verdict


_SMALLEST = 1e-12
"""Smaller p-values are told as being smaller."""


def table(verdict: Verdict) -> Table:
    """One row for each check of each section: how many of its findings hold, and how much it weighs in the score."""
    from rich import box
    from rich.table import Table

    from sim.quality.score import WEIGHTS, weight_of

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    total = "nothing measured" if verdict.total is None else f"{verdict.total:.1f} of 100"
    for name, footer in (("section", "score"), ("check", ""), ("hold", total), ("weight", ""), ("", "")):
        found.add_column(name, footer, justify="right" if name in ("hold", "weight") else "left")
    for section, mark in verdict.sections.items():
        own = sorted((f for f in verdict.findings if f.section == section), key=lambda finding: finding.name)
        found.add_row(section, "", f"{mark:.1f}", f"{WEIGHTS[section]:g}", "")
        for name, several in groupby(own, key=lambda finding: finding.name):
            group = list(several)
            held, word = _held(group)
            weight = weight_of(group)
            found.add_row("", name, held, f"{weight:g}" if weight else "", word)
    return found


def _held(group: list[Finding]) -> tuple[str, str]:
    measured = [finding for finding in group if finding.passed is not None]
    held = sum(finding.passed is True for finding in measured)
    if not measured:
        return "-", "not judged" if any(finding.told for finding in group) else "not measured"
    return f"{held} of {len(measured)}", "" if held == len(measured) else "FAILED"


def lines(verdict: Verdict, everything: bool) -> Iterator[str]:
    """What does not hold, each with its figures; with `everything` all other findings, too, section by section."""
    for finding in verdict.failed:
        yield f"FAILED {sentence(finding)}"
    for finding in sorted(verdict.findings, key=_place) if everything else ():
        if finding.passed is not False:
            yield f"{'holds ' if finding.passed else '-     '} {sentence(finding)}"
    unmeasured = sum(not finding.measured and not finding.told for finding in verdict.findings)
    if unmeasured and not everything:
        yield f"{unmeasured} statements cannot be measured here (--all says why)"
    if verdict.sound and verdict.findings:
        yield "all that was measured holds"


def sentence(finding: Finding) -> str:
    """One finding in a line."""
    parts = [f"{finding.name} {finding.subject}", ", ".join(_figures(finding)), finding.detail]
    return ": ".join(part for part in parts if part)


def _figures(finding: Finding) -> Iterator[str]:
    """What was measured against what is declared; of exact statements about rows, the details say it."""
    if finding.p_value is not None or finding.told or finding.declared:
        interval = "" if finding.low is None or finding.high is None else f" ({finding.low:.6g} to {finding.high:.6g})"
        if finding.estimate is not None:
            yield f"{finding.estimate:.6g}{interval}"
        if finding.declared is not None:
            yield f"declared {finding.declared:.6g}"
    if finding.p_value is not None:
        yield f"p = {finding.p_value:.3g}" if finding.p_value >= _SMALLEST else f"p < {_SMALLEST:g}"


def _place(finding: Finding) -> int:
    from sim.quality.finding import SECTIONS

    return SECTIONS.index(finding.section)
