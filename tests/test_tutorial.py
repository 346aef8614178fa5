"""The tutorial: its files are what it shows, and the facts say what it says."""

from __future__ import annotations

import re
from functools import cache

import duckdb
import pytest
from commands import ROOT
from full_runs import UPDATE
from test_docs_sql import QUESTION, shown

import sim

PAGE = ROOT / "docs" / "tutorial.md"
STEPS = sorted((ROOT / "docs" / "tutorial").glob("*.yaml"))
FRAGMENT = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def chapters() -> list[str]:
    """The text of each step."""
    return re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:-1]


@cache
def facts(path):
    """The facts of a step's file, open to SQL."""
    db = duckdb.connect(config={"threads": 1})
    db.execute("SET timezone = 'Europe/Berlin'")
    for stream, table in sim.to_arrow(sim.simulate(sim.compile_scenario(sim.load(str(path))))).items():
        db.register(stream, table)
    return db


def test_every_step_has_a_file_and_a_picture():
    assert [int(chapter.partition(".")[0]) for chapter in chapters()] == [int(path.name[:2]) for path in STEPS]
    assert all(f"images/tutorial_{path.stem}.png" in PAGE.read_text(encoding="utf-8") for path in STEPS)


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[path.stem for path in STEPS])
def test_a_file_has_the_lines_of_its_step_and_of_those_before(number):
    file = STEPS[number].read_text(encoding="utf-8").splitlines()
    shown_so_far = [
        line for chapter in chapters()[: number + 1] for text in FRAGMENT.findall(chapter) for line in text.splitlines()
    ]
    assert {line for line in shown_so_far if line} == {line for line in file if line}


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[path.stem for path in STEPS])
def test_the_facts_of_a_step_say_what_the_page_says(number):
    questions = list(QUESTION.finditer(chapters()[number]))
    assert questions
    for question in questions:
        result = facts(STEPS[number]).execute(question["sql"])
        names = [column[0] for column in result.description]
        cells = [[shown(*cell) for cell in zip(row, names, strict=True)] for row in result.fetchall()]
        found = "".join(f"| {' | '.join(line)} |\n" for line in [names, ["---"] * len(names), *cells])
        if UPDATE:
            text = PAGE.read_text(encoding="utf-8")
            place = text.index(question["sql"]) + len(question["sql"]) + len("```\n")
            rest = re.sub(r"^\n*(\|[^\n]*\n)*", "", text[place:])
            PAGE.write_text(f"{text[:place]}\n{found}\n{rest.lstrip()}", encoding="utf-8")
        else:
            assert question["answer"] == found
