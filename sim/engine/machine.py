"""The machine kernel: all tokens of a block move through their state machine in vectorised rounds.

A token's next exit is drawn when it enters a state: competing exits each draw their time, and the earliest wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import strings
from sim.engine.calendar import Pending
from sim.engine.clocks import NEVER, Clock, Storm, Tokens
from sim.engine.growable import Growable
from sim.engine.history import History, Transitions
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.maths.units import format_duration
from sim.model.model import Machine

_PATIENCE = 10_000
_MOST_ROUNDS = 2_000_000
"""A window that would need more rounds than this, at the pace of its first `_PATIENCE`, is given up."""

Indices = NDArray[np.int64]
Times = NDArray[np.int64]
Admits = Callable[[Indices, Times], NDArray[np.bool_]]


class MachineState:
    """The states of a block's entities. `horizon` is the interval in which curves are bounded for thinning.

    `storm` multiplies the hazards. `admits` says who can leave the first state at a time, of those who would: the
    others stay, and wait anew.
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
        self._admits = admits
        self.dictionary = strings(machine.states)
        """The names of the states by code."""
        self.reasons = strings(machine.reasons)
        """The reasons of transitions by code."""
        self._tokens = tokens
        self._state = Growable(np.int8)
        self._since = Growable(np.int64)
        self._next = Growable(np.int64)
        self._exit = Growable(np.int16)
        self._clocks = [[Clock(exit_, horizon, storm) for exit_ in exits] for exits in machine.exits]
        width = max((len(exits) for exits in machine.exits), default=0) or 1
        self._target = np.zeros((len(machine.states), width), dtype=np.int8)
        self._reason = np.zeros((len(machine.states), width), dtype=np.int16)
        for state, exits in enumerate(machine.exits):
            for number, exit_ in enumerate(exits):
                self._target[state, number] = exit_.to
                self._reason[state, number] = exit_.reason
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

    def enter(self, times: Times, rng: np.random.Generator) -> None:
        """Admit new tokens, which enter their initial states at `times`."""
        first, count = len(self._state), len(times)
        shares = np.cumsum(self.machine.initial)
        states = np.searchsorted(shares / shares[-1], rng.random(count), side="right").astype(np.int8)
        self._state.extend(states)
        self._since.extend(times)
        self._next.extend(np.full(count, NEVER))
        self._exit.extend(np.zeros(count, dtype=np.int16))
        self._schedule(np.arange(first, first + count), times, rng)

    def skip(self, until: int, rng: np.random.Generator) -> None:
        """Live through everything before `until` without a trace: the past of those that exist at the start."""
        for _ in self._rounds(until, until, rng):
            pass

    def open(self) -> None:
        """Begin a window: nothing has changed yet."""
        self.before = self._state.values.copy()
        self.history = None
        self.changed = np.zeros(len(self._state), dtype=np.bool_)

    def advance(self, until: int, rng: np.random.Generator, pushes: Sequence[Pending] = ()) -> Transitions:
        """All changes before `until`, by (time, entity).

        `pushes` are exits that facts trigger: each carries the code of the state that it leads out of (`state`) and the
        number of the exit there (`exit`), and comes to nothing where the entity is in another state by then. Facts take
        effect in the order in which they fell `due`, and one fact (`source`, `fact`) moves an entity once at most.
        """
        rounds: list[Transitions] = []
        spent = np.zeros(sum(len(push.times) for push in pushes), dtype=np.bool_)
        for push, facts in _successive(pushes):
            limits = np.full(len(self._state), np.iinfo(np.int64).min)
            limits[push.entities] = push.times
            rounds += self._rounds(limits, until, rng)
            rounds += self._push(push, facts, spent, rng)
        rounds += self._rounds(until, until, rng)
        if not rounds:
            return Transitions.none()
        happened = Transitions.together(rounds)
        self.changed[happened.entities] = True
        self.history = happened.by_entity(len(self._state))
        return happened.by_time()

    def state_at(self, entities: Indices, times: Times) -> NDArray[np.int8]:
        """The states of entities at times in the present window, int8[n]."""
        states = self.before.take(entities)
        moving = np.flatnonzero(self.changed.take(entities))
        if len(moving) and self.history is not None:
            last = self.history.last(entities[moving], times[moving])
            some = last >= 0
            states[moving[some]] = self.history.changes.target[last[some]]
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

    def _rounds(self, limits: Times | int, until: int, rng: np.random.Generator) -> Iterator[Transitions]:
        """Moves all whose exit is due before their limit (`until` at most; one for all if int), one change a round."""
        due = np.flatnonzero(self._next.values < limits)
        first = int(self._next.values[due].min()) if len(due) else until
        number = 0
        while len(due):
            yield self._leave(due, self._next.values[due], self._exit.values[due], rng)
            due = due[self._next.values[due] < (limits if isinstance(limits, int) else limits[due])]
            number += 1
            if number == _PATIENCE and len(due):
                self._check_pace(due, first, until)

    def _push(
        self, push: Pending, facts: Indices, spent: NDArray[np.bool_], rng: np.random.Generator
    ) -> list[Transitions]:
        """Make the changes that facts trigger which are not `spent`, for those who are in the right state."""
        right = self._state.values[push.entities] == push.carried["state"].values
        here = np.flatnonzero(right & ~spent[facts])
        spent[facts[here]] = True
        number = push.carried["exit"].values[here].astype(np.int16)
        return [self._leave(push.entities[here], push.times[here], number, rng)] if len(here) else []

    def _leave(
        self, entities: Indices, times: Times, number: NDArray[np.int16], rng: np.random.Generator
    ) -> Transitions:
        """Take the exits `number` at `times`, and draw the exits that follow."""
        source = self._state.values[entities]
        target = self._target[source, number]
        if self._admits is not None:
            target = np.where((source > 0) | self._admits(entities, times), target, source)
        dwell = times - self._since.values[entities]
        self._state.values[entities] = target
        self._since.values[entities] = times
        self._schedule(entities, times, rng)
        return Transitions(times, entities, source, target, self._reason[source, number], dwell)

    def _check_pace(self, due: Indices, first: int, until: int) -> None:
        """Raise SimulationError where somebody's states follow each other so quickly that the window has no end."""
        latest = self._next.values[due]
        slowest = int(np.argmin(latest))
        passed, left = int(latest[slowest]) - first, until - int(latest[slowest])
        if passed * (_MOST_ROUNDS - _PATIENCE) < left * _PATIENCE:
            who, when = self._tokens.name(int(due[slowest])), format_instant(int(latest[slowest]))
            state = self.machine.states[self._state.values[due[slowest]]]
            raise SimulationError(
                f"{who}, {when}: in state {state!r} after {_PATIENCE:,} changes of state within"
                f" {format_duration(passed)}; give the states of this lifecycle longer dwell times or smaller hazards"
            )

    def _schedule(self, entities: Indices, times: Times, rng: np.random.Generator) -> None:
        """Draw the next exit of `entities`, which enter their present states at `times`."""
        states = self._state.values.take(entities)
        for state, clocks in enumerate(self._clocks):
            here = np.flatnonzero(states == state)
            if len(here) and clocks:
                self._draw_exit(clocks, entities.take(here), times.take(here), rng)
            elif len(here):
                self._next.values[entities.take(here)] = NEVER

    def _draw_exit(self, clocks: Sequence[Clock], entities: Indices, times: Times, rng: np.random.Generator) -> None:
        best = np.full(len(times), NEVER)
        choice = np.zeros(len(times), dtype=np.int16)
        branch = rng.random(len(times)) if any(clock.exit.after is not None for clock in clocks) else None
        passed = 0.0
        for number, clock in enumerate(clocks):
            if clock.exit.trigger is not None:
                continue
            if clock.exit.after is not None and branch is not None:
                taken = (branch >= passed) & (branch < passed + clock.exit.probability)
                passed += clock.exit.probability
                leave = np.where(taken, clock.dwell(times, rng), NEVER)
            else:
                leave = clock.leave(entities, times, self._tokens, rng)
            choice[leave < best] = number
            best = np.minimum(best, leave)
        self._next.values[entities] = best
        self._exit.values[entities] = choice


def _successive(pushes: Sequence[Pending]) -> Iterator[tuple[Pending, Indices]]:
    """The pushes in parts that hold at most one for each entity, the earlier ones first; and which fact each is of."""
    if not sum(len(push.times) for push in pushes):
        return
    together = Pending.concat(list(pushes))
    told = [together.carried[name].values for name in ("fact", "source", "due")]
    order = np.lexsort((*told, together.times, together.entities))
    together = together.take(order)
    new = _changes(together.entities)
    facts = np.cumsum(np.logical_or.reduce([new, *(_changes(column[order]) for column in told)])) - 1
    first = np.flatnonzero(new)
    rank = np.arange(len(new)) - first[np.cumsum(new) - 1]
    for number in range(int(rank.max()) + 1):
        rows = np.flatnonzero(rank == number)
        yield together.take(rows), facts[rows]


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Which elements differ from the one before; the first does."""
    return np.append(np.ones(min(len(values), 1), dtype=np.bool_), values[1:] != values[:-1])
