"""All checks of a data set, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from sim.quality.checks import columns, files, fits, links, paths, rows, shares, times, values
from sim.quality.checks.questions import Question, answers
from sim.quality.checks.scope import Scope
from sim.quality.finding import SECTIONS, Finding, Section, exact

Measure = Callable[[Scope], Iterator[Finding]]
Ask = Callable[[Scope], Iterator[Question]]

ASKED: tuple[Ask, ...] = (columns.questions, times.questions, values.questions, shares.questions)
"""What is answered in one scan of each stream."""

MEASURED: Mapping[Section, tuple[Measure, ...]] = {
    "structure": (files.measure, columns.measure, rows.measure, links.measure, paths.measure),
    "values": (fits.measure,),
    "behaviour": (),
}
"""What has scans of its own."""


def findings(scope: Scope, sections: Iterable[Section] = SECTIONS) -> Iterator[Finding]:
    """The findings of the sections, not graded yet. What cannot be read at all becomes a finding, too."""
    wanted = tuple(sections)
    for section in wanted:
        for measure in MEASURED[section]:
            yield from _kept(_guarded(measure(scope), section), wanted)
    questions = [question for ask in ASKED for question in ask(scope)]
    yield from _kept(_guarded(answers(scope, questions), wanted[0]), wanted)


def _kept(found: Iterable[Finding], sections: tuple[Section, ...]) -> Iterator[Finding]:
    return (finding for finding in found if finding.section in sections)


def _guarded(found: Iterator[Finding], section: Section) -> Iterator[Finding]:
    import duckdb

    try:
        yield from found
    except duckdb.Error as error:
        yield exact(section, "readable_data", "data set", 1, str(error).splitlines()[0][:300], weight=3)
