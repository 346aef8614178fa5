"""Chronicles: the histories of entities that the scenario asks for, told after everything that changes them."""

from __future__ import annotations

from sim.batch import Stream
from sim.model.chronicles import Chronicle, change_stream, record_of, snapshot_stream, version_stream
from sim.model.ground import Ground
from sim.model.model import Node
from sim.model.order import Key


def told(ground: Ground) -> tuple[Chronicle, ...]:
    """The chronicles of the scenario, and their nodes; what changes entities is in the graph already."""
    return tuple(
        _chronicle(ground, kind) for kind in ground.index if ground.scenario.entities[kind].history is not None
    )


def _chronicle(ground: Ground, kind: str) -> Chronicle:
    history = ground.scenario.entities[kind].history
    assert history is not None
    record = record_of(ground.known[kind][1])
    changes = _noted(ground, change_stream(kind, record, ground.rank)) if history.changes else None
    versions = _noted(ground, version_stream(kind, record, ground.rank)) if history.versions else None
    snapshots = _noted(ground, snapshot_stream(kind, record, ground.rank)) if history.snapshots else None
    chronicle = Chronicle(ground.index[kind], record, changes, versions, snapshots, history.snapshots)
    names = tuple(stream.name for stream in chronicle.streams)
    node = Node("history", ground.index[kind], names)
    ground.graph.add(node, kind, names, ground.waits(kind, stateful=True) | _setters(ground, kind), [])
    return chronicle


def _noted(ground: Ground, stream: Stream) -> Stream:
    ground.streams.append(stream)
    return stream


def _setters(ground: Ground, kind: str) -> set[Key]:
    """Who sets attributes of `kind`."""
    keys = {f"{kind}.{attribute}" for attribute in ground.changing.get(kind, ())}
    return {place for place, parts in ground.graph.parts.items() if any(part.sets & keys for part in parts)}
