"""What the language allows and no run could do: found when a scenario is compiled, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sim.errors import Problem
from sim.maths.units import format_duration
from sim.model.binding import Binder
from sim.model.sizes import MAX_TICKS
from sim.model.volumes import volumes
from sim.scenario.schema import Scenario

MOST_ENTITIES = 1e8
MOST_FACTS = 1e13


def size_problems(scenario: Scenario, binder: Binder, entities: Mapping[str, float]) -> Iterator[Problem]:
    """Numbers of entities and facts that no machine could make: mostly a unit or an exponent gone wrong."""
    for kind, count in entities.items():
        if count > MOST_ENTITIES:
            message = (
                f"some {count:.3g} {kind} entities by the end of the run; at most {MOST_ENTITIES:.0e} are possible"
            )
            yield Problem(0, f"entities.{kind}", message)
    for name, facts in volumes(scenario, binder, entities).items():
        if facts > MOST_FACTS and (name in scenario.streams or name in scenario.processes):
            message = (
                f"some {facts:.3g} facts over the run; at most {MOST_FACTS:.0e} are possible: check units and curves"
            )
            yield Problem(0, _place(scenario, name), message)


def _place(scenario: Scenario, name: str) -> str:
    """Where to look for what makes so many facts of a stream."""
    if name in scenario.streams:
        return f"streams.{name}.rate" if scenario.streams[name].rate is not None else f"streams.{name}"
    return f"processes.{name}.start"


def limit_problems(scenario: Scenario, binder: Binder) -> Iterator[Problem]:
    """All of a scenario's problems of this kind."""
    yield from _ticks(scenario)
    yield from _totals_of_births(scenario, binder)


def _ticks(scenario: Scenario) -> Iterator[Problem]:
    run = scenario.end - scenario.start
    ticks = -(-run // scenario.tick) if scenario.tick is not None else 0
    if scenario.tick is not None and ticks > MAX_TICKS:
        message = (
            f"{format_duration(scenario.tick)} cuts the run into {ticks:,} ticks; at most {MAX_TICKS:,} are possible,"
            f" so no tick below {format_duration(-(-run // MAX_TICKS))}"
        )
        yield Problem(0, "tick", message)


def _totals_of_births(scenario: Scenario, binder: Binder) -> Iterator[Problem]:
    for kind, entity in scenario.entities.items():
        arrivals = entity.arrivals
        if arrivals is None or not arrivals.total:
            continue
        if binder.integral(arrivals.curves) <= 0:
            path = f"entities.{kind}.arrivals.curves"
            yield Problem(0, path, f"are 0 over the whole run, which leaves no time for {arrivals.total:,} births")
