"""The page on journeys: its answers are those of its queries, and they show what the text says."""

from __future__ import annotations

import pytest
from answers import DOCS, check_answer, questions, rows, written

PAGE = DOCS / "journeys.md"


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    return written(PAGE, tmp_path_factory.mktemp("journeys"))


@pytest.mark.parametrize("number", range(len(questions(PAGE))))
def test_the_answers_are_those_of_the_queries(db, number):
    check_answer(PAGE, number, db)


def test_last_touch_overrates_search_and_paths_show_the_removal_effects(db):
    credit = {row[0]: row[1:] for row in rows(PAGE, 0, db)}
    assert credit["search"][1] > credit["search"][3] + 0.1
    assert credit["display"][1] == credit["social"][1] == 0
    for _, observed, true in rows(PAGE, 1, db):
        assert observed == pytest.approx(true, abs=0.02)
