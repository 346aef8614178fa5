"""The answers that the pages of the scenarios show are those that their questions have.

Every block fenced as `sql` in docs/scenarios/*.md is run over a full run of the page's scenario; the table that follows
it must be its result.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from full_runs import UPDATE, full_run

PAGES = sorted((Path(__file__).parent.parent / "docs" / "scenarios").glob("*.md"))
QUESTION = re.compile(r"^```sql\n(?P<sql>.*?)^```\n\n?(?P<answer>(?:^\|[^\n]*\n)*)", re.MULTILINE | re.DOTALL)
CASES = [(page, number) for page in PAGES for number in range(len(QUESTION.findall(page.read_text(encoding="utf-8"))))]


def shown(value, column):
    """A value as a cell shows it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and column != "year" else str(value)


def answer(page, sql):
    """The result of a query over the page's scenario, as a Markdown table."""
    result = full_run(page.stem).db.execute(sql)
    names = [column[0] for column in result.description]
    rows = [[shown(*cell) for cell in zip(row, names, strict=True)] for row in result.fetchall()]
    assert rows, sql
    lines = [names, ["---"] * len(names), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@pytest.mark.parametrize(("page", "number"), CASES, ids=[f"{page.stem}: {number + 1}" for page, number in CASES])
def test_a_question_has_the_answer_that_the_page_shows(page, number):
    text = page.read_text(encoding="utf-8")
    question = list(QUESTION.finditer(text))[number]
    found = answer(page, question["sql"])
    if UPDATE:
        before, after = text[: question.start("answer")], text[question.end("answer") :].lstrip("\n")
        page.write_text(f"{before}{found}\n{after}", encoding="utf-8")
    else:
        assert question["answer"] == found


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
