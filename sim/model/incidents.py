"""Incidents of a scenario: names to codes, times to spans or machines, and what each does to which stream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sim.attributes.replacing import FLAG, Replacement
from sim.errors import Problem
from sim.maths.hazards import ExponentialHazard
from sim.maths.spans import Spans
from sim.model.binding import Binder
from sim.model.ground import Ground
from sim.model.incident import Disturbances, Extra, Factors, Hit, Incident, SpellFactor
from sim.model.model import Exit, Machine, Node, Profile, Segmentation, StateFactors
from sim.model.schemas import incident_stream, label_stream
from sim.scenario import incidents as language
from sim.scenario.hits import afflicted
from sim.scenario.processes import Process
from sim.scenario.schema import Scenario

MOST_SPANS = 10_000

Segmentations = Mapping[str, Sequence[Segmentation]]


def hits_of(scenario: Scenario, binder: Binder, segmentations: Segmentations) -> dict[str, tuple[Hit, ...]]:
    """What every incident does, by stream."""
    found: dict[str, list[Hit]] = {}
    for index, spec in enumerate(scenario.incidents.values()):
        for stream, effect in afflicted(scenario, spec).items():
            hit = _hit(scenario, binder, segmentations, index, spec, stream, effect)
            found.setdefault(stream, []).append(hit)
    return {stream: tuple(hits) for stream, hits in found.items()}


def replacements(ground: Ground, path: str) -> dict[str, tuple[Replacement, ...]]:
    """The attributes that incidents replace, by name, of the stream or process at `path`."""
    kind, _, stream = path.rpartition(".")
    found: dict[str, list[Replacement]] = {}
    for name, spec in ground.scenario.incidents.items() if not kind.startswith("entities") else ():
        for attribute, other in afflicted(ground.scenario, spec).get(stream, _NOTHING).set.items():
            place = f"incidents.{name}.streams.{stream}.set.{attribute}"
            found.setdefault(attribute, []).append(Replacement(f"{FLAG}{name}", other, place))
    return {attribute: tuple(others) for attribute, others in found.items()}


_NOTHING = language.IncidentEffect()


def struck(ground: Ground, stream: str, kind: str, profile: Profile) -> tuple[Profile, tuple[Extra, ...]]:
    """The profile of an activity with the incidents that befall its entities one by one, and the facts that they add.

    What is added owes nothing to the entity's own pace, only to its states.
    """
    factors: list[SpellFactor] = []
    extras: list[Extra] = []
    incidents = list(ground.scenario.incidents.values())
    for hit in ground.hits.get(stream, ()):
        single = incidents[hit.incident].per is not None
        if hit.extra:
            spells = (SpellFactor(hit.incident, hit.generations, 0.0, 1.0),) if single else ()
            even = tuple(np.ones(len(segments)) for segments in profile.segments)
            plain = Profile(even, None, None, profile.states, spells, frail=False)
            extras.append(Extra(hit, hit.extra, ground.profile(kind, plain)))
        elif single and hit.rate != 1.0:
            factors.append(SpellFactor(hit.incident, hit.generations, 1.0, hit.rate))
    return replace(profile, spells=tuple(factors)), tuple(extras)


def incidents_of(ground: Ground) -> tuple[Incident, ...]:
    """All incidents; what they hit waits for them, and for the states that they ask for."""
    for name, spec in ground.scenario.incidents.items():
        _check_number(ground, name, spec)
    incidents = tuple(_incident(ground, index, name) for index, name in enumerate(ground.scenario.incidents))
    for incident in incidents:
        if incident.population >= 0:
            waits = ground.waits(list(ground.index)[incident.population], incident.states is not None)
            node = Node("incident", incident.population, (incident.name,))
            ground.graph.add(node, incident.name, (), waits, ())
    for stream, hits in ground.hits.items():
        place, (kind, _) = ground.graph.sources[stream], ground.known[stream]
        for hit in hits:
            ground.graph.waits[place].add(("incident", incidents[hit.incident].name))
            ground.graph.waits[place] |= ground.states(kind) if hit.states is not None else set()
    return incidents


def disturbances_of(ground: Ground, incidents: tuple[Incident, ...]) -> Disturbances:
    """The incidents and what they do; the streams of the ground truth become the last ones."""
    scenario = ground.scenario
    asked = [name for name, spec in scenario.streams.items() if spec.label]
    asked += [name for name, spec in scenario.processes.items() if spec.label]
    spans = facts = None
    if scenario.ground_truth and any(incident.labelled for incident in incidents):
        spans, facts = incident_stream(ground.rank), label_stream(ground.rank + 1)
        ground.streams += [spans, facts]
    return Disturbances(incidents, ground.hits, frozenset(asked), spans, facts)


def _check_number(ground: Ground, name: str, spec: language.Incident) -> None:
    """Note an incident for everybody that begins so often that the unit must be wrong."""
    if spec.rate is None or spec.duration is None or spec.per is not None:
        return
    between = 1 / spec.rate + spec.duration.mean()
    times = (ground.scenario.end - ground.scenario.start) / between
    if times > MOST_SPANS:
        message = f"some {times:,.0f} times over the run; at most {MOST_SPANS:,} are possible for what hits everybody"
        ground.tables.problems.append(Problem(0, f"incidents.{name}.rate", message))


def _incident(ground: Ground, index: int, name: str) -> Incident:
    spec = ground.scenario.incidents[name]
    single = spec.per not in (None, language.FACT)
    spans = None
    if spec.from_ is not None and spec.until is not None:
        spans = Spans(np.array([spec.from_]), np.array([spec.until]), spec.up, spec.down)
    return Incident(
        name=name,
        index=index,
        population=ground.index[str(spec.per)] if single else -1,
        machine=None if spec.rate is None else _machine(ground, spec),
        spans=spans,
        up=spec.up,
        down=spec.down,
        states=_states(ground.scenario, str(spec.per), spec.states) if single else None,
        labelled=spec.label,
    )


def _machine(ground: Ground, spec: language.Incident) -> Machine:
    """Turned on by a hazard, off after a while."""
    segmentations = ground.segmentations[spec.per] if spec.per is not None else ()
    begin = Exit(
        to=1,
        reason=0,
        hazard=ExponentialHazard.model_construct(type="exponential", rate=spec.rate or 0.0),
        segments=_by_segment(spec, segmentations),
        vintages=() if spec.vintage is None else (spec.vintage,),
        curve=ground.binder.product(spec.curves) if spec.curves else None,
        after=None,
        probability=1.0,
        trigger=None,
    )
    end = Exit(0, 0, None, (), (), None, spec.duration, 1.0, None)
    never = np.array([False, False])
    return Machine(("clear", "on"), ("",), np.array([1.0, 0.0]), ((begin,), (end,)), never, never)


def _hit(
    scenario: Scenario,
    binder: Binder,
    segmentations: Segmentations,
    index: int,
    spec: language.Incident,
    stream: str,
    effect: language.IncidentEffect,
) -> Hit:
    kind = entity_of(scenario, stream)
    single = spec.per not in (None, language.FACT)
    process = scenario.processes.get(stream)
    return Hit(
        incident=index,
        generations=scenario.ancestors(kind).index(str(spec.per)) if single else 0,
        share=spec.share if spec.probability is None else spec.probability,
        segments=() if single else _by_segment(spec, segmentations[kind]),
        curve=binder.product(spec.curves) if spec.probability is not None and spec.curves else None,
        states=None if single else _states(scenario, kind, spec.states),
        steps=_steps(process, effect),
        rate=effect.rate,
        value=effect.value,
        probability=effect.probability,
        delay=effect.delay,
        extra=effect.extra or 0.0,
    )


def entity_of(scenario: Scenario, stream: str) -> str:
    """The kind of entity whose facts a stream, a child or a process has; births and changes of state are streams."""
    if stream in scenario.processes:
        return scenario.processes[stream].entity
    for kind in scenario.entities:
        if stream in (kind, f"{kind}_lifecycle"):
            return kind
    return next(spec.entity for name, spec in scenario.streams.items() if stream in (name, *_below(spec.children)))


def _below(children: Mapping[str, object]) -> Iterator[str]:
    for name, child in children.items():
        yield name
        yield from _below(getattr(child, "children", {}))


def _steps(process: Process | None, effect: language.IncidentEffect) -> tuple[int, ...]:
    return () if process is None else tuple(list(process.steps).index(step) for step in effect.steps or ())


def _by_segment(spec: language.Incident, segmentations: Sequence[Segmentation]) -> tuple[Factors, ...]:
    """Factors by segment: those listed only, or those given and 1 for the others."""
    return tuple(_factors(spec.segments.get(own.name, {}), own.names) for own in segmentations)


def _factors(given: Sequence[str] | Mapping[str, float], names: Sequence[str]) -> Factors:
    if isinstance(given, Mapping):
        return np.array([given.get(name, 1.0) for name in names])
    return np.array([float(name in given) for name in names])


def _states(scenario: Scenario, kind: str, names: Sequence[str] | None) -> StateFactors | None:
    """1 for the states called `names` and 0 for others, of the kind or else of the next above that has states."""
    if names is None:
        return None
    for generation, ancestor in enumerate(scenario.ancestors(kind)):
        lifecycle = scenario.entities[ancestor].lifecycle
        if lifecycle is not None:
            return StateFactors(generation, np.array([float(state in names) for state in lifecycle.states]))
    return None
