"""SQL scalar expressions over columns: checked when a scenario is read, evaluated by polars, many rows at a time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import AfterValidator, WithJsonSchema

from sim.attributes.column import TIME_TYPE, Column
from sim.attributes.sqltext import Reader, RefusedSql
from sim.errors import SimulationError

if TYPE_CHECKING:
    import polars as pl

_NAIVE_TIME = pa.timestamp("us")


class Program:
    """One expression, ready to run.

    `reads` are the names of the columns that it needs, "product.price" among them. Times are UTC: to the expression
    they look like timestamps without a zone, and so compare with literals such as TIMESTAMP '2024-01-01 00:00:00'.
    """

    def __init__(self, sql: str) -> None:
        """Read `sql`; raises RefusedSql (a ValueError) with the reason where it is not a scalar expression."""
        self.sql = sql
        reader = Reader(sql)
        reader.read()
        self.text = " ".join(reader.text)
        self.reads = frozenset(reader.reads)
        self._types: dict[tuple[pa.DataType, ...], pa.DataType] = {}
        _ = self.expression

    @cached_property
    def expression(self) -> pl.Expr:
        """The expression as polars understands it."""
        import polars

        try:
            return polars.sql_expr(self.text).alias("result")
        except _failures() as error:
            raise RefusedSql(self.sql, _reason(error)) from error

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """The Arrow type of the result, given the types of what it reads (found by evaluating no row at all).

        Raises RefusedSql for a name that `types` lacks and for operations that the types do not have.
        """
        unknown = sorted(self.reads - set(types))
        if unknown:
            raise RefusedSql(self.sql, f"{unknown[0]!r} is not a column here")
        seen = tuple(types[name] for name in sorted(self.reads))
        if seen not in self._types:
            self._types[seen] = self._inferred({name: Column.nulls(0, types[name]) for name in self.reads})
        return self._types[seen]

    def _inferred(self, columns: Mapping[str, Column]) -> pa.DataType:
        try:
            result = self._run(columns)
        except _failures() as error:
            raise RefusedSql(self.sql, _reason(error)) from error
        return _outward(result.to_arrow().type, self.sql)

    def evaluate(self, columns: Mapping[str, Column], length: int, kind: pa.DataType) -> Column:
        """The result for `length` rows, as type `kind`; an expression of literals alone gives the same for every row.

        Raises SimulationError where a value of the data does not allow the operation.
        """
        try:
            array = self._run({name: columns[name] for name in self.reads}).to_arrow()
            column = Column.of(_cast(array, kind))
        except _failures() as error:
            raise SimulationError(f"expression {self.sql!r}: {_reason(error)}") from error
        return column if len(column) == length else column.take(np.zeros(length, np.int64))

    def _run(self, columns: Mapping[str, Column]) -> pl.Series:
        import polars

        frame = polars.DataFrame([_inward(name, column) for name, column in sorted(columns.items())])
        return frame.select(self.expression)["result"]


@lru_cache(maxsize=4096)
def program(sql: str) -> Program:
    """The program of an expression, compiled once per process."""
    return Program(sql)


def _check(sql: str) -> str:
    program(sql)
    return sql


Sql = Annotated[
    str,
    AfterValidator(_check),
    WithJsonSchema({"type": "string", "examples": ["round(product.price * quantity, 2)"]}),
]
"""The text of a scalar expression."""


def _failures() -> tuple[type[BaseException], ...]:
    """What polars raises; its panics are no Exceptions."""
    from polars.exceptions import PanicException

    return Exception, PanicException


def _reason(error: BaseException) -> str:
    return str(error).split("\n", 1)[0].replace('"', "'")[:300]


def _inward(name: str, column: Column) -> pl.Series:
    series = column.to_polars(name)
    return series.dt.replace_time_zone(None) if column.type == TIME_TYPE else series


def _outward(kind: pa.DataType, sql: str) -> pa.DataType:
    """The type in which a result leaves: the few types that facts have."""
    if pa.types.is_boolean(kind):
        return pa.bool_()
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind):
        return TIME_TYPE
    if pa.types.is_date(kind):
        return pa.date32()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    raise RefusedSql(sql, f"its result is a {kind}, not a number, text, boolean, date or timestamp")


def _cast(array: Any, kind: pa.DataType) -> pa.Array:
    if kind == TIME_TYPE and pa.types.is_timestamp(array.type):
        return array.cast(_NAIVE_TIME).view(TIME_TYPE)
    return array if array.type == kind else array.cast(kind)
