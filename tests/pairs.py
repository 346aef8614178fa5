"""Runs of a small world as folders, to be compared: the same world with other seeds, or a changed one."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from worlds import population, scenario, tables

from sim.quality.compare.compare import Compared, compare
from sim.quality.dataset import open_dataset

WORLD = scenario(
    end="2024-04-01",
    entities={
        "product": {
            "initial": {"count": 60},
            "attributes": {"price": {"type": "lognormal", "median": 30, "sigma": 0.6}},
        },
        **population(
            500,
            frailty={"type": "gamma", "shape": 2},
            segments={"tier": {"gold": {"weight": 1, "activity": 3}, "plain": {"weight": 4}}},
            attributes={"height": {"type": "normal", "mean": 170, "sd": 9}},
            lifecycle={
                "initial": "on",
                "states": {
                    "on": {
                        "transitions": [{"to": "off", "hazard": "20%/month"}, {"to": "idle", "hazard": "10%/month"}]
                    },
                    "idle": {"activity": 0.3, "transitions": [{"to": "on", "hazard": "30%/month"}]},
                    "off": {"activity": 0.2, "transitions": [{"to": "on", "hazard": "40%/month"}]},
                },
            },
        ),
    },
    streams={
        "act": {
            "entity": "user",
            "rate": "4/month",
            "curves": [{"type": "hour_of_day", "weights": [1] * 8 + [3] * 12 + [1] * 4}],
            "attributes": {
                "product": {"type": "lookup", "entity": "product"},
                "colour": {"type": "choice", "values": {"red": 5, "green": 3, "blue": 1}},
                "weight": {"type": "gamma", "shape": 2, "mean": 5},
                "size": {"type": "expression", "sql": "weight * 2 + user.height"},
                "note": {"type": "choice", "values": ["x", "y"], "modifiers": [{"type": "null", "probability": 0.1}]},
                "paid": {"type": "expression", "sql": "product.price * 2"},
            },
        }
    },
)


def changed(**paths: Any) -> dict[str, Any]:
    """The world with other values: keys are paths with `__` between their parts."""
    world = copy.deepcopy(WORLD)
    for path, value in paths.items():
        *parents, last = path.split("__")
        place = world
        for name in parents:
            place = place[name]
        place[last] = value
    return world


def written(folder: Path, mapping: Any, seed: int) -> Path:
    """The run as a folder of Parquet files."""
    for name, frame in tables(mapping, seed).items():
        (folder / name).mkdir(parents=True)
        frame.with_columns(pl.col(pl.Categorical).cast(pl.String)).write_parquet(folder / name / "a.parquet")
    return folder


def pair(one: Path, other: Path, **options: Any) -> Compared:
    """The comparison of two folders."""
    with open_dataset(str(one)) as a, open_dataset(str(other)) as b:
        return compare(a, b, **options)


@contextmanager
def opened(*folders: Path):
    """Two data sets."""
    with open_dataset(str(folders[0])) as a, open_dataset(str(folders[1])) as b:
        yield a, b
