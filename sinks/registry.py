"""URL scheme -> sink.

The built-in sinks stand in a dict and are imported when asked for; other packages register theirs as an entry point
of the group `datagen.sinks`, named like the scheme and pointing at a subclass of `Sink`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from sim.errors import ParameterError, SinkError
from sinks.contract import Sink
from sinks.target import Target
from sinks.words import nearest

GROUP = "datagen.sinks"

_SINKS: dict[str, str | type[Sink]] = {
    "avro": "sinks.avro:Avro",
    "csv": "sinks.csv:Csv",
    "kafka": "sinks.kafka:Kafka",
    "null": "sinks.null:Null",
    "parquet": "sinks.parquet:Parquet",
    "stdout": "sinks.stdout:Stdout",
}


def open_sink(url: str, settings: Mapping[str, str] | None = None) -> Sink:
    """The sink that `url` names, built from it and from `settings`, not opened yet.

    Raises ParameterError for an unknown scheme, option or value, and SinkError for a third party's sink that cannot
    be loaded.
    """
    target = Target.parse(url, settings)
    return find(target.scheme)(target)


def find(scheme: str) -> type[Sink]:
    """The sink class of a scheme: registered, or else of the entry point of that name."""
    known = _SINKS.get(scheme)
    if known is None:
        known = _load(scheme)
    elif isinstance(known, str):
        known = _import(known)
    _SINKS[scheme] = known
    return known


def register(scheme: str, sink: type[Sink]) -> None:
    """Make `sink` known under `scheme`, for this process. Raises ParameterError where the scheme is taken."""
    if _SINKS.get(scheme, sink) is not sink or len(_entry_points(scheme)):
        raise ParameterError(f"there is a sink {scheme!r} already")
    _SINKS[scheme] = sink


def schemes() -> list[str]:
    """Every scheme that `open_sink` knows, sorted."""
    return sorted({*_SINKS, *(point.name for point in entry_points(group=GROUP))})


def _import(place: str) -> type[Sink]:
    module, _, name = place.partition(":")
    loaded: type[Sink] = getattr(import_module(module), name)
    return loaded


def _entry_points(scheme: str) -> list[EntryPoint]:
    points = {point.value: point for point in entry_points(group=GROUP) if point.name == scheme}
    return list(points.values())


def _load(scheme: str) -> type[Sink]:
    points = _entry_points(scheme)
    if not points:
        raise ParameterError(f"{scheme!r} is not a sink{nearest(scheme, schemes())}")
    if len(points) > 1:
        raise ParameterError(f"several packages bring a sink {scheme!r}: {', '.join(p.value for p in points)}")
    try:
        loaded = points[0].load()
    except Exception as error:
        raise SinkError(f"the sink {scheme!r} ({points[0].value}) cannot be loaded: {error}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Sink)):
        raise SinkError(f"the sink {scheme!r} ({points[0].value}) is not a subclass of sinks.contract.Sink")
    return loaded
