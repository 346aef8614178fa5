"""Which streams a pilot may thin, and which streams follow from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sim.model.model import Activity, Model


def thinnable(model: Model) -> frozenset[str]:
    """The starters (streams at a rate, starts of processes) of which a share can be left out.

    Those that lead to births, changes of states or attributes, or queues are whole: a sample would change the world.
    """
    return frozenset(starters(model)) - _whole(model)


def kept_shares(model: Model, thinning: Mapping[str, float]) -> dict[str, float]:
    """The share that a thinned pilot has of each stream: that of the starter from which it follows."""
    causes = sources(model)
    shares = {}
    for stream in model.streams:
        root = stream.name
        while root in causes:
            root = causes[root]
        shares[stream.name] = thinning.get(root, 1.0)
    return shares


def starters(model: Model) -> dict[str, Activity]:
    """What happens at a rate: activities, and the starts of processes."""
    starts = [flow.start for flow in model.flows if flow.start is not None]
    return {activity.name: activity for activity in (*model.activities, *starts) if activity.schedule is None}


def sources(model: Model) -> dict[str, str]:
    """Which stream each stream follows from, for those that do."""
    found: dict[str, str] = {}
    families = [*(a.children for a in model.activities), model.followers]
    while families:
        for follower in families.pop():
            found[follower.name] = follower.trigger.source
            families.append(follower.children)
    for population in model.populations:
        if population.trigger is not None:
            found[population.name] = population.trigger.source
    for flow in model.flows:
        if flow.trigger is not None:
            found[flow.name] = flow.trigger.source
        if flow.cases is not None:
            found[flow.cases.name] = flow.name
        if flow.visits is not None:
            found[flow.visits.name] = flow.name
    return found


def _whole(model: Model) -> frozenset[str]:
    causes = sources(model)
    whole = {flow.name for flow in model.flows if flow.visits is not None or flow.sets}
    whole |= {activity.name for activity in model.activities if activity.sets} | set(_setting(model))
    for population in model.populations:
        whole |= {population.trigger.source} if population.trigger is not None else set()
        for exits in population.machine.exits if population.machine is not None else ():
            whole |= {exit_.trigger.source for exit_ in exits if exit_.trigger is not None}
    while more := {causes[name] for name in whole if name in causes} - whole:
        whole |= more
    return frozenset(whole)


def _setting(model: Model) -> Iterator[str]:
    """The streams that follow from others and set attributes."""
    families = [*(activity.children for activity in model.activities), model.followers]
    while families:
        for follower in families.pop():
            families.append(follower.children)
            if follower.sets:
                yield follower.name
