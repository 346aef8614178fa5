"""Births and changes of state: the streams that every kind of entity has."""

from __future__ import annotations

from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.model.ground import Ground
from sim.model.model import Node
from sim.model.order import Key
from sim.model.schemas import birth_stream, transition_stream
from sim.model.tables import reads_state


def births_of(ground: Ground, kind: str, table: AttributeTable) -> tuple[Stream | None, Stream | None]:
    """The streams of births and transitions of `kind`, as far as they are emitted; their nodes go into the graph."""
    entity = ground.scenario.entities[kind]
    stateful = entity.lifecycle is not None
    own = [segmentation.name for segmentation in ground.segmentations[kind]]
    birth = birth_stream(kind, entity.parent, own, stateful, table.schema(), ground.rank, entity.description)
    ground.note(birth, kind, entity.emit)
    waits: set[Key] = {("births", other) for other in (entity.parent, *table.lookups) if other not in (None, kind)}
    if reads_state(table):
        waits |= ground.states(kind) - {("states", kind)}
    ground.graph.add(Node("births", ground.index[kind], (kind,)), kind, [kind], waits)
    transitions = transition_stream(kind, ground.rank) if stateful else None
    if transitions is not None:
        ground.note(transitions, kind, entity.emit)
        node = Node("states", ground.index[kind], (transitions.name,))
        ground.graph.add(node, kind, [transitions.name], [("births", kind)])
    return (birth, transitions) if entity.emit else (None, None)
