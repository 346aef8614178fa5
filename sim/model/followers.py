"""Followers: streams whose facts follow from those of another stream, and the children of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.maths.distributions import CountDistribution
from sim.model.changing import condition_of, part_of, settings_of
from sim.model.ground import Ground
from sim.model.incidents import replacements
from sim.model.model import Follower, Node
from sim.model.order import Part
from sim.model.schemas import fact_stream, labelled
from sim.model.segments import values_of
from sim.model.tables import carried_of, reads_state
from sim.model.triggering import trigger_of
from sim.scenario.schema import Child, StreamSpec
from sim.scenario.triggers import On


def follower_of(ground: Ground, name: str, spec: StreamSpec) -> Follower:
    """A stream of the scenario that follows from another, and its node, which waits for that one's."""
    assert spec.on is not None
    source = ground.source(f"streams.{name}.on", spec.on, spec.entity)[1]
    follower = _follower(ground, f"streams.{name}", name, spec, spec.on, spec.count, spec.entity, source)
    node = Node("follower", ground.index[spec.entity], (name, *names_of(follower.children)))
    waits = ground.waits(spec.entity, reads_states_at_all(follower), looked_up(follower))
    own, *children = parts_of([follower])
    condition = part_of(name, [], [], [condition_of(spec.on)])
    ground.graph.add(node, name, node.names, waits | ground.after(spec.on), [condition, own, *children])
    return follower


def children_of(ground: Ground, path: str, children: Mapping[str, Child], source: Stream) -> tuple[Follower, ...]:
    """The children of the stream `source` that the scenario has at `path`."""
    kind = ground.known[source.name][0]
    found = []
    for name, child in children.items():
        on = On(stream=source.name, probability=child.probability, after=child.after)
        found.append(_follower(ground, f"{path}.children.{name}", name, child, on, child.count, kind, source))
    return tuple(found)


def _follower(
    ground: Ground,
    path: str,
    name: str,
    spec: Child | StreamSpec,
    on: On,
    count: CountDistribution,
    kind: str,
    source: Stream,
) -> Follower:
    """A stream of `kind` whose facts follow from those of `source`."""
    given = ground.tables.context(kind, source)
    table = ground.tables.make(
        path, spec.attributes, given, correlations=spec.correlations, replacements=replacements(ground, path)
    )
    fields = labelled(table.schema(), isinstance(spec, StreamSpec) and spec.label)
    stream = fact_stream(name, kind, source, fields, ground.rank, spec.description)
    ground.note(stream, kind)
    effects = spec.segments if isinstance(spec, StreamSpec) else {}
    return Follower(
        name=name,
        population=ground.index[kind],
        trigger=trigger_of(ground, f"{path}.on", on, kind, carried_of(table, source.name), count),
        values=values_of(ground.scenario.entities[kind], ground.segmentations[kind], effects),
        table=table,
        sets=settings_of(ground, path, kind, spec.sets, given | columns_of(table, stream)),
        children=children_of(ground, path, spec.children, stream),
        stream=stream,
    )


def reads_states_at_all(follower: Follower) -> bool:
    """Whether a follower or what follows from it reads in which state an entity is."""
    return reads_state(follower.table) or any(map(reads_states_at_all, follower.children))


def looked_up(follower: Follower) -> set[str]:
    """The kinds that a follower or what follows from it looks up."""
    return set(follower.table.lookups).union(*(looked_up(child) for child in follower.children))


def parts_of(followers: Iterable[Follower]) -> Iterator[Part]:
    """What followers and what follows from them read and set, in the order in which they are made."""
    for follower in followers:
        yield part_of(follower.name, [follower.table], follower.sets)
        yield from parts_of(follower.children)


def columns_of(table: AttributeTable, stream: Stream) -> dict[str, pa.DataType]:
    """What facts of `stream` have besides what every row of their kind has: their own id, and their attributes."""
    return table.types | {stream.id: pa.int64()}


def names_of(children: Sequence[Follower]) -> list[str]:
    """The names of followers and of what follows from them."""
    return [name for child in children for name in (child.name, *names_of(child.children))]
