"""Checks processes on the raw document: their steps, the ways between them, and that every case comes to an end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from pydantic import ValidationError

from sim.maths.distributions import ConstantDuration
from sim.maths.model import shown
from sim.scenario.cycles import cycle
from sim.scenario.document import Path
from sim.scenario.lifecycles import check_segments, check_states
from sim.scenario.processes import Branch
from sim.scenario.words import nearest
from sim.scenario.world import World, listed, mapping

_MOST_COMBINATIONS = 10_000

Ways = Mapping[str, Sequence[Branch]]


def check_processes(world: World) -> None:
    """Report unknown steps, states and segments, steps that nobody comes to, and cases that never end."""
    for name, spec in world.processes.items():
        path: Path = ("processes", name)
        entity = spec.get("entity")
        if not isinstance(entity, str) or not world.has(entity):
            continue
        check_states(world, (*path, "start", "states"), mapping(spec.get("start")).get("states"), entity)
        steps = mapping(spec.get("steps"))
        known = [_check_step(world, (*path, "steps", key), step, entity, steps) for key, step in steps.items()]
        first = _first(world, path, spec, steps)
        if first is not None and all(known):
            _check_course(world, path, first, spec)


def _check_step(world: World, path: Path, step: Any, entity: str, steps: Mapping[str, Any]) -> bool:
    """Whether all ways from a step lead to steps."""
    known = True
    for place, branch in enumerate(listed(mapping(step).get("next"))):
        here = (*path, "next", place)
        for key in ("to", "otherwise"):
            name = mapping(branch).get(key)
            if isinstance(name, str) and name not in steps:
                world.report((*here, key), f"{shown(name)} is not a step{nearest(name, map(str, steps))}")
                known = False
        check_segments(world, (*here, "segments"), mapping(branch).get("segments"), entity)
    name = mapping(step).get("reneged")
    if isinstance(name, str) and name not in steps:
        world.report((*path, "reneged"), f"{shown(name)} is not a step{nearest(name, map(str, steps))}")
        known = False
    return known


def _first(world: World, path: Path, spec: Mapping[str, Any], steps: Mapping[str, Any]) -> str | None:
    """The first step; None where that cannot be told."""
    first = spec.get("first", next(iter(steps), None))
    if not isinstance(first, str):
        return None
    if first not in steps:
        world.report((*path, "first"), f"{shown(first)} is not a step{nearest(first, map(str, steps))}")
        return None
    return first


def _check_course(world: World, path: Path, first: str, spec: Mapping[str, Any]) -> None:
    """Where cases go from the first step on, if all branches have the right shape."""
    steps = mapping(spec.get("steps"))
    try:
        ways = {
            str(name): [Branch.model_validate(branch) for branch in listed(mapping(step).get("next"))]
            for name, step in steps.items()
        }
    except ValidationError:  # reported by the check of shapes
        return
    limited = {str(name) for name, step in steps.items() if mapping(step).get("limit") is not None}
    path = (*path, "steps")
    impatient = {str(name): mapping(step).get("reneged") for name, step in steps.items() if "patience" in mapping(step)}
    onward = {name: [*_onward(branches), *_named(impatient.get(name))] for name, branches in ways.items()}
    reached = _reached(first, onward)
    for name in ways:
        if name not in reached:
            world.report((*path, name), f"no case comes to {shown(name)}: no way leads there from {shown(first)}")
    ending = {name for name in reached if _may_end(ways[name], limited) or impatient.get(name, "") is None}
    _check_ends(world, path, first, reached, onward, ending)
    at_once = {name: branches for name, branches in ways.items() if "service" not in mapping(steps[name])}
    _check_pace(world, path, at_once, limited)
    for name, branches in ways.items():
        _check_shares(world, (*path, name), str(spec.get("entity")), branches)


def _reached(first: str, ways: Mapping[str, Sequence[str]]) -> list[str]:
    """Everything that ways lead to from `first`, itself included, in the order of finding it."""
    reached, place = [first], 0
    while place < len(reached):
        reached.extend(name for name in dict.fromkeys(ways[reached[place]]) if name not in reached)
        place += 1
    return reached


def _targets(branch: Branch) -> Iterator[str]:
    if branch.probability > 0:
        yield branch.to
        if branch.otherwise is not None:
            yield branch.otherwise


def _onward(branches: Sequence[Branch]) -> list[str]:
    return [to for branch in branches for to in _targets(branch)]


def _named(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else []


def _check_ends(
    world: World,
    path: Path,
    first: str,
    reached: Sequence[str],
    onward: Mapping[str, Sequence[str]],
    ending: set[str],
) -> None:
    """Report a step from which there is no way out of the process; cases may end at the steps `ending`."""
    before: dict[str, list[str]] = {name: [] for name in onward}
    for name in reached:
        for to in onward[name]:
            before[to].append(name)
    for name in list(ending):
        ending.update(_reached(name, before))
    endless = [name for name in reached if name not in ending]
    if endless:
        loop = cycle({name: onward[name] for name in endless}) or endless
        way = " -> ".join(loop)
        who = "no case ends" if first in endless else f"a case that comes to {shown(endless[0])} never ends"
        message = f"{who}: {way}, with probability 1; leave some probability over, or give a step a limit"
        world.report((*path, endless[0]), message)


def _may_end(branches: Sequence[Branch], limited: set[str]) -> bool:
    """Whether a case may end at a step: by chance, by time-out, by a limit ahead, or by factors below 1."""
    varied = any(branch.segments or branch.vintage.probability or branch.curves.probability for branch in branches)
    silent = any(branch.timeout is not None and branch.otherwise is None for branch in branches)
    closed = any(to in limited for branch in branches for to in _targets(branch))
    return varied or silent or closed or sum(branch.probability for branch in branches) < 1 - 1e-9


def _check_pace(world: World, path: Path, ways: Ways, limited: set[str]) -> None:
    """Report a loop that takes no time and has no limit."""
    instant = {
        name: [branch.to for branch in branches if branch.probability > 0 and _instant(branch)]
        for name, branches in ways.items()
    }
    loop = cycle({name: [to for to in targets if to not in limited] for name, targets in instant.items()})
    if loop:
        message = f"a loop that takes no time: {' -> '.join(loop)}; give one of its ways an 'after', or a step a limit"
        world.report((*path, loop[0]), message)


def _instant(branch: Branch) -> bool:
    after = branch.after
    return after is None or (isinstance(after, ConstantDuration) and after.mean() <= 0)


def _check_shares(world: World, path: Path, entity: str, branches: Sequence[Branch]) -> None:
    """Report the combination of segments whose factors lift the branches' probabilities furthest above 1."""
    known = world.segmentations(entity)
    names = [name for name in known if any(name in branch.segments for branch in branches)]
    if not names or not 0 < prod(len(known[name]) for name in names) <= _MOST_COMBINATIONS:
        return  # the run checks each case, too
    sums = {
        combination: sum(_share(branch, names, combination) for branch in branches)
        for combination in product(*(known[name] for name in names))
    }
    worst = max(sums, key=sums.__getitem__)
    if sums[worst] > 1 + 1e-9:
        who = ", ".join(f"{name} {segment}" for name, segment in zip(names, worst, strict=True))
        parts = " + ".join(f"{_share(branch, names, worst):g}" for branch in branches)
        parts = f"{parts} = " if len(branches) > 1 else ""
        message = f"for {who} the probabilities of the ways on sum to {parts}{sums[worst]:g}; at most 1 is possible"
        world.report((*path, "next"), message)


def _share(branch: Branch, names: Sequence[str], segments: Sequence[str]) -> float:
    """The probability of a branch for a combination of segments."""
    share = branch.probability
    for name, segment in zip(names, segments, strict=True):
        effect = branch.segments.get(name, {}).get(segment)
        share *= 1.0 if effect is None else effect.probability
    return share
