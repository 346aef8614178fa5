"""Rows in the order of their files: whether times ascend, no id is there twice, and whoever is named was born by then.

One pass over the columns of time, id and references, as Arrow chunks: references to entities are places in an array
of births, and ids are sorted once at the end. Where there are too many ids to hold, DuckDB counts them, on disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from sim.attributes.lookup import Lookup
from sim.batch import TIME
from sim.quality.checks.births import NEVER, Births, Whole, numbers
from sim.quality.checks.scope import Scope, Subject
from sim.quality.finding import Finding, exact, unmeasured
from sim.quality.tables import Part, Table, literal, quoted

CHUNK = 262_144
HELD = 2**26
"""Ids that are held in memory, 512 MB of them."""

FAULTS = "the scenario injects faults into the delivery of this stream"


@dataclass(slots=True)
class _Tally:
    """What one pass over a stream has found so far; the first `held` of `ids` have been seen."""

    ids: Whole
    held: int = 0
    last: int = -(2**63)
    backwards: int = 0
    orphans: dict[str, int] = field(default_factory=dict)
    early: dict[str, int] = field(default_factory=dict)


def measure(scope: Scope) -> Iterator[Finding]:
    """Order, unique ids, and references to entities at event time."""
    births: dict[str, Births] = {}
    for subject in scope.subjects.values():
        references = {name: kind for name, kind in _references(scope, subject).items() if subject.has(name)}
        for kind in {*references.values()} - births.keys():
            births[kind] = Births.of(scope.dataset, kind, str(scope.subjects[kind].id))
        if subject.faulty:
            yield from (unmeasured("structure", name, subject.name, FAULTS) for name in ("unique_ids", "order"))
            continue
        scope.tell(f"{subject.name}: {subject.rows:,} rows in order")
        tally = _pass(scope, subject, {name: births[kind] for name, kind in references.items()})
        yield from _unique(scope, subject, tally)
        if subject.timed:
            yield _order(scope, subject, tally)
        for name, kind in references.items():
            yield from _referring(scope, subject, name, kind, tally)


def lost_shards(scope: Scope) -> str:
    """Which shards are missing, where whoever is looked for may be; empty where none is."""
    manifest = scope.dataset.manifest
    missing = () if manifest is None else manifest.missing
    return f"shard {', '.join(map(str, missing))} of {manifest.shards} is missing" if manifest and missing else ""


def _references(scope: Scope, subject: Subject) -> dict[str, str]:
    """The columns that hold ids of entities, and of which kind; only kinds whose births can be trusted."""
    births = {kind: scope.subjects[kind] for kind in scope.populations}
    known = {kind for kind, own in births.items() if own.has(own.id, "born_at") and not own.faulty}
    found = {f"{kind}_id": kind for kind in known if f"{kind}_id" in subject.found.names and kind != subject.name}
    for sheet in scope.sheets.get(subject.name, ()):
        for name, attribute in sheet.table.attributes.items():
            if isinstance(attribute, Lookup) and attribute.entity in known:
                found[attribute.column_name(name)] = attribute.entity
    return {name: kind for name, kind in found.items() if name in subject.found.names and _whole(subject, name)}


def _whole(subject: Subject, name: str | None) -> bool:
    return name is not None and subject.has(name) and bool(pa.types.is_integer(subject.found.field(name).type))


def _pass(scope: Scope, subject: Subject, births: Mapping[str, Births]) -> _Tally:
    hold = _whole(subject, subject.id) and subject.rows <= HELD
    tally, table = _Tally(np.empty(subject.rows if hold else 0, np.int64)), scope.dataset.tables[subject.name]
    if not (subject.timed or births or _whole(subject, subject.id)):
        return tally
    for parts in _sequences(table):
        tally.last = -(2**63)
        _sequence(scope, subject, parts, births, tally)
    return tally


def _sequences(table: Table) -> list[list[Part]]:
    found: dict[str, list[Part]] = {}
    for part in table.parts:
        found.setdefault(part.sequence, []).append(part)
    return list(found.values())


def _sequence(
    scope: Scope, subject: Subject, parts: Sequence[Part], births: Mapping[str, Births], tally: _Tally
) -> None:
    when = f"epoch_us({TIME})" if subject.timed else "0"
    moment = "epoch_us(born_at)" if subject.name in scope.populations and subject.has("born_at") else when
    own = quoted(str(subject.id)) if _whole(subject, subject.id) else "0"
    columns = [f"{when} AS t", f"{moment} AS m", f"{own} AS i", *map(quoted, births)]
    files = ", ".join(literal(str(part.path)) for part in parts)
    source = f"read_parquet([{files}], union_by_name=true, hive_partitioning=false)"
    reader = scope.dataset.db.sql(f"SELECT {', '.join(columns)} FROM {source}").to_arrow_reader(CHUNK)
    for chunk in reader:
        _note(chunk, subject, births, tally)


def _note(chunk: pa.RecordBatch, subject: Subject, births: Mapping[str, Births], tally: _Tally) -> None:
    if not len(chunk):
        return
    times, moments = numbers(chunk.column(0)), numbers(chunk.column(1))
    tally.backwards += int(times[0] < tally.last) + int(np.count_nonzero(times[1:] < times[:-1]))
    tally.last = int(times[-1])
    if len(tally.ids):
        ids = numbers(chunk.column(2).drop_null())
        tally.ids[tally.held : tally.held + len(ids)] = ids
        tally.held += len(ids)
    for place, (name, known) in enumerate(births.items(), 3):
        present = chunk.column(place).is_valid().to_numpy(zero_copy_only=False)
        born = known.at(numbers(chunk.column(place)))
        lost = present & (born == NEVER)
        tally.orphans[name] = tally.orphans.get(name, 0) + int(np.count_nonzero(lost))
        early = present & (born > moments) & ~lost
        tally.early[name] = tally.early.get(name, 0) + int(np.count_nonzero(early))


def _unique(scope: Scope, subject: Subject, tally: _Tally) -> Iterator[Finding]:
    if subject.id is None or not subject.has(subject.id):
        return
    place = f"{subject.name}.{subject.id}"
    if _whole(subject, subject.id) and subject.rows <= HELD:
        ids = tally.ids[: tally.held]
        ids.sort()
        again = ids[1:][ids[1:] == ids[:-1]]
        twice, example = len(again), int(again[0]) if len(again) else 0
    else:
        own, view = quoted(subject.id), quoted(subject.name)
        ((twice,),) = scope.dataset.query(f"SELECT count({own}) - count(DISTINCT {own}) FROM {view}")
        example = 0
    told = f"{example} is there more than once" if example else "ids are there more than once"
    yield exact("structure", "unique_ids", place, twice, told, of=subject.rows, weight=3)


def _order(scope: Scope, subject: Subject, tally: _Tally) -> Finding:
    told = "the event time is before that of the row before"
    wrong = tally.backwards if scope.dataset.root is not None else _per_key(scope, subject)
    return exact("structure", "order", subject.name, wrong, told, of=subject.rows, weight=2)


def _per_key(scope: Scope, subject: Subject) -> int:
    """In a partition, into which several workers may write, only facts of one key are in order."""
    if not subject.has(subject.key) or subject.key is None or not subject.rows:
        return 0
    source = scope.dataset.tables[subject.name].source("filename=true", "file_row_number=true")
    window = f"PARTITION BY filename, {quoted(subject.key)} ORDER BY file_row_number"
    before = f"SELECT {TIME}, lag({TIME}) OVER ({window}) AS before FROM {source}"
    ((wrong,),) = scope.dataset.query(f"SELECT count(*) FILTER ({TIME} < before) FROM ({before})")
    return int(wrong)


def _referring(scope: Scope, subject: Subject, name: str, kind: str, tally: _Tally) -> Iterator[Finding]:
    place = f"{subject.name}.{name}"
    orphans, early = tally.orphans.get(name, 0), tally.early.get(name, 0)
    if orphans and (lost := lost_shards(scope)):
        yield unmeasured("structure", "references", place, lost)
    else:
        yield exact("structure", "references", place, orphans, f"no {kind} has this id", of=subject.rows, weight=3)
    told = f"the {kind} was born later"
    yield exact("structure", "references_in_time", place, early, told, of=subject.rows, weight=2)
