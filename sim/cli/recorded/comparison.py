"""What happened in a run, simulated once more, beside what is read back of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from sim.cli.jobs.job import FAULTLESS, Job
from sim.cli.recorded.forms import Chunk
from sim.cli.recorded.sightings import Source, run_of
from sim.delivery.audit import BROKEN, FAINT, Audit, Evidence, audit
from sim.delivery.faults import CORRUPT, MISSING
from sim.delivery.latency import Latencies
from sim.delivery.tallies import Tally
from sim.delivery.windows import limited, windows
from sim.errors import ParameterError
from sinks.damage import OVERSIZE
from sinks.words import nearest

if TYPE_CHECKING:
    from sim.batch import Stream
    from sim.model.model import Model

_ROWS = {"id": pl.Int64, "time": pl.Int64, "key": pl.String, "digest": pl.UInt64}
_INJECTIONS = {"stream": pl.String, "fact_id": pl.Int64, "kind": pl.String, "column": pl.String}


@dataclass(frozen=True)
class Question:
    """What is to be compared: a run, where its facts are read, and its ledger. `span` are microseconds."""

    scenario: str
    overrides: Mapping[str, str]
    seed: int | None
    source: Source
    ledger: Path | None
    span: int
    limit: int | None
    streams: tuple[str, ...]


def answers(question: Question, expect: str) -> list[Audit]:
    """The audits of all streams, or of those that are asked for. Raises ParameterError where the run is another one."""
    told = _told(question)
    job = Job(question.scenario, _overrides(question, told), _seed(question, told))
    model = job.model()
    _same(model, told, question)
    streams = _chosen(model, question.streams)
    run, injections = job.run(model), _injections(question.ledger)
    question.source.begin(run)
    happened = _happened(job, model, streams, question)
    audits = []
    for stream in streams:
        came = _Rows(stream, question.span)
        for chunk in question.source.chunks(stream, run, came.tally.sums):
            came.add(chunk)
        audits.append(audit(_evidence(stream, model, happened[stream.name], came, injections, question, told), expect))
    return audits


class _Rows:
    """The facts of one stream, gathered chunk by chunk, and their aggregates."""

    def __init__(self, stream: Stream, span: int) -> None:
        self.tally = Tally(stream, span)
        self.unreadable = 0
        self.latencies = Latencies()
        self._rows: list[pl.DataFrame] = []

    def add(self, chunk: Chunk) -> None:
        self.unreadable += chunk.unreadable
        # Keys are needed for being told apart only, and a number takes less room than a text.
        rows = chunk.rows.with_columns(pl.col("key").hash(), sequence=pl.lit(chunk.sequence, pl.Int32))
        self._rows.append(rows)
        if chunk.waits is not None:
            self.latencies.add((chunk.waits.drop_nulls() / 1e6).to_numpy())
        if len(rows):
            self.tally.count(rows["time"].to_numpy(), rows["key"], chunk.numbers)

    @property
    def frame(self) -> pl.DataFrame:
        schema = {**_ROWS, "key": pl.UInt64, "sequence": pl.Int32}
        return pl.concat([pl.DataFrame(schema=schema), *self._rows])


def _happened(job: Job, model: Model, streams: Sequence[Stream], question: Question) -> dict[str, _Rows]:
    found = {stream.name: _Rows(stream, question.span) for stream in streams}
    source = windows(job.batches(model), len(model.streams))
    for window in source if question.limit is None else limited(source, question.limit):
        for batch in window.batches:
            if (rows := found.get(batch.stream.name)) is not None and len(batch):
                rows.add(question.source.truth(batch.data, batch.stream, rows.tally.sums))
    return found


def _evidence(
    stream: Stream,
    model: Model,
    happened: _Rows,
    came: _Rows,
    injections: pl.DataFrame,
    question: Question,
    told: Mapping[str, Any],
) -> Evidence:
    faults = model.faults.get(stream.name)
    bound = faults.bound if faults is not None else None
    until = None if told.get("complete", True) or question.limit is not None else _instant(told.get("until"))
    return Evidence(
        stream.name,
        happened.frame.drop("sequence"),
        came.frame,
        _seen(injections.filter(pl.col("stream") == stream.name), question.source.faint(stream)),
        happened.tally.frame(),
        came.tally.frame(),
        question.span,
        bound,
        question.source.whole,
        None if until is None else until - (bound or 0),
        came.unreadable,
        came.latencies,
    )


def _told(question: Question) -> Mapping[str, Any]:
    """What the ledger, or the files themselves, say about the run."""
    folders: Iterable[Path | None] = (question.ledger, getattr(question.source, "root", None))
    found = (run_of(folder) for folder in folders if folder is not None)
    return next((document for document in found if document), {})


def _overrides(question: Question, told: Mapping[str, Any]) -> dict[str, str]:
    """Those of the user; where they say nothing about times, the run's own."""
    known = {key: told[key] for key in ("start", "end") if key in told}
    return {**known, **question.overrides}


