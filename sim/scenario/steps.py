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
from sim.scenario.processes import ANY, Branch
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
        for place, name in enumerate(listed(spec.get("conversions"))):
            _known_step(world, (*path, "conversions", place), name, steps)
        firsts = _firsts(world, path, spec, steps)
        if firsts and all(known):
            _check_course(world, path, firsts, spec)


def _known_step(world: World, path: Path, name: Any, steps: Mapping[str, Any]) -> bool:
    """Whether `name` is a step; what is no text is a matter of shape."""
    if not isinstance(name, str) or name in steps:
        return True
    world.report(path, f"{shown(name)} is not a step{nearest(name, map(str, steps))}")
    return False


def _check_step(world: World, path: Path, step: Any, entity: str, steps: Mapping[str, Any]) -> bool:
    """Whether all ways from a step lead to steps."""
    known = _known_step(world, (*path, "reneged"), mapping(step).get("reneged"), steps)
    path, ways = (*path, "next"), mapping(step).get("next")
    if isinstance(ways, Mapping):
        found = [_known_step(world, (*path, name), name, steps) for name in ways]
        return all(found) and known
    for place, branch in enumerate(map(mapping, listed(ways))):
        for key in ("to", "otherwise"):
            known &= _known_step(world, (*path, place, key), branch.get(key), steps)
        for name in mapping(branch.get("history")):
            known &= name == ANY or _known_step(world, (*path, place, "history", name), name, steps)
        check_segments(world, (*path, place, "segments"), branch.get("segments"), entity)
    return known


def _firsts(world: World, path: Path, spec: Mapping[str, Any], steps: Mapping[str, Any]) -> list[str]:
    """The first steps; none where that cannot be told."""
    given = spec.get("first", next(iter(steps), None))
    if isinstance(given, str):
        return [given] if _known_step(world, (*path, "first"), given, steps) else []
    weights = mapping(given)
    known = [_known_step(world, (*path, "first", name), name, steps) for name in weights]
    return [str(name) for name, weight in weights.items() if weight != 0] if all(known) else []


def _branches(spec: Mapping[str, Any], step: Any) -> list[Branch]:
    """The ways on from a step, with what the process says of all of them; raises ValidationError."""
    common = {key: spec[key] for key in ("after", "timeout") if spec.get(key) is not None}
    ways = mapping(step).get("next")
    if isinstance(ways, Mapping):
        ways = [{"to": name, "probability": probability} for name, probability in ways.items()]
    return [Branch.model_validate({**common, **mapping(branch)}) for branch in listed(ways)]


def _check_course(world: World, path: Path, firsts: Sequence[str], spec: Mapping[str, Any]) -> None:
    """Where cases go from the first steps on, if all branches have the right shape."""
    steps = mapping(spec.get("steps"))
    try:
        ways = {str(name): _branches(spec, step) for name, step in steps.items()}
    except ValidationError:  # reported by the check of shapes
        return
    limited = {str(name) for name, step in steps.items() if mapping(step).get("limit") is not None}
    path = (*path, "steps")
    impatient = {str(name): mapping(step).get("reneged") for name, step in steps.items() if "patience" in mapping(step)}
    onward = {name: [*_onward(branches), *_named(impatient.get(name))] for name, branches in ways.items()}
    reached = _reached(firsts, onward)
    for name in ways:
        if name not in reached:
            world.report(
                (*path, name),
                f"no case comes to {shown(name)}: no way leads there from {' or '.join(map(shown, firsts))}",
            )
    ending = {name for name in reached if _may_end(ways[name], limited) or impatient.get(name, "") is None}
    _check_ends(world, path, firsts, reached, onward, ending)
    slow = {str(name) for name, step in steps.items() if "service" in mapping(step)}
    at_once = {name: branches for name, branches in ways.items() if name not in slow}
    _check_pace(world, path, at_once, limited)
    for name, branches in ways.items():
        _check_shares(world, (*path, name), str(spec.get("entity")), branches)
        for place, branch in enumerate(branches):
            if branch.otherwise is not None and branch.timeout is None:
                world.report((*path, name, "next", place), "'otherwise' goes with 'timeout'")


def _reached(firsts: Sequence[str], ways: Mapping[str, Sequence[str]]) -> list[str]:
    """Everything that ways lead to from `firsts`, these included, in the order of finding it."""
    reached, place = list(firsts), 0
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
    firsts: Sequence[str],
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
        ending.update(_reached([name], before))
    endless = [name for name in reached if name not in ending]
    if endless:
        loop = cycle({name: onward[name] for name in endless}) or endless
        way = " -> ".join(loop)
        who = "no case ends" if set(firsts) <= set(endless) else f"a case that comes to {shown(endless[0])} never ends"
        message = f"{who}: {way}, with probability 1; leave some probability over, or give a step a limit"
        world.report((*path, endless[0]), message)


def _may_end(branches: Sequence[Branch], limited: set[str]) -> bool:
    """Whether a case may end at a step: by chance, by time-out, by a limit ahead, or by factors below 1."""
    varied = any(branch.segments or _varies(branch) for branch in branches)
    silent = any(branch.timeout is not None and branch.otherwise is None for branch in branches)
    closed = any(to in limited for branch in branches for to in _targets(branch))
    return varied or silent or closed or sum(branch.probability for branch in branches) < 1 - 1e-9


def _varies(branch: Branch) -> bool:
    """Whether the probability of a branch depends on what only a run can know: age, time, the case's history."""
    return bool(branch.vintage.probability or branch.curves.probability or branch.history)


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
    """Report the combination of segments whose factors lift the branches' probabilities furthest above 1.

    Branches that vary with age, time or history are left to the run, which checks every case.
    """
    branches = [branch for branch in branches if not _varies(branch)]
    known = world.segmentations(entity)
    names = [name for name in known if any(name in branch.segments for branch in branches)]
    if not names or not 0 < prod(len(known[name]) for name in names) <= _MOST_COMBINATIONS:
        return
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
