"""Routes: which resources lead to which, and how soon a case may come back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.engine.resources import NEVER
from sim.maths.distributions import DurationDistribution
from sim.model.model import Branch, Flow


def resources_of(flow: Flow) -> set[int]:
    """The resources that the cases of a process queue for."""
    return {service.resource for service in flow.services if service is not None and service.resource >= 0}


def groups(used: Sequence[int], flows: Sequence[Flow]) -> list[list[int]]:
    """Resources that lead to each other, groups that lead to others first."""
    reach: dict[int, set[int]] = {resource: set() for resource in used}
    for flow in flows:
        for service, after in zip(flow.services, _ahead(flow), strict=True):
            if service is not None and service.resource >= 0:
                reach[service.resource] |= after
    for _ in used:
        for resource in used:
            reach[resource] = reach[resource].union(*(reach[other] for other in reach[resource]))
    found: list[list[int]] = []
    for resource in sorted(used, key=lambda resource: (-len(reach[resource] | {resource}), resource)):
        mutual = [group for group in found if group[0] in reach[resource] and resource in reach[group[0]]]
        if mutual:
            mutual[0].append(resource)
        else:
            found.append([resource])
    return found


def returns(flow: Flow, group: Sequence[int]) -> NDArray[np.int64]:
    """By step at a resource of `group`, the least time from leaving it to arriving at one of them again.

    NEVER where no way leads back, and at all other steps: who has not been at the group yet does not come back to it.
    Bounds of distributions count as far as they are known; 0 is always right.
    """
    found = [NEVER] * len(flow.steps)
    for _ in flow.steps:  # as many rounds as the longest way has steps
        for step in range(len(flow.steps)):
            for target, delay in _ways(flow, step):
                found[step] = min(found[step], delay + _ahead_of(flow, target, group, found))
    within = [service is not None and service.resource in group for service in flow.services]
    return np.where(within, np.array(found, dtype=np.int64), NEVER)


def _ahead_of(flow: Flow, step: int, group: Sequence[int], found: Sequence[int]) -> int:
    """The least time from arriving at a step to arriving at a resource of the group."""
    service = flow.services[step]
    if service is not None and service.resource in group:
        return 0
    return found[step] if service is None else min(found[step] + _least(service.duration), NEVER)


def _ways(flow: Flow, step: int) -> Iterator[tuple[int, int]]:
    """Where a case may go from a step, and the least time that it takes."""
    service = flow.services[step]
    if service is not None and service.reneged >= 0:
        yield service.reneged, 0
    for branch in flow.branches[step]:
        yield branch.to, _least_delay(branch)
        if branch.otherwise >= 0 and branch.timeout is not None:
            yield branch.otherwise, branch.timeout


def _least_delay(branch: Branch) -> int:
    factors = branch.delays
    varied = factors.curve is not None or factors.vintage is not None or any((f != 1).any() for f in factors.segments)
    return 0 if branch.after is None or varied else _least(branch.after)


def _least(duration: DurationDistribution) -> int:
    """A length that no draw falls below, for the distributions that name one."""
    for key in ("value", "low", "minimum"):
        if isinstance(least := getattr(duration, key, None), int):
            return least
    return 0


def _ahead(flow: Flow) -> list[set[int]]:
    """The resources that a case may come to after each of the steps."""
    following = [
        {branch.to for branch in branches} | {branch.otherwise for branch in branches} for branches in flow.branches
    ]
    for step, service in enumerate(flow.services):
        following[step] |= {service.reneged} if service is not None else set()
    ahead: list[set[int]] = [set() for _ in flow.steps]
    for _ in flow.steps:
        for step, targets in enumerate(following):
            for target in targets - {-1}:
                service = flow.services[target]
                own = {service.resource} - {-1} if service is not None else set()
                ahead[step] |= ahead[target] | own
    return ahead
