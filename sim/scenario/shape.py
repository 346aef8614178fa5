"""Walks the types of the language: which keys a model has, which types a union, what lies behind a place in a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, Tag

from sim.scenario.document import Path


def bare(annotation: Any) -> Any:
    """The type under `Annotated`, however often it is wrapped."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def is_model(annotation: Any) -> bool:
    """Whether the type is a model of the language."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def arms(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, of unions in it as well; of any other type itself."""
    plain = bare(annotation)
    if get_origin(plain) not in (Union, UnionType):
        return (annotation,)
    return tuple(inner for arm in get_args(plain) for inner in ((arm,) if _tag(arm) else arms(arm)))


def tags(annotation: Any) -> dict[str, Any]:
    """The members of a union by the `type` (or internal tag) that selects them."""
    found: dict[str, Any] = {}
    for arm in arms(annotation):
        tag = _tag(arm)
        if tag is not None:
            found[tag] = arm
        for kind in _kinds(bare(arm)):
            found.setdefault(kind, arm)
    return found


def _tag(arm: Any) -> str | None:
    metadata = get_args(arm)[1:] if get_origin(arm) is Annotated else ()
    return next((item.tag for item in metadata if isinstance(item, Tag)), None)


def _kinds(model: Any) -> tuple[str, ...]:
    """The values of a model's `type`, if it is a literal."""
    if not is_model(model) or "type" not in model.model_fields:
        return ()
    annotation = model.model_fields["type"].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def keys(annotation: Any) -> dict[str, Any]:
    """Key -> type of a model, as a file writes the keys; of the first model among a union's members."""
    for arm in arms(annotation):
        model = bare(arm)
        if is_model(model):
            return {info.alias or name: info.annotation for name, info in model.model_fields.items()}
    return {}


def types_of(annotation: Any) -> list[str]:
    """What a `type` key may say there."""
    found = [kind for arm in arms(annotation) for kind in _kinds(bare(arm))]
    inline = [kind for tag, arm in tags(annotation).items() if tag == "inline" for kind in types_of(arm)]
    return found or inline


@dataclass(slots=True)
class Place:
    """Where an error of pydantic's is: the path in the file, the type there, and how sure that is.

    `guessed` says that the error comes from one member of a union that the file did not choose by name.
    """

    path: Path = ()
    annotation: Any = None
    guessed: bool = False
    inside: Any = field(default=None, repr=False)


def locate(annotation: Any, data: Any, loc: Sequence[str | int]) -> Place:
    """The place that pydantic's `loc` means, without the tags and type names that it puts in between."""
    place = Place((), annotation, False, data)
    for part in loc:
        _advance(place, part)
    return place


def _advance(place: Place, part: str | int) -> None:
    tagged = tags(place.annotation) if isinstance(part, str) else {}
    chosen = place.inside.get("type") if isinstance(place.inside, Mapping) else None
    if part in tagged and (chosen == part or part not in _words(place.annotation, place.inside)):
        place.annotation = tagged[str(part)]
    elif _within(place.inside, part):
        place.annotation = child(place.annotation, part)
        place.path = (*place.path, part)
        place.inside = place.inside[part]
    elif part != "[key]" and not _belongs(place, part):
        place.guessed = True


def _within(data: Any, part: str | int) -> bool:
    if isinstance(data, Mapping):
        return part in data
    return isinstance(data, list | tuple) and isinstance(part, int) and 0 <= part < len(data)


def _words(annotation: Any, data: Any) -> frozenset[Any]:
    """Keys of the file here that are no tags: those of a mapping whose members have no `type` of their own."""
    return frozenset(data) if isinstance(data, Mapping) and "type" not in data else frozenset()


def _belongs(place: Place, part: str | int) -> bool:
    """Whether `part` is a key that a short form stands for, as in a bare `20d`."""
    return isinstance(part, str) and part in keys(place.annotation)


def child(annotation: Any, part: str | int) -> Any:
    """The type behind a key or a place in a list; None where it is unknown."""
    for arm in arms(annotation):
        plain = bare(arm)
        if is_model(plain) and part in keys(arm):
            return keys(arm)[str(part)]
        origin, inner = get_origin(plain), get_args(plain)
        if origin is dict and not isinstance(part, bool):
            return inner[1]
        if origin in (list, tuple) and isinstance(part, int):
            return inner[0]
        if _tag(arm) and (found := child(plain, part)) is not None:
            return found
    return None


def models(annotation: Any, data: Any, path: Path = ()) -> Iterator[tuple[Path, type[BaseModel], Mapping[str, Any]]]:
    """Every mapping in `data` that is meant as a model, with its path: outer ones first, misshapen parts left out."""
    chosen = _choose(annotation, data)
    if is_model(chosen) and isinstance(data, Mapping):
        yield path, chosen, data
    items: list[tuple[Any, Any]] = []
    if isinstance(data, Mapping):
        items = list(data.items())
    elif isinstance(data, list | tuple):
        items = list(enumerate(data))
    for key, value in items:
        inner = child(chosen, key) if chosen is not None else None
        if inner is not None and isinstance(value, Mapping | list | tuple):
            yield from models(inner, value, (*path, key))


def _choose(annotation: Any, data: Any) -> Any:
    """The member of a union that `data` selects by its `type` or by its form."""
    if isinstance(data, Mapping) and isinstance(data.get("type"), str):
        chosen = _by_type(annotation, data["type"])
        if chosen is not None or types_of(annotation):
            return bare(tags(annotation).get("custom", None)) if chosen is None else chosen
    wanted = (dict,) if isinstance(data, Mapping) else (list, tuple)
    candidates = [bare(arm) for arm in arms(annotation)]
    for plain in candidates:
        if get_origin(plain) in wanted or (isinstance(data, Mapping) and is_model(plain)):
            return plain
    return candidates[0] if len(candidates) == 1 else None


def _by_type(annotation: Any, kind: str) -> Any:
    for arm in arms(annotation):
        plain = bare(arm)
        if kind in _kinds(plain):
            return plain
        if _tag(arm) and not is_model(plain) and (found := _by_type(plain, kind)) is not None:
            return found
    return None
