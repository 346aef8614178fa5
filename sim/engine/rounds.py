"""Rounds: the tokens of several blocks move through one kind of machine together, one change of state a round.

Only those take part that move in the window, so that a round costs what it moves, and the rounds of all blocks cost
hardly more than those of one. An entity's next exit is drawn when it enters a state: competing exits each draw their
time, and the earliest wins. What happens in a block depends on no other: it draws from a generator of its own, for
its own tokens in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.calendar import Pending
from sim.engine.clocks import NEVER, Clock
from sim.engine.history import Transitions, ordered
from sim.engine.machine import MachineState
from sim.engine.randomness import Share, drawn
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.maths.units import format_duration

_PATIENCE = 10_000
_MOST_ROUNDS = 2_000_000
"""A window that would need more rounds than this, at the pace of its first `_PATIENCE`, is given up."""

_EARLIEST = np.iinfo(np.int64).min

Indices = NDArray[np.int64]
Times = NDArray[np.int64]
Generators = Sequence[np.random.Generator]


def enter(machines: Sequence[MachineState], times: Sequence[Times], rngs: Generators) -> None:
    """Admit new tokens to each of the machines, which enter their initial states at `times`, ascending by entity."""
    fresh = [
        np.arange(len(machine), machine.admit(own, rng))
        for machine, own, rng in zip(machines, times, rngs, strict=True)
    ]
    movers = _Movers(machines, fresh, rngs)
    movers.schedule(np.arange(len(movers)), np.concatenate(times))
    movers.settle()


def skip(machines: Sequence[MachineState], until: int, rngs: Generators) -> None:
    """Live through everything before `until` without a trace: the past of those that exist at the start."""
    movers = _Movers(machines, [machine.due_before(until) for machine in machines], rngs)
    for _ in movers.rounds(until, until):
        pass
    movers.settle()


def advance(
    machines: Sequence[MachineState], until: int, rngs: Generators, pushes: Sequence[Sequence[Pending]] = ()
) -> list[Transitions]:
    """All changes before `until` of each of the machines, by (time, entity).

    `pushes`, for each machine, are exits that facts trigger: each carries the code of the state that it leads out of
    (`state`) and the number of the exit there (`exit`), and comes to nothing where the entity is in another state by
    then. Facts take effect in the order in which they fell `due`, and one fact (`source`, `fact`) moves an entity once
    at most.
    """
    pushed = [[push.entities for push in own] for own in pushes] or [[]] * len(machines)
    moving = [machine.due_before(until, own) for machine, own in zip(machines, pushed, strict=True)]
    movers = _Movers(machines, moving, rngs)
    happened = movers.live(until, pushes)
    movers.settle()
    return [machine.note(own) for machine, own in zip(machines, movers.by_machine(happened), strict=True)]


class _Movers:
    """Some tokens of each of the machines, which are of one kind: `entities`, ascending.

    They are numbered from 0 on, one machine's after the other's, and are always named in ascending order.
    """

    def __init__(self, machines: Sequence[MachineState], entities: Sequence[Indices], rngs: Generators) -> None:
        self._machines = machines
        self._entities = entities
        self._rngs = rngs
        self._starts = np.cumsum([0, *map(len, entities)])
        standings = [machine.standing(own) for machine, own in zip(machines, entities, strict=True)]
        columns = (np.concatenate(column) for column in zip(*standings, strict=True))
        self._state, self._since, self._next, self._exit = columns
        self._ways = machines[0].ways

    def __len__(self) -> int:
        return len(self._state)

    def name(self, token: int) -> str:
        """What to call a token."""
        number = int(np.searchsorted(self._starts, token, side="right")) - 1
        return self._machines[number].tokens.name(int(self._entities[number][token - self._starts[number]]))

    @cached_property
    def births(self) -> Times:
        """When each was born, int64[n] microseconds."""
        return np.concatenate([machine.tokens.births[own] for machine, own in self._own()])

    @cached_property
    def segments(self) -> list[NDArray[np.int8]]:
        """Codes of the segments, int8[n] for each segmentation."""
        own = [[codes[rows] for codes in machine.tokens.segments] for machine, rows in self._own()]
        return [np.concatenate(codes) for codes in zip(*own, strict=True)]

    def storm(self, tokens: Indices, times: Times) -> NDArray[np.float64]:
        """What incidents multiply the hazards of tokens by at times: float64[n]."""
        factor = np.ones(len(tokens))
        for machine, entities, part in self._parts(tokens):
            if machine.storm is not None:
                factor[part] = machine.storm.at(entities, times[part])
        return factor

    def schedule(self, tokens: Indices, times: Times) -> None:
        """Draw the next exits of tokens, which enter their present states at `times`."""
        states = self._state.take(tokens)
        for state, clocks in enumerate(self._ways.clocks):
            here = (states == state).nonzero()[0]
            if len(here) and clocks:
                self._draw_exit(clocks, tokens.take(here), times.take(here))
            elif len(here):
                self._next[tokens.take(here)] = NEVER

    def live(self, until: int, pushes: Sequence[Sequence[Pending]]) -> list[Transitions]:
        """All changes before `until`, in the order in which they are found."""
        found: list[Transitions] = []
        together = self._together(pushes)
        spent = np.zeros(sum(len(push.times) for push in together), dtype=np.bool_)
        for push, facts in _successive(together):
            limits = np.full(len(self), _EARLIEST)
            limits[push.entities] = push.times
            found += self.rounds(limits, until)
            found += self._push(push, facts, spent)
        found += self.rounds(until, until)
        return found

    def rounds(self, limits: Times | int, until: int) -> Iterator[Transitions]:
        """Moves all whose exit is due before their limit (`until` at most; one for all if int), one change a round."""
        due = (self._next < limits).nonzero()[0]
        first = int(self._next[due].min()) if len(due) else until
        number = 0
        while len(due):
            yield self._leave(due, self._next.take(due), self._exit.take(due))
            due = due[self._next.take(due) < (limits if isinstance(limits, int) else limits[due])]
            number += 1
            if number == _PATIENCE and len(due):
                self._check_pace(due, first, until)

    def settle(self) -> None:
        """Tell the machines where their tokens stand."""
        for number, (machine, entities) in enumerate(self._own()):
            part = slice(self._starts[number], self._starts[number + 1])
            machine.settle(entities, (self._state[part], self._since[part], self._next[part], self._exit[part]))

    def by_machine(self, found: Sequence[Transitions]) -> Iterator[Transitions]:
        """The changes of each machine's entities, by (entity, time)."""
        happened = Transitions.together(found) if found else Transitions.none()
        happened = happened.take(ordered(happened.entities, happened.times))
        edges = np.searchsorted(happened.entities, self._starts).tolist()
        for own, start, (first, last) in zip(self._entities, self._starts, pairwise(edges), strict=False):
            changes = happened.part(first, last)
            yield replace(changes, entities=own.take(changes.entities - start))

    def _own(self) -> Iterator[tuple[MachineState, Indices]]:
        return zip(self._machines, self._entities, strict=True)

    def _edges(self, tokens: Indices) -> list[int]:
        """Where those of each machine begin among `tokens`, and where the last end."""
        edges: list[int] = np.searchsorted(tokens, self._starts).tolist()
        return edges

    def _parts(self, tokens: Indices) -> Iterator[tuple[MachineState, Indices, slice]]:
        """The machines that have some of `tokens`, with the entities, and which of `tokens` they are."""
        for number, (first, last) in enumerate(pairwise(self._edges(tokens))):
            if first < last:
                own = self._entities[number].take(tokens[first:last] - self._starts[number])
                yield self._machines[number], own, slice(first, last)

    def shares(self, tokens: Indices) -> list[Share]:
        """The generators of `tokens`, each with the number of those that it draws for."""
        edges = pairwise(self._edges(tokens))
        return [(rng, last - first) for rng, (first, last) in zip(self._rngs, edges, strict=True) if first < last]

    def _leave(self, tokens: Indices, times: Times, number: NDArray[np.int16]) -> Transitions:
        """Take the exits `number` at `times`, and draw the exits that follow."""
        source = self._state.take(tokens)
        target, reason = self._ways.target[source, number], self._ways.reason[source, number]
        if self._machines[0].admits is not None:
            target = np.where((source > 0) | self._admitted(tokens, times), target, source)
        dwell = times - self._since.take(tokens)
        self._state[tokens] = target
        self._since[tokens] = times
        self.schedule(tokens, times)
        return Transitions(times, tokens, source, target, reason, dwell)

    def _admitted(self, tokens: Indices, times: Times) -> NDArray[np.bool_]:
        admitted = np.ones(len(tokens), dtype=np.bool_)
        for machine, entities, part in self._parts(tokens):
            if machine.admits is not None:
                admitted[part] = machine.admits(entities, times[part])
        return admitted

    def _draw_exit(self, clocks: Sequence[Clock], tokens: Indices, times: Times) -> None:
        shares = self.shares(tokens)
        best = np.full(len(times), NEVER)
        choice = np.zeros(len(times), dtype=np.int16)
        branching = any(clock.exit.after is not None for clock in clocks)
        branch = drawn(shares, np.random.Generator.random) if branching else np.empty(0)
        passed = 0.0
        for number, clock in enumerate(clocks):
            if clock.exit.trigger is not None:
                continue
            if clock.exit.after is not None:
                taken = (branch >= passed) & (branch < passed + clock.exit.probability)
                passed += clock.exit.probability
                leave = np.where(taken, clock.dwell(times, shares), NEVER)
            else:
                leave = clock.leave(tokens, times, self, shares)
            choice[leave < best] = number
            best = np.minimum(best, leave)
        self._next[tokens] = best
        self._exit[tokens] = choice

    def _together(self, pushes: Sequence[Sequence[Pending]]) -> list[Pending]:
        """The pushes of all machines, of tokens."""
        return [
            replace(push, entities=np.searchsorted(entities, push.entities) + start)
            for own, entities, start in zip(pushes, self._entities, self._starts, strict=False)
            for push in own
        ]

    def _push(self, push: Pending, facts: Indices, spent: NDArray[np.bool_]) -> list[Transitions]:
        """Make the changes that facts trigger which are not `spent`, for those who are in the right state."""
        right = self._state[push.entities] == push.carried["state"].values
        here = np.flatnonzero(right & ~spent[facts])
        spent[facts[here]] = True
        number = push.carried["exit"].values[here].astype(np.int16)
        return [self._leave(push.entities[here], push.times[here], number)] if len(here) else []

    def _check_pace(self, due: Indices, first: int, until: int) -> None:
        """Raise SimulationError where somebody's states follow each other so quickly that the window has no end."""
        latest = self._next[due]
        slowest = int(np.argmin(latest))
        passed, left = int(latest[slowest]) - first, until - int(latest[slowest])
        if passed * (_MOST_ROUNDS - _PATIENCE) < left * _PATIENCE:
            who, when = self.name(int(due[slowest])), format_instant(int(latest[slowest]))
            state = self._machines[0].machine.states[self._state[due[slowest]]]
            raise SimulationError(
                f"{who}, {when}: in state {state!r} after {_PATIENCE:,} changes of state within"
                f" {format_duration(passed)}; give the states of this lifecycle longer dwell times or smaller hazards"
            )


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
