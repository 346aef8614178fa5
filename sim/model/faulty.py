"""Whether the faults that a scenario declares are about streams that it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from sim.batch import Stream
from sim.errors import Problem
from sim.maths.model import shown
from sim.scenario.faults import Faults
from sim.scenario.words import nearest


def fault_problems(faults: Mapping[str, Faults], streams: Sequence[Stream]) -> Iterator[Problem]:
    """Faults of streams that there are not, and such as need an entity of streams that are about none."""
    known = {stream.name: stream for stream in streams}
    for name, spec in faults.items():
        if name not in known:
            yield Problem(0, f"faults.{name}", f"{shown(name)} is not a stream{nearest(name, known)}")
        elif known[name].schema.field(known[name].key).type != pa.int64():
            for key in ("clock_skew", "hot_keys"):
                if getattr(spec, key) is not None:
                    yield Problem(0, f"faults.{name}.{key}", f"the facts of {name} are about no entity")
