"""The weights of a block's entities: what makes one entity more active than another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.engine.groups import HIGHEST_OCTAVE, Groups, groups_of
from sim.engine.growable import Growable
from sim.engine.states import StateEffect
from sim.engine.vintage import Vintage
from sim.engine.window import Window
from sim.errors import SimulationError
from sim.maths.instants import format_instant
from sim.model.model import Profile

if TYPE_CHECKING:
    from sim.engine.block import Block

Indices = NDArray[np.int64]

_LARGEST = 2.0**127
"""What fits float32."""

_ROUNDING = 1e-6


class Weights:
    """The weights of a block's entities under one profile, kept in groups by their bounds for the present window.

    An entity changes group when it is born, when its state (or an ancestor's) changes, and when it passes an age at
    which the bound changes: rarely, so that a window costs little for those to whom nothing happens.
    """

    def __init__(self, block: Block, profile: Profile, vintage: Vintage | None) -> None:
        self.profile = profile
        self.vintage = vintage
        self.groups = Groups()
        self.effects = [StateEffect(block, states) for states in profile.states]
        self._block = block
        self._base = Growable(np.float32)
        self._share = Growable(np.float32)
        self._least = Growable(np.float32)
        self._most = Growable(np.float32)
        self._changing = np.empty(0, dtype=np.int64)
        self._window: Window | None = None

    @property
    def share(self) -> NDArray[np.float32]:
        """Weight without age and state, over the bound in force: float32[n], meaningful for members of a group."""
        return self._share.values

    @property
    def least(self) -> NDArray[np.float32]:
        """No more than the weight ever is in the present window, over the bound in force; 0 for who is to be born."""
        return self._least.values

    @property
    def most(self) -> NDArray[np.float32]:
        """No less than the weight ever is in the present window, over the bound in force."""
        return self._most.values

    def admit(self, frailty: NDArray[np.float64], births: NDArray[np.int64]) -> None:
        """Take in newborn entities, in no group yet."""
        base = frailty.copy()
        for factors, codes in zip(self.profile.segments, self._block.segments, strict=True):
            base *= factors[codes[self._block.fresh]]
        if self.profile.cohort is not None:
            base *= self.profile.cohort.at(births)
        self._base.extend(np.minimum(base, _LARGEST))
        for values in (self._share, self._least, self._most):
            values.extend(np.zeros(len(base), dtype=np.float32))
        self.groups.admit(len(base))

    def prepare(self, window: Window) -> None:
        """Move entities whose bound changes with this window; states and births must be known. Idempotent."""
        previous = self._window
        if previous is not None and previous.number == window.number:
            return
        self._window = window
        changing = np.zeros(len(self._block), dtype=np.bool_)
        for effect in self.effects:
            changing |= effect.changing()
        fresh = self._block.fresh
        changing[fresh] |= self._block.births[fresh] > window.start
        now = np.flatnonzero(changing)
        # Whose states changed in the window before, or who was born in it, has been bounded for all of that until now.
        changing[self._changing] = True
        changing[fresh] = True
        for ageing in self._ageing(window, previous):
            changing[ageing] = True
        self._changing = now
        entities = np.flatnonzero(changing)
        if len(entities):
            self._assign(entities, window)

    def _ageing(self, window: Window, previous: Window | None) -> list[slice]:
        """Those who pass an age at which the bound changes: ranges of the birth order."""
        if self.vintage is None or previous is None or len(self.vintage.steps) < 2:
            return []
        births, steps = self._block.births, self.vintage.steps[1:]
        first = np.searchsorted(births, previous.start - steps, side="right")
        last = np.searchsorted(births, window.start - steps, side="right")
        return [slice(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True) if b > a]

    def _assign(self, entities: Indices, window: Window) -> None:
        births = self._block.births[entities]
        least, most = (births <= window.start).astype(np.float64), np.ones(len(entities))
        with np.errstate(divide="ignore"):
            bound = np.log2(self._base.values[entities].astype(np.float64))
            if self.vintage is not None:
                step = np.maximum(np.searchsorted(self.vintage.steps, window.start - births, side="right") - 1, 0)
                bound += self.vintage.levels[step]
                least *= self.vintage.lows[step]
                most *= self.vintage.highs[step]
            for effect in self.effects:
                smallest, largest = effect.extremes(entities)
                bound += np.log2(largest)
                least *= smallest
                most *= largest
        self._check(entities, bound, window)
        moved = self.groups.assign(entities, groups_of(bound))
        members = moved[self.groups.member(moved)]
        self._share.values[members] = self._base.values[members] / self.groups.bounds(members)
        share = self._share.values[entities]
        # The sums of roundings in float32 stay below a millionth: keep the bounds on their sides.
        self._least.values[entities] = share * least * (1 - _ROUNDING)
        self._most.values[entities] = share * most * (1 + _ROUNDING)

    def _check(self, entities: Indices, bound: NDArray[np.float64], window: Window) -> None:
        largest = int(np.argmax(bound))
        if bound[largest] > HIGHEST_OCTAVE:
            who, weight = self._block.name(int(entities[largest])), 2.0 ** bound[largest]
            raise SimulationError(
                f"{who}, {format_instant(window.start)}: its multipliers come to {weight:.1e};"
                f" at most {2.0**HIGHEST_OCTAVE:.1e} is possible"
            )
