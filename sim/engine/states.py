"""What the states of an entity, or of an ancestor, do to its activity."""

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

    def __init__(self, block: Block, states: StateFactors) -> None:
        self._block = block
        self._generation = states.generation
        self._factors = states.factors

    def changing(self) -> NDArray[np.bool_]:
        """Whether the state in question changes in the present window, for each entity of the block."""
        changed = self._machine.changed
        if self._generation == 0:
            return changed
        return changed[self._holders(np.arange(len(self._block)))]

    def extremes(self, entities: Indices) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest factor of each entity in the present window."""
        return self._machine.extremes(self._holders(entities), self._factors)

    def at(self, entities: Indices, times: NDArray[np.int64]) -> NDArray[np.float64]:
        """The factor at exact times in the present window."""
        return self._factors[self._machine.state_at(self._holders(entities), times)]

    @property
    def _machine(self) -> MachineState:
        machine = self._block.lineage()[self._generation].machine
        assert machine is not None
        return machine

    def _holders(self, entities: Indices) -> Indices:
        return entities if self._generation == 0 else self._block.ancestors(entities, self._generation)
