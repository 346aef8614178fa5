"""Pages that have a scenario of their own and queries over its facts: run them, and compare the answers they show."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
from full_runs import UPDATE
from test_docs import FILE, ROOT, write_files
from test_docs_sql import QUESTION, shown
from typer.testing import CliRunner

from sim.cli.main import app


def questions(page: str) -> range:
    """The numbers of the queries of a page of docs/."""
    return range(len(QUESTION.findall(_text(page))))


def database(page: str, folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in `folder`, in which the scenario of a page has been run to `out`."""
    write_files(_path(page), folder)
    file, out = str(folder / FILE.findall(_text(page))[0][0]), f"parquet:{folder / 'out'}"
    assert CliRunner().invoke(app, ["run", file, "--to", out, "--quiet"]).exit_code == 0
    connection = duckdb.connect()
    connection.execute(f"SET file_search_path = '{folder}'")
    return connection


def rows(page: str, db: duckdb.DuckDBPyConnection, number: int) -> tuple[list[str], list[tuple]]:
    """The names of the columns of an answer, and its rows."""
    result = db.execute(QUESTION.findall(_text(page))[number][0])
    return [column[0] for column in result.description], result.fetchall()


def check_answer(page: str, db: duckdb.DuckDBPyConnection, number: int) -> None:
    """The page shows the answer that its query has; with UPDATE_GOLDEN it does from now on."""
    names, found = rows(page, db, number)
    cells = [[shown(*cell) for cell in zip(row, names, strict=True)] for row in found]
    table = "".join(f"| {' | '.join(line)} |\n" for line in [names, ["---"] * len(names), *cells])
    text = _text(page)
    question = list(QUESTION.finditer(text))[number]
    if UPDATE:
        rest = re.sub(r"^\n+", "", text[question.end("answer") :])
        _path(page).write_text(f"{text[: question.start('answer')]}{table}" + (f"\n{rest}" if rest else ""), "utf-8")
    else:
        assert question["answer"] == table


def _path(page: str) -> Path:
    return ROOT / "docs" / page


def _text(page: str) -> str:
    return _path(page).read_text(encoding="utf-8")
