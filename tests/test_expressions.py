import datetime as dt
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.attributes.column import TIME_TYPE, Column
from sim.attributes.expressions import Program
from sim.attributes.sqltext import RefusedSql
from sim.errors import SimulationError

COLUMNS = {
    "product.price": Column.of([1.5, 2.25, None]),
    "quantity": Column.of([2, 3, 4]),
    "order": Column.of([1, 2, 3]),
    "name": Column.of(["Ada", "bob", None]),
    "event_time": Column.of(np.array(["2024-02-29T10:30", "2025-01-01T00:00", "1969-12-31T23:59"], "datetime64[s]")),
}
TYPES = {name: column.type for name, column in COLUMNS.items()}


def evaluate(sql):
    program = Program(sql)
    kind = program.arrow_type(TYPES)
    result = program.evaluate(COLUMNS, 3, kind)
    assert result.type == kind == result.to_arrow().type
    return result.to_arrow().to_pylist()


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("round(product.price * quantity, 2)", [3.0, 6.75, None]),
        ('"product.price" * 2', [3.0, 4.5, None]),
        ("quantity / 2", [1.0, 1.5, 2.0]),
        ("quantity * 1.5", [3.0, 4.5, 6.0]),
        ('"order" + quantity', [3, 5, 7]),
        ("CASE WHEN quantity > 2 THEN 'many' ELSE 'few' END", ["few", "many", "many"]),
        ("coalesce(product.price, 0)", [1.5, 2.25, 0.0]),
        ("quantity BETWEEN 3 AND 4", [False, True, True]),
        ("name IN ('Ada', 'x')", [True, False, None]),
        ("upper(name) || '!'", ["ADA!", "BOB!", None]),
        ("name LIKE '%b'", [False, True, None]),
        ("name IS NULL", [False, False, True]),
        ("substring(name FROM 1 FOR 1)", ["A", "b", None]),
        ("CAST(quantity AS double precision)", [2.0, 3.0, 4.0]),
        ("quantity::varchar", ["2", "3", "4"]),
        ("EXTRACT(hour FROM event_time)", [10, 0, 23]),
        ("event_time >= timestamp '2024-06-01 00:00:00'", [False, True, False]),
        ("CAST(event_time AS date)", [dt.date(2024, 2, 29), dt.date(2025, 1, 1), dt.date(1969, 12, 31)]),
        ("least(quantity, 3) IS DISTINCT FROM 3", [True, False, False]),
        ("'it''s'", ["it's"] * 3),
        ("1", [1, 1, 1]),
    ],
)
def test_scalar_sql_gives_one_value_a_row(sql, expected):
    assert evaluate(sql) == expected


def test_times_go_in_and_come_out_in_utc():
    assert evaluate("event_time + interval '1 day'")[0] == dt.datetime(2024, 3, 1, 10, 30, tzinfo=dt.UTC)
    assert Program("event_time").arrow_type(TYPES) == TIME_TYPE


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SUM(quantity)", "looks at many rows"),
        ("count(*)", "looks at many rows"),
        ("max(quantity) OVER ()", "looks at many rows"),
        ("row_number() over (order by quantity)", "looks at many rows"),
        ("quantity IN (SELECT 1)", "SELECT is not allowed"),
        ("(SELECT 1)", "SELECT is not allowed"),
        ("EXISTS (SELECT 1)", "EXISTS is not allowed"),
        ("read_csv('/etc/passwd')", "not a function"),
        ("read_parquet('x')", "not a function"),
        ("now()", "not repeatable"),
        ("current_timestamp", "not repeatable"),
        ("random()", "not repeatable"),
        ("quantity; DROP TABLE x", "';' is not allowed"),
        ("quantity -- more", "comments"),
        ("quantity /* more */", "comments"),
        ("quantity AS other", "AS is not allowed"),
        ("columns('.*')", "COLUMNS is not allowed"),
        ("coalesce(*)", "multiplication only"),
        ("*", "unable to parse"),
        ("quantity * *", "multiplication only"),
        ("unnest(quantity)", "UNNEST is not allowed"),
        ("", "empty"),
        ("quantity +", "quantity"),
        ("rond(quantity, 2)", "did you mean ROUND"),
        ("cast(quantity as blob)", "not a type"),
        ("'unclosed", "is not allowed"),
        ("quantity + " * 1000, "longer than"),
        ("(" * 500 + "1" + ")" * 500, "unable to parse"),
    ],
)
def test_what_is_no_scalar_expression_is_refused_with_the_reason(sql, reason):
    with pytest.raises(RefusedSql) as refusal:
        Program(sql)
    assert reason in str(refusal.value)
    assert sql[:20] in str(refusal.value)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("quantty * 2", "'quantty' is not a column"),
        ("name + 1", "arithmetic"),
        ("event_time - event_time", "not a number, text"),
        ("null", "not a number, text"),
    ],
)
def test_types_that_do_not_fit_are_refused_before_any_row_is_there(sql, reason):
    with pytest.raises(RefusedSql, match=reason):
        Program(sql).arrow_type(TYPES)


def test_a_value_that_does_not_convert_names_the_expression():
    program = Program("CAST(name AS int)")
    with pytest.raises(SimulationError, match=r"expression 'CAST\(name AS int\)'.*conversion"):
        program.evaluate(COLUMNS, 3, program.arrow_type(TYPES))


@pytest.mark.parametrize("sql", ["quantity * 2", "'x'", "product.price > 1", "event_time", "upper(name)"])
def test_no_rows_give_an_empty_column_of_the_same_type(sql):
    program = Program(sql)
    empty = {name: column.slice(0, 0) for name, column in COLUMNS.items()}
    result = program.evaluate(empty, 0, program.arrow_type(TYPES))
    assert len(result) == 0
    assert result.type == program.arrow_type(TYPES)


def test_reads_are_the_names_of_columns_and_nothing_else():
    program = Program("CASE WHEN a.b > date '2024-01-01' THEN Round(c, 2) ELSE value END")
    assert program.reads == {"a.b", "c", "value"}


@given(st.integers(-1000, 1000), st.floats(-1e6, 1e6), st.integers(1, 50))
def test_arithmetic_is_that_of_floats(a, b, c):
    columns = {"a": Column.of(np.array([a])), "b": Column.of(np.array([b])), "c": Column.of(np.array([c]))}
    program = Program("a * b + a / c - 0.25")
    result = program.evaluate(columns, 1, program.arrow_type({name: value.type for name, value in columns.items()}))
    assert result.type == pa.float64()
    assert result.values[0] == pytest.approx(a * b + a / c - 0.25)


@given(st.text(max_size=40))
def test_any_text_is_either_refused_or_a_program(text):
    with suppress(RefusedSql):
        assert Program(text).text