def _seed(question: Question, told: Mapping[str, Any]) -> int | None:
    seed = told.get("seed")
    return question.seed if question.seed is not None or not isinstance(seed, int) else seed


def _same(model: Model, told: Mapping[str, Any], question: Question) -> None:
    if told and str(told.get("digest")).removesuffix(FAULTLESS) != model.digest:
        raise ParameterError(
            f"{question.scenario}: is not the scenario of that run ({told.get('scenario')!r}, from {told.get('start')} "
            f"until {told.get('end')}): give the options that it was run with, --set too"
        )


def _chosen(model: Model, names: Sequence[str]) -> list[Stream]:
    known = {stream.name: stream for stream in model.streams}
    for name in names:
        if name not in known:
            raise ParameterError(f"--stream: {name!r} is not a stream of {model.name}{nearest(name, known)}")
    return [known[name] for name in names] if names else list(model.streams)


def _injections(ledger: Path | None) -> pl.DataFrame:
    empty = pl.DataFrame(schema=_INJECTIONS)
    if ledger is None:
        return empty
    paths = sorted((ledger / "injections").glob("*.parquet"))
    frames = [pl.read_parquet(path, columns=["stream", "fact_id", "kind", "detail"]) for path in paths]
    column = pl.col("detail").str.strip_prefix(f"{MISSING}:").alias("column")
    texts = [frame.cast({"stream": pl.String, "kind": pl.String}) for frame in frames]
    told = [frame.with_columns(_told_apart(), column).drop("detail") for frame in texts]
    return pl.concat([empty, *(frame.filter(pl.col("kind") != OVERSIZE) for frame in told)])


def _seen(injections: pl.DataFrame, faint: Sequence[str]) -> pl.DataFrame:
    """Injections as far as they can be seen; `faint` are columns in which null may be no other than what was there."""
    hidden = (pl.col("kind") == MISSING) & pl.col("column").is_in(list(faint))
    return injections.with_columns(pl.when(hidden).then(pl.lit(FAINT)).otherwise(pl.col("kind")).alias("kind"))


def _told_apart() -> pl.Expr:
    """The kind of an injection; of what is corrupt, whether it changes a fact or makes it unreadable."""
    detail = pl.col("detail").fill_null("")
    missing, large = detail.str.starts_with(MISSING), detail == OVERSIZE
    corrupt = pl.when(missing).then(pl.lit(MISSING)).when(large).then(pl.lit(OVERSIZE)).otherwise(pl.lit(BROKEN))
    return pl.when(pl.col("kind") == CORRUPT).then(corrupt).otherwise(pl.col("kind")).alias("kind")


def _instant(text: object) -> int | None:
    from sim.maths.instants import parse_instant

    return parse_instant(text) if isinstance(text, str) else None
