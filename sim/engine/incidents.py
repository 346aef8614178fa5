"""Incidents at work: how much of each is on, for which entities, at exact times."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.attributes.column import strings
from sim.engine.clocks import NEVER, Alone
from sim.engine.machine import MachineState
from sim.engine.randomness import Randomness, dice
from sim.engine.rounds import advance, enter
from sim.engine.states import StateEffect
from sim.engine.window import Window
from sim.maths.arrays import Bools, Floats
from sim.maths.curves import BoundCurve, product_of
from sim.maths.spans import Lifted, Spans
from sim.model.incident import ON, Hit, Incident, Key
from sim.model.model import Model

if TYPE_CHECKING:
    from sim.engine.block import Block

Times = NDArray[np.int64]
Indices = NDArray[np.int64]


class Incidents:
    """All incidents of a run. Those for everybody have their times from the seed, the same in every shard."""

    def __init__(self, model: Model, randomness: Randomness) -> None:
        self.all = model.disturbances.incidents
        self.spans = {i.index: _spans(model, i, randomness) for i in self.all if i.population < 0 and not i.single}
        """When each is on that is on for everybody."""
        self.names = strings([incident.name for incident in self.all])
        """Their names, by number."""
        self._hits = model.disturbances.hits
        self._randomness = randomness

    def of(self, stream: str) -> tuple[Hit, ...]:
        """What hits a stream."""
        return self._hits.get(stream, ())

    def touching(self, stream: str, window: Window) -> list[Hit]:
        """Those of the hits of a stream whose incidents are on for everybody, or can be, in a window."""
        return [
            hit
            for hit in self.of(stream)
            if hit.incident in self.spans and self.spans[hit.incident].touch(window.start, window.until)
        ]

    def lifted(self, stream: str, curve: BoundCurve, window: Window) -> BoundCurve:
        """The curve of a rate with the incidents for everybody that are on in a window."""
        hits = [hit for hit in self.touching(stream, window) if hit.rate != 1.0]
        return product_of([curve, *(Lifted(self.spans[hit.incident], 1.0, hit.rate) for hit in hits)])

    def storm(self, block: Block, stream: str) -> Storm | None:
        """What incidents multiply the hazards of the entities of a block by; None where they never do."""
        hits = [hit for hit in self.of(stream) if hit.rate != 1.0]
        return Storm(self, block, hits) if hits else None

    def factor(
        self, stream: str, key: Key, block: Block, entities: Indices, times: Times, steps: Indices | None = None
    ) -> Floats | None:
        """What incidents multiply by, for facts of `entities` of `block` at `times` in the present window: float64[n].

        `steps` are the steps at which cases are, by code. None where nothing is multiplied.
        """
        product: Floats | None = None
        for hit in self.of(stream):
            number = getattr(hit, key)
            if number == 1.0 or self.all[hit.incident].single:
                continue
            level = self.level(hit, block, entities, times, steps)
            if level.any():
                factor = 1 + (number - 1) * level
                product = factor if product is None else product * factor
        return product

    def level(self, hit: Hit, block: Block, entities: Indices, times: Times, steps: Indices | None = None) -> Floats:
        """How much of an incident is on for each fact, from 0 to 1: float64[n]."""
        spans = self.spans.get(hit.incident)
        if spans is None:
            level = spell(block, hit).at(entities, times)
        else:
            level = spans.level(times)
            some = np.flatnonzero(level)
            if len(some) and not hit.everybody:
                level[some] *= self._selected(hit, block, entities[some], times[some])
        return level if not hit.steps else level * at_steps(hit, steps, len(times))

    def _selected(self, hit: Hit, block: Block, entities: Indices, times: Times) -> Bools:
        """Whom the incident of the time hits. What belongs to an entity shares its fate."""
        root = block.lineage()[-1]
        who = root.ids[block.ancestors(entities, len(block.lineage()) - 1)]
        name = f"{root.population.name}/{self.all[hit.incident].name}"
        uniform = dice(self._randomness, name, self.spans[hit.incident].number(times), who)
        return (uniform < exposure(hit, block, entities)) & in_states(hit, block, entities, times)

    def single(self, hit: Hit, block: Block, entities: Indices, times: Times, rng: np.random.Generator) -> Floats:
        """Which facts an incident hits that hits single ones: 1 for these, else 0."""
        probability = exposure(hit, block, entities)
        if hit.curve is not None:
            probability = probability * hit.curve.at(times)
        chosen = (rng.random(len(times)) < probability) & in_states(hit, block, entities, times)
        return chosen.astype(np.float64)

    def began(self, hit: Hit, block: Block, entities: Indices, times: Times) -> Times:
        """When the incident began that has hit each fact."""
        spans = self.spans.get(hit.incident)
        if spans is not None:
            return spans.begins[spans.number(times)]
        holders = block.ancestors(entities, hit.generations)
        return block.lineage()[hit.generations].spells[hit.incident].since(holders, times)


class Storm:
    """A factor on hazards, at any time of the run: 1 before and between incidents."""

    def __init__(self, incidents: Incidents, block: Block, hits: Sequence[Hit]) -> None:
        self.ceiling = math.prod(max(hit.rate, 1.0) for hit in hits)
        """It is never higher."""
        self._incidents = incidents
        self._block = block
        self._hits = hits

    def at(self, entities: Indices, times: Times) -> Floats:
        """The factor for entities at times: float64[n]."""
        factor = np.ones(len(times))
        for hit in self._hits:
            factor *= 1 + (hit.rate - 1) * self._incidents.level(hit, self._block, entities, times)
        return factor


def exposure(hit: Hit, block: Block, entities: Indices) -> Floats:
    """The probability of being hit: the share, times the factors of the entity's segments."""
    share = np.full(len(entities), hit.share)
    for factors, codes in zip(hit.segments, block.segments, strict=True):
        share *= factors[codes[entities]]
    return share


