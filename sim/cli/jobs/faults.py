"""Faults and their ledger on the way from a job's facts to its sink."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sim.cli.jobs.job import beside
from sim.delivery.remarks import LOGGER

if TYPE_CHECKING:
    from sim.batch import Batch, Stream
    from sim.cli.jobs.job import Job
    from sim.delivery.pipeline import Progress
    from sim.model.model import Model
    from sim.scenario.faults import Faults
    from sinks.contract import Sink
    from sinks.run import Run


@dataclass(frozen=True, slots=True)
class Way:
    """What is to be delivered, how many facts at most are still to be counted, and whom progress is told."""

    batches: Iterable[Batch]
    limit: int | None
    on_progress: Callable[[Progress], None] | None


@contextmanager
def injected(
    job: Job,
    model: Model,
    batches: Iterable[Batch],
    limit: int | None,
    on_progress: Callable[[Progress], None] | None,
    able: frozenset[str],
) -> Iterator[Way]:
    """The batches with the scenario's faults, while the ledger is open; as they are where there is neither.

    `limit` counts facts of the simulation, so that what is late is not left out. `able` are the kinds of damage that
    the sink can do.
    """
    faults = model.faults if job.faults else {}
    run = replace(job.run(model), truth=None)
    account = None if job.ledger is None else Account(job.ledger, job.span, job.resume)
    injection = Injection(tuple(model.streams), faults, run.seed, run, account)
    with injection.way(batches, limit, on_progress, able) as way:
        yield way


@dataclass(frozen=True, slots=True)
class Account:
    """The URL of the sink that takes a ledger, the length of the windows in it, in microseconds, and whether to go on
    with what an earlier process has written there.
    """

    url: str
    span: int
    resume: bool = False


@dataclass(frozen=True)
class Injection:
    """Faults of streams, by their names, with the seed of all or of each, and the ledger that is kept of them."""

    streams: tuple[Stream, ...]
    faults: Mapping[str, Faults]
    seed: int | Mapping[str, int]
    run: Run
    account: Account | None = None

    @contextmanager
    def way(
        self,
        batches: Iterable[Batch],
        limit: int | None,
        on_progress: Callable[[Progress], None] | None,
        able: frozenset[str],
    ) -> Iterator[Way]:
        """The batches with the faults, while the ledger is open; as they are where there is neither."""
        if not self.faults and self.account is None:
            yield Way(batches, limit, on_progress)
            return
        from sim.delivery.inject import Injected
        from sim.delivery.ledger import Ledger
        from sim.delivery.settling import Upstream
        from sim.delivery.windows import limited, windows
        from sinks.damage import KINDS
        from sinks.registry import open_sink

        damages = {kind: number for number, kind in enumerate(KINDS, 1) if kind in able}
        _say_what_stays_whole(self.faults, able)
        source = windows(batches, len(self.streams))
        source = source if limit is None else limited(source, limit)
        upstream = batches if isinstance(batches, Upstream) and limit is None else None

        def through(ledger: Ledger | None) -> Injected:
            return Injected(source, self.streams, self.faults, self.seed, ledger, damages, upstream)

        if (account := self.account) is None:
            yield Way(through(None), None, on_progress)
            return
        sink = open_sink(account.url)
        with Ledger(sink, self.streams, self.run, account.span, account.resume) as ledger:

            def tell(progress: Progress) -> None:
                ledger.commit(progress.watermark)
                if on_progress is not None:
                    on_progress(progress)

            yield Way(through(ledger), None, tell)


def _say_what_stays_whole(faults: Mapping[str, Faults], able: frozenset[str]) -> None:
    from sim.delivery.faults import MISSING

    asked = {kind for spec in faults.values() if spec.corrupt for kind in spec.corrupt.kinds}
    if left := sorted(asked - able - {MISSING}):
        text = f"this sink cannot damage facts so: {', '.join(left)}; they arrive whole, and are not in the ledger"
        logging.getLogger(LOGGER).warning(text)


def place_of(ledger: str | None, sink: Sink, faults: bool) -> str | None:
    """The URL of the ledger's own sink: what the user says, or else beside the files; None for none."""
    if ledger is not None:
        return f"parquet:{ledger}"
    if not faults:
        return None
    if (place := beside(sink, "ledger")) is not None:
        mode = sink.target.options.get("mode")
        return f"parquet:{place}" + (f"?mode={mode}" if mode else "")
    logging.getLogger(LOGGER).warning("faults are injected, and nobody will know which: --ledger DIR keeps account")
    return None
