"""What a run takes: memory and time on this machine, from what the pilot took."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sim.batch import Batch
from sim.engine.forecast.pilot import Pilot, hamlet
from sim.engine.forecast.thinning import thinnable
from sim.engine.kernel import run
from sim.engine.world import World
from sim.maths.units import HOUR
from sim.model.model import Model

SAMPLE = 4096
"""Facts of each stream that are kept to be weighed."""

_BASE_MEMORY = 160_000_000
_COPIES = 4
"""Windows in memory at once: being filled, merged, queued and encoded."""
_PROBED = 12


class Samples:
    """A few facts of every stream, from the whole run."""

    def __init__(self) -> None:
        self._parts: defaultdict[str, list[Batch]] = defaultdict(list)
        self._rows: defaultdict[str, int] = defaultdict(int)

    def take(self, batch: Batch, at_once: int) -> None:
        """Keep so many facts of a batch, until there are `SAMPLE`."""
        name = batch.stream.name
        count = min(len(batch), at_once, SAMPLE - self._rows[name])
        if count > 0:
            self._parts[name].append(batch.part(0, count))
            self._rows[name] += count

    def of(self, stream: str) -> list[Batch]:
        """What was kept of a stream, in order."""
        return self._parts[stream]

    def weights(self, stream: str) -> tuple[float, float]:
        """Average bytes of a fact, as a line of JSON and in memory; 0 where none was seen."""
        import polars
        import pyarrow as pa

        parts = self._parts[stream]
        if not parts:
            return 0.0, 0.0
        frame = polars.DataFrame(polars.from_arrow(pa.Table.from_batches([part.data for part in parts])))
        return len(frame.write_ndjson()) / len(frame), frame.estimated_size() / len(frame)


class Stopwatch:
    """Seconds of processor time that simulating took, and those that a window takes in which little happens."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._windows = 0
        self.facts = 0
        """Facts of all pilots so far."""

    def batches(self, world: World) -> Iterator[Batch]:
        """The batches of a pilot world; what is done with them is not timed."""
        source = run(world, world.model.processes)
        last = None
        while True:
            began = time.process_time()
            batch = next(source, None)
            self._spent += time.process_time() - began
            if batch is None:
                return
            self.facts += len(batch)
            self._windows += batch.start != last
            last = batch.start
            yield batch

    def seconds(self, pilot: Pilot, facts: float) -> float:
        """Processor time of simulating a run of so many facts in one process."""
        model = pilot.real
        idle = _idle(pilot)
        each = max(self._spent - idle * self._windows, 0.2 * self._spent) / max(self.facts, 1)
        windows = -(-(model.end - model.start) // model.tick)
        return idle * windows * model.blocks + each * facts


def _idle(pilot: Pilot) -> float:
    """Seconds that a window takes in which little happens: from the first few of a world with a root of each kind."""
    world = World(hamlet(pilot.real), pilot.seed, frozenset([0]), dict.fromkeys(thinnable(pilot.real), 0.0))
    streams = max(len(world.model.streams), 1)
    spans = []
    began = time.process_time()
    for _ in islice(run(world, world.model.processes), 0, _PROBED * streams, streams):
        spans.append(time.process_time() - began)
        began = time.process_time()
    return float(np.median(spans[1:] or spans or [0.0]))


def memory(model: Model, profiles: dict[str, tuple[NDArray[np.float64], float]]) -> float:
    """Bytes of memory of one worker. `profiles` are the expected facts by hour and the bytes of one, by stream."""
    hours = model.tick / HOUR
    whole = max(int(hours), 1)
    windows = 0.0
    for profile, weight in profiles.values():
        starts = np.arange(0, len(profile), whole)
        windows += float(np.add.reduceat(profile, starts).max()) * min(hours, whole) / whole * weight
    kept = sum(population.expected * _entity_bytes(model, population.index) for population in model.populations)
    return _BASE_MEMORY + _COPIES * windows + kept


def _entity_bytes(model: Model, index: int) -> float:
    """Bytes that the engine keeps per entity, from the arrays that it has."""
    population = model.populations[index]
    befalling = sum(incident.population == index for incident in model.disturbances.incidents)
    machine = 28 * ((population.machine is not None) + befalling)
    return 24 + machine + len(population.segmentations) + 26 * len(population.profiles) + 12 * len(population.kept)
