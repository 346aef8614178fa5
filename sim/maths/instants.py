"""Points in time, as a scenario writes them: ISO dates and times, civil unless they say otherwise."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, GetPydanticSchema, PlainSerializer, ValidationInfo, WithJsonSchema
from pydantic_core import core_schema

from sim.maths.model import UNIT_KEY, shown

FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Years that a scenario may speak of."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?\s*(Z|[-+]\d{2}:?\d{2})?)?")
_HINT = "write a date or a time such as 2024-11-25, 2024-11-25 08:30 or 2024-11-25T08:30:00Z"


def parse_instant(value: object, zone: tzinfo = UTC) -> int:
    """Microseconds since the epoch of an ISO date or time (or a `datetime`); without an offset it is civil in `zone`.

    A civil time that a clock change repeats is its first occurrence. Raises ValueError for anything else, and for
    years outside 1900 to 2200.
    """
    moment = _moment(value)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{shown(value)} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def _moment(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    if not isinstance(value, str) or not _ISO.fullmatch(value.strip()):
        raise ValueError(f"{shown(value)} is not a point in time: {_HINT}")
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise ValueError(f"{shown(value)} is not a point in time ({error}): {_HINT}") from None


def microseconds(moment: datetime) -> int:
    """Exact microseconds since the epoch of an aware `moment`."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def format_instant(us: int) -> str:
    """ISO text of an instant, in UTC, with as many digits as it needs: `2024-11-25T08:30:00Z`."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def zone_of(info: ValidationInfo) -> tzinfo:
    """The zone of civil times in the scenario being read: `context["zone"]`, UTC where there is none."""
    context = info.context if isinstance(info.context, dict) else {}
    zone = context.get("zone", UTC)
    return zone if isinstance(zone, tzinfo) else UTC


def _instant(value: object, info: ValidationInfo) -> int:
    return parse_instant(value, zone_of(info))


Instant = Annotated[
    int,
    BeforeValidator(_instant),
    PlainSerializer(format_instant, return_type=str, when_used="json"),
    WithJsonSchema(
        {
            UNIT_KEY: "Instant",
            "type": "string",
            "pattern": rf"^\s*{_ISO.pattern}\s*$".replace(r"\d", "[0-9]"),
            "description": "an ISO date or time; civil time of the scenario's timezone unless it has an offset or a Z",
            "examples": ["2024-11-25", "2024-11-25 08:30", "2024-11-25T08:30:00Z"],
        }
    ),
]
"""Microseconds since the epoch, UTC."""


def parse_zone(value: object) -> ZoneInfo:
    """The time zone of an IANA name such as `Europe/Paris`. Raises ValueError with the nearest names."""
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(value if isinstance(value, str) and "\0" not in value and len(value) < 100 else "..")
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{shown(value)} is not a time zone{_nearest(value)}") from None


def _nearest(value: object) -> str:
    from difflib import get_close_matches

    near = get_close_matches(str(value)[:100], sorted(available_timezones()), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else ": write an IANA name such as UTC or Europe/Paris"


def _zone_schema(source: Any, handler: Any) -> core_schema.CoreSchema:
    return core_schema.no_info_plain_validator_function(
        parse_zone, serialization=core_schema.to_string_ser_schema(when_used="json")
    )


Zone = Annotated[
    ZoneInfo,
    GetPydanticSchema(_zone_schema),
    WithJsonSchema({"type": "string", "description": "an IANA time zone", "examples": ["UTC", "Europe/Paris"]}),
]
"""A time zone, from its IANA name."""
