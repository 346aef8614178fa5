"""Good output, and the ways in which it is broken: each is to be found by the check that is meant for it.

A mutation changes a copy of the output. It names the check that must find it; no other may fail. Where another
statistic of the same cause may fail, too, `also` names its check, with the reason. To add one, write a function:

    @mutation("shares")
    def spain_is_france(output):
        output.replace("customer", "country", "CASE country WHEN 'ES' THEN 'FR' ELSE country END")
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from sim.quality.tables import literal, quoted

WORLD: dict[str, Any] = {
    "name": "mutable",
    "start": "2024-01-01",
    "end": "2025-01-01",
    "blocks": 4,
    "curves": {
        "growth": {"type": "exponential", "rate": "40%/year"},
        "daily": {"type": "hour_of_day", "weights": [1] * 7 + [2] * 5 + [4] * 8 + [2] * 4},
        "weekly": {"type": "day_of_week", "weights": [1, 1, 1, 1, 1, 2, 2]},
    },
    "entities": {
        "product": {
            "initial": {"count": 60},
            "attributes": {"price": {"type": "uniform", "low": 5, "high": 50}},
        },
        "customer": {
            "initial": {"count": 1500, "age": {"type": "exponential", "mean": "200d"}},
            "arrivals": {"rate": "3/day"},
            "attributes": {
                "country": {"type": "choice", "values": {"FR": 6, "DE": 3, "ES": 1}},
                "code": {"type": "pattern", "template": "[A-Z]{2}-####"},
                "number": {"type": "sequence", "format": "C-{:06d}"},
                "phone": {
                    "type": "pattern",
                    "template": "+33 # ## ## ## ##",
                    "modifiers": [{"type": "null", "probability": 0.3}],
                },
            },
            "segments": {
                "tier": {
                    "vip": {"weight": 0.3, "activity": 4.0},
                    "plain": {"weight": 0.4},
                    "basic": {"weight": 0.3, "activity": 0.5},
                },
                "size": {"large": {"weight": 0.5, "value": 2.0}, "small": {"weight": 0.5}},
            },
            "vintage": {"activity": {"type": "points", "values": [1.5, 1.0, 0.7, 0.5], "per": "90d"}},
            "lifecycle": {
                "initial": "active",
                "states": {
                    "active": {"transitions": [{"to": "paused", "hazard": "8%/month"}]},
                    "paused": {
                        "activity": 0.2,
                        "transitions": [
                            {"to": "active", "after": "20d", "probability": 0.6},
                            {"to": "gone", "after": "20d", "probability": 0.4},
                        ],
                    },
                    "gone": {"terminal": True},
                },
            },
        },
        "licence": {
            "initial": {"count": 300},
            "arrivals": {"rate": "1/day"},
            "segments": {"type": {"plain": {"weight": 3}, "special": {"weight": 1}}},
            "lifecycle": {
                "initial": "valid",
                "states": {
                    "valid": {"transitions": [{"to": "expired", "hazard": "15%/month"}]},
                    "expired": {},
                },
            },
        },
        "complaint": {
            "parent": "licence",
            "arrivals": {
                "on": {"stream": "inquiry", "probability": 0.4, "after": {"type": "gamma", "mean": "4d", "shape": 2}}
            },
            "lifecycle": {
                "initial": "open",
                "states": {
                    "open": {"transitions": [{"to": "settled", "on": {"stream": "letter", "probability": 0.6}}]},
                    "settled": {},
                },
            },
        },
    },
    "streams": {
        "order": {
            "entity": "customer",
            "rate": "1/month",
            "curves": ["growth", "daily", "weekly"],
            "attributes": {
                "product": {"type": "lookup", "entity": "product"},
                "quantity": {"type": "poisson", "mean": 2, "min": 1},
                "weight": {
                    "type": "gamma",
                    "mean": 8,
                    "shape": 3,
                    "modifiers": [{"type": "clamp", "max": 30}, {"type": "round", "digits": 1}],
                },
                "amount": {"type": "lognormal", "median": 35, "sigma": 0.8, "value": True},
                "total": {"type": "expression", "sql": "amount + 5"},
                "channel": {"type": "choice", "values": ["web", "shop", "phone"]},
            },
            "children": {
                "order_line": {"count": {"type": "poisson", "mean": 2}, "after": {"type": "exponential", "mean": "1h"}}
            },
        },
        "inquiry": {"entity": "licence", "rate": "0.8/month"},
        "visit": {"entity": "licence", "rate": "2/month"},
        "letter": {"entity": "complaint", "rate": "1/month"},
        "fee": {
            "entity": "licence",
            "every": {
                "period": "1 month",
                "probability": 0.9,
                "jitter": {"type": "uniform", "low": "1h", "high": "3d"},
            },
        },
    },
    "processes": {
        "checkout": {
            "entity": "customer",
            "start": {"rate": "0.5/month"},
            "cases": True,
            "steps": {
                "visit": {
                    "next": [{"to": "cart", "probability": 0.5, "after": {"type": "exponential", "mean": "10min"}}]
                },
                "cart": {
                    "next": [{"to": "payment", "probability": 0.6, "after": {"type": "exponential", "mean": "5min"}}]
                },
                "payment": {},
            },
        },
        "journey": {
            "entity": "licence",
            "start": {"rate": "1/month"},
            "first": {"search": 0.5, "social": 0.5},
            "after": {"type": "exponential", "mean": "1d"},
            "steps": {
                "search": {"next": {"search": 0.2, "social": 0.1, "extension": 0.2}},
                "social": {"next": {"search": 0.3, "extension": 0.1}},
                "extension": {},
            },
            "conversions": ["extension"],
        },
    },
    "incidents": {
        "rush": {"from": "2024-06-01", "until": "2024-08-01", "share": 0.5, "streams": {"visit": {"rate": 3}}}
    },
    "expect": {
        "more_than_the_amount": {"stream": "order", "where": "total > amount"},
        "at_night": {"sql": 'SELECT count(*) FILTER (hour(event_time) < 6) / count(*) FROM "order"', "max": 0.2},
    },
}
"""A small world with a bit of everything."""


@dataclass(frozen=True)
class Output:
    """A folder that datagen has written, in Parquet, to be changed in place."""

    root: Path

    def files(self, stream: str) -> list[Path]:
        """The files of a stream."""
        return sorted((self.root / stream).glob("*.parquet"))

    def rewrite(self, stream: str, sql: str, seal: bool = True) -> None:
        """Put the rows of a query into the stream's first file; `t` has its rows, other streams go by their names."""
        self.rewrite_file(self.files(stream)[0], sql, seal)

    def rewrite_file(self, path: Path, sql: str, seal: bool = True) -> None:
        """Put the rows of a query into a file; `t` has its rows, and streams go by their names."""
        db = duckdb.connect(config={"threads": "1"})
        db.execute("SET timezone = 'UTC'")
        for other in self.root.iterdir():
            if other.is_dir():
                db.execute(f"CREATE VIEW {quoted(other.name)} AS FROM read_parquet({literal(f'{other}/*.parquet')})")
        db.execute(f"CREATE VIEW t AS FROM read_parquet({literal(str(path))})")
        fresh = path.with_name("new")
        db.execute(f"COPY ({sql}) TO {literal(str(fresh))} (FORMAT parquet)")
        rows = db.execute(f"SELECT count(*) FROM read_parquet({literal(str(fresh))})").fetchone()
        os.replace(fresh, path)
        if seal:
            self.note(path, {"facts": rows[0], "bytes": path.stat().st_size, "sha256": _digest(path)})

    def replace(self, stream: str, column: str, sql: str) -> None:
        """Put an expression in place of a column."""
        self.rewrite(stream, f"SELECT * REPLACE ({sql} AS {quoted(column)}) FROM t")

    def note(self, path: Path, told: dict[str, Any]) -> None:
        """Let the manifest say something else of a file."""

        def change(document: dict[str, Any]) -> None:
            inside = path.relative_to(self.root).as_posix()
            for stream in document["streams"].values():
                for file in stream["files"]:
                    if file["path"] == inside:
                        file.update(told)

        for manifest in self.manifests():
            self.edit(manifest, change)

    def manifests(self) -> list[Path]:
        """The manifests of all shards."""
        return sorted(self.root.glob("manifest*.json"))

    def edit(self, manifest: Path, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a manifest."""
        document = json.loads(manifest.read_text())
        change(document)
        self.overwrite(manifest, json.dumps(document).encode())

    def overwrite(self, path: Path, content: bytes) -> None:
        """Put other bytes at the place of a file, which may be a link to one that others read."""
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_bytes(content)
        os.replace(fresh, path)


@dataclass(frozen=True)
class Mutation:
    """What is broken, by which check that must be found, and which others may find it as well, for which reason."""

    name: str
    breaks: Callable[[Output], None]
    check: str
    also: Mapping[str, str]


MUTATIONS: dict[str, Mutation] = {}


def mutation(
    check: str, also: Mapping[str, str] | None = None
) -> Callable[[Callable[[Output], None]], Callable[[Output], None]]:
    """Register a function that breaks good output, to be found by `check`, and by those in `also`, with the reason."""

    def register(breaks: Callable[[Output], None]) -> Callable[[Output], None]:
        MUTATIONS[breaks.__name__] = Mutation(breaks.__name__, breaks, check, also or {})
        return breaks

    return register


def copied(source: Path, target: Path) -> Output:
    """A copy that costs nothing: links to files, which mutations replace and never write into."""
    for path in source.rglob("*"):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, place)
    return Output(target)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
