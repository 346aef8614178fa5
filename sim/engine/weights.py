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
RANGE = np.dtype([("least", np.float32), ("most", np.float32)])
"""Bounds of a weight. They lie beside each other because memory is fetched by the line."""


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
        for own in profile.spells:
            factors = np.array([own.clear, own.on])
            self.effects.append(StateEffect.of_spell(block, own.incident, own.generations, factors))
        self._block = block
        self._base = Growable(np.float32)
        self._share = Growable(np.float32)
        self._range = Growable(RANGE)
        self._changing: list[Indices] = []
        self._window: Window | None = None

    @property
    def share(self) -> NDArray[np.float32]:
        """Weight without age and state, over the bound in force: float32[n], meaningful for members of a group."""
        return self._share.values

    @property
    def range(self) -> NDArray[np.void]:
        """How little and how much the weight comes to in the present window, over the bound in force, as `RANGE`.

        Both are bounds. `least` is 0 for who is still to be born.
        """
        return self._range.values

    def admit(self, frailty: NDArray[np.float64], births: NDArray[np.int64]) -> None:
        """Take in newborn entities, in no group yet."""
        base = frailty.copy() if self.profile.frail else np.ones(len(frailty))
        for factors, codes in zip(self.profile.segments, self._block.segments, strict=True):
            base *= factors[codes[self._block.fresh]]
        if self.profile.cohort is not None:
            base *= self.profile.cohort.at(births)
        self._base.extend(np.minimum(base, _LARGEST))
        self._share.extend(np.zeros(len(base), dtype=np.float32))
        self._range.extend(np.zeros(len(base), dtype=RANGE))
        self.groups.admit(len(base))

    def prepare(self, window: Window) -> None:
        """Move entities whose bound changes with this window; states and births must be known. Idempotent."""
        previous = self._window
        if previous is not None and previous.number == window.number:
            return
        self._window = window
        fresh = self._block.fresh
        unborn = fresh.start + np.flatnonzero(self._block.births[fresh] > window.start)
        now: list[Indices] = [unborn, *(effect.changing() for effect in self.effects)]
        changing = np.zeros(len(self._block), dtype=np.bool_)
        # Whose states changed in the window before, or who was born in it, has been bounded for all of that until now.
        for entities in (*now, *self._changing):
            changing[entities] = True
        for several in (fresh, *self._ageing(window, previous)):
            changing[several] = True
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
        births = self._block.births.take(entities)
        least, most = (births <= window.start).astype(np.float64), np.ones(len(entities))
        with np.errstate(divide="ignore"):
            bound = np.log2(self._base.values.take(entities).astype(np.float64))
            if self.vintage is not None:
                step = self.vintage.step(window.start - births)
                bound += self.vintage.levels.take(step)
                least *= self.vintage.lows.take(step)
                most *= self.vintage.highs.take(step)
            for effect in self.effects:
                smallest, largest = effect.extremes(entities)
                bound += np.log2(largest)
                least *= smallest
                most *= largest
        self._check(entities, bound, window)
        moved = self.groups.assign(entities, groups_of(bound))
        self._share.values[moved] = self._base.values.take(moved) / self.groups.bounds(moved)
        share = self._share.values.take(entities)
        ranges = np.empty(len(entities), dtype=RANGE)
        # The sums of roundings in float32 stay below a millionth: keep the bounds on their sides.
        least *= 1 - _ROUNDING
        most *= 1 + _ROUNDING
        np.multiply(share, least, out=ranges["least"], casting="same_kind")
        np.multiply(share, most, out=ranges["most"], casting="same_kind")
        self._range.values[entities] = ranges

    def _check(self, entities: Indices, bound: NDArray[np.float64], window: Window) -> None:
        largest = int(np.argmax(bound))
        if bound[largest] > HIGHEST_OCTAVE:
            who, weight = self._block.name(int(entities[largest])), 2.0 ** bound[largest]
            raise SimulationError(
                f"{who}, {format_instant(window.start)}: its multipliers come to {weight:.1e};"
                f" at most {2.0**HIGHEST_OCTAVE:.1e} is possible"
            )
