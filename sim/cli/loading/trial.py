"""Making a load test: facts, a sink and an ear for it, one trial or a search, and the document of it all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sim.cli.jobs.job import Job, send_shard
from sim.delivery.load.ear import Ear
from sim.delivery.load.measured import Document, Measured
from sim.delivery.load.recorder import Recorder
from sim.delivery.load.run import Bench, Tell
from sim.delivery.load.search import Limit, Step, search
from sim.delivery.load.supply import Supply, laps
from sim.delivery.load.thresholds import Threshold
from sim.delivery.load.trial import Trial
from sim.delivery.load.verdict import verdict
from sim.delivery.profiles import parse_profile
from sim.errors import ParameterError, SinkError

if TYPE_CHECKING:
    from sim.batch import Batch
    from sim.model.model import Model
    from sinks.contract import Sink
    from sinks.probe import Listener
    from sinks.run import Run

SEEDS = 2**63


@dataclass(frozen=True, slots=True)
class Hunt:
    """How a search goes: its precision as a share, and the fastest rate that it tries, facts a second."""

    precision: float
    fastest: float


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for: the facts and their sink (`job`), the trial, or with a `hunt` the first of many.

    `consume`: whether what was written is read back, from `topics` if any are named. `thresholds` are judged, and end
    what the hunt calls carried.
    """

    job: Job
    trial: Trial
    thresholds: Sequence[Threshold]
    workers: int = 1
    consume: bool = True
    topics: tuple[str, ...] = ()
    hunt: Hunt | None = None


@dataclass(slots=True)
class Story:
    """What came of an order: its document, and what it failed with."""

    document: Document = field(default_factory=dict)
    error: SinkError | None = None

    @property
    def crossed(self) -> bool:
        """Whether a threshold was."""
        return any(judged["crossed"] for judged in self.document.get("thresholds", ()))


def conduct(
    order: Order, stop: threading.Event, tell: Tell | None, tell_step: Callable[[Step[Measured], Document], None]
) -> Story:
    """Carry out an order. Raises what keeps it from beginning; what goes wrong later is part of the story.

    `tell` hears how far a trial is, `tell_step` of every step of a search.
    """
    model = order.job.model()
    sink, run, counted = order.job.sink(), order.job.run(model), [0]
    story = Story()
    # A sink that is to watch closely must know it before it opens.
    sink.probe, sink.stop = Recorder(order.trial, later=True), stop
    with _closed_in_the_end(sink, story):
        sink.open(model.streams, run)
        listener = _listener(order, sink)
        batches = laps(_lap(order, model, stop, counted), model.start, model.end)
        with Ear(listener) as ear:
            bench = Bench(sink, run, Supply(batches, tuple(model.streams)), ear, stop, tell)
            found = _trial(bench, order) if order.hunt is None else _hunt(bench, order, order.hunt, tell_step)
        story.document = found
        story.error = found.pop("trouble", None)
    failed = {} if sink.report is None else dict(sink.report.failed)
    story.document = {**_about(run, sink, order), "laps": counted[0], **story.document}
    story.document["failed"] = failed
    story.document["thresholds"] = [one.judge(story.document) for one in order.thresholds]
    return story


@contextmanager
def _closed_in_the_end(sink: Sink, story: Story) -> Iterator[None]:
    """Close the sink; that not all was acknowledged is part of the story, once there is one."""
    try:
        yield
    except BaseException:
        sink.close()
        raise
    try:
        sink.close()
    except SinkError as error:
        story.error = story.error or error


def _about(run: Run, sink: Sink, order: Order) -> Document:
    import sim
    from sim.cli.terminal.show import iso
    from sim.cli.terminal.when import now

    return {
        "datagen": sim.__version__,
        "report": "load",
        "ended": iso(now()),
        "scenario": run.scenario,
        "digest": run.digest,
        "seed": run.seed,
        "to": sink.target.url,
        "guarantee": sink.guarantee,
        "workers": order.workers,
    }


