"""Births and changes of state: the streams that every kind of entity has."""

from __future__ import annotations

from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.model.changing import condition_of, part_of
from sim.model.ground import Ground
from sim.model.model import Node
from sim.model.order import Key
from sim.model.schemas import birth_stream, transition_stream
from sim.model.tables import reads_state


def births_of(ground: Ground, kind: str, table: AttributeTable) -> tuple[Stream | None, Stream | None]:
    """The streams of births and transitions of `kind`, as far as they are emitted; their nodes go into the graph."""
    entity = ground.scenario.entities[kind]
    lifecycle = entity.lifecycle
    stateful = lifecycle is not None
    own = [segmentation.name for segmentation in ground.segmentations[kind]]
    birth = birth_stream(kind, entity.parent, own, stateful, table.schema(), ground.rank, entity.description)
    ground.note(birth, kind, entity.emit)
    waits: set[Key] = {("births", other) for other in (entity.parent, *table.lookups) if other not in (None, kind)}
    if reads_state(table):
        waits |= ground.states(kind) - {("states", kind)}
    arrivals = entity.arrivals
    part = part_of(f"births of {kind}", [table], [], [condition_of(arrivals.on if arrivals is not None else None)])
    ground.graph.add(Node("births", ground.index[kind], (kind,)), kind, [kind], waits, [part])
    transitions = transition_stream(kind, ground.rank) if stateful else None
    if transitions is not None and lifecycle is not None:
        ground.note(transitions, kind, entity.emit)
        node = Node("states", ground.index[kind], (transitions.name,))
        exits = [exit_ for state in lifecycle.states.values() for exit_ in state.transitions]
        part = part_of(transitions.name, [], [], [condition_of(exit_.on) for exit_ in exits])
        ground.graph.add(node, kind, [transitions.name], [("births", kind)], [part])
    return (birth, transitions) if entity.emit else (None, None)
