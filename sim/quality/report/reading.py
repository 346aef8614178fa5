"""What the streams of a data set are about, as their columns say.

datagen gives the streams of entities, changes of state, steps and visits columns of their own, so that a data set can
be read without its scenario: from a topic, or from a copy of single files. Other people's tables are streams of facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from sim.batch import TIME

Role = Literal["entity", "changes", "steps", "cases", "visits", "load", "history", "truth", "facts"]

ROLES: dict[Role, str] = {
    "entity": "entities",
    "changes": "changes of state",
    "steps": "steps of cases",
    "cases": "finished cases",
    "visits": "visits to resources",
    "load": "load of resources",
    "history": "history of entities",
    "truth": "ground truth",
    "facts": "facts",
}
_MARKS: tuple[tuple[Role, frozenset[str]], ...] = (
    ("changes", frozenset({"from_state", "to_state", "seconds_in_state"})),
    ("visits", frozenset({"resource", "outcome", "waited_s", "served_s"})),
    ("load", frozenset({"resource", "capacity", "busy", "waiting"})),
    ("steps", frozenset({"step", "step_index"})),
    ("cases", frozenset({"started_at", "last_step", "steps"})),
    ("truth", frozenset({"incident", "began_at"})),
    ("history", frozenset({"valid_from", "valid_to", "version"})),
    ("history", frozenset({"op", "before", "after"})),
    ("entity", frozenset({"born_at"})),
)
_TOTALS = ("amount", "revenue", "total", "paid", "earned", "price", "refund", "cost", "quantity", "mb", "kwh", "km")
"""Names of columns whose sum means something, the most telling first; of any other column the mean is shown."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One stream: its role, the columns of its id and its time, whose facts they are, and what they refer to.

    `owner` is the stream of the entity to which a fact belongs, and `key` its column; `references` are the columns that
    are ids of other streams, with those. `case` is the column of a process's cases. `numbers` and `texts` are all other
    columns that are numbers, or text and truth values.
    """

    name: str
    role: Role
    id: str | None
    time: str | None
    key: str | None
    owner: str | None
    references: tuple[tuple[str, str], ...]
    case: str | None
    numbers: tuple[str, ...]
    texts: tuple[str, ...]

    @property
    def value(self) -> str | None:
        """The column whose sum says most, if there is one."""
        return next((name for name in _TOTALS if name in self.numbers), None)

    @property
    def worthy(self) -> int:
        """How telling its value is: 0 for what is earned, then what is paid back or spent, amounts, and nothing."""
        place = _TOTALS.index(self.value) if self.value else len(_TOTALS)
        return sum(place >= least for least in (_TOTALS.index("refund"), _TOTALS.index("quantity"), len(_TOTALS)))

    @property
    def level(self) -> str | None:
        """The first number, where no sum means anything."""
        return self.numbers[0] if self.numbers and self.value is None else None

    @property
    def process(self) -> str:
        """The name of the process that steps, cases and visits belong to."""
        return re.sub(r"_(case|service)$", "", self.name) if self.role in ("cases", "visits") else self.name


def readings(schemas: Mapping[str, pa.Schema]) -> dict[str, Reading]:
    """Every stream, read from the columns of all."""
    roles = {name: _role(schema) for name, schema in schemas.items()}
    return {name: _reading(name, schema, roles) for name, schema in schemas.items()}


def _role(schema: pa.Schema) -> Role:
    names = set(schema.names)
    return next((role for role, marks in _MARKS if marks <= names), "facts")


def _reading(name: str, schema: pa.Schema, roles: Mapping[str, Role]) -> Reading:
    own = next((column for column in (f"{name}_id", "id") if column in schema.names), None)
    links = tuple(_references(name, schema, roles))
    owner = name if roles[name] == "entity" else next((to for _, to in links if roles[to] == "entity"), None)
    key = own if owner == name else next((column for column, to in links if to == owner), None)
    case = next((column for column in schema.names if column.endswith("_case_id")), None)
    plain = [column for column in schema if column.name not in _structural(own, links, case)]
    numbers = tuple(column.name for column in plain if _number(column.type))
    texts = tuple(
        column.name for column in plain if pa.types.is_string(column.type) or pa.types.is_boolean(column.type)
    )
    return Reading(name, roles[name], own, _time(schema), key, owner, links, case, numbers, texts)


def _references(name: str, schema: pa.Schema, roles: Mapping[str, Role]) -> Iterable[tuple[str, str]]:
    for column in schema.names:
        target = column.removesuffix("_id")
        if column.endswith("_id") and target in roles and target != name:
            yield column, target


def _structural(own: str | None, links: Iterable[tuple[str, str]], case: str | None) -> set[str | None]:
    return {own, case, "step_index", *(column for column, _ in links)}


def _time(schema: pa.Schema) -> str | None:
    times = [column.name for column in schema if pa.types.is_timestamp(column.type)]
    return TIME if TIME in times else next(iter(times), None)


def _number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
