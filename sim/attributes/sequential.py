"""What depends on an entity's own past: attributes whose next value follows from the one before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.rows import Rows
from sim.errors import SimulationError

Read = Callable[[str], Column]
"""A column of the rows by name, as far as it is made already."""

Level = Annotated[float, Field(ge=-1e15, le=1e15)]


class Sequential(Attribute, ABC):
    """A number per entity that is carried from each of its facts to the next: x_k = keep_k x_(k-1) + push_k.

    The engine keeps it for all entities, over windows and over the streams that share it, and calls `steps` with what
    it knows; `shown` turns the numbers into the column. Factors and modifiers come after that and are not carried on.
    """

    since_birth: ClassVar[bool] = False
    """Whether the time before an entity's first fact counts from its birth; otherwise it is infinite."""
    timed: ClassVar[bool] = True
    """Whether `steps` needs the gaps."""

    agreed: ClassVar[tuple[str, ...]] = ()
    """Keys that must say the same in all streams that share the number."""

    @property
    def shared(self) -> str | None:
        """The name under which streams of one kind of entity share the number."""
        return None

    @property
    def opening(self) -> float | str:
        """The number before the first fact, or the attribute of the entity that holds it."""
        return 0.0

    def of_entity(self) -> frozenset[str]:
        """Names among `reads` that must be attributes of the entity or of its ancestors."""
        return frozenset({self.opening} if isinstance(self.opening, str) else ())

    def inborn(self) -> frozenset[str]:
        """Names among `of_entity` that are read once, when the entity is born."""
        return frozenset({self.opening} if isinstance(self.opening, str) else ())

    def first(self) -> frozenset[str]:
        """Names among `reads` that `steps` needs, so that they cannot depend on a sequential attribute."""
        return frozenset()

    @abstractmethod
    def steps(self, gaps: Array, read: Read, normal: Callable[[], Array]) -> tuple[Array | None, Array]:
        """keep float64[n] in [-1, 1] (None: all 1) and push float64[n] for n facts.

        `gaps` float64[n] are the microseconds since the entity's fact before; `normal` draws n standard normal numbers.
        """

    @abstractmethod
    def shown(self, states: Column, rows: Rows) -> Column:
        """The column for the numbers `states`."""

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """Refused with SimulationError: what depends on the past is not drawn row by row."""
        raise SimulationError(f"{getattr(self, 'type', 'this')} follows from an entity's past; it is not drawn by row")
