"""The page on the blind analyst: its answers are those of its queries, and its table sums them up."""

from __future__ import annotations

import pytest
from answers import DOCS, check_answer, facts, questions, rows

PAGE = DOCS / "analyst.md"


@pytest.mark.parametrize("number", range(len(questions(PAGE))))
def test_the_answers_are_those_of_the_queries(number):
    check_answer(PAGE, number, facts(PAGE))


def test_the_trend_and_the_segments_are_what_the_table_says():
    ((_, growth, r2),) = rows(PAGE, 0, facts(PAGE))
    assert growth == pytest.approx(8, abs=0.5)
    assert f"| 0.11 | {r2:.2f} |" in PAGE.read_text(encoding="utf-8")
    factors = {tier: factor for tier, _, _, factor, _ in rows(PAGE, 1, facts(PAGE))}
    assert factors["vip"] == pytest.approx(5, rel=0.02)
    assert factors["budget"] == pytest.approx(0.3, rel=0.03)
