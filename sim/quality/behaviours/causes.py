"""Facts that lead to something: when they happened, to whom, and which of them fulfil the condition."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from sim.attributes.expressions import Program
from sim.batch import Stream
from sim.model.model import Model, Trigger
from sim.quality.behaviours.reading import (
    Facts,
    Indices,
    NotMeasurable,
    Times,
    chosen,
    columns,
    count,
    instant,
    quoted,
    require,
)

_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class Causes:
    """Facts by id: ids, times, and the entities that something happens to because of them, int64[n] each."""

    ids: Indices
    times: Times
    whose: Indices

    def take(self, rows: Indices) -> Causes:
        """Those at `rows`."""
        return Causes(self.ids[rows], self.times[rows], self.whose[rows])

    def by_entity(self) -> Causes:
        """The same, by entity and time."""
        return self.take(np.lexsort((self.times, self.whose)))

    def last(self, whose: Indices, when: Times) -> Indices:
        """The last one of an entity up to a time, by place; -1 where there is none. They must be by entity."""
        size = len(self.ids)
        who, times = np.concatenate([self.whose, whose]), np.concatenate([self.times, when])
        asked = np.arange(len(who)) >= size
        order = np.lexsort((asked, times, who))
        place = np.maximum.accumulate(np.where(asked[order], -1, order)) if len(order) else order
        found = np.empty(len(whose), dtype=np.int64)
        found[order[asked[order]] - size] = place[asked[order]]
        sound = found >= 0
        sound[sound] &= self.whose[found[sound]] == whose[sound]
        return np.where(sound, found, -1)


def source_of(facts: Facts, model: Model, trigger: Trigger) -> Stream:
    """The stream whose facts a trigger listens to. Raises NotMeasurable where it is not there."""
    require(facts, trigger.source)
    return next(stream for stream in model.streams if stream.name == trigger.source)


def share_of(facts: Facts, trigger: Trigger) -> float:
    """The share of the entities that is looked at, so that not too many facts are read. Raises NotMeasurable."""
    require(facts, trigger.source)
    return min(1.0, _MOST / max(count(facts, trigger.source), 1)) if trigger.generations == 0 else 1.0


def led_by(facts: Facts, model: Model, trigger: Trigger, share: float) -> Causes:
    """The facts that may start something, by id, of a share of the entities where these are whose facts they are.

    Raises NotMeasurable.
    """
    source = source_of(facts, model, trigger)
    found = causes_of(facts, source, trigger.where, chosen(source.key, share if trigger.generations == 0 else 1.0))
    whose = found.whose
    line = model.lineage(model.population(source.key.removesuffix("_id")))
    for kind, above in itertools.pairwise(line[: trigger.generations + 1]):
        parent = f"{above.name}_id"
        require(facts, kind.name)
        ids, parents = columns(
            facts,
            f"SELECT {quoted(kind.name + '_id')}::BIGINT AS a, {quoted(parent)}::BIGINT AS b"
            f" FROM {quoted(kind.name)} ORDER BY 1",
        )
        whose = parents[np.searchsorted(ids, whose)]
    return Causes(found.ids, found.times, whose)


def causes_of(facts: Facts, source: Stream, where: Program | None, wanted: str) -> Causes:
    """The facts of a stream for which the condition holds, by id; `wanted` is SQL that chooses among them."""
    if where is None:
        return Causes(
            *columns(
                facts,
                f"SELECT {quoted(source.id)}::BIGINT AS a, {instant('event_time')} AS b, {quoted(source.key)}::BIGINT"
                f" AS c FROM {quoted(source.name)} WHERE {wanted} ORDER BY 1",
            )
        )
    if not where.reads <= set(source.schema.names):
        raise NotMeasurable("whether a fact leads to others depends on more than the fact")
    read = ", ".join(_naked(source.schema.field(name)) for name in sorted(where.reads))
    table = facts.db.sql(
        f"SELECT {quoted(source.id)}::BIGINT AS {quoted('datagen id')}, {instant('event_time')} AS"
        f" {quoted('datagen time')}, {quoted(source.key)}::BIGINT AS {quoted('datagen key')}, {read}"
        f" FROM {quoted(source.name)} WHERE {wanted} ORDER BY 1"
    ).to_arrow_table()
    frame = pl.DataFrame(table)
    holds = frame.select(where.expression.alias("holds")).to_series().fill_null(False).to_numpy()
    return Causes(*(frame[f"datagen {name}"].to_numpy()[holds] for name in ("id", "time", "key")))


def _naked(column: pa.Field) -> str:
    """A column as conditions read it: text, and times of UTC without a zone."""
    name = quoted(column.name)
    if pa.types.is_timestamp(column.type):
        return f"{name} AT TIME ZONE 'UTC' AS {name}"
    return f"{name}::VARCHAR AS {name}" if pa.types.is_dictionary(column.type) else name
