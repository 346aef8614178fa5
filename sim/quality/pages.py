"""The findings of a check as a page to read and to hand on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from sim.pages.page import Cell, Page, Tile
from sim.pages.sections import Section as Part
from sim.quality.checks.scope import Scope
from sim.quality.finding import Finding
from sim.quality.pictures import p_values, ratios
from sim.quality.score import WEIGHTS, Verdict, weight_of

_COLUMNS = ("check", "subject", "", "measured", "interval", "declared", "p-value", "detail")


def page(scope: Scope, verdict: Verdict) -> Page:
    """The score, what does not hold, and all findings by section and check, with charts of the statistical ones."""
    made = Page("Check", scope.dataset.url, _about(scope, verdict))
    made.section("Score").tiles(_tiles(verdict))
    if verdict.failed:
        _table(made.section("What does not hold"), verdict.failed)
    for section in verdict.sections:
        part = made.section(section.capitalize())
        own = sorted((f for f in verdict.findings if f.section == section), key=lambda finding: finding.name)
        groups = {name: list(group) for name, group in groupby(own, key=lambda finding: finding.name)}
        part.table(
            ["check", "", "hold", "of", "weight", "what fails first"],
            [_summary(name, group) for name, group in groups.items()],
        )
        for chart in (ratios(own, "Measured against declared"), p_values(own)):
            if chart is not None:
                part.chart(chart)
        _table(part.details(f"All {len(own)} findings"), own)
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
        said = f"{failed} do not hold; weight {WEIGHTS[section]:g}"
        yield Tile(section.capitalize(), f"{mark:.1f}", said, "bad" if failed else "good")


def _summary(name: str, group: Sequence[Finding]) -> list[object]:
    """How many findings of a check hold, and the first that does not."""
    measured = [finding for finding in group if finding.passed is not None]
    failed = [finding for finding in measured if not finding.passed]
    word = _word(failed[0] if failed else measured[0] if measured else group[0])
    told = f"{failed[0].subject}: {failed[0].detail}" if failed else ""
    weight = f"{weight_of(group):g}" if measured else ""
    return [name.replace("_", " "), word, len(measured) - len(failed), len(measured), weight, told]


def _word(finding: Finding) -> Cell:
    if finding.passed is None:
        return Cell("not judged" if finding.told else "not measured", "muted")
    return Cell("holds", "good") if finding.passed else Cell("fails", "bad")


def _table(part: Part, findings: Sequence[Finding]) -> None:
    part.table(_COLUMNS, [_row(finding) for finding in findings])


def _row(finding: Finding) -> list[object]:
    interval = "" if finding.low is None or finding.high is None else f"{finding.low:.5g} to {finding.high:.5g}"
    figures = [_figure(finding.estimate), interval, _figure(finding.declared), _figure(finding.p_value, 3)]
    return [finding.name.replace("_", " "), finding.subject, _word(finding), *figures, finding.detail]


def _figure(number: float | None, digits: int = 5) -> str:
    return "" if number is None else f"{number:.{digits}g}"
