"""What a replay plays: the recording that a URL names, and its facts, blended with simulated ones."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sim.cli.jobs.job import FAULTLESS
from sim.cli.terminal import notices
from sim.errors import ParameterError

if TYPE_CHECKING:
    from sim.batch import Batch, Stream
    from sim.delivery.replay.naming import Naming
    from sim.delivery.replay.playing import Play, Player
    from sim.delivery.replay.recording import Recording
    from sim.model.model import Model
    from sim.scenario.faults import Faults
    from sinks.contract import Sink
    from sinks.run import Run

SOURCES = ("parquet", "csv", "kafka")


@dataclass(frozen=True, slots=True)
class Facts:
    """Batches grouped by windows, of which streams, and which run a sink is to take them for.

    `faults` are those that are still to be injected, by the names of their streams, with the seeds of their scenarios.
    """

    streams: tuple[Stream, ...]
    batches: Iterable[Batch]
    run: Run
    faults: Mapping[str, Faults] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)


@contextmanager
def opened(
    source: str, naming: Naming, stop: threading.Event, told: bool, origin: str | None = None
) -> Iterator[Recording]:
    """The recording at `source`, while the context lasts; `told`: with progress. ParameterError where there is none.

    `origin` is what an earlier process has read, where this is to be read once more.
    """
    from sinks.target import Options, Target
    from sinks.words import nearest

    if ":" not in source:
        raise ParameterError(f"{source!r} is not a source: write parquet:{source}, or kafka://HOST:PORT/TOPIC")
    target = Target.parse(source)
    if target.scheme == "parquet":
        from sim.delivery.replay.folder import open_folder

        Options(target).finish()
        yield open_folder(target.location, naming)
    elif target.scheme == "csv":
        from sim.delivery.replay.tables import open_tables

        Options(target).finish()
        with open_tables(target.location, naming) as recording:
            yield recording
    elif target.scheme == "kafka":
        from sim.cli.recorded.topics import recorded_topics

        with recorded_topics(target, naming, stop, told, origin) as recording:
            yield recording
    else:
        raise ParameterError(f"{target.scheme!r} is not a source of recorded facts{nearest(target.scheme, SOURCES)}")


def earlier(source: str, sink: Sink) -> str | None:
    """What an earlier process has read of `source`, as the output of `sink` says; None where that does not matter."""
    from sinks.target import Target

    if not source.startswith("kafka:"):
        return None
    from sim.cli.recorded.topics import name_of

    past = sink.last_run(name_of(Target.parse(source)))
    return None if past is None else past.origin


def played(
    recording: Recording, play: Play, at: int | None, scenarios: Sequence[str], seed: int | None, faults: bool = True
) -> Facts:
    """The facts of a recording, from the instant `at` on where that is given, blended with those of scenarios.

    `faults` says whether those of the scenarios count.
    """
    from sim.delivery.replay.blend import Flow, blended
    from sim.delivery.replay.playing import Player
    from sim.engine.simulate import simulate
    from sinks.run import Run

    for note in recording.notes:
        notices.say(note)
    player = Player(recording, replace(play, shift=0 if at is None else at - recording.start))
    told = [recording.digest, repr(player.play)]
    run = Run(recording.name, "", 0 if seed is None else seed, player.start, player.end, origin=recording.origin)
    streams, batches = player.streams, player.batches()
    models: list[Model] = []
    if scenarios:
        if play.passes is None:
            raise ParameterError("--loop forever and --blend: a simulation needs an end, so give a number of passes")
        models = [_model(name, player) for name in scenarios]
        told += [model.digest if faults else model.digest + FAULTLESS for model in models]
        flows = [Flow(m.name, tuple(m.streams), simulate(m, seed=seed)) for m in models]
        streams, batches = blended([Flow(recording.name, streams, batches), *flows])
    run = replace(run, digest=hashlib.sha256(repr(told).encode()).hexdigest())
    own = [(model, stream.name) for model in models for stream in model.streams]
    hit = {
        stream.name: (model.faults[name], model.seed if seed is None else seed)
        for stream, (model, name) in zip(streams[len(streams) - len(own) :], own, strict=True)
        if faults and name in model.faults
    }
    specs, seeds = {name: spec for name, (spec, _) in hit.items()}, {name: own for name, (_, own) in hit.items()}
    return Facts(streams, batches, run, specs, seeds)


def _model(scenario: str, player: Player) -> Model:
    """A scenario over the time of a replay."""
    from sim.maths.instants import format_instant
    from sim.model.compile import compile_scenario
    from sim.scenario.loader import load

    interval = {"start": format_instant(player.start), "end": format_instant(player.end)}
    return compile_scenario(load(scenario, interval))
