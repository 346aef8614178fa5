"""The entities of a kind as the facts tell of them: births, segments, ancestors, and the states they go through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.model.model import Model, Population
from sim.quality.behaviours.reading import (
    MOST,
    Facts,
    Indices,
    NotMeasurable,
    Times,
    chosen,
    code,
    columns,
    count,
    instant,
    quoted,
    require,
)


@dataclass(frozen=True, slots=True)
class Members:
    """A sample of the entities of a population, by id: arrays of one element an entity.

    `entered` is where they come into sight: at birth, or at the start of the run. `holders` has the ids of the entity
    itself, its parent, and so on. `share` of all entities are in the sample.
    """

    population: Population
    share: float
    ids: Indices
    births: Times
    entered: Times
    segments: tuple[Indices, ...]
    holders: tuple[Indices, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, ids: Indices) -> Indices:
        """The rows of entities, -1 of those that are not among them: int64[n]."""
        place = np.minimum(np.searchsorted(self.ids, ids), max(len(self.ids) - 1, 0))
        return np.where(self.ids[place] == ids, place, -1) if len(self.ids) else np.full(len(ids), -1)


@dataclass(frozen=True, slots=True)
class Track:
    """Something that has states, over time: of each member, its first state and the changes of it.

    `first` int64[members]; the changes are (member, time, state), int64[n] each, by member and time.
    """

    name: str
    levels: tuple[str, ...]
    first: Indices
    member: Indices
    times: Times
    states: Indices


@dataclass(frozen=True, slots=True)
class Stays:
    """Stretches [start, until) of members' lives in which no track changes, by member and time: one element a stay.

    `states` has one row a track. `since` is when the first track's state was entered, -1 where that is not known.
    """

    member: Indices
    start: Times
    until: Times
    states: NDArray[np.int64]
    since: Times

    def __len__(self) -> int:
        return len(self.member)

    def take(self, index: Indices) -> Stays:
        """Those at `index`."""
        return Stays(self.member[index], self.start[index], self.until[index], self.states[:, index], self.since[index])


def members_of(facts: Facts, model: Model, population: Population, most: int = MOST) -> Members:
    """The entities of a population, at most about `most`; raises NotMeasurable where their births are not there."""
    kind = population.name
    require(facts, kind)
    total = count(facts, kind)
    if not total:
        raise NotMeasurable(f"there is no {kind}")
    share = min(1.0, most / total)
    line = model.lineage(population)
    known = ", ".join(f"{code(s.name, s.names)} AS {quoted('segment ' + s.name)}" for s in population.segmentations)
    parents = "".join(f", {quoted(f'holder {place}')}" for place in range(1, len(line)))
    sql = (
        f"SELECT {quoted(kind + '_id')}::BIGINT AS id, {instant('born_at')} AS born, {instant('event_time')} AS entered"
        f"{', ' + known if known else ''}{parents} FROM {_with_ancestors(facts, line)}"
        f" WHERE {chosen(kind + '_id', share)} ORDER BY 1"
    )
    ids, births, entered, *rest = columns(facts, sql)
    cut = len(population.segmentations)
    sound = np.flatnonzero(np.all([codes >= 0 for codes in rest[:cut]], axis=0)) if cut else np.arange(len(ids))
    ids, births, entered, *rest = (column[sound] for column in (ids, births, entered, *rest))
    return Members(population, share, ids, births, entered, tuple(rest[:cut]), (ids, *rest[cut:]))


def _with_ancestors(facts: Facts, line: Sequence[Population]) -> str:
    """SQL of the births of a kind, with the ids of the parent (`holder 1`), its parent, and so on."""
    sql = f"{quoted(line[0].name)}"
    for place, parent in enumerate(line[1:], 1):
        key = quoted(f"{parent.name}_id")
        if place == 1:
            sql = f"(SELECT *, {key}::BIGINT AS {quoted('holder 1')} FROM {sql})"
            continue
        below = line[place - 1].name
        require(facts, below)
        own, before = quoted(f"{below}_id"), quoted(f"holder {place - 1}")
        above = f"(SELECT {own}::BIGINT AS own, {key}::BIGINT AS above FROM {quoted(below)})"
        sql = f"(SELECT a.*, b.above AS {quoted(f'holder {place}')} FROM {sql} a JOIN {above} b ON a.{before} = b.own)"
    return sql


def track_of_states(facts: Facts, model: Model, members: Members, generation: int) -> Track:
    """The states of members, or of their ancestors so many generations up."""
    holder = model.lineage(members.population)[generation]
    machine = holder.machine
    assert machine is not None
    kind, changes = holder.name, f"{holder.name}_lifecycle"
    require(facts, kind)
    require(facts, changes)
    own = f"{quoted(kind + '_id')}::BIGINT"
    where = chosen(f"{kind}_id", members.share) if generation == 0 else "true"
    ids, first = columns(
        facts, f"SELECT {own}, {code('state', machine.states)} FROM {quoted(kind)} WHERE {where} ORDER BY 1"
    )
    whose, times, to = columns(
        facts,
        f"SELECT {own}, {instant('event_time')}, {code('to_state', machine.states)} FROM {quoted(changes)}"
        f" WHERE {where} ORDER BY 1, 2, {quoted(changes + '_id')}",
    )
    place = np.searchsorted(ids, members.holders[generation])
    name = "state" if generation == 0 else f"state of {kind}"
    return _spread(name, machine.states, members.holders[generation], first[place], whose, times, to)


def track_of_spells(facts: Facts, model: Model, members: Members, incident: str, generation: int) -> Track:
    """Whether an incident is on for members, or for their ancestors so many generations up."""
    kind = model.lineage(members.population)[generation].name
    if "incident" not in facts.streams:
        raise NotMeasurable(f"when the incident {incident!r} is on is not told")
    told = incident.replace("'", "''")
    begins = columns(
        facts,
        "SELECT entity_id::BIGINT, epoch_us(began_at), epoch_us(ends_at) FROM incident"
        f" WHERE incident::VARCHAR = '{told}' AND entity::VARCHAR = '{kind}' ORDER BY 1, 2",
    )
    whose = np.repeat(begins[0], 2)
    times = np.stack(begins[1:], axis=1).ravel()
    on = np.tile([1, 0], len(begins[0]))
    first = np.zeros(len(members), dtype=np.int64)
    return _spread(f"incident {incident}", ("clear", "on"), members.holders[generation], first, whose, times, on)


def _spread(
    name: str,
    levels: tuple[str, ...],
    holders: Indices,
    first: Indices,
    whose: Indices,
    times: Times,
    states: Indices,
) -> Track:
    """The track of members from the changes of their holders, which are sorted by holder and time."""
    low = np.searchsorted(whose, holders, side="left")
    many = np.searchsorted(whose, holders, side="right") - low
    member = np.repeat(np.arange(len(holders)), many)
    row = np.arange(len(member)) - np.repeat(np.cumsum(many) - many, many) + np.repeat(low, many)
    return Track(name, levels, first, member, times[row], states[row])


def stays_of(members: Members, tracks: Sequence[Track], start: int, end: int) -> Stays:
    """The lives of members in [start, end), cut wherever a track changes."""
    count = len(members)
    enter = np.maximum(members.entered, start)
    who = np.concatenate([np.arange(count), *(track.member for track in tracks)])
    when = np.concatenate([enter, *(track.times for track in tracks)])
    states = np.full((len(tracks), len(who)), -1)
    since = np.full(len(who), -2)
    since[:count] = np.where(members.births >= start, members.births, -1)
    place = count
    for number, track in enumerate(tracks):
        states[number, :count] = track.first
        states[number, place : place + len(track.member)] = track.states
        if number == 0:
            since[place : place + len(track.member)] = track.times
        place += len(track.member)
    # What happened to an ancestor before a member was born is how the member begins.
    order = np.lexsort((np.arange(len(who)), when, np.arange(len(who)) >= count, who))
    who, when, states, since = who[order], when[order], states[:, order], since[order]
    states = np.stack([_filled(row, row >= 0) for row in states]) if len(tracks) else states
    since = _filled(since, since > -2)
    begin = np.maximum(when, enter[who])
    until = np.where(np.append(who[1:] == who[:-1], False), np.append(begin[1:], end), end)
    found = Stays(who, begin, np.minimum(until, end), states, since)
    return found.take(np.flatnonzero(found.until > found.start))


def _filled(values: Indices, there: NDArray[np.bool_]) -> Indices:
    """Each value, or the last before it that is there; the first one is."""
    return values[np.maximum.accumulate(np.where(there, np.arange(len(values)), 0))]
