"""Triggers: from the name of a stream and a condition to what the engine listens for."""

from __future__ import annotations

import pyarrow as pa

from sim.attributes.expressions import Program, program
from sim.batch import Stream
from sim.errors import Problem
from sim.maths.counts import FixedCount
from sim.maths.distributions import CountDistribution
from sim.model.ground import Ground
from sim.model.model import Trigger
from sim.scenario.triggers import On

_ONCE = FixedCount(type="fixed", n=1)


def trigger_of(
    ground: Ground,
    path: str,
    on: On,
    kind: str,
    carried: frozenset[str] = frozenset(),
    count: CountDistribution = _ONCE,
    late: bool = False,
) -> Trigger:
    """What facts of the stream that `on` names start for an entity of `kind`; `carried` of their columns is kept."""
    owner, source = ground.source(path, on, kind)
    return Trigger(
        source=source.name,
        where=_where(ground, path, on, owner, source),
        count=count,
        probability=on.probability,
        after=on.after,
        carried=carried,
        generations=ground.scenario.ancestors(owner).index(kind),
        late=late,
        outlives=source.name == f"{owner}_lifecycle",
    )


def pushes(ground: Ground, kind: str) -> dict[tuple[str, int], Trigger]:
    """The triggers of the transitions of `kind`, by state and place; those that are part of a cycle are late."""
    lifecycle = ground.scenario.entities[kind].lifecycle
    triggers = {}
    for name, state in lifecycle.states.items() if lifecycle is not None else ():
        for number, transition in enumerate(state.transitions):
            if transition.on is not None:
                path = f"entities.{kind}.lifecycle.states.{name}.transitions[{number}].on"
                late = _late(ground, kind, transition.on)
                triggers[name, number] = trigger_of(ground, path, transition.on, kind, late=late)
    return triggers


def conception(ground: Ground, kind: str) -> Trigger | None:
    """What the births of `kind` follow from, if they follow from facts; their node then waits for these."""
    scenario = ground.scenario
    entity = scenario.entities[kind]
    if entity.arrivals is None or entity.parent is None or not from_facts(ground, kind):
        return None
    if kind in ground.tables.readers.shared:
        path, message = f"entities.{kind}", "entities that are born from facts are known to their own shard only"
        ground.tables.problems.append(Problem(0, path, f"{kind} is looked up, but {message}"))
    arrivals = entity.arrivals
    if arrivals.on is None:
        # Its parents are born from facts, so that nobody knows of them but their own blocks; their births are facts.
        assert arrivals.per_parent is not None
        on = On.model_construct(stream=entity.parent, where=None, probability=1.0, after=arrivals.after)
        return trigger_of(ground, f"entities.{kind}.arrivals", on, entity.parent, count=arrivals.per_parent)
    ground.graph.waits["births", kind] |= ground.after(arrivals.on)
    path = f"entities.{kind}.arrivals.on"
    return trigger_of(ground, path, arrivals.on, entity.parent, count=arrivals.count)


def from_facts(ground: Ground, kind: str) -> bool:
    """Whether entities of `kind`, or those that they belong to, are born from facts."""
    lineage = ground.lineage(kind)
    return any(entity.arrivals is not None and entity.arrivals.on is not None for entity in lineage)


def _late(ground: Ground, kind: str, on: On) -> bool:
    """Whether a transition can take effect at the next tick only, because its cause waits for the states."""
    causes = ground.after(on) - {("states", kind)}
    if ("states", kind) in ground.after(on):
        return True
    return any(ground.graph.soften(("states", kind), cause) for cause in sorted(causes))


def _where(ground: Ground, path: str, on: On, owner: str, source: Stream) -> Program | None:
    """The condition, compiled; what it reads of the entity is kept."""
    if on.where is None:
        return None
    condition = program(on.where)
    types = ground.tables.context(owner) | {field.name: field.type for field in source.schema}
    try:
        kind = condition.arrow_type(types)
    except ValueError as error:
        ground.tables.problems.append(Problem(0, f"{path}.where", str(error)))
        return None
    if not pa.types.is_boolean(kind):
        ground.tables.problems.append(Problem(0, f"{path}.where", f"{on.where!r} is not a condition, but {kind}"))
    ground.tables.readers.add(condition.reads - set(source.schema.names))
    return condition
