"""A forecast drawn in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sim.cli.terminal.show import short

if TYPE_CHECKING:
    from sim.engine.forecast import Estimate, Forecast
    from sim.model.model import Model

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def charts(model: Model, expected: Forecast) -> Iterator[str]:
    """Facts a month, all together, then by stream where there are several, then who is alive: one text each."""
    edges = civil(model, [model.start, *expected.months])
    there = sum(stream.existing for stream in expected.streams)
    yield drawn("facts a month", edges, happening(expected.monthly, there))
    for stream in expected.streams if len(expected.streams) > 1 else ():
        if stream.facts > stream.existing:
            yield drawn(f"{stream.name} a month", edges, happening(stream.months, stream.existing))
    for population in expected.populations:
        yield drawn(f"{population.name}: alive at the end of the month", edges, population.alive)


def happening(months: Sequence[Estimate], existing: float) -> list[Estimate]:
    """What happens by month: without the facts of the first instant, which say who exists then."""
    first = months[0]
    bounds = [max(bound - round(existing), 0) for bound in (first.low, first.high)]
    return [replace(first, mean=max(first.mean - existing, 0.0), low=bounds[0], high=bounds[1]), *months[1:]]


def civil(model: Model, instants: Sequence[int]) -> list[int]:
    """The same in the scenario's civil time, in which months begin at midnight."""
    import numpy as np

    return [int(at) for at in model.timeline.local(np.array(instants, dtype=np.int64))]


def drawn(title: str, edges: Sequence[int], estimates: Sequence[Estimate]) -> str:
    """A column for each month between its `edges` (microseconds): the mean as a line, the interval as shade.

    The first line has the title and the figures of the last month.
    """
    from sim.cli.outlook.canvas import framed, letters, scale, steps

    columns = [[getattr(own, name) for own in estimates] for name in ("mean", "low", "high")]
    last = estimates[-1]
    head = f"{title}; the last: {short(last.mean)}, 95 of 100 runs from {short(last.low)} to {short(last.high)}"
    begins = [_EPOCH + timedelta(microseconds=edge) for edge in edges[:-1]]
    return "\n".join([head, *framed(letters(steps(edges, *columns)), scale(max(columns[2])), begins, edges)])
