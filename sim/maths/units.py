"""Quantities with units, as a scenario writes them and as the program holds them.

Lengths of time and instants are whole microseconds; rates are floats per microsecond. A month is 365.25/12 days and
a year 365.25 days, so that twelve months are a year and rates do not depend on the calendar.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from sim.maths.instants import Instant, format_instant, parse_instant
from sim.maths.model import UNIT_KEY
from sim.maths.parsing import (
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    SECOND,
    UNITS,
    WEEK,
    YEAR,
    format_duration,
    format_rate,
    parse_duration,
    parse_growth,
    parse_hazard,
    parse_offset,
    parse_probability,
    parse_rate,
    parse_slope,
)

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "MONTH",
    "SECOND",
    "WEEK",
    "YEAR",
    "Duration",
    "GrowthRate",
    "HazardRate",
    "Instant",
    "Offset",
    "Probability",
    "Rate",
    "Slope",
    "Weight",
    "format_duration",
    "format_instant",
    "format_rate",
    "parse_duration",
    "parse_growth",
    "parse_hazard",
    "parse_instant",
    "parse_offset",
    "parse_rate",
    "parse_slope",
]


def _exactly(per_us: float) -> str:
    return f"{per_us!r}/us"


def _percent(per_us: float) -> str:
    """As a percentage of the longest period in which it is at most an e-fold, so that nothing overflows."""
    periods = ((YEAR, "year"), (MONTH, "month"), (DAY, "day"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (1, "us"))
    size, word = next((period for period in periods if abs(per_us) * period[0] <= 1), periods[-1])
    return f"{100 * math.expm1(per_us * size)!r}%/{word}"


def _text(unit: str, description: str, pattern: str, *examples: str) -> WithJsonSchema:
    schema: dict[str, Any] = {UNIT_KEY: unit, "type": "string", "pattern": pattern, "description": description}
    return WithJsonSchema(schema | {"examples": list(examples)})


def _written(write: Callable[[Any], str]) -> PlainSerializer:
    return PlainSerializer(write, return_type=str, when_used="json")


_N = r"([0-9][0-9_]*\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"
_WORDS = "|".join(sorted(UNITS, key=len, reverse=True))
_LENGTH = rf"({_N}\s*)?({_WORDS})(\s*{_N}\s*({_WORDS}))*"
_PER = rf"\s*(/|per\s)\s*{_LENGTH}\s*$"

Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    _written(format_duration),
    _text("Duration", "a length of time with its unit", rf"^\s*{_LENGTH}\s*$", "3min", "1.5h", "20d", "1 month"),
]
"""Microseconds, at least 0, from a text with a unit."""

Offset = Annotated[
    int,
    BeforeValidator(parse_offset),
    _written(format_duration),
    _text(
        "Offset", "a length of time with its unit, forwards or backwards", rf"^\s*[-+]?{_LENGTH}\s*$", "-2h", "15min"
    ),
]
"""Microseconds, of either sign."""

Rate = Annotated[
    float,
    BeforeValidator(parse_rate),
    _written(_exactly),
    _text("Rate", "events per unit of time", rf"^\s*\+?{_N}\s*[kM]?{_PER}", "2/month", "40/day", "50k/day"),
]
"""Events per microsecond, at least 0."""

HazardRate = Annotated[
    float,
    BeforeValidator(parse_hazard),
    _written(_exactly),
    _text(
        "HazardRate", "a probability per period, or a rate", rf"^\s*\+?{_N}\s*[kM]?\s*%?{_PER}", "3%/month", "0.5/month"
    ),
]
"""Hazard per microsecond, at least 0."""

GrowthRate = Annotated[
    float,
    BeforeValidator(parse_growth),
    _written(_percent),
    _text("GrowthRate", "growth or decay per period, compounding", rf"^\s*[-+]?{_N}\s*%{_PER}", "8%/year", "-3%/month"),
]
"""Logarithmic growth per microsecond, of either sign."""

Slope = Annotated[
    float,
    BeforeValidator(parse_slope),
    _written(_exactly),
    _text("Slope", "change per period, of the first level", rf"^\s*[-+]?{_N}\s*%?{_PER}", "8%/year", "-3%/month"),
]
"""Change per microsecond, of either sign."""

Probability = Annotated[
    float,
    Field(ge=0, le=1),
    BeforeValidator(parse_probability),
    WithJsonSchema(
        {
            UNIT_KEY: "Probability",
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1},
                {"type": "string", "pattern": rf"^\s*({_N}\s*%|[01]|[01]?\.[0-9]+)\s*$"},
            ],
            "description": "a number from 0 to 1, or a percentage",
            "examples": [0.35, "35%"],
        }
    ),
]
"""A number in [0, 1]."""

Weight = Annotated[float, Field(ge=0)]
"""An unnormalised share, at least 0."""
