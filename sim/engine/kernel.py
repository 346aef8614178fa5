"""The clock: SimPy runs the components tick by tick, and the processes that a user adds in between.

A component fills a whole window when the window begins. A user's process wakes whenever it likes inside of it, and sees
the populations as of its own time.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

import simpy

from sim.batch import Batch
from sim.engine.process import BlockView
from sim.engine.window import Window, windows
from sim.engine.world import Component, World
from sim.model.process import UserProcess


class _Failure(Exception):
    """Carries an error through SimPy, which otherwise makes a new one of the same class from its arguments."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class _Boundary(simpy.Event):
    """The beginning of a window: before anything else that happens at the same time."""

    def __init__(self, env: simpy.Environment, delay: int) -> None:
        super().__init__(env)
        self._ok = True
        self._value = None
        env.schedule(self, priority=simpy.events.URGENT, delay=delay)


def live(
    env: simpy.Environment, component: Component, world: World, ticks: Iterable[Window]
) -> Generator[simpy.Event, Any, None]:
    """The life of a component: fill a window, sleep until the next."""
    for window in ticks:
        component.advance(window, world.emit)
        world.spread()
        yield _Boundary(env, window.until - window.start)


def guarded(process: Generator[simpy.Event, Any, Any]) -> Generator[simpy.Event, Any, Any]:
    """`process`, whose errors reach the caller of `run` as they are."""
    try:
        return (yield from process)
    except Exception as error:
        raise _Failure(error) from error


def run(world: World, processes: Sequence[UserProcess], since: int = 0) -> Iterator[Batch]:
    """All batches of a run, window by window, by rank within each; from the window of number `since` on, before which
    the world stands.
    """
    model = world.model
    ticks = list(windows(model.start, model.end, model.tick))[since:]
    env = simpy.Environment(initial_time=ticks[0].start if ticks else model.end)
    for component in world.components:
        env.process(guarded(live(env, component, world, ticks)))
    views = [BlockView(env, world, process, index) for process in processes for index in sorted(world.own)]
    for view in views:
        env.process(guarded(view.process.live(env, view)))
    for window in ticks:
        for view in views:
            view.window = window
        try:
            env.run(until=window.until)
        except _Failure as failure:
            raise failure.error from None
        for view in views:
            view.flush()
        world.close(window)
        yield from world.collect(window)
