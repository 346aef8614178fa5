"""Multi-stage processes: steps to codes, branches with the factors of segments, age and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sim.attributes.column import STRING_CODES
from sim.attributes.table import AttributeTable
from sim.batch import Stream
from sim.errors import Problem
from sim.model.activities import acting, depends
from sim.model.binding import Binder
from sim.model.changing import condition_of, part_of, settings_of
from sim.model.ground import Ground, reads_states
from sim.model.incidents import replacements
from sim.model.model import Activity, Branch, BranchFactors, Factors, Flow, Node, Segmentation, Trigger
from sim.model.queueing import Service
from sim.model.schemas import case_stream, labelled, step_stream, visit_stream
from sim.model.segments import values_of
from sim.model.settings import Setting
from sim.model.tables import carried_of, reads_state
from sim.model.triggering import trigger_of
from sim.scenario import processes as language
from sim.scenario.schema import StreamSpec


def flow_of(ground: Ground, name: str, spec: language.Process) -> Flow:
    """A process of the scenario, and its node, which waits for whatever starts the cases."""
    kind, path, on = spec.entity, f"processes.{name}", spec.start.on
    source = None if on is None else ground.source(f"{path}.start.on", on, kind)[1]
    table = ground.tables.make(
        path,
        spec.attributes,
        ground.tables.context(kind, source),
        correlations=spec.correlations,
        replacements=replacements(ground, path),
    )
    each = _of_each_step(ground, name, spec, table)
    fields = labelled([*table.schema(), *each.schema()], spec.label)
    stream = step_stream(name, kind, fields, ground.rank, spec.description)
    ground.note(stream, kind)
    cases = case_stream(name, kind, table.schema(), ground.rank) if spec.cases else None
    if cases is not None:
        ground.note(cases, kind)
    visits = None
    if any(step.resource is not None for step in spec.steps.values()):
        _check_priorities(ground, name, spec, table)
        visits = visit_stream(name, kind, ground.rank)
        ground.note(visits, kind)
    start, trigger = _beginning(ground, name, spec, table, stream, source)
    stateful = reads_state(table) or reads_state(each) or (start is not None and depends(start)) or reads_states(on)
    names = tuple(stream.name for stream in (stream, cases, visits) if stream is not None)
    node = Node("process", ground.index[kind], names)
    sets = _settings(ground, name, spec, table, each)
    parts = [part_of(name, [table], [], [condition_of(on)]), part_of(f"steps of {name}", [each], sets)]
    waits = ground.waits(kind, stateful, {**table.lookups, **each.lookups}) | ground.after(on)
    ground.graph.add(node, name, node.names, waits, parts)
    return Flow(
        name=name,
        population=ground.index[kind],
        start=start,
        trigger=trigger,
        count=spec.count,
        steps=tuple(spec.steps),
        first=_firsts(spec),
        branches=branches_of(ground.binder, spec, ground.segmentations[kind]),
        limits=tuple(step.limit or 0 for step in spec.steps.values()),
        services=services_of(ground, spec),
        values=values_of(ground.scenario.entities[kind], ground.segmentations[kind], {}),
        table=table,
        each=each,
        sets=sets,
        stream=stream,
        cases=cases,
        visits=visits,
        conversions=tuple(list(spec.steps).index(step) for step in spec.conversions),
    )


def _of_each_step(ground: Ground, name: str, spec: language.Process, table: AttributeTable) -> AttributeTable:
    """What is drawn at every step, which may read the step and what the case carries along."""
    context = ground.tables.context(spec.entity) | _of_steps(name, table)
    path = f"processes.{name}"
    return ground.tables.make(path, spec.each, context, key="each", replacements=replacements(ground, path))


def _of_steps(name: str, table: AttributeTable) -> dict[str, pa.DataType]:
    """The columns that every step has, and what the case carries along."""
    return table.types | {"step": STRING_CODES, "step_index": pa.int64(), f"{name}_case_id": pa.int64()}


def _settings(
    ground: Ground, name: str, spec: language.Process, table: AttributeTable, each: AttributeTable
) -> tuple[Setting, ...]:
    """What the steps set."""
    columns = _of_steps(name, table) | each.types | {f"{name}_id": pa.int64()}
    return tuple(
        setting
        for code, (step, does) in enumerate(spec.steps.items())
        for setting in settings_of(ground, f"processes.{name}.steps.{step}", spec.entity, does.sets, columns, code)
    )


def _firsts(spec: language.Process) -> Factors:
    weights = spec.initial
    shares = np.array([weights.get(step, 0.0) for step in spec.steps])
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def _beginning(
    ground: Ground, name: str, spec: language.Process, table: AttributeTable, stream: Stream, source: Stream | None
) -> tuple[Activity | None, Trigger | None]:
    """What starts the cases: a hidden activity, or the facts of the stream `source`."""
    if spec.start.on is None or source is None:
        return acting(ground, name, start_of(spec), table, stream), None
    carried = carried_of(table, source.name)
    path = f"processes.{name}.start.on"
    return None, trigger_of(ground, path, spec.start.on, spec.entity, carried, spec.count)


def start_of(process: language.Process) -> StreamSpec:
    """The start of a process as if it were a stream, which it is in all but its facts."""
    start = process.start
    # Its parts are validated already, and quantities are read from text only once.
    return StreamSpec.model_construct(
        entity=process.entity, rate=start.rate, every=start.every, curves=start.curves, states=start.states
    )


def branches_of(
    binder: Binder, process: language.Process, segmentations: Sequence[Segmentation]
) -> tuple[tuple[Branch, ...], ...]:
    """The branches of each step."""
    codes = {name: code for code, name in enumerate(process.steps)}
    return tuple(
        tuple(
            Branch(
                to=codes[branch.to],
                probability=branch.probability,
                after=branch.after or process.after,
                timeout=branch.timeout or process.timeout,
                otherwise=-1 if branch.otherwise is None else codes[branch.otherwise],
                probabilities=_factors(binder, branch, segmentations, "probability"),
                delays=_factors(binder, branch, segmentations, "delay"),
                history=tuple((codes.get(step, -1), np.array(by)) for step, by in branch.history.items()),
            )
            for branch in step.next
        )
        for step in process.steps.values()
    )


def services_of(ground: Ground, process: language.Process) -> tuple[Service | None, ...]:
    """How long cases stay in each step; None where they go on at once."""
    codes = {name: code for code, name in enumerate(process.steps)}
    resources = list(ground.scenario.resources)
    segmentations = ground.segmentations[process.entity]
    return tuple(
        None
        if step.service is None
        else Service(
            duration=step.service,
            resource=-1 if step.resource is None else resources.index(step.resource),
            priority=_priority(step.priority, segmentations),
            patience=step.patience,
            reneged=-1 if step.reneged is None else codes[step.reneged],
        )
        for step in process.steps.values()
    )


def _check_priorities(ground: Ground, name: str, process: language.Process, table: AttributeTable) -> None:
    """Priorities that are attributes must be numbers."""
    for key, step in process.steps.items():
        kind = table.types.get(step.priority) if isinstance(step.priority, str) else None
        if kind is not None and not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            path = f"processes.{name}.steps.{key}.priority"
            ground.tables.problems.append(Problem(0, path, f"{step.priority!r} is {kind}; a priority is a number"))


def _priority(priority: language.Priority, segmentations: Sequence[Segmentation]) -> float | str | tuple[Factors, ...]:
    if not isinstance(priority, dict):
        return priority
    return tuple(
        np.array([priority.get(segmentation.name, {}).get(name, 0.0) for name in segmentation.names])
        for segmentation in segmentations
    )


def _factors(binder: Binder, branch: language.Branch, segmentations: Sequence[Segmentation], key: str) -> BranchFactors:
    curves = getattr(branch.curves, key)
    return BranchFactors(
        segments=tuple(_by_segment(branch, segmentation, key) for segmentation in segmentations),
        vintage=getattr(branch.vintage, key),
        curve=binder.product(curves) if curves else None,
    )


def _by_segment(branch: language.Branch, segmentation: Segmentation, key: str) -> Factors:
    effects = branch.segments.get(segmentation.name, {})
    return np.array([getattr(effects[name], key) if name in effects else 1.0 for name in segmentation.names])
