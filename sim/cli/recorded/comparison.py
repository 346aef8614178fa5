"""What happened in a run, simulated once more, beside what is read back of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

from sim.cli.jobs.job import FAULTLESS, Job
from sim.cli.recorded.injected import injected
from sim.cli.recorded.sightings import Source, run_of
from sim.delivery.audit import Audit, Evidence, Gathered, audit
from sim.delivery.windows import limited, windows
from sim.errors import ParameterError
from sinks.words import nearest

if TYPE_CHECKING:
    from sim.batch import Stream
    from sim.model.model import Model


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
    with TemporaryDirectory(prefix="datagen-verify-") as folder:
        return list(_audits(job, model, question, told, expect, Path(folder)))


def _audits(
    job: Job, model: Model, question: Question, told: Mapping[str, Any], expect: str, folder: Path
) -> Iterator[Audit]:
    """Stream by stream; `folder` takes what there is no room for in memory."""
    source, run = question.source, job.run(model)
    streams = _chosen(model, question.streams)
    source.begin(run)
    injections = injected(question.ledger, {stream.name: source.faint(stream) for stream in streams}, folder)
    happened = _happened(job, model, streams, question, folder)
    for stream in streams:
        came = Gathered(stream, question.span, folder)
        for chunk in source.chunks(stream, run, came.windows.sums):
            came.unreadable += chunk.unreadable
            if chunk.waits is not None:
                came.latencies.add((chunk.waits.drop_nulls() / 1e6).to_numpy())
            came.add(chunk.rows.with_columns(sequence=pl.lit(chunk.sequence, pl.Int32)), chunk.numbers)
        faults = model.faults.get(stream.name)
        bound = faults.bound if faults is not None else None
        sides = (happened[stream.name], came, injections[stream.name])
        settled = _settled(told, question, bound)
        yield audit(Evidence(stream.name, *sides, question.span, folder, bound, source.whole, settled), expect)


def _happened(
    job: Job, model: Model, streams: Sequence[Stream], question: Question, folder: Path
) -> dict[str, Gathered]:
    found = {stream.name: Gathered(stream, question.span, folder, true=True) for stream in streams}
    source = windows(job.batches(model), len(model.streams))
    for window in source if question.limit is None else limited(source, question.limit):
        for batch in window.batches:
            if (rows := found.get(batch.stream.name)) is not None and len(batch):
                chunk = question.source.truth(batch.data, batch.stream, rows.windows.sums)
                rows.add(chunk.rows, chunk.numbers)
    return found


def _settled(told: Mapping[str, Any], question: Question, bound: int | None) -> int | None:
    """From when on facts of a run that was interrupted may still have been on their way; None for a whole run."""
    until = None if told.get("complete", True) or question.limit is not None else _instant(told.get("until"))
    return None if until is None else until - (bound or 0)


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


def _instant(text: object) -> int | None:
    from sim.maths.instants import parse_instant

    return parse_instant(text) if isinstance(text, str) else None
