"""The page on incidents: its answers are those of its queries, and they show what the text says."""

from __future__ import annotations

import pytest
from answers import DOCS, check_answer, questions, rows, written

PAGE = DOCS / "incidents.md"


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    return written(PAGE, tmp_path_factory.mktemp("incidents"))


@pytest.mark.parametrize("number", range(len(questions(PAGE))))
def test_the_answers_are_those_of_the_queries(db, number):
    check_answer(PAGE, number, db)


def test_counting_finds_more_than_adding_up_and_cries_wolf_less_often(db):
    adding, counting = rows(PAGE, 1, db)[0], rows(PAGE, 2, db)[0]
    assert counting[1] > adding[1] + 0.3
    assert counting[2] > adding[2] + 0.05
