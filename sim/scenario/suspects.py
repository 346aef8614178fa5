"""Checks incidents on the raw document: the names that they give, and whether their effects make sense there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.maths.model import shown
from sim.maths.parsing import parse_probability
from sim.scenario.document import Path
from sim.scenario.incidents import ANY, FACT
from sim.scenario.lifecycles import check_states
from sim.scenario.sources import column_of
from sim.scenario.words import nearest
from sim.scenario.world import World, listed, mapping

_OTHERS = ("extra", "value", "probability", "delay", "set", "steps")


def check_incidents(world: World) -> None:
    """Report incidents of unknown kinds, streams, segments, states, attributes or steps, and what cannot be."""
    kinds = _kinds(world)
    for name, value in mapping(world.document.data.get("incidents")).items():
        spec, path = mapping(value), ("incidents", name)
        per = spec.get("per")
        if isinstance(per, str) and per != FACT and per not in world.entities:
            known = (*world.entities, FACT)
            world.report((*path, "per"), f"{shown(per)} is neither an entity nor 'fact'{nearest(per, known)}")
            continue
        effects = mapping(spec.get("streams"))
        for stream in effects:
            if stream != ANY and stream not in kinds:
                message = f"{shown(stream)} is not a stream or a process{nearest(stream, (*kinds, ANY))}"
                world.report((*path, "streams", stream), message)
        hit = {stream: kinds[stream] for stream in effects if stream in kinds}
        _check_selection(world, path, spec, hit)
        for stream, (kind, found) in hit.items():
            place: Path = (*path, "streams", stream)
            if world.has(per) and world.has(kind) and per not in world.lineage(kind):
                world.report(place, f"{shown(stream)} has facts of {kind}, which does not belong to {per}")
            if "births" in found or "changes" in found:
                _check_population(world, place, mapping(effects[stream]), found, spec)
            else:
                _check_effect(world, place, mapping(effects[stream]), found, per)
        _check_effect(world, (*path, "streams", ANY), mapping(effects.get(ANY)), None, per)


def _kinds(world: World) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Every stream: the kind of its entity, and what is said of it, with `parent` of a child.

    Births are said to be `births`, and changes of state `changes`.
    """
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for fact in world.facts():
        found[fact.name] = (fact.entity, {**fact.spec, **({"parent": fact.parent} if fact.parent else {})})
    for name, spec in world.processes.items():
        found[name] = (str(spec.get("entity")), spec)
    for name, spec in world.entities.items():
        found.setdefault(name, (name, {"births": mapping(spec.get("arrivals"))}))
        if world.states(name):
            found.setdefault(f"{name}_lifecycle", (name, {"changes": spec}))
    return found


def _check_selection(
    world: World, path: Path, spec: Mapping[str, Any], hit: Mapping[str, tuple[str, Mapping[str, Any]]]
) -> None:
    """Segments and states must be known to whom the incident hits: its kind, or the kinds of all streams that it names.

    What it hits by `any` alone is searched for those who know them.
    """
    per = spec.get("per")
    kinds = [str(per)] if world.has(per) else [kind for kind, _ in hit.values() if world.has(kind)]
    for kind in dict.fromkeys(kinds):
        _check_segments(world, (*path, "segments"), mapping(spec.get("segments")), kind)
        stateful = next((other for other in world.lineage(kind) if world.states(other)), kind)
        check_states(world, (*path, "states"), spec.get("states"), stateful)
    if not kinds:
        _check_somebody(world, path, spec)
    _check_share(world, path, spec)


def _check_somebody(world: World, path: Path, spec: Mapping[str, Any]) -> None:
    """Of what names no stream, segmentations and states must be those of some kind of entity at least."""
    known = sorted({own for kind in world.entities for own in world.segmentations(kind)})
    for name in mapping(spec.get("segments")):
        if name not in known:
            world.report((*path, "segments", name), f"{shown(name)} is not a segmentation{nearest(name, known)}")
    states = sorted({str(state) for kind in world.entities for state in world.states(kind)})
    for place, name in enumerate(listed(spec.get("states"))):
        if isinstance(name, str) and name not in states:
            world.report((*path, "states", place), f"{shown(name)} is not a state{nearest(name, states)}")


