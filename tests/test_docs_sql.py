"""The answers that the pages of the scenarios show are those that their questions have.

Every block fenced as `sql` in docs/scenarios/*.md is run over a full run of the page's scenario; the table that follows
it must be its result.
"""

from __future__ import annotations

import re

import pytest
from answers import DOCS, check_answer, questions
from full_runs import full_run

PAGES = sorted((DOCS / "scenarios").glob("*.md"))
CASES = [(page, number) for page in PAGES for number in range(len(questions(page)))]


@pytest.mark.parametrize(("page", "number"), CASES, ids=[f"{page.stem}: {number + 1}" for page, number in CASES])
def test_a_question_has_the_answer_that_the_page_shows(page, number):
    check_answer(page, number, full_run(page.stem).db)


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_names_every_stream_and_every_column(page):
    text = page.read_text(encoding="utf-8")
    for stream in full_run(page.stem).streams.values():
        missing = [name for name in stream.schema.names if not re.search(rf"\b{name}\b", text)]
        assert f"`{stream.name}`" in text
        assert missing == [], stream.name


def test_there_is_a_page_for_every_scenario():
    from sim.scenario.bundled import bundled

    assert [page.stem for page in PAGES] == bundled()
