"""Setting: facts change attributes of their entities, or of those that these belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.attributes.column import Column
from sim.engine.block import Block
from sim.engine.rows import EventRows
from sim.engine.varying import Varying
from sim.model.settings import Setting

Indices = NDArray[np.int64]


class Setter:
    """What the facts of one stream set in one block; attributes that nobody reads are left alone."""

    def __init__(self, block: Block, settings: Sequence[Setting]) -> None:
        lineage = block.lineage()
        self._targets = [
            (setting, kept)
            for setting in settings
            if isinstance(kept := lineage[setting.generation].columns.get(setting.attribute), Varying)
        ]

    def varying(self, names: frozenset[str]) -> list[Varying]:
        """The attributes that are set, as far as they are among `names`, such as `customer.plan`."""
        return [kept for setting, kept in self._targets if setting.key in names]

    def apply(self, rows: EventRows, columns: Mapping[str, Column]) -> None:
        """Let the facts `rows`, of which `columns` are made already, set what they set from their times on."""
        # All values come before any of them is set: they are worked out from what was there before the fact.
        values = [self._value(setting, rows, columns) for setting, _ in self._targets]
        for (setting, kept), (chosen, value) in zip(self._targets, values, strict=True):
            holders = rows.block.ancestors(rows.entities[chosen], setting.generation)
            kept.post(holders, rows.times[chosen], value)

    def _value(self, setting: Setting, rows: EventRows, columns: Mapping[str, Column]) -> tuple[Indices, Column]:
        """Which of the rows set an attribute, and the values."""
        chosen = np.arange(len(rows))
        if setting.step >= 0:
            chosen = np.flatnonzero(rows.column("step").values == setting.step)
        known = {name: _known(name, rows, columns).take(chosen) for name in setting.value.reads}
        if set(known) == {setting.value.sql}:
            return chosen, as_type(known[setting.value.sql], setting.type)
        plain = pa.string() if pa.types.is_dictionary(setting.type) else setting.type
        return chosen, as_type(setting.value.evaluate(known, len(chosen), plain), setting.type)


def _known(name: str, rows: EventRows, columns: Mapping[str, Column]) -> Column:
    return columns[name] if name in columns else rows.column(name)


def as_type(column: Column, kind: pa.DataType) -> Column:
    """The column as another type of the same values: text coded or not, whole numbers as numbers."""
    if column.type == kind:
        return column
    if pa.types.is_dictionary(kind):
        return Column.of(column.to_arrow().dictionary_encode())
    if pa.types.is_dictionary(column.type):
        return Column.of(column.to_arrow().dictionary_decode())
    return Column(column.values.astype(kind.to_pandas_dtype()), kind, column.mask)
