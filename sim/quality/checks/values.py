"""Values row by row: within limits, of the listed categories, along their templates, as often null as declared."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from sim.attributes.choice import Choice, Constant
from sim.attributes.keys import Sequence, Uuid
from sim.attributes.pattern import Pattern, parse_template
from sim.attributes.recoding import Null
from sim.quality.checks.attributes import Declaration, declarations
from sim.quality.checks.columns import never_null
from sim.quality.checks.laws import limits, step_of
from sim.quality.checks.questions import Question
from sim.quality.checks.scope import Scope, column
from sim.quality.finding import Finding, exact, statistical
from sim.quality.kinds import is_number
from sim.quality.shares import binomial
from sim.quality.tables import literal

_MOST_LISTED = 10_000
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def questions(scope: Scope) -> Iterator[Question]:
    """What is asked of each declared attribute."""
    for declaration in declarations(scope):
        for ask in (_ranges, _steps, _categories, _patterns, _sequences, _nulls):
            yield from ask(declaration)
    yield from _segments(scope)


def _wrong(declaration: Declaration, name: str, condition: str, told: str) -> Question:
    def answer(wrong: int, rows: int, example: object) -> Iterator[Finding]:
        shown = f"{str(example)[:60]!r} {told}" if wrong else ""
        yield exact("values", name, declaration.place, wrong, shown, of=rows)

    where = f"FILTER ({declaration.sql} IS NOT NULL AND ({condition}))"
    measures = (f"count(*) {where}", "count(*)", f"any_value({declaration.sql}) {where}")
    return Question(declaration.subject.name, measures, answer)


def _ranges(declaration: Declaration) -> Iterator[Question]:
    if not is_number(declaration.subject.found.field(declaration.name).type):
        return
    found = limits(declaration.attribute, declaration.multiplied)
    if found is None:
        return
    low, high = found
    slack = 1e-9 * max(1.0, *(abs(end) for end in found if math.isfinite(end)))
    conditions = [
        f"{declaration.sql} {sign} {end!r}"
        for sign, end in (("<", low - slack), (">", high + slack))
        if math.isfinite(end)
    ]
    yield _wrong(declaration, "ranges", " OR ".join(conditions), f"is not from {low:g} to {high:g}")


def _steps(declaration: Declaration) -> Iterator[Question]:
    step, kind = step_of(declaration.attribute), declaration.subject.found.field(declaration.name).type
    if step is None or not is_number(kind):
        return
    steps = f"({declaration.sql} / {step!r})"
    apart = f"abs({steps} - round({steps})) > 1e-6 + abs({steps}) * 1e-12"
    yield _wrong(declaration, "rounding", apart, f"is no multiple of {step:g}")


def _categories(declaration: Declaration) -> Iterator[Question]:
    attribute = declaration.attribute
    listed: list[object] = []
    if isinstance(attribute, Choice) and declaration.bare:
        listed = list(attribute.values)
    if isinstance(attribute, Constant) and declaration.bare:
        listed = [attribute.value]
    if not listed or len(listed) > _MOST_LISTED:
        return
    allowed = ", ".join(map(_constant, listed))
    yield _wrong(declaration, "categories", f"{declaration.sql} NOT IN ({allowed})", "is not among the declared values")


def _patterns(declaration: Declaration) -> Iterator[Question]:
    if not declaration.bare:
        return
    if isinstance(declaration.attribute, Pattern):
        template = declaration.attribute.template
        expression = "".join(_class(allowed) for allowed in parse_template(template))
        told = f"is not along {template}"
    elif isinstance(declaration.attribute, Uuid):
        expression, told = _UUID, "is no UUID of version 4"
    else:
        return
    yield _wrong(declaration, "patterns", f"NOT regexp_full_match({declaration.sql}, {literal(expression)})", told)


def _class(allowed: bytes) -> str:
    """One byte of a text as a regular expression."""
    if any(octet > 127 for octet in allowed):
        return "."
    text = allowed.decode()
    return re.escape(text) if len(text) == 1 else f"[{re.escape(text)}]"


def _sequences(declaration: Declaration) -> Iterator[Question]:
    attribute, id = declaration.attribute, declaration.subject.id
    if not isinstance(attribute, Sequence) or not declaration.bare or not declaration.subject.has(id) or id is None:
        return
    number = f"{attribute.start} + {attribute.step} * {column(id)}"
    told = "is not the number of its row"
    if attribute.format is None:
        yield _wrong(declaration, "sequences", f"{declaration.sql} <> {number}", told)
        return
    head, _, rest = attribute.format.partition("{")
    width, _, tail = rest.partition("}")
    digits = int(width.strip(":d") or 0)
    text = f"CAST({number} AS VARCHAR)"
    padded = f"CASE WHEN length({text}) < {digits} THEN lpad({text}, {digits}, '0') ELSE {text} END"
    whole = f"{literal(head)} || {padded} || {literal(tail)}"
    yield _wrong(declaration, "sequences", f"{declaration.sql} <> {whole}", told)


def _nulls(declaration: Declaration) -> Iterator[Question]:
    """The share of nulls, of what is never null by itself and is made null at random."""
    made = [modifier for modifier in declaration.attribute.modifiers if isinstance(modifier, Null)]
    plain = declaration.attribute.model_copy(update={"modifiers": []})
    if not made or not never_null(plain) or not declaration.bare:
        return
    declared = 1 - math.prod(1 - modifier.probability for modifier in made)

    def answer(nulls: int, rows: int) -> Iterator[Finding]:
        if rows:
            estimate, low, high, p_value = binomial(nulls, rows, declared)
            yield statistical(
                "values",
                "null_shares",
                declaration.place,
                p_value,
                estimate=estimate,
                low=low,
                high=high,
                declared=declared,
                detail="share of nulls",
            )

    rows = f"count(*) FILTER ({declaration.rows})"
    yield Question(
        declaration.subject.name, (f"count(*) FILTER ({declaration.rows} AND {declaration.sql} IS NULL)", rows), answer
    )


def _segments(scope: Scope) -> Iterator[Question]:
    """Segments that are not declared."""
    for name, population in scope.populations.items():
        for segmentation in population.segmentations if population is not None else ():
            if scope.subjects[name].has(segmentation.name):
                allowed = ", ".join(map(_constant, segmentation.names))
                yield _strange(name, segmentation.name, f"{column(segmentation.name)} NOT IN ({allowed})")


def _strange(stream: str, name: str, condition: str) -> Question:
    def answer(wrong: int, rows: int) -> Iterator[Finding]:
        told = "a segment that is not declared"
        yield exact("values", "categories", f"{stream}.{name}", wrong, told, of=rows)

    return Question(stream, (f"count(*) FILTER ({condition})", "count(*)"), answer)


def _constant(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else literal(str(value))
