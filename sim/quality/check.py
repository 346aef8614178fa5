"""All checks of a data set, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sim.quality.checks import (
    behaves,
    columns,
    expected,
    files,
    fits,
    links,
    paths,
    rows,
    shares,
    times,
    values,
    versions,
)
from sim.quality.checks.questions import Question, answers
from sim.quality.checks.scope import Scope
from sim.quality.finding import SECTIONS, Finding, Section, exact

Measure = Callable[[Scope], Iterator[Finding]]
Ask = Callable[[Scope], Iterator[Question]]

ASKED: tuple[tuple[Ask, tuple[Section, ...]], ...] = (
    (columns.questions, ("structure",)),
    (times.questions, ("structure", "values")),
    (values.questions, ("values",)),
    (shares.questions, ("values",)),
)
"""What is answered in one scan of each stream, and the sections that this is for."""

MEASURED: Mapping[Section, tuple[Measure, ...]] = {
    "structure": (files.measure, columns.measure, rows.measure, links.measure, paths.measure, versions.measure),
    "values": (fits.measure, expected.measure),
    "behaviour": (behaves.measure,),
}
"""What has scans of its own."""


def findings(scope: Scope, sections: Iterable[Section] = SECTIONS) -> Iterator[Finding]:
    """The findings of the sections, not graded yet. What cannot be read at all becomes a finding, too.

    Raises ScenarioError where what the scenario expects is no SQL.
    """
    expected.confirm(scope)
    wanted = tuple(sections)
    for section in wanted:
        for measure in MEASURED[section]:
            yield from _kept(_guarded(measure(scope), section), wanted)
    asked = (ask for ask, about in ASKED if not {*about}.isdisjoint(wanted))
    questions = [question for ask in asked for question in ask(scope)]
    yield from _kept(_guarded(answers(scope, questions), wanted[0]), wanted)


def _kept(found: Iterable[Finding], sections: tuple[Section, ...]) -> Iterator[Finding]:
    return (finding for finding in found if finding.section in sections)


def _guarded(found: Iterator[Finding], section: Section) -> Iterator[Finding]:
    import duckdb

    try:
        yield from found
    except duckdb.Error as error:
        yield exact(section, "readable_data", "data set", 1, str(error).splitlines()[0][:300], weight=3)
