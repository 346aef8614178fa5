"""The page on journeys: its answers are those of its queries, and they show what the text says."""

from __future__ import annotations

import pytest
from page_answers import check_answer, database, questions, rows

PAGE = "journeys.md"


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    return database(PAGE, tmp_path_factory.mktemp("journeys"))


@pytest.mark.parametrize("number", questions(PAGE))
def test_the_answers_are_those_of_the_queries(db, number):
    check_answer(PAGE, db, number)


def test_last_touch_overrates_search_and_paths_show_the_removal_effects(db):
    credit = {row[0]: row[1:] for row in rows(PAGE, db, 0)[1]}
    assert credit["search"][1] > credit["search"][3] + 0.1
    assert credit["display"][1] == credit["social"][1] == 0
    for _, observed, true in rows(PAGE, db, 1)[1]:
        assert observed == pytest.approx(true, abs=0.02)
