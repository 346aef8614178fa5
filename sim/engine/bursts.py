"""When an activity happens while incidents are on: more or less often for some, and facts besides the entities' own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sim.engine.activity import Points
from sim.engine.block import Block
from sim.engine.incidents import Incidents
from sim.engine.intensity import Intensity
from sim.engine.rows import Surroundings
from sim.engine.window import Window
from sim.maths.curves import product_of
from sim.maths.spans import Lifted
from sim.maths.timecurve import BoundCurve
from sim.model.incident import Extra, Hit
from sim.model.model import Activity

Times = NDArray[np.int64]
Indices = NDArray[np.int64]
Origins = NDArray[np.int64]

OWN = -1
"""The origin of a fact that no incident has added."""


class Bursts:
    """The points of an activity at a rate that incidents hit."""

    def __init__(self, around: Surroundings, activity: Activity, thinning: float) -> None:
        self._around = around
        self._activity = activity
        self._points = Points(activity, thinning)
        self._hits = [hit for hit in around.incidents.of(activity.name) if hit.rate != 1.0 and not hit.extra]
        self._extras = [_Added(around, activity, extra, thinning) for extra in activity.extras]
        self._curves: dict[tuple[int, ...], BoundCurve] = {}

    def sample(self, block: Block, window: Window, rng: np.random.Generator) -> tuple[Times, Indices, Origins | None]:
        """Event times in `window`, ascending, their entities, and which incident has added each fact (`OWN`: none).

        The last is None where none has.
        """
        block.weights[self._activity.profile].prepare(window)
        times, entities = self._own(block, window, rng)
        added = [extra.sample(block, window) for extra in self._extras]
        if not sum(len(more) for more, _ in added):
            return times, entities, None
        origins = [np.full(len(times), OWN)]
        origins += [np.full(len(e[0]), x.hit.incident) for e, x in zip(added, self._extras, strict=True)]
        every = np.concatenate([times, *(more for more, _ in added)])
        order = np.argsort(every, kind="stable")
        whose = np.concatenate([entities, *(more for _, more in added)])
        return every[order], whose[order], np.concatenate(origins)[order]

    def _own(self, block: Block, window: Window, rng: np.random.Generator) -> tuple[Times, Indices]:
        """Points under a bound of what incidents do to anybody, kept as what they do to each entity allows."""
        incidents = self._around.incidents
        on = [hit for hit in incidents.touching(self._activity.name, window) if hit in self._hits]
        times, entities = self._points.sample(block, window, self._intensity(on, window), rng)
        partial = [hit for hit in on if not hit.everybody]
        if not partial or not len(times):
            return times, entities
        kept = np.flatnonzero(rng.random(len(times)) < _share(incidents, partial, block, entities, times))
        return times[kept], entities[kept]

    def _intensity(self, on: list[Hit], window: Window) -> Intensity:
        """The activity's curve with the incidents that are on in a window."""
        key = tuple(hit.incident for hit in on)
        if key not in self._curves:
            spans = self._around.incidents.spans
            lifted = [Lifted(spans[hit.incident], 1.0, _bound(hit)) for hit in on if _bound(hit) != 1.0]
            self._curves[key] = product_of([self._activity.curve, *lifted]) if lifted else self._activity.curve
        return self._around.intensity(self._curves[key], window)


def _bound(hit: Hit) -> float:
    """The factor on the rate, or, where it is for some only, the highest for anybody."""
    return hit.rate if hit.everybody else max(hit.rate, 1.0)


def _share(incidents: Incidents, hits: list[Hit], block: Block, entities: Indices, times: Times) -> NDArray[np.float64]:
    """What incidents do to each candidate's rate, over their bound."""
    share = np.ones(len(times))
    for hit in hits:
        factor = 1 + (hit.rate - 1) * incidents.level(hit, block, entities, times)
        share *= factor / (1 + (_bound(hit) - 1) * incidents.spans[hit.incident].level(times))
    return share


class _Added:
    """The facts that one incident adds to an activity."""

    def __init__(self, around: Surroundings, activity: Activity, extra: Extra, thinning: float) -> None:
        self.hit = extra.hit
        self._around = around
        self._name = f"{activity.name}/points/{around.incidents.all[extra.hit.incident].name}"
        self._spans = around.incidents.spans.get(extra.hit.incident)
        curve = product_of([]) if self._spans is None else Lifted(self._spans, 0.0, 1.0)
        self._activity = replace(activity, rate=extra.rate, profile=extra.profile, curve=curve)
        self._points = Points(self._activity, thinning)

    def sample(self, block: Block, window: Window) -> tuple[Times, Indices]:
        """Their times in `window`, ascending, and their entities."""
        # In every window, because weights are told of the newborn once only.
        block.weights[self._activity.profile].prepare(window)
        if self._spans is not None and not self._spans.touch(window.start, window.until):
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        rng = self._around.randomness.generator(self._name, block.index, window.number)
        intensity = self._around.intensity(self._activity.curve, window)
        times, entities = self._points.sample(block, window, intensity, rng)
        if self._spans is None or self.hit.everybody:
            return times, entities
        kept = np.flatnonzero(self._around.incidents.level(self.hit, block, entities, times))
        return times[kept], entities[kept]
