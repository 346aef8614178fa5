"""What incidents are once compiled: when they are on, whom they hit, and what they do to a stream.

The scenario's `incidents` are numbered in their order; a `Hit` is what one of them does to one stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from sim.batch import Stream
from sim.maths.curves import BoundCurve
from sim.maths.spans import Spans

if TYPE_CHECKING:
    from sim.model.model import Machine, StateFactors

Factors = NDArray[np.float64]
Key = Literal["rate", "value", "probability", "delay"]
"""What a factor of an incident multiplies."""

CLEAR, ON = 0, 1
"""The states of an incident's machine."""


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. It has `spans` of fixed times, or a `machine` that turns it on and off, or (per fact) neither.

    `population` is the kind that it happens to, entity by entity, and -1 where it is on for all; then `machine` has a
    single token. `states` say where an entity must be for it to begin. What is not `labelled` is not in the ground
    truth.
    """

    name: str
    index: int
    population: int
    machine: Machine | None
    spans: Spans | None
    up: int
    down: int
    states: StateFactors | None
    labelled: bool

    @property
    def single(self) -> bool:
        """Whether it hits single facts."""
        return self.machine is None and self.spans is None


@dataclass(frozen=True, slots=True)
class Hit:
    """What the incident of this number does to the facts of one stream.

    Of what happens entity by entity, the entity is so many `generations` above the stream's. Otherwise `share` is the
    probability that an entity (per fact: a fact) is hit, with its factors by segment for each segmentation and over
    time (`curve`), and `states` say where the entity must be. `steps` are those of a process that it is confined to,
    all if empty. `extra` is the rate, per microsecond, of facts besides the entity's own.
    """

    incident: int
    generations: int
    share: float
    segments: tuple[Factors, ...]
    curve: BoundCurve | None
    states: StateFactors | None
    steps: tuple[int, ...]
    rate: float
    value: float
    probability: float
    delay: float
    extra: float

    @property
    def factors(self) -> tuple[float, float, float, float]:
        """Of rate, value, probability and delay."""
        return self.rate, self.value, self.probability, self.delay

    @property
    def everybody(self) -> bool:
        """Whether all entities are hit."""
        certain = self.share >= 1 and all(bool(np.all(factors >= 1)) for factors in self.segments)
        return certain and self.states is None


@dataclass(frozen=True, slots=True)
class SpellFactor:
    """The factor while an incident is on for the entity, or for its ancestor so many `generations` up."""

    incident: int
    generations: int
    clear: float
    on: float


@dataclass(frozen=True, slots=True)
class Extra:
    """Facts that a hit adds to an activity: its rate per microsecond and the number of its profile."""

    hit: Hit
    rate: float
    profile: int


@dataclass(frozen=True, slots=True)
class Disturbances:
    """All incidents of a model, what they do by stream, and the streams of the ground truth (None: there is none).

    `marked` are the streams that carry their own label.
    """

    incidents: tuple[Incident, ...]
    hits: Mapping[str, tuple[Hit, ...]]
    marked: frozenset[str]
    spans: Stream | None
    facts: Stream | None

    def of(self, stream: str) -> tuple[Hit, ...]:
        """What hits a stream."""
        return self.hits.get(stream, ())
