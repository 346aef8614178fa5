"""What a forecast says, as tables, lines and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sim.cli.terminal.show import clock, instant, iso, short, size

if TYPE_CHECKING:
    from rich.table import Table

    from sim.cli.outlook.weighing import Weight
    from sim.engine.forecast import Estimate, Forecast, PopulationForecast
    from sim.model.model import Model

SPEEDS = (1, 60, 3600)
"""Paces at which peaks are told: multiples of real time."""

NOTE = "from .. to: where 95 of 100 runs lie, whatever the seed"


def table(expected: Forecast) -> Table:
    """Facts with their interval, peaks and bytes of every stream."""
    total = expected.total
    rows = [
        (s.name, count(s.facts), span(s.low, s.high), short(s.peak_per_s), short(s.minute_per_s), size(s.bytes))
        for s in expected.streams
    ]
    found = _table(("stream", "facts", "from .. to", "peak/s, hour", "minute", "as JSON"), rows)
    found.show_footer = True
    peaks = short(expected.peak_per_s), short(expected.minute_per_s)
    texts = ("total", count(expected.facts), span(total.low, total.high), *peaks, size(_bytes(expected)))
    for column, text in zip(found.columns, texts, strict=True):
        column.footer = text
    return found


def alive_table(expected: Forecast) -> Table:
    """Who is alive at the end of the run, and in which states."""
    rows = [row for population in expected.populations if population.alive for row in _rows(population)]
    return _table(("at the end", "entities", "from .. to", "share"), rows)


def month_table(expected: Forecast) -> Table:
    """Facts by month, of all streams and of each."""
    names = ("month until", "facts", "from .. to", *(s.name for s in expected.streams))
    rows = [
        (
            _day(end),
            count(every.mean),
            span(every.low, every.high),
            *(count(s.months[n].mean) for s in expected.streams),
        )
        for n, (end, every) in enumerate(zip(expected.months, expected.monthly, strict=True))
    ]
    return _table(names, rows)


def living_tables(expected: Forecast) -> list[Table]:
    """For each population, who is alive at the ends of months, and in which states."""
    found = []
    for population in expected.populations:
        names = (f"{population.name}, end of", "alive", "from .. to", *population.states)
        rows = [
            (_day(end), count(alive.mean), span(alive.low, alive.high), *(count(own.mean) for own in states))
            for end, alive, *states in zip(expected.months, population.alive, *population.states.values(), strict=True)
        ]
        found.append(_table(names, rows))
    return found


def weight_table(weights: Sequence[Weight]) -> Table:
    """Bytes by kind of output."""
    return _table(("written to", "bytes"), [(weight.output, size(weight.total)) for weight in weights])


def lines(expected: Forecast) -> list[str]:
    """Memory, tick and windows, then the order of causes."""
    from sim.maths.units import format_duration

    windows = f"{expected.windows:,} windows of {format_duration(expected.tick)}"
    head = f"memory {size(expected.memory_bytes)}; {windows}; {expected.blocks:,} blocks"
    return [head, "order inside a tick:", *(f"  {line}" for line in expected.order)]


def pace_lines(expected: Forecast, weights: Sequence[Weight]) -> list[str]:
    """How fast facts come at some speeds, and how long a run takes on this machine."""
    told = [f"{short(expected.peak_per_s * speed)} at {speed}x" for speed in SPEEDS]
    busiest = f"facts a second in the busiest hour: {', '.join(told)}"
    spent = [f"{clock(expected.seconds + weight.seconds)} to {weight.output}" for weight in weights[:3]]
    return [busiest, f"a run takes about {', '.join(spent)} (measured here, one worker, processor time)"]


def as_json(model: Model, expected: Forecast, weights: Sequence[Weight] = ()) -> str:
    """The same as one JSON object; times in ISO 8601, the tick in seconds."""
    streams: list[dict[str, Any]] = [
        {
            "name": s.name,
            **_facts(s.facts, s.low, s.high),
            "peak_per_s": s.peak_per_s,
            "minute_peak_per_s": s.minute_per_s,
            "bytes": round(s.bytes),
            "existing": round(s.existing),
            "months": _estimates(s.months),
        }
        for s in expected.streams
    ]
    total = expected.total
    return json.dumps(
        {
            "scenario": model.name,
            "digest": model.digest,
            "start": iso(model.start),
            "end": iso(model.end),
            "level": 0.95,
            "facts": round(expected.facts),
            "low": round(total.low),
            "high": round(total.high),
            "months": [iso(end) for end in expected.months],
            "facts_by_month": _estimates(expected.monthly),
            "streams": streams,
            "populations": [_population(population) for population in expected.populations],
            "peak_per_s": expected.peak_per_s,
            "minute_peak_per_s": expected.minute_per_s,
            "bytes": {w.output: {"total": round(w.total), **_rounded(w)} for w in weights},
            "memory_bytes": round(expected.memory_bytes),
            "seconds": {w.output: round(expected.seconds + w.seconds, 2) for w in weights},
            "simulation_s": round(expected.seconds, 2),
            "tick_s": expected.tick / 1e6,
            "windows": expected.windows,
            "blocks": expected.blocks,
            "order": list(expected.order),
            "pilots": expected.pilots,
        }
    )


def count(facts: float) -> str:
    """A number of facts with separators."""
    return f"{round(facts):,}"


def span(low: float, high: float) -> str:
    """An interval of counts."""
    return f"{round(low):,} .. {round(high):,}"


def _rows(population: PopulationForecast) -> list[tuple[str, str, str, str]]:
    """The living of a population, then its states with their shares of all who were born."""
    last = population.alive[-1]
    born = sum(found[-1].mean for found in population.states.values())
    rows = [(population.name, count(last.mean), span(last.low, last.high), "")]
    for state, found in population.states.items():
        share = f"{found[-1].mean / born:.1%}" if born else ""
        rows.append((f"  {state}", count(found[-1].mean), span(found[-1].low, found[-1].high), share))
    return rows


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table

    found = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(names):
        found.add_column(name, justify="left" if place == 0 else "right")
    for row in rows:
        found.add_row(*row)
    return found


def _bytes(expected: Forecast) -> float:
    return sum(stream.bytes for stream in expected.streams)


def _day(end: int) -> str:
    return instant(end)[:10]


def _facts(mean: float, low: float, high: float) -> dict[str, int]:
    return {"facts": round(mean), "low": round(low), "high": round(high)}


def _estimates(estimates: Sequence[Estimate]) -> dict[str, list[float]]:
    """Columns instead of rows, so that a machine can take them as they are."""
    return {
        "mean": [round(estimate.mean, 1) for estimate in estimates],
        "low": [estimate.low for estimate in estimates],
        "high": [estimate.high for estimate in estimates],
    }


def _population(population: PopulationForecast) -> dict[str, Any]:
    states = {state: _estimates(found) for state, found in population.states.items()}
    return {"name": population.name, "alive": _estimates(population.alive), "states": states}


def _rounded(weight: Weight) -> dict[str, dict[str, int]]:
    return {"streams": {name: round(bytes_) for name, bytes_ in weight.bytes.items()}}