def in_states(hit: Hit, block: Block, entities: Indices, times: Times) -> Bools:
    """Whether entities are in a state in which they can be hit, at times in the present window."""
    if hit.states is None:
        return np.ones(len(entities), dtype=np.bool_)
    return StateEffect(block, hit.states).at(entities, times) > 0


def at_steps(hit: Hit, steps: Indices | None, count: int) -> Bools:
    """Whether cases are at one of the steps that a hit is confined to; nowhere where they are at none."""
    return np.zeros(count, dtype=np.bool_) if steps is None else np.isin(steps, hit.steps)


def spell(block: Block, hit: Hit) -> StateEffect:
    """Whether an incident that befalls entities one by one is on, 0 or 1."""
    return StateEffect.of_spell(block, hit.incident, hit.generations, np.array([0.0, 1.0]))


def onsets(machine: MachineState, horizon: int) -> tuple[Indices, Times, Times]:
    """Who is struck in the present window, as far as it has advanced, from when to when; by entity."""
    if machine.history is None:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, nothing
    changes = machine.history.changes
    struck = np.flatnonzero((changes.target == ON) & (changes.source != ON))
    entities, begins = changes.entities[struck], changes.times[struck]
    following = np.minimum(struck + 1, len(changes) - 1)
    over = (following > struck) & (changes.entities[following] == entities)
    return entities, begins, np.where(over, changes.times[following], np.minimum(machine.due(entities), horizon))


def _spans(model: Model, incident: Incident, randomness: Randomness) -> Spans:
    """When an incident for everybody is on."""
    if incident.spans is not None:
        return incident.spans
    assert incident.machine is not None
    tokens = Alone(incident.name, model.start)
    machine = MachineState(incident.machine, tokens, (model.start, model.end))
    rng = randomness.generator(f"{incident.name}/incident")
    enter([machine], [tokens.births], [rng])
    machine.open()
    advance([machine], model.end, [rng])
    _, begins, ends = onsets(machine, int(NEVER))
    return Spans(begins, ends, incident.up, incident.down)
