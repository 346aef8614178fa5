"""A job: what to simulate, in a form that crosses processes, and what a worker does with it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sim.errors import ParameterError, SimulationError

if TYPE_CHECKING:
    from sim.delivery.pipeline import Outcome
    from sim.delivery.workers import Link
    from sim.engine.simulate import Simulation
    from sim.model.model import Model
    from sinks.contract import Sink
    from sinks.run import Run

WORKERS_USE = (
    "sim.cli.main",
    "sim.cli.jobs.execute",
    "sim.engine.simulate",
    "sim.model.compile",
    "sim.scenario.loader",
)
"""The modules that a worker needs, whatever its job."""

FAULTLESS = "-faultless"
"""What the digest of a run ends in that leaves out the faults of its scenario."""

HOUR = 3_600_000_000
"""Microseconds."""


@dataclass(frozen=True)
class Job:
    """A scenario by path or name with its overrides, seed and shard, and the sink's URL and settings.

    `digest` is that of the parent's model: a worker that compiles another one from a file changed meanwhile refuses.
    `faults` says whether those of the scenario are injected, `ledger` is the URL of the sink that takes the ledger
    (None: there is none), and `span` the length of the windows in it, in microseconds. `state` is the folder in which
    snapshots of the simulation are kept (None: nowhere), `begin` the number of the window with which a worker begins.
    """

    scenario: str
    overrides: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    shard: tuple[int, int] = (1, 1)
    to: str = "stdout:"
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    digest: str | None = None
    compiled: bytes | None = field(default=None, repr=False)
    resume: bool = False
    faults: bool = True
    ledger: str | None = None
    span: int = HOUR
    state: str | None = None
    begin: int = 0

    def model(self) -> Model:
        """The scenario, loaded and compiled. Raises ScenarioError with all that is wrong."""
        if self.compiled is not None:
            return cast("Model", pickle.loads(self.compiled))
        from sim.model.compile import compile_scenario
        from sim.scenario.loader import load

        model = compile_scenario(load(self.scenario, self.overrides))
        if self.digest not in (None, model.digest):
            raise SimulationError(f"{self.scenario}: the scenario was changed while the workers started")
        return model

    def batches(self, model: Model) -> Simulation:
        """The facts of the job's shard, window by window."""
        from sim.engine.simulate import Simulation

        return Simulation(model, self.seed, self.shard, None if self.state is None else Path(self.state))

    def run(self, model: Model) -> Run:
        """Which facts these are, for the sink."""
        from sim.cli.truth import document
        from sinks.run import Run

        seed = model.seed if self.seed is None else self.seed
        # The output of a run with faults is no part of one without.
        digest = model.digest if self.faults or not model.faults else model.digest + FAULTLESS
        truth = document(model) if self.shard[0] == 1 else None
        return Run(model.name, digest, seed, model.start, model.end, *self.shard, truth=truth)

    def sink(self) -> Sink:
        """The sink, not opened yet. Raises ParameterError where the URL or a setting makes no sense."""
        from sinks.registry import open_sink

        return open_sink(self.to, self.settings)

    def split(self, workers: int, model: Model) -> list[Job]:
        """The jobs of that many workers, fewer where there are not as many blocks; together they give this one's facts.

        Raises ParameterError where the job's own shard has no block, or where cases share resources.
        """
        from sim.engine.simulate import blocks_of, unshardable

        blocks_of(model, self.shard)
        if workers > 1 and not model.shardable:
            raise ParameterError(f"--workers {workers}: {unshardable(model)}")
        shard, shards = self.shard
        count = max(1, min(workers, model.blocks // shards))
        told = replace(self, digest=model.digest, compiled=_pickled(model))
        return [replace(told, shard=(shard + shards * i, shards * count)) for i in range(count)]


def beside(sink: Sink, suffix: str) -> str | None:
    """The folder next to the one that a sink writes its files into: `out.ledger` to `out`; None for other sinks."""
    if sink.target.scheme not in ("parquet", "csv", "avro"):
        return None
    return f"{sink.target.location.rstrip('/')}.{suffix}"


def _pickled(model: Model) -> bytes | None:
    # A model may hold functions of a user's own, which a worker finds only if it compiles the scenario itself.
    try:
        return pickle.dumps(model)
    except (pickle.PicklingError, AttributeError, TypeError):
        return None


def write_shard(job: Job, link: Link) -> Outcome:
    """What a worker does that has a sink of its own."""
    from sim.cli.jobs.faults import injected
    from sim.delivery.pipeline import deliver
    from sim.delivery.remarks import Remarks, listen

    listen(Remarks(lambda remark, worker: link.send(remark)))
    model = job.model()
    sink, run = job.sink(), job.run(model)
    with injected(job, model, job.batches(model), None, link.send, sink.damages) as way:
        told = partial(deliver, stop=link.stop, on_progress=way.on_progress, resume=job.resume)
        return told(way.batches, sink, model.streams, run)


def send_shard(job: Job, link: Link) -> Outcome:
    """What a worker does whose facts are merged with those of the others."""
    from sim.delivery.merge import LinkSink
    from sim.delivery.pipeline import deliver

    model = job.model()
    simulation, run = job.batches(model), job.run(model)
    simulation.pass_over(job.begin)
    run = replace(run, start=model.start + job.begin * model.tick)
    # Not as something to go on with: which of its snapshots are still of use, the parent knows.
    return deliver(iter(simulation), LinkSink(link), model.streams, run, stop=link.stop)
