"""Columns: that they are there, with their types, and never null where that makes no sense."""

from __future__ import annotations

from collections.abc import Iterator

from sim.attributes.attribute import Attribute
from sim.attributes.choice import Choice, Constant
from sim.attributes.keys import Sequence, Uuid
from sim.attributes.lookup import Lookup
from sim.attributes.numbers import NumberAttribute, WholeAttribute
from sim.attributes.pattern import Pattern
from sim.attributes.recoding import Compute, MapValues, Null
from sim.batch import TIME
from sim.maths.instants import format_instant
from sim.quality.checks.questions import Question
from sim.quality.checks.scope import Scope, Subject, column
from sim.quality.finding import Finding, exact

_ALWAYS = ("born_at", "from_state", "to_state", "seconds_in_state", "state", "step", "step_index", "last_step", "steps")
"""Columns of datagen's own that have a value in every row of the streams that have them."""

_NEVER_NULL = (Choice, Constant, NumberAttribute, WholeAttribute, Sequence, Uuid, Pattern)


def measure(scope: Scope) -> Iterator[Finding]:
    """Columns that are missing or of another type, and values that do not fit their column."""
    for subject in scope.subjects.values():
        if not subject.types:
            continue
        parts = scope.dataset.tables[subject.name].parts
        missing = [(name, part.name) for part in parts for name in subject.types if name not in part.schema.names]
        told = "there is no column {!r} in {}".format(*missing[0]) if missing else ""
        yield exact("structure", "columns", subject.name, len(missing), told, weight=3)
        for name in subject.found.names:
            if name in subject.types:
                yield _typed(scope, subject, name)


def questions(scope: Scope) -> Iterator[Question]:
    """Nulls where none may be."""
    for subject in scope.subjects.values():
        if subject.faulty:
            continue
        for name, while_ in _required(scope, subject).items():
            if subject.has(name):
                yield _nulls(subject, name, while_)


def never_null(attribute: Attribute) -> bool:
    """Whether an attribute has a value in every row while its column is there."""
    own = isinstance(attribute, _NEVER_NULL) or (isinstance(attribute, Lookup) and attribute.of == "parent")
    return own and not any(isinstance(modifier, Null | Compute | MapValues) for modifier in attribute.modifiers)


def present(attribute: Attribute) -> str:
    """The SQL condition on rows whose time falls into that in which an attribute's column is there."""
    bounds = [
        f"{TIME} {sign} TIMESTAMPTZ '{format_instant(instant)}'"
        for sign, instant in ((">=", attribute.added), ("<", attribute.dropped))
        if instant is not None
    ]
    return " AND ".join(bounds) or "true"


def _typed(scope: Scope, subject: Subject, name: str) -> Finding:
    place, table = f"{subject.name}.{name}", scope.dataset.tables[subject.name]
    other = [part for part in table.parts if name in part.schema.names and not subject.fits(name, part.schema)]
    unfit = [trouble for trouble in table.troubles if trouble.column == name]
    told = f"{unfit[0].file}: {unfit[0].reason}" if unfit else ""
    if other:
        told = f"{other[0].name} has {other[0].schema.field(name).type}, not {subject.types[name]}"
    return exact("structure", "types", place, len(other) + sum(t.count for t in unfit), told, weight=3)


def _required(scope: Scope, subject: Subject) -> dict[str, str]:
    """Columns that must have a value, and the SQL condition on the rows where they must."""
    entity = () if subject.key == "entity_id" else (subject.key,)
    names = [name for name in (subject.id, TIME, *entity) if name is not None]
    if subject.types and not subject.name.endswith(("_change", "_version", "_snapshot")):
        names += [name for name in _ALWAYS if name in subject.types]
    found = dict.fromkeys(names, "true")
    for sheet in scope.sheets.get(subject.name, ()):
        for name, attribute in sheet.table.attributes.items():
            if never_null(attribute) and name not in sheet.table.replaced:
                found[attribute.column_name(name)] = present(attribute)
    return found


def _nulls(subject: Subject, name: str, while_: str) -> Question:
    def answer(wrong: int, rows: int) -> Iterator[Finding]:
        yield exact("structure", "no_nulls", f"{subject.name}.{name}", wrong, "null", of=rows, weight=2)

    return Question(subject.name, (f"count(*) FILTER ({column(name)} IS NULL AND {while_})", "count(*)"), answer)
