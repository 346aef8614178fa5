"""The attributes of streams whose values can be held against their declaration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sim.attributes.attribute import Attribute
from sim.attributes.recoding import Null
from sim.model.incident import Disturbances
from sim.quality.checks.columns import present
from sim.quality.checks.scope import Scope, Sheet, Subject, column


@dataclass(frozen=True, slots=True)
class Declaration:
    """An attribute of a stream and its column; `multiplied`: by something that other rows are not multiplied by.

    `rows` is an SQL condition under which rows hold independent draws.
    """

    subject: Subject
    attribute: Attribute
    name: str
    multiplied: bool
    rows: str

    @property
    def place(self) -> str:
        """Stream and column."""
        return f"{self.subject.name}.{self.name}"

    @property
    def sql(self) -> str:
        """The column in SQL."""
        return column(self.name)

    @property
    def bare(self) -> bool:
        """Whether nothing is done to values after they are drawn, but for some that become null."""
        return not self.multiplied and all(isinstance(modifier, Null) for modifier in self.attribute.modifiers)


def declarations(scope: Scope) -> Iterator[Declaration]:
    """Every attribute that is there, in its type, and that no incident or fault gets at."""
    for stream, sheets in scope.sheets.items():
        subject = scope.subjects[stream]
        for sheet in sheets if not subject.faulty else ():
            for name, attribute in sheet.table.attributes.items():
                own = attribute.column_name(name)
                if subject.has(own) and name not in sheet.table.replaced:
                    yield Declaration(
                        subject, attribute, own, _multiplied(scope, stream, sheet, attribute), _rows(sheet, attribute)
                    )


def _rows(sheet: Sheet, attribute: Attribute) -> str:
    return " AND ".join(condition for condition in (sheet.rows, present(attribute)) if condition != "true") or "true"


def _multiplied(scope: Scope, stream: str, sheet: Sheet, attribute: Attribute) -> bool:
    incidents: Disturbances | None = scope.model.disturbances if scope.model is not None else None
    hit = incidents is not None and bool(incidents.of(stream))
    return bool(attribute.curves) or (attribute.by_value and (hit or not sheet.values.trivial))
