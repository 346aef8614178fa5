"""Incidents that befall entities one by one: a machine for each, in the blocks of a shard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.engine.block import Block
from sim.engine.fanout import Emit
from sim.engine.machine import MachineState
from sim.engine.states import StateEffect
from sim.engine.window import Window
from sim.model.incident import Incident
from sim.model.model import Model


class Afflict:
    """One incident of a population. `tell` takes the incident and the block whose entities may have been struck."""

    def __init__(
        self, model: Model, incident: Incident, blocks: list[Block], tell: Callable[[Incident, Block], None]
    ) -> None:
        self._model = model
        self._incident = incident
        self._blocks = blocks
        self._tell = tell
        for block in blocks:
            block.spells[incident.index] = self._machine(block)

    def advance(self, window: Window, emit: Emit) -> None:
        """Find out who is struck, and who is through with it, before the end of `window`."""
        for block in self._blocks:
            machine = block.spells[self._incident.index]
            rng = block.rng(f"incident/{self._incident.name}", window)
            fresh = block.births[len(machine) :]
            if len(fresh):
                machine.enter(np.maximum(fresh, window.start), rng)
            machine.open()
            machine.advance(window.until, rng)
            self._tell(self._incident, block)

    def _machine(self, block: Block) -> MachineState:
        incident = self._incident
        assert incident.machine is not None
        admits = None if incident.states is None else StateEffect(block, incident.states).allows
        return MachineState(incident.machine, block, (self._model.start, self._model.end), admits)
