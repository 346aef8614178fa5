"""The findings of a check as people read them in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

    from sim.quality.finding import Finding
    from sim.quality.score import Verdict


def table(verdict: Verdict) -> Table:
    """One row for each check of each section: how many of its findings hold, and what is wrong first."""
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_footer=True)
    total = "nothing measured" if verdict.total is None else f"{verdict.total:.1f} of 100"
    for name, footer in (("section", "score"), ("check", ""), ("hold", total), ("", "")):
        found.add_column(name, footer, justify="right" if name == "hold" else "left")
    for section, mark in verdict.sections.items():
        own = sorted((f for f in verdict.findings if f.section == section), key=lambda finding: finding.name)
        found.add_row(section, "", f"{mark:.1f}", "")
        for name, group in groupby(own, key=lambda finding: finding.name):
            found.add_row("", name, *_held(list(group)))
    return found


def _held(group: list[Finding]) -> tuple[str, str]:
    measured = [finding for finding in group if finding.passed is not None]
    held = sum(finding.passed is True for finding in measured)
    if not measured:
        return "-", "not measured"
    return f"{held} of {len(measured)}", "" if held == len(measured) else "FAILED"


def lines(verdict: Verdict, everything: bool) -> Iterator[str]:
    """What does not hold, each with its figures; with `everything` all other findings, too."""
    for finding in verdict.failed:
        yield f"FAILED {sentence(finding)}"
    for finding in verdict.findings if everything else ():
        if finding.passed is not False:
            yield f"{'holds ' if finding.passed else '-     '} {sentence(finding)}"
    unmeasured = sum(finding.passed is None for finding in verdict.findings)
    if unmeasured and not everything:
        yield f"{unmeasured} statements cannot be measured here (--all says why)"
    if verdict.sound and verdict.findings:
        yield "all that was measured holds"


def sentence(finding: Finding) -> str:
    """One finding in a line."""
    parts = [f"{finding.name} {finding.subject}"]
    if finding.p_value is not None:
        interval = "" if finding.low is None or finding.high is None else f" ({finding.low:.6g} to {finding.high:.6g})"
        measured = "" if finding.estimate is None else f"{finding.estimate:.6g}{interval}"
        declared = "" if finding.declared is None else f", declared {finding.declared:.6g}"
        parts.append(f"{measured}{declared}{', ' if measured or declared else ''}p = {finding.p_value:.3g}")
    return ": ".join([*parts, *([finding.detail] if finding.detail else [])])
