"""A sink's URL, taken apart, and its options, read one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from sim.errors import ParameterError
from sinks.words import nearest

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):")
_USER = re.compile(r"//[^/@]*@")
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*(B|KB|MB|GB|KiB|MiB|GiB)$", re.IGNORECASE)
_SPAN = re.compile(r"^(\d+(?:\.\d+)?)\s*([a-z]+)$")
_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SECOND = 1_000_000
_SPANS = {
    "ms": _SECOND // 1000,
    "s": _SECOND,
    "second": _SECOND,
    "m": 60 * _SECOND,
    "min": 60 * _SECOND,
    "minute": 60 * _SECOND,
    "h": 3600 * _SECOND,
    "hour": 3600 * _SECOND,
    "d": 86_400 * _SECOND,
    "day": 86_400 * _SECOND,
    "w": 7 * 86_400 * _SECOND,
    "week": 7 * 86_400 * _SECOND,
}


@dataclass(frozen=True, slots=True)
class Target:
    """`scheme:location?option=value&option=value`, with the settings that came beside the URL (`-X name=value`).

    `location` is what stands between the scheme and the question mark, without leading `//`. Values of options are
    percent-decoded; a plus sign is a plus sign. Settings may be secrets: no representation shows them.
    """

    url: str
    scheme: str
    location: str = ""
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, url: str, settings: Mapping[str, str] | None = None) -> Target:
        """The parts of `url`. Raises ParameterError where it has no scheme or an option without a value."""
        found = _SCHEME.match(url)
        # What is shown in messages: without options, and without a password that does not belong there.
        plain = _USER.sub("//***@", url.partition("?")[0])
        if not found:
            raise ParameterError(
                f"{plain!r} is not the URL of a sink: it needs a scheme, as in 'parquet:DIR' or 'stdout:'"
            )
        location, _, query = url[found.end() :].partition("?")
        return cls(plain, found[1].lower(), location.removeprefix("//"), _query(plain, query), dict(settings or {}))


def _query(url: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        name = unquote(name)
        if not equals:
            raise ParameterError(f"{url}: option {name!r} has no value: write {name}=VALUE")
        if name in options:
            raise ParameterError(f"{url}: option {name!r} is given twice")
        options[name] = unquote(value)
    return options


class Options:
    """Reads a target's options: one call an option, then `finish`, which refuses those that no call asked for.

    Every method returns `default` where the option is absent and raises ParameterError where its value makes no
    sense; the message has the URL (without its query), the option, the value and what is allowed.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._known: set[str] = set()

    def text(self, name: str, default: str = "") -> str:
        """The value as it is."""
        self._known.add(name)
        return self.target.options.get(name, default)

    def choice(self, name: str, allowed: Iterable[str], default: str) -> str:
        """One of `allowed`."""
        words = tuple(allowed)
        value = self.text(name, default)
        if value not in words and value != default:
            raise self._wrong(name, value, f"is not allowed{nearest(value, words)}")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """`true` or `false`."""
        return self.choice(name, ("true", "false"), "true" if default else "false") == "true"

    def integer(self, name: str, default: int, low: int = 1, high: int = 2**31 - 1) -> int:
        """A whole number from `low` to `high`."""
        value = self.text(name, str(default))
        if not re.fullmatch(r"-?\d{1,18}", value) or not low <= int(value) <= high:
            raise self._wrong(name, value, f"must be a whole number from {low} to {high}")
        return int(value)

    def size(self, name: str, default: int) -> int:
        """Bytes, from text such as 128MB (10**6) or 128MiB (2**20)."""
        value = self.text(name)
        found = _SIZE.match(value)
        if value and not found:
            raise self._wrong(name, value, "must be a size with its unit: B, KB, MB, GB, KiB, MiB or GiB")
        size = round(float(found[1]) * _BYTES[found[2].lower()]) if found else default
        if size < 1:
            raise self._wrong(name, value, "must be at least 1B")
        return size

    def span(self, name: str, default: int = 0) -> int:
        """Microseconds, from text such as 6h, 1d or 2weeks."""
        value = self.text(name)
        found = _SPAN.match(value)
        unit = 0 if not found else _SPANS.get(found[2], _SPANS.get(found[2].removesuffix("s"), 0))
        span = round(float(found[1]) * unit) if found else default
        if value and (found is None or span <= 0):
            raise self._wrong(name, value, "must be a duration above 0 with its unit: ms, s, min, h, d or w")
        return span

    def finish(self, settings: bool = False) -> None:
        """Refuse options that were never asked for and, unless `settings`, any setting beside the URL."""
        for name in self.target.options:
            if name not in self._known:
                text = f"{self.target.url}: {name!r} is not an option of {self.target.scheme}"
                raise ParameterError(text + nearest(name, self._known))
        if self.target.settings and not settings:
            name = next(iter(self.target.settings))
            raise ParameterError(f"{self.target.url}: {self.target.scheme} takes no settings, but {name!r} was given")

    def _wrong(self, name: str, value: str, text: str) -> ParameterError:
        return ParameterError(f"{self.target.url}: option {name}: {value!r} {text}")
