"""Activities: what entities do at a rate or on a schedule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.model.followers import children_of, looked_up, names_of, reads_states_at_all
from sim.model.ground import Ground
from sim.model.model import Activity, Follower, Node
from sim.model.schemas import fact_stream
from sim.model.segments import profile_of, values_of
from sim.model.sizes import expected_rate
from sim.model.tables import reads_state
from sim.scenario.schema import StreamSpec


def activity_of(ground: Ground, name: str, spec: StreamSpec) -> Activity:
    """The activity that a stream of the scenario is, with its children."""
    path = f"streams.{name}"
    table = ground.tables.make(path, spec.attributes, ground.tables.context(spec.entity))
    stream = fact_stream(name, spec.entity, None, table.schema(), ground.rank, spec.description)
    ground.note(stream, spec.entity)
    return acting(ground, name, spec, table, stream, children_of(ground, path, spec.children, stream))


def acting(
    ground: Ground, name: str, spec: StreamSpec, table: AttributeTable, stream: Stream, children: tuple[Follower, ...]
) -> Activity:
    """An activity of which the stream is made."""
    kind = spec.entity
    segmentations = ground.segmentations[kind]
    profile = profile_of(ground.binder, ground.lineage(kind), segmentations, spec)
    run = ground.scenario.end - ground.scenario.start
    return Activity(
        name=name,
        population=ground.index[kind],
        profile=ground.profile(kind, profile) if spec.every is None else -1,
        rate=spec.rate or 0.0,
        curve=ground.binder.product(spec.curves),
        schedule=spec.every,
        states=profile.states,
        values=values_of(ground.scenario.entities[kind], segmentations, spec.segments),
        table=table,
        children=children,
        stream=stream,
        expected=ground.entities[kind] * expected_rate(ground.scenario, ground.binder, spec) * run,
    )


def depends(activity: Activity) -> bool:
    """Whether states make a difference to how often an activity happens."""
    return any(bool(np.any(state.factors != 1.0)) for state in activity.states)


def group(ground: Ground, activities: Sequence[Activity]) -> None:
    """One node for each activity, but one for all of a population that have running totals."""
    groups: dict[str, list[Activity]] = {}
    for activity in activities:
        key = f"{activity.population} totals" if activity.table.totals else activity.name
        groups.setdefault(key, []).append(activity)
    kinds = list(ground.index)
    for together in groups.values():
        children = [child for activity in together for child in activity.children]
        names = [name for activity in together for name in (activity.name, *names_of(activity.children))]
        stateful = any(depends(a) or reads_state(a.table) for a in together) or any(map(reads_states_at_all, children))
        seen = {kind for activity in together for kind in activity.table.lookups}
        seen |= {kind for child in children for kind in looked_up(child)}
        node = Node("streams", together[0].population, tuple(activity.name for activity in together))
        waits = ground.waits(kinds[together[0].population], stateful, seen)
        ground.graph.add(node, together[0].name, names, waits)
