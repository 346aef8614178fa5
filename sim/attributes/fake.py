"""The generator `faker`: names, addresses and the like, from the library Faker.

Faker makes one value in 10 to 60 microseconds, so a pool of them is made once per process, from the run's seed, and
indexed at random.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import STRING_CODES, Column
from sim.attributes.kinds import is_text
from sim.attributes.rows import Rows

MAX_POOL = 1_000_000
MAX_SIZE = 1_000
_RANGES = frozenset({"min", "max", "min_value", "max_value", "step"})
"""Arguments that limit a number; all other numbers among the arguments say how long or how many."""

_CLOCK = re.compile(
    "date|time|dob|century|year|month|day_of_|am_pm|past_|future_|expire|_full|uuid1|uuid7|iso8601|pystr_format"
)
"""In the names of providers that look at today's date or at the machine."""
_REFUSED = frozenset(
    """
    add_provider binary csv del_arguments dsv enum fixed_width format get_arguments get_formatter get_providers image
    items json json_bytes parse profile provider psv pydict pyiterable pylist pyobject pyset pystruct pytuple seed
    seed_instance seed_locale set_arguments set_formatter simple_profile tar tsv xml zip
    """.split()  # noqa: SIM905
)
"""Providers that are none, or that make files and structures."""

Text = Annotated[StrictStr, Field(max_length=1_000)]
Whole = Annotated[StrictInt, Field(ge=-(10**12), le=10**12)]


class Fake(Attribute):
    """A value of one of Faker's providers, such as `email`, `name` or `city`, in the manner of a locale."""

    type: Literal["faker"]
    provider: str = Field(description="Name of a provider of Faker.", examples=["email", "name", "street_address"])
    locale: str = Field("en_US", description="Language and country.", examples=["fr_FR"])
    pool: int = Field(10_000, ge=1, le=MAX_POOL, description="How many values are made; rows share them.")
    unique: bool = Field(
        False, description="Whether the row's id becomes part of the text, before an @ if there is one."
    )
    args: dict[str, StrictBool | Whole | StrictFloat | Text] = Field(
        {}, max_length=20, description="Arguments of the provider.", examples=[{"max_nb_chars": 40}]
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.locale not in _locales():
            raise ValueError(f"{self.locale!r} is not a locale of Faker; {_nearest(self.locale, _locales())}")
        if self.provider not in _providers(self.locale):
            raise ValueError(
                f"{self.provider!r} is not a provider for {self.locale} with one repeatable value; "
                f"{_nearest(self.provider, _providers(self.locale))}"
            )
        for key, value in self.args.items():
            if key not in _RANGES and not isinstance(value, str) and abs(value) > MAX_SIZE:
                raise ValueError(f"args.{key} is {value}; sizes are at most {MAX_SIZE} here")
        self._check_sample()
        return self

    def _check_sample(self) -> None:
        kind = self._sampled
        if self.unique and not is_text(kind):
            raise ValueError(f"'unique' needs a provider of text, and {self.provider!r} gives {kind}")

    @property
    def _arguments(self) -> tuple[tuple[str, Any], ...]:
        return tuple(sorted(self.args.items()))

    @property
    def _sampled(self) -> pa.DataType:
        return _pool(self.provider, self.locale, 1, self._arguments, 0).type

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """What the provider gives: coded text (plain if unique), numbers or booleans."""
        return pa.string() if self.unique else self._sampled

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """Values of the pool, all equally likely."""
        seed = int(rows.shared_rng(f"faker/{self.locale}/{self.provider}").integers(2**63))
        pool = _pool(self.provider, self.locale, self.pool, self._arguments, seed)
        chosen = pool.take(rng.integers(0, self.pool, len(rows), np.int32))
        return _with_ids(chosen, rows) if self.unique else chosen


def _with_ids(column: Column, rows: Rows) -> Column:
    categories = column.categories
    name = pc.replace_substring_regex(categories, "@.*", "")
    rest = pc.replace_substring_regex(categories, "^[^@]*", "")
    codes = pa.array(column.values)
    ids = pa.array(rows.ids).cast(pa.string())
    return Column.of(pc.binary_join_element_wise(name.take(codes), ids, rest.take(codes), ""))


@lru_cache(maxsize=256)
def _pool(provider: str, locale: str, size: int, arguments: tuple[tuple[str, Any], ...], seed: int) -> Column:
    """`size` values of a provider; raises ValueError where its arguments or its values are of no use."""
    make = _maker(provider, locale, seed)
    try:
        values = [make(**dict(arguments)) for _ in range(size)]
    except Exception as error:
        raise ValueError(f"{provider}: {error}") from error
    return _as_column(provider, values)


def _as_column(provider: str, values: list[Any]) -> Column:
    kinds = {type(value) for value in values}
    if kinds <= {bool}:
        return Column.of(pa.array(values, pa.bool_()))
    if kinds <= {int} and max(map(abs, values)) < 2**63:
        return Column.of(pa.array(values, pa.int64()))
    if kinds <= {float, Decimal}:
        return Column.of(pa.array([float(value) for value in values], pa.float64()))
    if not kinds <= {str, int, float, Decimal}:
        raise ValueError(f"{provider}: gives {', '.join(sorted(kind.__name__ for kind in kinds))}, not one plain value")
    return Column.of(pa.array([str(value) for value in values], pa.string()).cast(STRING_CODES))


def _maker(provider: str, locale: str, seed: int) -> Callable[..., Any]:
    from faker import Faker

    faker = Faker(locale)
    faker.seed_instance(seed)
    make: Callable[..., Any] = getattr(faker, provider)
    return make


@lru_cache(maxsize=1)
def _locales() -> frozenset[str]:
    from faker.config import AVAILABLE_LOCALES

    return frozenset(AVAILABLE_LOCALES)


@lru_cache(maxsize=64)
def _providers(locale: str) -> frozenset[str]:
    from faker import Faker

    found: set[str] = set()
    for factory in Faker(locale).factories:
        for provider in factory.get_providers():
            found.update(
                name for name in dir(provider) if not name.startswith("_") and callable(getattr(provider, name))
            )
    return frozenset(name for name in found - _REFUSED if not _CLOCK.search(name))


def _nearest(word: str, words: frozenset[str]) -> str:
    near = get_close_matches(word, sorted(words), 3, 0.5)
    return f"did you mean {' or '.join(repr(name) for name in near)}?" if near else "see Faker's list of them"
