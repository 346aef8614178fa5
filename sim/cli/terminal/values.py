"""Values of options that are more than a number: shards, overrides, settings."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sim.errors import ParameterError

MAX_SHARDS = 4096


def parse_shard(text: str) -> tuple[int, int]:
    """`2/8` as (2, 8), counted from 1; ParameterError otherwise."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    shard, shards = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= shard <= shards <= MAX_SHARDS:
        allowed = f"I/N with 1 <= I <= N <= {MAX_SHARDS}, such as 1/4 or 4/4"
        raise ParameterError(f"--shard {text!r} is not a shard: use {allowed}")
    return shard, shards


def parse_passes(text: str) -> int | None:
    """`3` as 3, `forever` as None; ParameterError otherwise."""
    if text.strip().lower() == "forever":
        return None
    if not re.fullmatch(r"\d{1,9}", text.strip()) or int(text) < 1:
        raise ParameterError(f"--loop {text!r}: use a whole number from 1, or forever")
    return int(text)


def parse_pairs(option: str, pairs: Sequence[str]) -> dict[str, str]:
    """`name=value` items as a mapping; ParameterError without `=`, without a name, or where a name comes twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            # The text is not repeated: it may be a password whose name was forgotten.
            raise ParameterError(f"{option} needs NAME=VALUE; one of them has no {'name' if equals else 'equals sign'}")
        if name in found:
            raise ParameterError(f"{option} {name!r} is given twice")
        found[name] = value
    return found


def parse_overrides(pairs: Sequence[str], **fixed: str | None) -> dict[str, str]:
    """The scenario's values to replace, by dotted path: those of `--set`, then those of options of their own.

    Values are texts, which the loader reads as YAML.
    """
    overrides = parse_pairs("--set", pairs)
    for path, text in fixed.items():
        if text is not None and path in overrides:
            raise ParameterError(f"--set {path!r} and --{path} are both given")
        if text is not None:
            overrides[path] = text
    return overrides


def parse_span(option: str, text: str) -> int:
    """A length of time above 0, such as `1h`, in microseconds; ParameterError otherwise."""
    from sim.maths.units import parse_duration

    try:
        span = parse_duration(text.strip())
    except ValueError as error:
        raise ParameterError(f"{option} {text!r}: {error}") from None
    if span <= 0:
        raise ParameterError(f"{option} {text!r}: must be longer than 0")
    return span
