"""The states of a block's entities in one state machine, and what changes of them in a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import strings
from sim.engine.clocks import NEVER, Storm, Tokens, Ways
from sim.engine.growable import Growable
from sim.engine.history import History, Transitions
from sim.model.model import Machine

Indices = NDArray[np.int64]
Times = NDArray[np.int64]
Admits = Callable[[Indices, Times], NDArray[np.bool_]]
Standing = tuple[NDArray[np.int8], Times, Times, NDArray[np.int16]]
"""Of some entities: their states, since when they are in them, when they leave, and by which exit."""


class MachineState:
    """The states of a block's entities. `horizon` is the interval in which curves are bounded for thinning.

    `storm` multiplies the hazards. `admits` says who can leave the first state at a time, of those who would: the
    others stay, and wait anew. What moves the entities is in `rounds`.
    """

    def __init__(
        self,
        machine: Machine,
        tokens: Tokens,
        horizon: tuple[int, int],
        admits: Admits | None = None,
        storm: Storm | None = None,
    ) -> None:
        self.machine = machine
        self.tokens = tokens
        self.admits = admits
        self.storm = storm
        self.ways = Ways(machine, horizon, storm)
        self.dictionary = strings(machine.states)
        """The names of the states by code."""
        self.reasons = strings(machine.reasons)
        """The reasons of transitions by code."""
        self._state = Growable(np.int8)
        self._since = Growable(np.int64)
        self._next = Growable(np.int64)
        self._exit = Growable(np.int16)
        self.before: NDArray[np.int8] = np.empty(0, dtype=np.int8)
        """States at the start of the present window (at birth, for those born in it)."""
        self.history: History | None = None
        """Changes in the present window, as far as it has advanced; None where there are none."""
        self.changed: NDArray[np.bool_] = np.empty(0, dtype=np.bool_)
        """Which entities change in the present window, as far as it has advanced."""

    def __len__(self) -> int:
        return len(self._state)

    def due(self, entities: Indices) -> Times:
        """When entities leave the states that they are in at the end of the present window."""
        return self._next.values[entities]

    @property
    def states(self) -> NDArray[np.int8]:
        """States at the end of the present window."""
        return self._state.values

    def admit(self, times: Times, rng: np.random.Generator) -> int:
        """Add entities, which enter their initial states at `times` and never leave them yet; the number of all."""
        shares = np.cumsum(self.machine.initial)
        states = np.searchsorted(shares / shares[-1], rng.random(len(times)), side="right").astype(np.int8)
        self._state.extend(states)
        self._since.extend(times)
        self._next.extend(np.full(len(times), NEVER))
        self._exit.extend(np.zeros(len(times), dtype=np.int16))
        return len(self)

    def open(self) -> None:
        """Begin a window: nothing has changed yet."""
        self.before = self._state.values.copy()
        self.history = None
        self.changed = np.zeros(len(self._state), dtype=np.bool_)

    def due_before(self, until: int, others: Sequence[Indices] = ()) -> Indices:
        """Who leaves a state before `until`, and `others`, ascending."""
        due = self._next.values < until
        for entities in others:
            due[entities] = True
        return due.nonzero()[0]

    def standing(self, entities: Indices) -> Standing:
        """Where entities stand."""
        columns = (self._state, self._since, self._next, self._exit)
        state, since, leaving, exit_ = (column.values.take(entities) for column in columns)
        return state, since, leaving, exit_

    def settle(self, entities: Indices, standing: Standing) -> None:
        """Take note of where entities stand now."""
        for column, own in zip((self._state, self._since, self._next, self._exit), standing, strict=True):
            column.values[entities] = own

    def note(self, happened: Transitions) -> Transitions:
        """Take note of what has changed in the present window, by (entity, time); returns it by (time, entity)."""
        if not len(happened):
            return happened
        self.changed[happened.entities] = True
        self.history = History(happened, len(self))
        return happened.by_time()

    def state_at(self, entities: Indices, times: Times) -> NDArray[np.int8]:
        """The states of entities at times in the present window, int8[n]."""
        states = self.before.take(entities)
        moving = self.changed.take(entities).nonzero()[0]
        if len(moving) and self.history is not None:
            states[moving] = self.history.state(entities.take(moving), times.take(moving))
        return states

    def ended(self, entities: Indices, cut: bool = False) -> Times:
        """When entities entered a terminal state, or only one that cuts what is under way.

        NEVER for those who have not by the end of the present window.
        """
        ends = self.machine.cut if cut else self.machine.terminal
        over = ends[self._state.values.take(entities)]
        return np.where(over, self._since.values.take(entities), NEVER)

    def since(self, entities: Indices, times: Times) -> Times:
        """When entities entered the states that they are in at `times`."""
        since: Times = self._since.values.take(entities)
        moving = np.flatnonzero(self.changed.take(entities))
        if len(moving) and self.history is not None:
            changes = self.history.changes
            first = self.history.first(entities[moving])
            last = self.history.last(entities[moving], times[moving])
            entered = changes.times[np.maximum(last, 0)]
            before = changes.times[first] - changes.dwell[first]
            since[moving] = np.where(last >= 0, entered, before)
        return since

    def extremes(
        self, entities: Indices, factors: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest of the factors, which go by state, of the states of entities in this window."""
        smallest = factors.take(self.before.take(entities))
        largest = smallest.copy()
        moving = np.flatnonzero(self.changed.take(entities))
        if len(moving) and self.history is not None:
            smallest[moving], largest[moving] = self.history.extremes(entities[moving], factors)
        return smallest, largest