def _check_segments(world: World, path: Path, given: Mapping[str, Any], kind: str) -> None:
    known = world.segmentations(kind)
    for name, chosen in given.items():
        if name not in known:
            hint = nearest(name, known) if known else "; it has none"
            world.report((*path, name), f"{shown(name)} is not a segmentation of {kind}{hint}")
            continue
        places = chosen if isinstance(chosen, Mapping) else dict(enumerate(listed(chosen)))
        for place, segment in places.items():
            word = place if isinstance(chosen, Mapping) else segment
            if isinstance(word, str) and word not in known[name]:
                hint = nearest(word, map(str, known[name]))
                world.report((*path, name, place), f"{shown(word)} is not a segment of {name}{hint}")


def _check_share(world: World, path: Path, spec: Mapping[str, Any]) -> None:
    """Factors by segment must leave a share or a probability a probability."""
    per = spec.get("per")
    if per is not None and per != FACT:
        return
    key = "probability" if per == FACT else "share"
    try:
        share = float(str(parse_probability(spec.get(key, 1.0))))
    except ValueError:  # reported by the check of shapes
        return
    for name, factors in mapping(spec.get("segments")).items():
        numbers = [value for value in mapping(factors).values() if isinstance(value, int | float)]
        share *= max([1.0, *numbers])
        if share > 1 + 1e-9:
            world.report((*path, "segments", name), f"lifts the {key} to {share:g}; at most 1 is possible")
            return


def _check_effect(
    world: World, path: Path, effect: Mapping[str, Any], spec: Mapping[str, Any] | None, per: Any
) -> None:
    """Report effects that mean nothing there; `spec` is None for `any`."""
    if per == FACT:
        _refuse(world, path, effect, ("rate", "extra", "probability", "delay"), "a single fact has no such thing")
        if spec is not None and "steps" in spec:
            world.report(path, "is a process; single facts are those of streams")
    if spec is None:
        _refuse(world, path, effect, ("extra", "set", "steps"), "goes with one stream, not with all")
        return
    process, start = "steps" in spec, mapping(spec.get("start"))
    paced = "rate" in (start if process else spec)
    if not paced:
        _refuse(world, path, effect, ("rate",), "it has no rate; 'probability' lets less of it happen")
    if process or not paced:
        _refuse(world, path, effect, ("extra",), "facts are added to streams at a rate")
    if paced and not process:
        _refuse(world, path, effect, ("probability", "delay"), "it follows from nothing and is at a rate: give 'rate'")
    if not process:
        _refuse(world, path, effect, ("steps",), "it is not a process")
    for place, step in enumerate(listed(effect.get("steps"))):
        if process and isinstance(step, str) and step not in mapping(spec.get("steps")):
            message = f"{shown(step)} is not a step{nearest(step, map(str, mapping(spec.get('steps'))))}"
            world.report((*path, "steps", place), message)
    _check_attributes(world, path, effect, spec)


def _check_population(
    world: World, path: Path, effect: Mapping[str, Any], spec: Mapping[str, Any], incident: Mapping[str, Any]
) -> None:
    """Births and changes of state have a rate, for all at once; who is born has neither segment nor state yet."""
    what = "births" if "births" in spec else "changes of state"
    _refuse(world, path, effect, _OTHERS, f"{what} have a 'rate' only")
    if incident.get("per") is not None:
        world.report(path, f"{what} are hit for everybody at once, without 'per'")
    for key in ("segments", "share", "states") if "births" in spec else ("states",):
        if key in incident:
            world.report(path, f"{what} cannot be hit by {shown(key)}; declare another incident for them")
    if "births" in spec and not {"rate", "diffusion"} & set(spec["births"]):
        world.report(path, "these births have no rate")


def _refuse(world: World, path: Path, effect: Mapping[str, Any], keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        if key in effect:
            world.report((*path, key), f"{shown(key)} does not go here: {why}")


def _check_attributes(world: World, path: Path, effect: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    known = {**mapping(spec.get("attributes")), **mapping(spec.get("each"))}
    for name, other in mapping(effect.get("set")).items():
        if name not in known:
            message = f"{shown(name)} is not an attribute of {path[-1]}{nearest(name, map(str, known))}"
            world.report((*path, "set", name), message)
        elif column_of(str(name), known[name]) != column_of(str(name), other) and _looked_up(other):
            world.report((*path, "set", name), "a lookup can replace a lookup only")
    valued = any(mapping(own).get("value") is True for own in known.values())
    if "value" in effect and "set" not in effect and not valued:
        world.report((*path, "value"), f"no attribute of {path[-1]} has 'value: true'")


def _looked_up(spec: Any) -> bool:
    return mapping(spec).get("type") == "lookup"
