"""The model that the benchmarks run, and what it becomes with more or fewer customers at equal facts.

Customers with gamma frailty, three segments that act on activity and value, an activity that fades with age, and a
lifecycle of three states; their orders follow a trend, a daily and a weekly shape, and have seven columns.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

CUSTOMERS = 1_000_000
DAILY = [2, 1, 1, 1, 1, 2, 4, 7, 9, 11, 12, 13, 14, 13, 12, 12, 13, 14, 16, 18, 17, 14, 10, 6]
WEEKLY = [1, 1, 1, 1.1, 1.3, 1.5, 1.2]
FADING = [1.0, 0.75, 0.6, 0.5, 0.45, 0.4]
SEGMENTS = {
    "vip": {"weight": 0.15, "activity": 5.0, "value": 3.0},
    "standard": {"weight": 0.6},
    "budget": {"weight": 0.25, "activity": 0.3, "value": 0.5},
}
CHANNELS = {"web": 6, "app": 3, "shop": 1}
ORDERS_PER_MONTH = 1.5
CHURN, PAUSE, RETURN = 0.03, 0.02, 0.01
PAUSE_DAYS = 20.0

ADJUSTED = {10.0: (2.08, 1.68), 1.0: (1.0, 1.0), 0.1: (0.565, 0.655)}
"""By pace: factors on the rate of orders and on the hazards, found by trial, that make facts equal within 2%.

At ten times the pace more customers have churned before the run begins, so that rates in proportion do not suffice.
"""


def scenario(customers: int = CUSTOMERS, pace: float = 1.0) -> dict[str, Any]:
    """The scenario document. At a pace of 10 each customer orders and changes state about ten times as often."""
    orders, hazards = (pace * factor for factor in ADJUSTED[pace])
    return {
        "name": "benchmark",
        "seed": 42,
        "start": "2023-01-01",
        "end": "2026-01-01",
        "curves": {
            "growth": {"type": "exponential", "rate": "8%/year"},
            "daily": {"type": "hour_of_day", "weights": DAILY},
            "weekly": {"type": "day_of_week", "weights": WEEKLY},
        },
        "entities": {"customer": _customer(customers, hazards)},
        "streams": {"order": _order(orders)},
    }


def _customer(count: int, hazards: float) -> dict[str, Any]:
    leave = [{"to": "churned", "hazard": hazard(CHURN, hazards)}, {"to": "paused", "hazard": hazard(PAUSE, hazards)}]
    pause = {"type": "lognormal", "median": f"{PAUSE_DAYS / hazards:.6f}d", "sigma": 0.5}
    states = {
        "active": {"transitions": leave},
        "paused": {"activity": 0.1, "transitions": [{"to": "active", "after": pause}]},
        "churned": {"activity": 0, "transitions": [{"to": "active", "hazard": hazard(RETURN, hazards)}]},
    }
    return {
        "initial": {"count": count, "age": {"type": "exponential", "mean": "300d"}},
        "frailty": {"type": "gamma", "shape": 4},
        "segments": {"tier": SEGMENTS},
        "vintage": {"activity": {"type": "points", "values": FADING, "per": "month"}},
        "lifecycle": {"initial": "active", "states": states},
    }


def _order(pace: float) -> dict[str, Any]:
    cents = [{"type": "round", "digits": 2}]
    return {
        "entity": "customer",
        "rate": f"{ORDERS_PER_MONTH * pace:.6f}/month",
        "curves": ["growth", "daily", "weekly"],
        "attributes": {
            "amount": {"type": "lognormal", "median": 35, "sigma": 0.8, "value": True, "modifiers": cents},
            "quantity": {"type": "poisson", "mean": 1.4},
            "channel": {"type": "choice", "values": CHANNELS},
            "discount": {"type": "uniform", "low": 0, "high": 0.3, "modifiers": cents},
        },
    }


def hazard(probability: float, factor: float = 1.0) -> str:
    """The hazard at which so many leave within a month, times a factor, as the language writes rates."""
    return f"{-math.log1p(-probability) * factor:.9f}/month"


def save(folder: Path, customers: int = CUSTOMERS, pace: float = 1.0) -> Path:
    """Write the scenario to a file in `folder`, and say where it is."""
    path = folder / f"benchmark-{customers}-{pace:g}.json"
    path.write_text(json.dumps(scenario(customers, pace)))
    return path
