"""The page on journeys: its answers are those of its queries, and they show what the text says."""

from __future__ import annotations

import re

import duckdb
import pytest
from full_runs import UPDATE
from test_docs import ROOT, write_files
from test_docs_sql import QUESTION, shown
from typer.testing import CliRunner

from sim.cli.main import app

PAGE = ROOT / "docs" / "journeys.md"
QUESTIONS = range(len(QUESTION.findall(PAGE.read_text(encoding="utf-8"))))


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """A database in a folder in which the page's commands have run."""
    folder = tmp_path_factory.mktemp("journeys")
    write_files(PAGE, folder)
    run = CliRunner()
    file = str(folder / "journeys.yaml")
    assert run.invoke(app, ["run", file, "--to", f"parquet:{folder / 'out'}", "--quiet"]).exit_code == 0
    connection = duckdb.connect()
    connection.execute(f"SET file_search_path = '{folder}'")
    return connection


def rows(db, number):
    sql = QUESTION.findall(PAGE.read_text(encoding="utf-8"))[number][0]
    result = db.execute(sql)
    return [column[0] for column in result.description], result.fetchall()


@pytest.mark.parametrize("number", QUESTIONS)
def test_the_answers_are_those_of_the_queries(db, number):
    names, found = rows(db, number)
    cells = [[shown(*cell) for cell in zip(row, names, strict=True)] for row in found]
    table = "".join(f"| {' | '.join(line)} |\n" for line in [names, ["---"] * len(names), *cells])
    text = PAGE.read_text(encoding="utf-8")
    question = list(QUESTION.finditer(text))[number]
    if UPDATE:
        rest = re.sub(r"^\n+", "", text[question.end("answer") :])
        PAGE.write_text(f"{text[: question.start('answer')]}{table}" + (f"\n{rest}" if rest else ""), encoding="utf-8")
    else:
        assert question["answer"] == table


def test_last_touch_overrates_search_and_paths_show_the_removal_effects(db):
    credit = {row[0]: row[1:] for row in rows(db, 0)[1]}
    assert credit["search"][1] > credit["search"][3] + 0.1
    assert credit["display"][1] == credit["social"][1] == 0
    for _, observed, true in rows(db, 1)[1]:
        assert observed == pytest.approx(true, abs=0.02)
