"""The clocks of a state machine: when a token that enters a state now would leave it by one of its exits.

A hazard that varies with age or time is sampled by thinning on the scale of the cumulative base hazard (Lewis and
Shedler 1979), so times of exit are exact and owe nothing to the tick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.engine.randomness import Share, drawn
from sim.errors import SimulationError
from sim.maths.curves import BoundCurve, bounds
from sim.maths.instants import format_instant
from sim.model.model import Exit, Machine

NEVER = np.int64(2**62)
_GRID = 2048
_MOST_ROUNDS = 100_000

Indices = NDArray[np.int64]
Times = NDArray[np.int64]

_LONGEST = 2.0**60
_EXPONENTIAL = np.random.Generator.standard_exponential


class Tokens(Protocol):
    """What the machine must know of its tokens."""

    @property
    def births(self) -> Times:
        """When each was born, int64[n] microseconds."""

    @property
    def segments(self) -> Sequence[NDArray[np.int8]]:
        """Codes of the segments, int8[n] for each segmentation."""

    def name(self, entity: int) -> str:
        """What to call one."""


class Moving(Tokens, Protocol):
    """Tokens that move, perhaps of several blocks."""

    def shares(self, tokens: Indices) -> Sequence[Share]:
        """The generators that draw for some of them, each with the number of those for which it does."""

    def storm(self, tokens: Indices, times: Times) -> NDArray[np.float64]:
        """What incidents multiply hazards by, for some of them at times: float64[n]."""
        ...


@dataclass(frozen=True, slots=True)
class Alone:
    """The one token of a machine that is nobody's in particular, in use since `birth`."""

    called: str
    birth: int

    @property
    def births(self) -> Times:
        """The one birth."""
        return np.array([self.birth])

    @property
    def segments(self) -> Sequence[NDArray[np.int8]]:
        """None."""
        return ()

    def name(self, entity: int) -> str:
        """What it is called."""
        return self.called


class Storm(Protocol):
    """A further factor on a hazard, by entity and time."""

    ceiling: float
    """It is never higher."""

    def at(self, entities: Indices, times: Times) -> NDArray[np.float64]:
        """The factor for entities at times: float64[n]."""
        ...


class Clock:
    """Draws times of leaving by one exit."""

    def __init__(self, exit_: Exit, horizon: tuple[int, int], storm: Storm | None = None) -> None:
        self.exit = exit_
        self._stormy = storm is not None
        self._end = horizon[1]
        self._ceiling = 1.0
        if exit_.curve is not None:
            self._ceiling *= _supremum(exit_.curve, *horizon)
        for vintage in exit_.vintages:
            self._ceiling *= _supremum(vintage, 0, horizon[1] - horizon[0])
        if storm is not None:
            self._ceiling *= storm.ceiling
        self._varying = exit_.curve is not None or bool(exit_.vintages) or storm is not None
        self._segments = [(n, factors) for n, factors in enumerate(exit_.segments) if not np.all(factors == 1.0)]

    def dwell(self, times: Times, shares: Sequence[Share]) -> Times:
        """The end of a dwell time that begins at `times`."""
        assert self.exit.after is not None
        return _later(times, drawn(shares, self.exit.after.draw))

    def leave(self, entities: Indices, times: Times, tokens: Moving, shares: Sequence[Share]) -> Times:
        """The first event of the hazard after `times`, for some of `tokens`; NEVER where it is beyond the horizon."""
        hazard = self.exit.hazard
        assert hazard is not None
        if not self._varying and not self._segments:
            return _later(times, hazard.inverse(drawn(shares, _EXPONENTIAL)))
        scale = np.full(len(entities), self._ceiling)
        for number, factors in self._segments:
            scale *= factors.take(tokens.segments[number].take(entities))
        at_risk = (scale > 0).nonzero()[0]
        leave = np.full(len(entities), NEVER)
        cumulative = np.zeros(len(at_risk))
        rounds = 0
        while len(at_risk):
            if (rounds := rounds + 1) > _MOST_ROUNDS:
                raise self._hopeless(tokens.name(int(entities[at_risk[0]])), int(times[at_risk[0]]))
            own = shares if len(at_risk) == len(entities) else tokens.shares(entities[at_risk])
            cumulative += drawn(own, _EXPONENTIAL) / scale[at_risk]
            candidate = _later(times[at_risk], hazard.inverse(cumulative))
            if not self._varying:
                leave[at_risk] = candidate
                break
            uniform = drawn(own, np.random.Generator.random) * self._ceiling
            inside = candidate < self._end
            accepted = inside.copy()
            accepted[inside] = uniform[inside] < self._factor(candidate[inside], entities[at_risk[inside]], tokens)
            leave[at_risk[accepted]] = candidate[accepted]
            pending = inside & ~accepted
            at_risk, cumulative = at_risk[pending], cumulative[pending]
        return leave

    def _hopeless(self, who: str, when: int) -> SimulationError:
        return SimulationError(
            f"{who}, {format_instant(when)}: no time to leave its state is found among {_MOST_ROUNDS:,}, because the"
            f" curves of the hazard are up to {self._ceiling:.1e}, but much lower then; let them vary less"
        )

    def _factor(self, times: Times, entities: Indices, tokens: Moving) -> NDArray[np.float64]:
        births = tokens.births[entities]
        factor = tokens.storm(entities, times) if self._stormy else np.ones(len(times))
        if self.exit.curve is not None:
            factor *= self.exit.curve.at(times)
        for vintage in self.exit.vintages:
            factor *= vintage.at(times - births)
        return factor


def _later(times: Times, delay: NDArray[np.float64]) -> Times:
    """`times` plus a delay of at least a microsecond, NEVER where it does not fit."""
    whole = np.minimum(np.maximum(delay, 1.0), _LONGEST).astype(np.int64)
    whole += times
    whole[delay >= _LONGEST] = NEVER
    return whole


class Ways:
    """The ways out of each state of a machine: clocks, and by state and number of the exit the state that it leads to
    and the reason.
    """

    def __init__(self, machine: Machine, horizon: tuple[int, int], storm: Storm | None = None) -> None:
        self.clocks = [[Clock(exit_, horizon, storm) for exit_ in exits] for exits in machine.exits]
        width = max((len(exits) for exits in machine.exits), default=0) or 1
        self.target = np.zeros((len(machine.states), width), dtype=np.int8)
        self.reason = np.zeros((len(machine.states), width), dtype=np.int16)
        for state, exits in enumerate(machine.exits):
            for number, exit_ in enumerate(exits):
                self.target[state, number] = exit_.to
                self.reason[state, number] = exit_.reason


def _supremum(curve: BoundCurve, start: int, until: int) -> float:
    even = np.linspace(start, until, _GRID + 1).astype(np.int64)
    edges = np.unique(np.concatenate([even, curve.breaks(start, until)]))
    return float(bounds(curve, edges)[1].max()) if len(edges) > 1 else 1.0