def _listener(order: Order, sink: Sink) -> Listener | None:
    """What reads back. Raises ParameterError where something is asked for that only reading back can tell."""
    from sinks.kafka.listening import Listening

    listener = sink.listener() if order.consume else None
    if order.topics and not isinstance(listener, Listening):
        why = "--no-consume was given" if not order.consume else f"{sink.target.url} has none"
        raise ParameterError(f"--topic {order.topics[0]}: topics are not read back: {why}")
    for threshold in order.thresholds:
        if listener is None and threshold.metric.name.startswith("e2e."):
            raise ParameterError(f"--fail-if {threshold.text!r}: {threshold.metric.name} is not measured here")
    return replace(listener, topics=order.topics) if isinstance(listener, Listening) and order.topics else listener


def _lap(order: Order, model: Model, stop: threading.Event, counted: list[int]) -> Callable[[int], Iterable[Batch]]:
    from sim.delivery.merge import merged
    from sim.delivery.workers import Crew

    seed = model.seed if order.job.seed is None else order.job.seed

    def lap(number: int) -> Iterator[Batch]:
        counted[0] = number + 1
        job = replace(order.job, seed=(seed + number) % SEEDS)
        jobs = job.split(order.workers, model) if order.workers > 1 else [job]
        if len(jobs) == 1:
            yield from job.batches(model)
            return
        with Crew(send_shard, jobs) as crew:
            yield from merged(crew, model.streams, stop)

    return lap


def _trial(bench: Bench, order: Order) -> Document:
    measured = bench.trial(order.trial)
    return _told(measured, bench.sink.target.url) | {"trouble": measured.error}


def _told(measured: Measured, target: str) -> Document:
    said = verdict(measured, target)
    return measured.document() | {"verdict": {"bottleneck": said.bottleneck, "text": said.text}}


def _hunt(bench: Bench, order: Order, hunt: Hunt, tell_step: Callable[[Step[Measured], Document], None]) -> Document:
    """Search; the document is that of the fastest step that was carried, or of the slowest there was."""
    told: dict[float, Document] = {}
    trouble: list[SinkError] = []

    def attempt(rate: float) -> Step[Measured] | None:
        if bench.stop.is_set() or trouble:
            return None
        measured = bench.trial(replace(order.trial, profile=parse_profile(f"{rate:.6g}/s")))
        if bench.stop.is_set():
            return None
        if measured.error is not None:
            trouble.append(measured.error)
        told[rate] = document = _told(measured, bench.sink.target.url)
        judged = [one.judge(document) for one in order.thresholds]
        document["crossed"] = [one for one in judged if one["crossed"]]
        step = Step(rate, not document["crossed"] and not measured.missing and measured.error is None, measured)
        tell_step(step, document)
        return step

    limit = search(attempt, order.trial.profile.rate(0.0), hunt.precision, hunt.fastest)
    best = limit.carried or limit.failed
    found = dict(told[best.rate]) if best is not None else {}
    found.pop("crossed", None)
    return found | _limit(limit, told, hunt) | {"trouble": trouble[0] if trouble else None}


_OF_A_STEP = ("offered_per_s", "achieved_per_s", "sent", "unsent", "errors", "cpu", "verdict", "crossed")
_OF_A_LATENCY = ("p50_s", "p99_s", "p99.9_s", "max_s")


def _limit(limit: Limit[Measured], told: dict[float, Document], hunt: Hunt) -> Document:
    carried, failed = limit.carried, limit.failed
    steps = [
        {"rate_per_s": step.rate, "carried": step.carried}
        | {key: told[step.rate][key] for key in _OF_A_STEP}
        | {kind: _few(told[step.rate][kind]) for kind in ("ack", "e2e", "lag")}
        for step in limit.steps
    ]
    return {
        "limit": {
            "carried_per_s": None if carried is None else carried.rate,
            "failed_per_s": None if failed is None else failed.rate,
            "failed_by": [] if failed is None else told[failed.rate]["crossed"],
            "bottleneck": None if failed is None else told[failed.rate]["verdict"]["bottleneck"],
            "precision": hunt.precision,
        },
        "steps": steps,
    }


def _few(latency: dict[str, Any] | None) -> dict[str, float] | None:
    return None if latency is None else {key: latency[key] for key in _OF_A_LATENCY}
