"""Activities: what entities do at a rate or on a schedule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.model.changing import part_of, settings_of
from sim.model.followers import children_of, columns_of, looked_up, names_of, parts_of, reads_states_at_all
from sim.model.ground import Ground
from sim.model.incidents import replacements, struck
from sim.model.model import Activity, Follower, Node
from sim.model.schemas import fact_stream, labelled
from sim.model.segments import profile_of, values_of
from sim.model.settings import Setting
from sim.model.sizes import expected_rate
from sim.model.tables import reads_state
from sim.scenario.schema import StreamSpec


def activity_of(ground: Ground, name: str, spec: StreamSpec) -> Activity:
    """The activity that a stream of the scenario is, with its children."""
    path = f"streams.{name}"
    table = ground.tables.make(
        path,
        spec.attributes,
        ground.tables.context(spec.entity),
        correlations=spec.correlations,
        replacements=replacements(ground, path),
    )
    stream = fact_stream(name, spec.entity, None, labelled(table.schema(), spec.label), ground.rank, spec.description)
    ground.note(stream, spec.entity)
    sets = settings_of(ground, path, spec.entity, spec.sets, columns_of(table, stream))
    return acting(ground, name, spec, table, stream, children_of(ground, path, spec.children, stream), sets)


def acting(
    ground: Ground,
    name: str,
    spec: StreamSpec,
    table: AttributeTable,
    stream: Stream,
    children: tuple[Follower, ...] = (),
    sets: tuple[Setting, ...] = (),
) -> Activity:
    """An activity of which the stream is made."""
    kind = spec.entity
    segmentations = ground.segmentations[kind]
    plain = profile_of(ground.binder, ground.lineage(kind), segmentations, spec)
    profile, extras = struck(ground, name, kind, plain)
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
        sets=sets,
        children=children,
        stream=stream,
        expected=ground.entities[kind] * expected_rate(ground.scenario, ground.binder, spec) * run,
        extras=extras,
    )


def depends(activity: Activity) -> bool:
    """Whether states make a difference to how often an activity happens."""
    return any(bool(np.any(state.factors != 1.0)) for state in activity.states)


def group(ground: Ground, activities: Sequence[Activity]) -> None:
    """One node for each activity, but one for those of a population that share sequential values."""
    kinds = list(ground.index)
    for together in _sharing(activities):
        children = [child for activity in together for child in activity.children]
        names = [name for activity in together for name in (activity.name, *names_of(activity.children))]
        stateful = any(depends(a) or reads_state(a.table) for a in together) or any(map(reads_states_at_all, children))
        seen = {kind for activity in together for kind in activity.table.lookups}
        seen |= {kind for child in children for kind in looked_up(child)}
        node = Node("streams", together[0].population, tuple(activity.name for activity in together))
        waits = ground.waits(kinds[together[0].population], stateful, seen)
        own = ", ".join(node.names)
        parts = [part_of(own, [a.table for a in together], [setting for a in together for setting in a.sets])]
        ground.graph.add(node, together[0].name, names, waits, [*parts, *parts_of(children)])


def _sharing(activities: Sequence[Activity]) -> list[list[Activity]]:
    """The activities, those together that share a sequential value, directly or through others."""
    found: list[list[Activity]] = []
    for activity in activities:
        names = _shared([activity])
        partners = [bool(_shared(members) & names) for members in found]
        joined = [member for members, partner in zip(found, partners, strict=True) if partner for member in members]
        apart = [members for members, partner in zip(found, partners, strict=True) if not partner]
        found = [*apart, sorted([*joined, activity], key=lambda member: member.stream.rank)]
    return found


def _shared(activities: Sequence[Activity]) -> set[tuple[int, str]]:
    """The sequential values that the activities share with others: population and name."""
    return {(a.population, spec.shared) for a in activities for _, spec in a.table.sequences if spec.shared is not None}
