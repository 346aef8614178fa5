"""The tutorial: its files are what it shows, and the facts say what it says."""

from __future__ import annotations

import re

import pytest
from answers import DOCS, check_answer, facts, questions

PAGE = DOCS / "tutorial.md"
STEPS = sorted((DOCS / "tutorial").glob("*.yaml"))
CHAPTER = re.compile(r"^## \d+\.", re.MULTILINE)
FRAGMENT = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLACES = [question.start() for question in questions(PAGE)]


def shown_lines(until: int) -> set[str]:
    """The lines of scenarios that the page shows in its first chapters."""
    text = PAGE.read_text(encoding="utf-8")
    starts = [*(chapter.start() for chapter in CHAPTER.finditer(text)), len(text)]
    return {line for part in FRAGMENT.findall(text[: starts[until]]) for line in part.splitlines() if line}


def step_of(place: int) -> int:
    """The chapter, from 1, in which a place of the page is."""
    return len(CHAPTER.findall(PAGE.read_text(encoding="utf-8")[:place]))


def test_every_step_has_a_file_a_picture_and_a_measurement():
    numbers = list(range(1, 11))
    assert [int(path.name[:2]) for path in STEPS] == numbers
    assert [step_of(place) for place in PLACES] == numbers
    assert all(f"images/tutorial_{path.stem}.png" in PAGE.read_text(encoding="utf-8") for path in STEPS)


@pytest.mark.parametrize("path", STEPS, ids=[path.stem for path in STEPS])
def test_a_file_has_the_lines_of_its_step_and_of_those_before(path):
    lines = {line for line in path.read_text(encoding="utf-8").splitlines() if line}
    assert lines == shown_lines(until=int(path.name[:2]))


@pytest.mark.parametrize("number", range(len(PLACES)), ids=[path.stem for path in STEPS])
def test_the_facts_of_a_step_say_what_the_page_says(number):
    check_answer(PAGE, number, facts(STEPS[number]))
