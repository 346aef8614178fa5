"""Incidents that befall entities one by one: a machine for each, in the blocks of a shard."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.engine.block import Block
from sim.engine.fanout import Emit
from sim.engine.machine import MachineState
from sim.engine.rounds import advance, enter
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
        machines = [block.spells[self._incident.index] for block in self._blocks]
        rngs = [block.rng(f"incident/{self._incident.name}", window) for block in self._blocks]
        fresh = [block.births[len(machine) :] for block, machine in zip(self._blocks, machines, strict=True)]
        enter(machines, [np.maximum(births, window.start) for births in fresh], rngs)
        for machine in machines:
            machine.open()
        advance(machines, window.until, rngs)
        for block in self._blocks:
            self._tell(self._incident, block)

    def _machine(self, block: Block) -> MachineState:
        incident = self._incident
        assert incident.machine is not None
        admits = None if incident.states is None else StateEffect(block, incident.states).allows
        return MachineState(incident.machine, block, (self._model.start, self._model.end), admits)
