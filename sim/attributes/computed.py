"""The generator that computes from the row: `expression`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from sim.attributes.attribute import Attribute
from sim.attributes.column import Column
from sim.attributes.expressions import Sql, program
from sim.attributes.rows import Rows


class Expression(Attribute):
    """A scalar SQL expression over the row, its entity and its lookups."""

    type: Literal["expression"]
    sql: Sql = Field(description="Scalar SQL over names of the row.", examples=["round(product.price * quantity, 2)"])

    def reads(self) -> frozenset[str]:
        """The columns that the expression mentions."""
        return program(self.sql).reads

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """What the expression gives on the types of what it reads."""
        return program(self.sql).arrow_type(types)

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """The result for each row; uses no randomness."""
        columns = {name: rows.column(name) for name in self.reads()}
        kind = self.arrow_type({name: column.type for name, column in columns.items()})
        return program(self.sql).evaluate(columns, len(rows), kind)
