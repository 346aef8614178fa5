"""Writes docs/reference.md from the language itself: `python -m sim.scenario.reference`.

Every key has its type, unit, default and an example, all of them from the models, so that the page cannot be wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sim.maths.model import NAME_PATTERN
from sim.scenario.bundled import folder
from sim.scenario.changes import TARGET_PATTERN
from sim.scenario.json_schema import UNIONS, json_schema, quantities
from sim.scenario.reference_text import EXAMPLES, FAMILIES, HEAD, KEY_EXAMPLES, TYPES_OF_UNITS, UNITS
from sim.scenario.samples import Samples, flow

Schema = Mapping[str, Any]


def page() -> str:
    """The whole reference, as Markdown."""
    return _Reference(json_schema()).page()


def path() -> Path:
    """Where the page is kept."""
    return folder().parent / "docs" / "reference.md"


class _Reference:
    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.definitions: Mapping[str, Schema] = schema["$defs"]
        self.samples = Samples(self.definitions)
        self.families = {name: self._members(name) for name in dict.fromkeys(UNIONS.values())}
        self.family_of: dict[str, str] = {}
        for name, members in self.families.items():
            for member in members:
                self.family_of.setdefault(member, name)

    def page(self) -> str:
        parts = [HEAD, *self._quantities(), *self._model("Scenario", self.schema, "A scenario")]
        for name in self._models():
            parts += self._model(name, self.definitions[name], _words(name))
        for family in self.families:
            parts += self._family(family)
        return "\n\n".join(parts) + "\n"

    def _members(self, family: str) -> list[str]:
        return [member["$ref"].rpartition("/")[2] for member in self.definitions[family]["oneOf"]]

    def _models(self) -> list[str]:
        """Models that belong to no family, in the order in which the scenario comes to them."""
        found: list[str] = []
        waiting = [*_references(self.schema["properties"])]
        while waiting:
            name = waiting.pop(0)
            if name in found or name in quantities():
                continue
            found.append(name)
            waiting += _references(self.definitions[name])
        return [name for name in found if name not in self.family_of and name not in self.families]

    def _quantities(self) -> Iterator[str]:
        yield "## Quantities"
        rows = ["| quantity | written as | examples |", "| --- | --- | --- |"]
        for name, schema in quantities().items():
            examples = ", ".join(f"`{flow(example)}`" for example in schema["examples"])
            rows.append(f'| <a id="{name.lower()}"></a>{UNITS[name][0]} | {schema["description"]} | {examples} |')
        yield "\n".join(rows)

    def _model(self, name: str, schema: Schema, title: str, level: str = "##") -> Iterator[str]:
        yield f'{level} <a id="{_anchor(name)}"></a>{title}'
        yield from self._body(name, schema, {})

    def _body(self, name: str, schema: Schema, without: Schema) -> Iterator[str]:
        yield _prose(schema.get("description", ""))
        shown = {key: spec for key, spec in schema["properties"].items() if key != "type" and spec != without.get(key)}
        if shown:
            yield self._table(shown, schema.get("required", []), name)
        if name != "Custom":
            yield f"```yaml\n{EXAMPLES.get(name) or flow(self.samples.model(schema))}\n```"

    def _table(self, properties: Mapping[str, Schema], required: list[str], name: str) -> str:
        rows = ["| key | type | unit | default | meaning | example |", "| --- | --- | --- | --- | --- | --- |"]
        for key, spec in properties.items():
            default = "required" if key in required else self._default(spec)
            example = KEY_EXAMPLES.get((name, key)) or KEY_EXAMPLES.get(("", key)) or flow(self.samples.of(spec))
            cells = [f"`{key}`", self._type(spec), self._unit(spec), default, self._meaning(spec)]
            rows.append("| " + " | ".join([*cells, f"`{_cell(example)}`"]) + " |")
        return "\n".join(rows)

    def _family(self, family: str) -> Iterator[str]:
        title, text, _ = FAMILIES[family]
        yield f'## <a id="{_anchor(family)}"></a>{title}'
        yield text
        members = self.families[family]
        common = self._common(members)
        if common:
            yield "What they share, unless their own table says otherwise:"
            yield self._table(common, [], family)
        for name in members:
            schema = self.definitions[name]
            kind = schema["properties"]["type"]
            if self.family_of[name] != family:
                yield f"[`{kind['const']}`](#{_anchor(name)})"
                continue
            label = f"`{kind['const']}`" if isinstance(kind, Mapping) and "const" in kind else "a generator of your own"
            yield f'### <a id="{_anchor(name)}"></a>{label}'
            yield from self._body(name, schema, common)

    def _common(self, members: list[str]) -> dict[str, Schema]:
        """Keys that nearly all members have, in the same words: said once."""
        first, *others = [self.definitions[name]["properties"] for name in members]
        same = {key: sum(other.get(key) == spec for other in others) for key, spec in first.items()}
        return {key: first[key] for key, count in same.items() if count > 0.8 * len(others) and len(others) > 1}

    def _default(self, spec: Schema) -> str:
        default = spec.get("default")
        if default in (None, "", [], {}) or (isinstance(default, dict) and not any(default.values())):
            return "none"
        return f"`{_cell(flow(default))}`"

    def _meaning(self, spec: Schema) -> str:
        return _cell(_prose(spec.get("description", "")))

    def _type(self, spec: Schema) -> str:
        if "$ref" in spec:
            name = spec["$ref"].rpartition("/")[2]
            return f"[{self._label(name)}](#{_anchor(name)})"
        if "const" in spec or "enum" in spec:
            return " or ".join(f"`{flow(value)}`" for value in spec.get("enum", [spec.get("const")]))
        members = [member for member in spec.get("anyOf", spec.get("oneOf", [])) if member.get("type") != "null"]
        if {member.get("type") for member in members} == _SCALARS:
            return "text, number, `true` or `false`"
        if members:
            return " or ".join(dict.fromkeys(self._type(member) for member in members))
        if spec.get("type") == "array":
            return f"list of {self._type(spec.get('items', {}))}"
        if spec.get("type") == "object":
            inner = next(iter(spec.get("patternProperties", {}).values()), spec.get("additionalProperties"))
            return f"mapping of {_keys(spec)} to {self._type(inner) if isinstance(inner, Mapping) else 'anything'}"
        return _plain(spec)

    def _label(self, name: str) -> str:
        if name in UNITS:
            return UNITS[name][0]
        return FAMILIES[name][2] if name in FAMILIES else _words(name).lower()

    def _unit(self, spec: Schema) -> str:
        if "$ref" in spec:
            return TYPES_OF_UNITS.get(spec["$ref"].rpartition("/")[2], "")
        inner = [*spec.get("anyOf", []), *spec.get("oneOf", [])]
        if spec.get("type") == "array" and isinstance(spec.get("items"), Mapping):
            inner.append(spec["items"])
        return next((unit for unit in map(self._unit, inner) if unit), "")


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def _keys(spec: Schema) -> str:
    """What the keys of a mapping are."""
    pattern = next(iter(spec.get("patternProperties", {})), "")
    known = {
        NAME_PATTERN: "names",
        TARGET_PATTERN: "attributes",
        **{schema.get("pattern"): f"{UNITS[name][0]}s" for name, schema in quantities().items()},
    }
    return known.get(pattern, "days" if pattern else "values").replace("points in times", "points in time")


_HUGE = 1e9
_SCALARS = {"boolean", "integer", "number", "string"}


def _plain(spec: Schema) -> str:
    if spec.get("pattern") == NAME_PATTERN:
        return "name"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
    text = words.get(str(spec.get("type")), "anything")
    limits = [
        ("at least", "minimum"),
        ("above", "exclusiveMinimum"),
        ("at most", "maximum"),
        ("below", "exclusiveMaximum"),
    ]
    return ", ".join([text, *(f"{words} {spec[key]:,}" for words, key in limits if abs(spec.get(key, _HUGE)) < _HUGE)])


def _anchor(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _words(name: str) -> str:
    """`StreamSpec` as `Stream`, `SegmentEffect` as `Segment effect`."""
    words = re.sub(r"(?<!^)([A-Z])", r" \1", name.removesuffix("Spec")).lower()
    return words[:1].upper() + words[1:]


def _prose(text: str) -> str:
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    """Write the page to its place."""
    path().parent.mkdir(exist_ok=True)
    path().write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
