"""Instants on the command line: dates and times as in a scenario, and times relative to now."""

from __future__ import annotations

import re
import time

from sim.errors import ParameterError

_RELATIVE = re.compile(r"\s*now\s*(?:([-+])(.+))?", re.IGNORECASE)


def now() -> int:
    """The present instant, in microseconds since the epoch."""
    return time.time_ns() // 1000


def interval(start: str | None, end: str | None, present: int | None = None) -> dict[str, str | None]:
    """What `--start` and `--end` mean, by the keys of a scenario."""
    present = now() if present is None else present
    return {"start": resolve("--start", start, present), "end": resolve("--end", end, present)}


def resolve(option: str, text: str | None, present: int) -> str | None:
    """`now`, `now-90d` or `now+1h` as an instant in ISO 8601; anything else as it is.

    Raises ParameterError, which names the option, where the span makes no sense.
    """
    found = _RELATIVE.fullmatch(text) if text is not None else None
    if found is None:
        return text
    from sim.maths.instants import format_instant
    from sim.maths.units import parse_duration

    try:
        span = parse_duration(found[2].strip()) if found[2] else 0
    except ValueError as error:
        raise ParameterError(f"{option} {text!r}: {error}") from None
    return format_instant(present - span if found[1] == "-" else present + span)


def relative(text: str | None) -> bool:
    """Whether an option's text depends on when it is read."""
    return text is not None and _RELATIVE.fullmatch(text) is not None


def instant(option: str, text: str | None, present: int) -> int | None:
    """The instant that an option gives, in microseconds since the epoch; civil times are UTC. None where it is not
    given; raises ParameterError, which names the option.
    """
    found = resolve(option, text, present)
    if found is None:
        return None
    from sim.maths.instants import parse_instant

    try:
        return parse_instant(found)
    except ValueError as error:
        raise ParameterError(f"{option}: {error}") from None
