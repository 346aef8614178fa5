"""Entities that are followed through their lives: who was born when, and what each of them did."""

from __future__ import annotations

from collections.abc import Sequence

from sim.quality.report.reading import Reading
from sim.quality.report.view import View, table
from sim.quality.report.volume import featured, follows, starts
from sim.quality.tables import quoted

FEW = 30
"""Entities of a kind that are too few to be compared."""

MONTH = 365.25 / 12
"""Days."""


def doings(view: View, entity: Reading, most: int = 2) -> list[Reading]:
    """The streams that say most about what entities do: one with a value, then what follows from nothing else."""
    own = [reading for reading in featured(view) if reading.owner == entity.name and view.rows(reading) >= 200]
    best = sorted(own, key=lambda reading: (reading.value is None, -view.rows(reading)))[:1]
    roots = [reading for reading in own if not follows(view, reading) and reading not in best]
    return [*best, *roots][:most]


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
    """SQL that gives what the same entities did: `id`, `t` and what it was worth, `v`."""
    value = f"{quoted(reading.value)}::DOUBLE" if reading.value else "1.0"
    sample = view.sampled(reading.key or "", view.rows(entity))
    return (
        f"(SELECT {quoted(reading.key or '')} AS id, {view.at(reading)} AS t, {value} AS v FROM {table(reading)} "
        f"WHERE {sample} AND {starts(reading)})"
    )


def days(later: str, earlier: str) -> str:
    """SQL for the days between two instants, with their fractions."""
    return f"(epoch({later}) - epoch({earlier})) / 86400.0"
