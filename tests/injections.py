"""Each kind of fault by itself, for tests of `verify`: what a run does, and what the ledger says of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import yaml
from commands import invoke
from worlds import SEED, acting

DELAY = {"type": "exponential", "mean": "8min"}
HOUR = {"bound": "1h"}
FAULTS = {
    "late": HOUR | {"late": {"probability": "20%", "delay": DELAY}},
    "duplicate": HOUR | {"duplicates": {"probability": "5%", "after": DELAY}},
    "drop": {"drops": "3%"},
    "clock_skew": {"clock_skew": {"share": "20%", "offset": DELAY}},
    "hot_key": {"hot_keys": {"share": "5%"}},
    "missing_field": {"corrupt": {"probability": "5%", "kinds": ["missing_field"]}},
    "wrong_type": {"corrupt": {"probability": "5%", "kinds": ["wrong_type"]}},
    "truncated": {"corrupt": {"probability": "5%", "kinds": ["truncated"]}},
    "bad_utf8": {"corrupt": {"probability": "5%", "kinds": ["bad_utf8"]}},
    "wrong_schema_id": {"corrupt": {"probability": "5%", "kinds": ["wrong_schema_id"]}},
    "oversize": {"corrupt": {"probability": "1%", "kinds": ["oversize"]}},
}
"""The faults of a stream, by the kind or the detail that the ledger has for them."""

SHOWN = {
    "late": "out_of_order",
    "duplicate": "duplicated",
    "drop": "lost",
    "clock_skew": "changed",
    "hot_key": "changed",
    "missing_field": "changed",
    "oversize": "oversize",
}
"""As what `verify` finds them; what is not here is unreadable, and lost."""


def faulty(folder: Path, kind: str) -> Path:
    """A scenario with facts that suffer that one kind."""
    stream = {"attributes": {"amount": {"type": "poisson", "mean": 9}}}
    world = acting(60, "30/day", end="2024-01-04", stream=stream, faults={"act": FAULTS[kind]})
    path = folder / "world.yaml"
    path.write_text(yaml.safe_dump(world | {"seed": SEED}))
    return path


def counted(ledger: Path) -> int:
    """The facts that were hit."""
    return pl.read_parquet(ledger / "injections" / "*.parquet")["fact_id"].n_unique()


def emptied(ledger: Path) -> Path:
    """A copy of the ledger that knows of no injection."""
    copy = shutil.copytree(ledger, ledger.with_name("empty"), dirs_exist_ok=True)
    for path in (copy / "injections").glob("*.parquet"):
        pl.read_parquet(path).clear().write_parquet(path)
    return copy


def verdict(world: Path, source: str, ledger: Path) -> tuple[int, int, dict[str, dict[str, int]]]:
    """The exit code, the injections that are not to be seen, and the findings that are not empty."""
    done = invoke("verify", str(world), "--from", source, "--ledger", str(ledger), "--json")
    said = json.loads(done.stdout)["streams"]["act"]
    found = {kind: one for kind, one in said.items() if isinstance(one, dict) and one.get("found")}
    return done.exit_code, said["not_seen"], found
