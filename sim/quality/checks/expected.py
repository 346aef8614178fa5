"""What the scenario expects: conditions on rows, and limits of what queries give.

Queries come from a file that somebody else may have written: they are single SELECTs, and nothing can be reached but
the streams (`sim.quality.dataset`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sim.errors import Problem, ScenarioError
from sim.quality.checks.scope import Scope
from sim.quality.finding import Finding, exact
from sim.quality.kinds import sql_of
from sim.quality.tables import quoted
from sim.scenario.expectations import Expectation
from sim.scenario.words import nearest

if TYPE_CHECKING:
    import duckdb

_NAME = "expectations"


def confirm(scope: Scope) -> None:
    """Raise ScenarioError, with lines, where a condition or a query makes no sense, whatever the data is like."""
    if scope.declared is not None:
        expected = scope.declared.scenario.expect
        problems = [problem for name, own in expected.items() for problem in _problems(scope, name, own)]
        if problems:
            raise ScenarioError([scope.declared.scenario.place(problem) for problem in problems])


def measure(scope: Scope) -> Iterator[Finding]:
    """Each expectation of the scenario."""
    for name, own in scope.declared.scenario.expect.items() if scope.declared is not None else ():
        yield _rows(scope, name, own) if own.sql is None else _number(scope, name, own)


def _problems(scope: Scope, name: str, own: Expectation) -> Iterator[Problem]:
    """What is wrong with the SQL, whatever is in the data: it is tried on streams without rows."""
    import duckdb

    sql = own.sql or f"SELECT {own.where} FROM {quoted(str(own.stream))}"
    place = f"expect.{name}.{'sql' if own.sql is not None else 'where'}"
    try:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            yield Problem(0, place, "is not one query (SELECT ...)")
            return
        with duckdb.connect(config={"python_enable_replacements": "false"}) as empty:
            _declare(scope, empty)
            columns = empty.execute(sql).description
        if len(columns) != 1:
            yield Problem(0, place, f"gives {len(columns)} columns; one number is wanted")
    except duckdb.Error as error:
        yield Problem(0, place, _reason(scope, error))


def _declare(scope: Scope, db: duckdb.DuckDBPyConnection) -> None:
    """The declared streams, without rows; where there is no declaration of a type, that of the data."""
    assert scope.model is not None
    db.execute("SET TimeZone = 'UTC'")
    for stream in scope.model.streams:
        found = scope.dataset.schema(stream.name) if stream.name in scope.subjects else None
        kinds = {row[0]: row[1] for row in scope.dataset.query(f"DESCRIBE {quoted(stream.name)}")} if found else {}
        columns = [f"{quoted(c.name)} {kinds.get(c.name) or sql_of(c.type)}" for c in stream.schema]
        db.execute(f"CREATE TABLE {quoted(stream.name)} ({', '.join(columns)})")
    db.execute("SET enable_external_access = false")


def _reason(scope: Scope, error: Exception) -> str:
    line = str(error).splitlines()[0]
    reserved = sorted(name for name in scope.subjects if f'near "{name}"' in line)
    hint = f'; write "{reserved[0]}" in quotes, it is a word of SQL' if reserved else ""
    return f"{line}{hint}"


def _rows(scope: Scope, name: str, own: Expectation) -> Finding:
    place = f"{own.stream}: {name}"
    if own.stream not in scope.subjects:
        return exact(
            "values", _NAME, place, 1, f"there is no stream {own.stream!r}{nearest(own.stream, scope.subjects)}"
        )
    view = quoted(str(own.stream))
    counted = _asked(scope, f"SELECT count(*) FILTER (NOT coalesce({own.where}, false)), count(*) FROM {view}")
    if isinstance(counted, str):
        return exact("values", _NAME, place, 1, counted)
    wrong, rows = (int(count) for count in counted)
    if own.share == 1.0:
        return exact("values", _NAME, place, wrong, f"not {own.where}", of=rows)
    share = 1.0 if not rows else 1 - wrong / rows
    return _limited(place, share, own.share, None, f"share of {rows:,} rows with {own.where}")


def _number(scope: Scope, name: str, own: Expectation) -> Finding:
    found = _asked(scope, str(own.sql))
    if isinstance(found, str):
        return exact("values", _NAME, name, 1, found)
    try:
        number = float(found[0])
    except (TypeError, ValueError):
        return exact("values", _NAME, name, 1, f"gives {found[0]!r}, which is no number")
    return _limited(name, number, own.min, own.max, " ".join(str(own.sql).split()))


def _asked(scope: Scope, sql: str) -> Sequence[Any] | str:
    """The only row of a query, or what is wrong with it."""
    import duckdb

    try:
        cursor = scope.dataset.db.execute(sql)
        rows = cursor.fetchmany(2)
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return rows[0] if len(rows) == 1 else f"gives {'more than one row' if rows else 'no row'}; one number is wanted"


def _limited(place: str, number: float, low: float | None, high: float | None, told: str) -> Finding:
    inside = (low is None or number >= low) and (high is None or number <= high)
    words = [f"at {side} {limit:g}" for side, limit in (("least", low), ("most", high)) if limit is not None]
    return Finding(
        "values", _NAME, place, number, passed=inside, detail="" if inside else f"not {' and '.join(words)}: {told}"
    )
