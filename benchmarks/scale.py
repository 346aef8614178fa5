"""What a fact costs, beyond setting up: the time to the end of the first window, and the time of all others.

Time is that of the processor: one thread does everything, and what else runs on the machine is not its fault. The first
window brings the initial population to life: its cost is one of entities. What comes after is one of facts.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.common import finish


@dataclass(frozen=True, slots=True)
class Split:
    """Processor seconds and facts (by stream, over the whole run) of one simulation, split after its first window."""

    setup_s: float
    rest_s: float
    rest_facts: int
    facts: dict[str, int]
    peak_rss_mb: float = 0.0

    @property
    def ns_per_fact(self) -> float:
        """Nanoseconds a fact costs after the first window."""
        return self.rest_s / self.rest_facts * 1e9

    @property
    def ns_with_setup(self) -> float:
        """Nanoseconds a fact costs, all in all."""
        return (self.setup_s + self.rest_s) / sum(self.facts.values()) * 1e9


def measure(path: Path) -> Split:
    """Simulate the scenario at `path` in this process, on one thread, handing its facts to nobody."""
    from sim.delivery.dedicated import dedicated
    from sim.engine.simulate import simulate
    from sim.model.compile import compile_scenario
    from sim.scenario.loader import load

    model = compile_scenario(load(path))
    facts = {stream.name: 0 for stream in model.streams}
    with dedicated():
        began = split = time.process_time()
        first = 0
        for batch in simulate(model):
            if batch.start > model.start and not first:
                split, first = time.process_time(), sum(facts.values())
            facts[batch.stream.name] += len(batch)
    ended = time.process_time()
    return Split(split - began, ended - split, sum(facts.values()) - first, facts)


def measure_apart(path: Path) -> Split:
    """The same in a fresh process, with its peak memory."""
    done = finish((sys.executable, __file__, str(path)))
    return Split(**json.loads(done.output) | {"peak_rss_mb": done.peak_rss_mb})


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Path(sys.argv[1])))))
