"""What an attribute sees of the simulation: the rows it is drawn for, and the populations that it can look up.

The engine implements both protocols; everything in this package works on them alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sim.attributes.column import Array, Column

if TYPE_CHECKING:
    from sim.attributes.living import Living
    from sim.maths.curves import CurveRef


class Reference(Protocol):
    """A population as lookups see it: ids 0, 1, 2, ... in order of birth. One object lives for a whole run."""

    cache: dict[str, Any]
    """Room for tables that lookups derive from the population: empty at the start of a run, kept until its end."""

    mortal: bool
    """Whether entities may end; if so, lookups choose among those that have not."""

    nominal: int
    """A number of entities that never changes during a run and is the same in every shard, at least 1: those alive
    at the start, or the expected number where there are none. Popularity ranks 1..nominal are dealt to the ids below
    it; ids that come later take random places between them."""

    def born(self, times: Array) -> Array:
        """int64[n]: how many entities are born at or before each of `times` (int64 microseconds, [n])."""

    def column(self, name: str, ids: Array, times: Array | None = None) -> Column:
        """An attribute, a segmentation, "id" or "born_at" of the entities `ids` (int64[n], all born already).

        Attributes that change are as of `times` (int64[n] microseconds), where these are given. Raises KeyError
        for a name that the population does not have.
        """

    def ended(self, ids: Array) -> Array:
        """int64[n]: when the entities `ids` ended, in microseconds; later than any time for those that have not."""

    def living(self) -> Living:
        """Those who had not ended when the window began."""


class Rows(Protocol):
    """Rows that are being made: facts of one stream, their children, or newly born entities."""

    times: Array
    """int64[n]: event times in microseconds (birth times where the rows are entities), ascending."""

    ids: Array
    """int64[n]: ids of the rows, unique within the stream or population."""

    subject: str | None
    """The population whose newborn entities these rows are; None where the rows are facts."""

    def __len__(self) -> int: ...

    def rng(self, name: str) -> np.random.Generator:
        """The random stream of one attribute for these rows: named after (seed, stream, `name`, block, tick)."""

    def shared_rng(self, name: str) -> np.random.Generator:
        """A fresh random stream named after (seed, `name`) alone: the same in every stream, block, tick and shard."""

    def column(self, name: str) -> Column:
        """What the rows have before any attribute is drawn; raises KeyError for a name that is not there.

        Names: "event_time", "age" (days, float64), "state", "segment" (the first segmentation) or the name of a
        segmentation, "<entity>.<attribute>" of the own entity and its ancestors, "<entity>_id" of these (int64), and
        "<stream>.<attribute>" of the parent fact for children.
        """

    def value_factor(self, attribute: str) -> Array | None:
        """float64[n]: what segment and vintage multiply an attribute of values by; None where nothing does."""

    def curve(self, curve: CurveRef) -> Array:
        """float64[n]: a curve over time, by name or inline, at the rows' times."""

    def reference(self, entity: str) -> Reference:
        """The population called `entity`, in the shape that lookups want."""

    def own(self, entity: str) -> tuple[Array, Array, Array]:
        """The children of kind `entity` that each row's entity has by the row's time.

        Returns `first` int64[n], `count` int64[n] and `ids` int64[m]: those of row i are
        ids[first[i] : first[i] + count[i]], in order of birth.
        """
