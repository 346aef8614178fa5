"""A forecast drawn in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sim.cli.terminal.show import short
from sim.errors import MissingExtra

if TYPE_CHECKING:
    from sim.engine.forecast import Estimate, Forecast

_WIDTH, _HEIGHT = 72, 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def charts(expected: Forecast, start: int) -> Iterator[str]:
    """Facts a month, all together, then by stream where there are several, then who is alive: one text each."""
    middles = _middles(start, expected.months)
    there = sum(stream.existing for stream in expected.streams)
    yield drawn("facts a month, with the interval of 95%", middles, happening(expected.monthly, there))
    for stream in expected.streams if len(expected.streams) > 1 else ():
        if stream.facts > stream.existing:
            yield drawn(f"{stream.name} a month", middles, happening(stream.months, stream.existing))
    for population in expected.populations:
        yield drawn(f"{population.name}: alive at the end of the month", _instants(expected.months), population.alive)


def happening(months: Sequence[Estimate], existing: float) -> list[Estimate]:
    """What happens by month: without the facts of the first instant, which say who exists then."""
    first = months[0]
    bounds = [max(bound - round(existing), 0) for bound in (first.low, first.high)]
    return [replace(first, mean=max(first.mean - existing, 0.0), low=bounds[0], high=bounds[1]), *months[1:]]


def drawn(title: str, instants: Sequence[datetime], estimates: Sequence[Estimate]) -> str:
    """The means as a line, the bounds of the intervals as dots over the time axis. Raises MissingExtra."""
    try:
        import plotille
    except ImportError:
        raise MissingExtra("chart", "drawing in the terminal") from None
    figure = plotille.Figure()
    figure.width, figure.height, figure.with_colors = _WIDTH, _HEIGHT, False
    figure.x_label, figure.y_label = "", ""
    figure.set_y_limits(min_=0, max_=max((estimate.high for estimate in estimates), default=1.0) * 1.05 or 1.0)
    figure.register_label_formatter(float, _number)
    figure.register_label_formatter(datetime, _month)
    if len(instants) == 1:  # a point has no width
        instants, estimates = [instants[0], instants[0] + timedelta(days=1)], [*estimates] * 2
    figure.plot(instants, [estimate.mean for estimate in estimates])
    for bound in ("low", "high"):
        figure.scatter(instants, [getattr(estimate, bound) for estimate in estimates])
    return f"{title}\n{figure.show()}"


def _number(value: float, chars: int, delta: Any, left: bool = False) -> str:
    text = short(value)
    return text.ljust(chars) if left else text.rjust(chars)


def _month(value: datetime, chars: int, delta: Any, left: bool = False) -> str:
    text = f"{value:%Y-%m}"
    return text.ljust(chars) if left else text.rjust(chars)


def _instants(ends: Sequence[int]) -> list[datetime]:
    return [_EPOCH + timedelta(microseconds=end) for end in ends]


def _middles(start: int, ends: Sequence[int]) -> list[datetime]:
    """The middles of the months, where their facts stand."""
    return _instants([(begin + end) // 2 for begin, end in zip([start, *ends[:-1]], ends, strict=True)])
