"""The findings of a check as a page to read and to hand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from sim.pages.page import Cell, Page, Tile
from sim.pages.sections import Section as Part
from sim.quality.checks.scope import Scope
from sim.quality.finding import Finding
from sim.quality.score import Verdict

_COLUMNS = ("subject", "measured", "interval", "declared", "p-value", "", "detail")


def page(scope: Scope, verdict: Verdict) -> Page:
    """The score, what does not hold, and all findings by section and check."""
    made = Page("Check", scope.dataset.url, _about(scope, verdict))
    made.section("Score").tiles(_tiles(verdict))
    if verdict.failed:
        _table(made.section("What does not hold"), verdict.failed, named=True)
    for section in verdict.sections:
        part = made.section(section.capitalize())
        own = sorted((f for f in verdict.findings if f.section == section), key=lambda finding: finding.name)
        for name, group in groupby(own, key=lambda finding: finding.name):
            _check(part, name, list(group))
    return made


def _about(scope: Scope, verdict: Verdict) -> dict[str, str]:
    rows = sum(subject.rows for subject in scope.subjects.values())
    known = {"Scenario": scope.declared.scenario.name} if scope.declared else {}
    false = f"at most {verdict.alpha:g} for any false alarm (Holm)"
    return {"Streams": str(len(scope.subjects)), "Rows": f"{rows:,}", **known, "Error": false}


def _tiles(verdict: Verdict) -> Iterable[Tile]:
    total = "-" if verdict.total is None else f"{verdict.total:.1f}"
    yield Tile("Total", total, "of 100", "good" if verdict.sound else "bad")
    for section, mark in verdict.sections.items():
        failed = sum(finding.section == section for finding in verdict.failed)
        yield Tile(section.capitalize(), f"{mark:.1f}", f"{failed} do not hold", "bad" if failed else "good")


def _check(part: Part, name: str, group: Sequence[Finding]) -> None:
    measured = [finding for finding in group if finding.passed is not None]
    held = sum(finding.passed is True for finding in measured)
    _table(part.details(f"{name.replace('_', ' ')}: {held} of {len(measured)} hold"), group)


def _table(part: Part, findings: Sequence[Finding], named: bool = False) -> None:
    columns = ["check", *_COLUMNS] if named else list(_COLUMNS)
    part.table(columns, [[*([f.name.replace("_", " ")] if named else []), *_row(f)] for f in findings])


def _row(finding: Finding) -> list[object]:
    interval = "" if finding.low is None or finding.high is None else f"{finding.low:.5g} to {finding.high:.5g}"
    word = {True: Cell("holds", "good"), False: Cell("fails", "bad"), None: Cell("not measured", "muted")}
    figures = [_figure(finding.estimate), interval, _figure(finding.declared), _figure(finding.p_value)]
    return [finding.subject, *figures, word[finding.passed], finding.detail]


def _figure(number: float | None) -> str:
    return "" if number is None else f"{number:.5g}"
