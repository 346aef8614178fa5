"""Entities that are followed through their lives: who was born when, and what each of them did."""

from __future__ import annotations

from collections.abc import Sequence

from sim.quality.report.reading import Reading
from sim.quality.report.view import View, table
from sim.quality.report.volume import featured, follows, starts, worth
from sim.quality.tables import quoted

FEW = 30
"""Entities of a kind that are too few to be compared."""

MOST = 0.5
"""The share of entities that do what all of them do."""

ONCE = 1.15
"""Facts per entity that has any, up to which it is once; estimates of how many have are off by a few percent."""

MONTH = 365.25 / 12
"""Days."""


def doings(view: View, entity: Reading, most: int = 2) -> list[Reading]:
    """The streams that say most about what entities do: the one with most value, then what follows from nothing else.

    What happens to an entity once says nothing about how active it is, and is left out where there is anything else.
    """
    own = [reading for reading in featured(view) if reading.owner == entity.name and view.rows(reading) >= 200]
    own = [reading for reading in own if not once(view, reading)] or own
    best = sorted(own, key=lambda reading: (reading.worthy, -view.rows(reading)))[:1]
    roots = [reading for reading in own if not follows(view, reading) and reading not in best]
    return [*best, *roots][:most]


def habit(view: View, entity: Reading) -> Reading | None:
    """The stream that tells whether an entity is active: the most frequent one that follows from no other."""
    own = [reading for reading in featured(view) if reading.owner == entity.name and view.rows(reading) >= 200]
    told = [reading for reading in own if not once(view, reading)] or own
    roots = [reading for reading in told if not follows(view, reading)] or told
    return max(roots, key=lambda reading: _begun(view, reading), default=None)


def once(view: View, reading: Reading) -> bool:
    """Whether it happens to most entities, and but once to any: an application, a first visit."""
    those = view.distinct(reading.name, reading.key or "")
    return those > MOST * view.rows(view.all[reading.owner or ""]) and _begun(view, reading) <= ONCE * those


def _begun(view: View, reading: Reading) -> int:
    if reading.role != "steps":
        return view.rows(reading)
    return int(view.query(f"SELECT count(*) FROM {table(reading)} WHERE {starts(reading)}")[0][0])


def kinds(view: View) -> list[Reading]:
    """The kinds of entity that are worth following."""
    return [entity for entity in view.of("entity") if entity.key and view.rows(entity) >= FEW]


def members(view: View, entity: Reading, columns: Sequence[str] = ()) -> str:
    """SQL that gives the entities, or a sample: `id`, `born`, `seen` (since when it is in the data), and `columns`."""
    key, more = quoted(entity.key or ""), "".join(f", {quoted(column)}" for column in columns)
    born = f"{view.at(entity, 'born_at')}"
    seen = f"greatest({born}, {view.instant(view.start)})"
    sample = view.sampled(entity.key or "", view.rows(entity))
    return f"(SELECT {key} AS id, {born} AS born, {seen} AS seen{more} FROM {table(entity)} WHERE {sample})"


def deeds(view: View, entity: Reading, reading: Reading) -> str:
    """SQL that gives what the same entities did: `id`, `t`, whether it counts, `n` (1 or 0: steps of a case that has
    begun before do not), and what it was worth, `v`."""
    begun, sample = starts(reading), view.sampled(reading.key or "", view.rows(entity))
    value = worth(view, reading)
    counts = f"({begun} OR {value} IS NOT NULL)" if value else begun
    return (
        f"(SELECT {quoted(reading.key or '')} AS id, {view.at(reading)} AS t, ({begun})::INT AS n, "
        f"{value or '1.0'} AS v FROM {table(reading)} WHERE {sample} AND {counts})"
    )


def days(later: str, earlier: str) -> str:
    """SQL for the days between two instants, with their fractions."""
    return f"(epoch({later}) - epoch({earlier})) / 86400.0"
