"""What the states of an entity, or of an ancestor, do to its activity; and incidents, which are machines too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.model.model import StateFactors

if TYPE_CHECKING:
    from sim.engine.block import Block
    from sim.engine.machine import MachineState

Indices = NDArray[np.int64]


class StateEffect:
    """Factors by the state of the ancestor so many generations up (0: the entity itself) of the entities of `block`."""

    def __init__(self, block: Block, states: StateFactors, spell: int | None = None) -> None:
        """With `spell`, the states are those of the incident of this number that befalls the entity."""
        self._block = block
        self._generation = states.generation
        self._factors = states.factors
        self._spell = spell

    @classmethod
    def of_spell(cls, block: Block, incident: int, generations: int, factors: NDArray[np.float64]) -> StateEffect:
        """Two factors: while an incident is not on for the entity or its ancestor, and while it is."""
        return cls(block, StateFactors(generations, factors), incident)

    def changing(self) -> Indices:
        """The entities of the block for whom the state in question changes in the present window."""
        machine = self._machine
        if machine.history is None:
            return np.empty(0, dtype=np.int64)
        if self._generation == 0:
            return machine.history.entities
        return np.flatnonzero(machine.changed[self._holders(np.arange(len(self._block)))])

    def extremes(self, entities: Indices) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest factor of each entity in the present window."""
        return self._machine.extremes(self._holders(entities), self._factors)

    def allows(self, entities: Indices, times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether entities are in states with a factor above 0 at times of the present window: bool[n]."""
        return np.asarray(self.at(entities, times) > 0)

    def at(self, entities: Indices, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """The factor at exact times in the present window."""
        return self._factors.take(self._machine.state_at(self._holders(entities), times))

    @property
    def _machine(self) -> MachineState:
        holder = self._block.lineage()[self._generation]
        machine = holder.machine if self._spell is None else holder.spells[self._spell]
        assert machine is not None
        return machine

    def _holders(self, entities: Indices) -> Indices:
        return entities if self._generation == 0 else self._block.ancestors(entities, self._generation)
