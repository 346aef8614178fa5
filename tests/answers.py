"""Queries over facts on pages of docs/: every block fenced as `sql` is run, and the table behind it must be its answer.

With UPDATE_GOLDEN=1 in the environment the tables are written anew, where what the scenarios give now is intended.
"""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

import duckdb
from commands import ROOT, invoke
from full_runs import UPDATE
from test_docs import FILE, write_files

import sim
from sim.scenario.schema import Scenario

DOCS = ROOT / "docs"
QUESTION = re.compile(r"^```sql\n(?P<sql>.*?)^```\n\n?(?P<answer>(?:^\|[^\n]*\n)*)", re.MULTILINE | re.DOTALL)


def questions(page: Path) -> list[re.Match[str]]:
    """The queries of a page with the answers that it shows, in order."""
    return list(QUESTION.finditer(page.read_text(encoding="utf-8")))


def rows(page: Path, number: int, db: duckdb.DuckDBPyConnection) -> list[tuple]:
    """The answer to a query."""
    return db.execute(questions(page)[number]["sql"]).fetchall()


def check_answer(page: Path, number: int, db: duckdb.DuckDBPyConnection) -> None:
    """The page shows the answer that its query has; with UPDATE_GOLDEN it does from now on."""
    question = questions(page)[number]
    found = _table(db, question["sql"])
    if UPDATE:
        text = page.read_text(encoding="utf-8")
        before, after = text[: question.start("answer")].rstrip("\n"), text[question.end("answer") :].lstrip("\n")
        page.write_text(f"{before}\n\n{found}" + (f"\n{after}" if after else ""), encoding="utf-8")
    else:
        assert question["answer"] == found


def _table(db: duckdb.DuckDBPyConnection, sql: str) -> str:
    result = db.execute(sql)
    names = [column[0] for column in result.description]
    found = [[_shown(*cell) for cell in zip(row, names, strict=True)] for row in result.fetchall()]
    assert found, sql
    return "".join(f"| {' | '.join(line)} |\n" for line in [names, ["---"] * len(names), *found])


def _shown(value, column):
    """A value as a cell shows it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and column != "year" else str(value)


def scenario_of(source: str | Path) -> Scenario:
    """The scenario of a bundled name, in a file, or the first that a page shows whole."""
    if not isinstance(source, Path) or source.suffix == ".yaml":
        return sim.load(source)
    with tempfile.TemporaryDirectory() as folder:
        write_files(source, Path(folder))
        return sim.load(Path(folder) / FILE.findall(source.read_text(encoding="utf-8"))[0][0])


@cache
def facts(source: Path) -> duckdb.DuckDBPyConnection:
    """The facts of a scenario, in a file or on a page: a view for each stream, and the scenario's civil time."""
    scenario = scenario_of(source)
    db = duckdb.connect(config={"threads": 1})  # sums of floating-point numbers depend on their order
    db.execute(f"SET timezone = '{scenario.timezone}'")
    for stream, table in sim.to_arrow(sim.simulate(sim.compile_scenario(scenario))).items():
        db.register(stream, table)
    return db


def written(page: Path, folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in whose folder the first scenario of a page has been run to `out`, as a reader would do it."""
    write_files(page, folder)
    scenario = FILE.findall(page.read_text(encoding="utf-8"))[0][0]
    assert invoke("run", str(folder / scenario), "--to", f"parquet:{folder / 'out'}", "--quiet").exit_code == 0
    db = duckdb.connect()
    db.execute(f"SET file_search_path = '{folder}'")
    return db
