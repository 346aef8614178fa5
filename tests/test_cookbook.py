"""The cookbook: a page is whole, its scenario runs, and what it declares is what its query finds."""

from __future__ import annotations

import pytest
from answers import DOCS, check_answer, facts, questions

BOOK = DOCS / "cookbook"
PAGES = sorted(BOOK.glob("[a-z]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_has_one_scenario_one_picture_and_one_measurement(page):
    text = page.read_text(encoding="utf-8")
    assert f"# file: {page.stem}.yaml" in text
    assert f"(../images/cookbook_{page.stem}.png)" in text
    assert len(questions(page)) == 1
    assert f"({page.name})" in (BOOK / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_facts_of_a_page_say_what_it_says(page):
    check_answer(page, 0, facts(page))
