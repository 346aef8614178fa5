"""Faults on the way to the sink: which facts are hit, when they arrive instead, and what they say then.

The facts themselves come out of the simulation as ever. What happens to a fact follows from the seed, its stream and
its id, so that any number of shards and workers injects the same faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sim.batch import TIME, TIME_TYPE, Batch, Stream, event_times
from sim.delivery.chance import uniform
from sim.maths.quantiles import Quantiles
from sim.maths.units import YEAR
from sim.scenario.faults import ClockSkew, Corrupt, Faults, Stalls

Ints = NDArray[np.int64]
Rows = NDArray[np.intp]
Codes = NDArray[np.uint8]

DROP, LATE, DUPLICATE, STALL, SKEW, HOT = "drop", "late", "duplicate", "stall", "clock_skew", "hot_key"
CORRUPT = "corrupt"
"""What the ledger calls the injections."""

MISSING = "missing_field"
"""The damage that is done to the facts themselves, whatever the sink."""


@dataclass(frozen=True, slots=True)
class Injection:
    """Facts that were hit in one way: row numbers of a batch, and when each arrives (int64 microseconds).

    What is dropped would have arrived then. `detail`, text, says what the times do not: the microseconds by which a
    clock is ahead, the key that a fact has instead, or how it is corrupt.
    """

    kind: str
    rows: Rows
    at: Ints
    detail: pa.Array | None = None


@dataclass(frozen=True, slots=True)
class Struck:
    """What becomes of a batch: rows with their arrivals, in no order yet, and every injection.

    `happened` has the true event time of each row, whatever its clock says, `damage` how each is to be broken (uint8).
    """

    data: pa.RecordBatch
    arrivals: Ints
    happened: Ints
    damage: Codes
    injections: tuple[Injection, ...]


class Injector:
    """The faults of one stream in one run.

    `damages` are the kinds of damage to messages that the sink can do, by their numbers from 1 on; facts that are to be
    damaged in another way stay whole.
    """

    def __init__(self, stream: Stream, faults: Faults, seed: int, damages: Mapping[str, int] | None = None) -> None:
        self.stream = stream
        self._damages = damages or {}
        self._faults = faults
        self._seed = seed
        self._delays = Quantiles(faults.late.delay, faults.room) if faults.late else None
        self._repeats = Quantiles(faults.duplicates.after, faults.room) if faults.duplicates else None
        self._offsets = Quantiles(faults.clock_skew.offset, YEAR) if faults.clock_skew else None

    def strike(self, batch: Batch) -> Struck:
        """Inject faults into a batch, whose facts are in the order of their event times."""
        ids, times = _ints(batch.data, self.stream.id), event_times(batch.data)
        kept = self._hit("drop", self._faults.drops, ids, negated=True)
        delays = self._delayed(ids)
        arrivals = self._stalled(times + delays)
        injections = [
            _where(DROP, ~kept, times),
            _where(LATE, kept & (delays > 0), arrivals),
            _where(STALL, kept & (arrivals > times + delays), arrivals),
        ]
        damage, broken = self._broken(ids, kept, arrivals)
        copies = np.flatnonzero(kept & self._repeated(ids) & (damage == 0))
        again = self._stalled(times[copies] + self._later(ids[copies], delays[copies]))
        injections.append(Injection(DUPLICATE, copies, again))
        data, changes = self._changed(batch.data, ids, times, kept, arrivals)
        rows = np.concatenate([np.flatnonzero(kept), copies])
        when = np.concatenate([arrivals[kept], again])
        found = tuple(injection for injection in (*injections, *changes, *broken) if len(injection.rows))
        return Struck(data.take(pa.array(rows)), when, times[rows], damage[rows], found)

    def _uniform(self, name: str, ids: Ints) -> NDArray[np.float64]:
        return uniform(self._seed, f"faults/{self.stream.name}/{name}", ids)

    def _hit(self, name: str, probability: float, ids: Ints, negated: bool = False) -> NDArray[np.bool_]:
        if not probability:
            return np.full(len(ids), negated)
        hit: NDArray[np.bool_] = (self._uniform(name, ids) < probability) ^ negated
        return hit

    def _delayed(self, ids: Ints) -> Ints:
        """Microseconds between event and arrival, 0 for facts that are on time."""
        delays = np.zeros(len(ids), np.int64)
        if self._faults.late and self._delays:
            rows = np.flatnonzero(self._hit("late", self._faults.late.probability, ids))
            delays[rows] = self._delays.of(self._uniform("late/delay", ids[rows]))
        return delays

    def _repeated(self, ids: Ints) -> NDArray[np.bool_]:
        found = self._faults.duplicates
        return self._hit("duplicate", found.probability if found else 0.0, ids)

    def _later(self, ids: Ints, delays: Ints) -> Ints:
        """Microseconds between event and second arrival, given those before the first."""
        if self._repeats is None:
            return delays
        room = (self._faults.room - delays).astype(np.float64)
        return delays + self._repeats.of(self._uniform("duplicate/after", ids), room).astype(np.int64)

    def _stalled(self, arrivals: Ints) -> Ints:
        """Arrivals during a stall are at its end."""
        if self._faults.stalls is None or not len(arrivals):
            return arrivals
        begin, end = stall_of(self._faults.stalls, self._seed, self.stream.name, arrivals)
        return np.where((arrivals >= begin) & (arrivals < end), end, arrivals)

    def _changed(
        self, data: pa.RecordBatch, ids: Ints, times: Ints, kept: NDArray[np.bool_], arrivals: Ints
    ) -> tuple[pa.RecordBatch, list[Injection]]:
        """The facts with wrong clocks and wrong keys, and which those are."""
        injections: list[Injection] = []
        if self._faults.clock_skew and self._offsets:
            skews = self._skews(self._faults.clock_skew, _ints(data, self.stream.key))
            injections.append(_where(SKEW, kept & (skews != 0), arrivals, skews))
            data = _replaced(data, TIME, pa.array(times + skews, TIME_TYPE))
        if (hot := self._faults.hot_keys) is not None:
            own = _ints(data, self.stream.key)
            chosen = (self._uniform("hot_key/which", ids) * hot.keys).astype(np.int64)
            keys = np.where(self._hit("hot_key", hot.share, ids), chosen, own)
            injections.append(_where(HOT, kept & (keys != own), arrivals, keys))
            data = _replaced(data, self.stream.key, pa.array(keys))
        missing, data = self._missing(data, ids, kept, arrivals)
        return data, injections + missing

    def _missing(
        self, data: pa.RecordBatch, ids: Ints, kept: NDArray[np.bool_], arrivals: Ints
    ) -> tuple[list[Injection], pa.RecordBatch]:
        """The facts of which a field is missing: null in one of the columns that are neither time, id nor key."""
        fields = [name for name in data.schema.names if name not in (TIME, self.stream.id, self.stream.key)]
        injections: list[Injection] = []
        if self._faults.corrupt is None or MISSING not in self._faults.corrupt.kinds or not fields:
            return injections, data
        hit = kept & (self._corrupt(ids, self._faults.corrupt) == MISSING)
        which = (self._uniform("corrupt/field", ids) * len(fields)).astype(np.int64)
        for number, name in enumerate(fields):
            rows = np.flatnonzero(hit & (which == number) & data.column(name).is_valid().to_numpy(zero_copy_only=False))
            places = pa.array(np.arange(len(ids)), mask=np.isin(np.arange(len(ids)), rows))
            data = _replaced(data, name, data.column(name).take(places))
            injections.append(Injection(CORRUPT, rows, arrivals[rows], pa.array([f"{MISSING}:{name}"] * len(rows))))
        return injections, data

    def _broken(self, ids: Ints, kept: NDArray[np.bool_], arrivals: Ints) -> tuple[Codes, list[Injection]]:
        """How each fact's message is to be broken, 0 for not at all, and which those are."""
        damage = np.zeros(len(ids), np.uint8)
        injections: list[Injection] = []
        if self._faults.corrupt is None:
            return damage, injections
        kinds = self._corrupt(ids, self._faults.corrupt)
        for kind, code in self._damages.items():
            rows = np.flatnonzero(kept & (kinds == kind))
            damage[rows] = code
            injections.append(Injection(CORRUPT, rows, arrivals[rows], pa.array([kind] * len(rows), pa.string())))
        return damage, injections

    def _corrupt(self, ids: Ints, spec: Corrupt) -> NDArray[np.str_]:
        """How each fact is corrupt; the empty text where it is not."""
        which = (self._uniform("corrupt/kind", ids) * len(spec.kinds)).astype(np.int64)
        return np.where(self._hit("corrupt", spec.probability, ids), np.array(spec.kinds)[which], "")

    def _skews(self, skew: ClockSkew, keys: Ints) -> Ints:
        """Microseconds by which the clock of each entity is ahead."""
        assert self._offsets is not None
        offsets = self._offsets.of(self._uniform("clock_skew/offset", keys)).astype(np.int64)
        ahead = {"ahead": 1.0, "behind": 0.0, "either": 0.5}[skew.direction]
        signed = np.where(self._uniform("clock_skew/direction", keys) < ahead, offsets, -offsets)
        return np.where(self._hit("clock_skew", skew.share, keys), signed, 0)


def stall_of(stalls: Stalls, seed: int, stream: str, times: Ints) -> tuple[Ints, Ints]:
    """Beginning and end, int64[n] microseconds, of the stall in the period to which each of the times belongs."""
    periods = times // stalls.every
    numbers, places = np.unique(periods, return_inverse=True)
    room = stalls.every - stalls.lasts
    offsets = (uniform(seed, f"faults/{stream}/stall", numbers) * room).astype(np.int64)
    begin = (numbers * stalls.every + offsets)[places]
    return begin, begin + stalls.lasts


def _where(kind: str, hit: NDArray[np.bool_], at: Ints, amount: Ints | None = None) -> Injection:
    rows = np.flatnonzero(hit)
    return Injection(kind, rows, at[rows], None if amount is None else pa.array(amount[rows]).cast(pa.string()))


def _ints(data: pa.RecordBatch, column: str) -> Ints:
    numbers: Ints = data.column(column).to_numpy(zero_copy_only=False)
    return numbers


def _replaced(data: pa.RecordBatch, column: str, values: pa.Array) -> pa.RecordBatch:
    arrays = [values if field.name == column else data.column(field.name) for field in data.schema]
    return pa.RecordBatch.from_arrays(arrays, schema=data.schema)
