"""A scenario of attribution journeys for tests, and its facts as paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from worlds import scenario

STEPS = ("search", "social", "email", "purchase")
GAP = {"type": "lognormal", "median": "30h", "sigma": 1.2}
NEXT = {
    "search": {"search": 0.1, "email": 0.2, "purchase": 0.15},
    "social": {"search": 0.3, "social": 0.1, "email": 0.1, "purchase": 0.02},
    "email": {"search": 0.2, "social": 0.05, "purchase": 0.2},
    "purchase": {"email": 0.2},
}
FIRST = {"search": 5, "social": 3, "email": 2}


def journeys(count: int = 3000, process: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    """Users whose journeys over three channels may end in purchases, also in several; `process` says otherwise."""
    spec = {
        "entity": "user",
        "start": {"rate": "1/month"},
        "first": FIRST,
        "after": GAP,
        "timeout": "7d",
        "steps": {name: {"next": ways} for name, ways in NEXT.items()},
        "conversions": ["purchase"],
        **(process or {}),
    }
    entities = parts.pop("entities", {"user": {"initial": {"count": count}}})
    return scenario(entities=entities, processes={"journey": spec}, **parts)


def branches(step: str, **changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The ways on from a step in their long form; `changes` add to the one to a step."""
    return [{"to": to, "probability": share, **changes.get(to, {})} for to, share in NEXT[step].items()]


def ordered(facts: pl.DataFrame) -> pl.DataFrame:
    """Facts by case and step, with the step as text, the next one (null where the case ends) and the time to it."""
    by_case = "journey_case_id"
    return (
        facts.with_columns(pl.col("step").cast(pl.String))
        .sort(by_case, "step_index")
        .with_columns(
            following=pl.col("step").shift(-1).over(by_case),
            gap=(pl.col("event_time").shift(-1).over(by_case) - pl.col("event_time")).dt.total_microseconds(),
            began=pl.col("event_time").first().over(by_case),
        )
    )


def early(facts: pl.DataFrame) -> pl.DataFrame:
    """Without the journeys that begin in the last four months of the year, which its end may cut off."""
    return facts.filter(pl.col("began") < pl.datetime(2024, 9, 1, time_zone="UTC"))


def coded(facts: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Case and step code of every row of `ordered`: int64[n] each."""
    codes = {name: code for code, name in enumerate(STEPS)}
    return facts["journey_case_id"].to_numpy(), facts["step"].replace_strict(codes, return_dtype=pl.Int64).to_numpy()
