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
        self._ceilings = np.append(states.factors, states.factors.max()).astype(np.float32)
        self._floors = np.append(states.factors, 0.0).astype(np.float32)

    def changing(self) -> NDArray[np.bool_]:
        """Whether the state in question changes in the present window, for each entity of the block."""
        changed = self._machine.changed
        if self._generation == 0:
            return changed
        return changed[self._holders(np.arange(len(self._block)))]

    def largest(self, entities: Indices) -> NDArray[np.float64]:
        """The largest factor in the present window."""
        holders = self._holders(entities)
        machine, changes = self._machine, self._machine.history
        largest = self._factors.take(machine.before)
        np.maximum.at(largest, changes.entities, self._factors[changes.target])
        return largest[holders]

    def bounds(self, entities: Indices) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Upper and lower bounds of the factor in the present window: equal where the state does not change."""
        machine = self._machine
        codes = np.where(machine.changed, np.int8(len(self._factors)), machine.before).take(self._holders(entities))
        return self._ceilings.take(codes), self._floors.take(codes)

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
