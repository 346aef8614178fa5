"""Small worlds with all that is checked statistically, for `benchmarks/false_alarms.py`: a kind of behaviour each.

Streams have their own names in each world, so that a check and its subject say which world they are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _mean(length: str) -> dict[str, Any]:
    return {"type": "exponential", "mean": length}


def _world(name: str, **parts: Any) -> dict[str, Any]:
    return {"name": name, "start": "2024-01-01", "end": "2025-01-01", "blocks": 4, **parts}


VALUES = _world(
    "values",
    end="2024-07-01",
    entities={
        "user": {
            "initial": {"count": 300},
            "arrivals": {"rate": "2/day"},
            "attributes": {
                "country": {"type": "choice", "values": {"FR": 60, "DE": 30, "ES": 9, "IT": 1}},
                "phone": {"type": "uuid", "modifiers": [{"type": "null", "probability": 0.3}]},
            },
            "segments": {"tier": {"vip": {"weight": 0.2, "activity": 4.0}, "basic": {"weight": 0.8}}},
            "vintage": {"activity": {"type": "points", "values": [1.5, 1.0, 0.7], "per": "60d"}},
            "lifecycle": {
                "initial": "active",
                "states": {
                    "active": {"transitions": [{"to": "paused", "hazard": "10%/month"}]},
                    "paused": {"activity": 0.3, "transitions": [{"to": "active", "hazard": "50%/month"}]},
                },
            },
        }
    },
    streams={
        "act": {
            "entity": "user",
            "rate": "2/month",
            "attributes": {
                "amount": {"type": "lognormal", "median": 35, "sigma": 0.8, "modifiers": [{"type": "round"}]},
                "weight": {"type": "gamma", "mean": 8, "shape": 3, "modifiers": [{"type": "clamp", "max": 15}]},
                "quantity": {"type": "poisson", "mean": 2, "min": 1},
                "score": {"type": "integer", "low": 1, "high": 6},
                "size": {"type": "beta", "a": 2, "b": 5},
                "channel": {"type": "choice", "values": ["web", "shop", "phone"]},
            },
        }
    },
)
"""Attributes of entities and of facts; rates without frailty."""

RATES = _world(
    "rates",
    timezone="Europe/Paris",
    curves={
        "growth": {"type": "exponential", "rate": "40%/year"},
        "hours": {"type": "hour_of_day", "weights": [1] * 8 + [5] * 12 + [2] * 4},
        "week": {"type": "day_of_week", "weights": [1, 1, 1, 1, 1, 2, 2]},
        "prices": {"type": "exponential", "rate": "20%/year"},
    },
    entities={
        "shopper": {
            "initial": {"count": 200, "age": _mean("200d")},
            "arrivals": {"rate": "1/day"},
            "frailty": {"type": "gamma", "shape": 3},
            "segments": {
                "tier": {
                    "vip": {"weight": 0.2, "activity": 5.0, "value": 3.0},
                    "standard": {"weight": 0.5},
                    "budget": {"weight": 0.3, "activity": 0.3},
                }
            },
            "vintage": {
                "activity": {"type": "points", "values": [1, 0.75, 0.6, 0.5, 0.45, 0.4], "per": "month"},
                "value": {"type": "logarithmic", "a": 1, "b": 0.15, "per": "month"},
            },
        }
    },
    streams={
        "sale": {
            "entity": "shopper",
            "rate": "3/month",
            "curves": ["growth", "hours", "week"],
            "attributes": {
                "amount": {"type": "lognormal", "median": 35, "sigma": 0.8, "value": True},
                "price": {"type": "gamma", "mean": 10, "shape": 2, "curves": ["prices"]},
            },
        }
    },
)
"""Rates of entities that differ for reasons unseen, seasons in civil time, values with factors."""

LIVES = _world(
    "lives",
    curves={"season": {"type": "month", "weights": [1, 1, 1, 2, 2, 2, 1, 1, 1, 3, 3, 3]}},
    entities={
        "member": {
            "initial": {"count": 150, "age": _mean("200d")},
            "arrivals": {"rate": "2/day"},
            "segments": {"tier": {"vip": {"weight": 0.3, "hazard": 0.5}, "standard": {"weight": 0.7}}},
            "vintage": {"hazard": {"type": "points", "values": [2, 1.5, 1], "per": "month", "interpolation": "linear"}},
            "lifecycle": {
                "initial": "trial",
                "states": {
                    "trial": {
                        "transitions": [
                            {
                                "to": "active",
                                "after": {"type": "lognormal", "median": "14d", "sigma": 0.4},
                                "probability": 0.6,
                            },
                            {"to": "gone", "after": {"type": "gamma", "mean": "20d", "shape": 2}, "probability": 0.3},
                            {"to": "gone", "hazard": "5%/month", "reason": "moved"},
                        ]
                    },
                    "active": {
                        "transitions": [
                            {"to": "paused", "hazard": "20%/month", "curves": ["season"]},
                            {"to": "gone", "hazard": {"type": "weibull", "scale": "200d", "shape": 1.6}},
                        ]
                    },
                    "paused": {"transitions": [{"to": "active", "after": _mean("20d")}]},
                    "gone": {"terminal": True},
                },
            },
        }
    },
)
"""Hazards that compete, vary with age, season and segment, and times in states."""

CASES = _world(
    "cases",
    entities={
        "client": {
            "initial": {"count": 120},
            "segments": {"tier": {"vip": {"weight": 0.3}, "standard": {"weight": 0.7}}},
        }
    },
    streams={
        "order": {
            "entity": "client",
            "rate": "1/month",
            "attributes": {"total": {"type": "uniform", "low": 0, "high": 10}},
            "children": {"line": {"count": {"type": "poisson", "mean": 2, "min": 1}}},
        },
        "refund": {
            "entity": "client",
            "on": {"stream": "order", "where": "total > 5", "probability": 0.4, "after": _mean("60d")},
        },
    },
    processes={
        "buy": {
            "entity": "client",
            "start": {"rate": "1/month"},
            "first": {"visit": 0.7, "search": 0.3},
            "steps": {
                "visit": {
                    "next": [
                        {
                            "to": "cart",
                            "probability": 0.4,
                            "after": {"type": "lognormal", "median": "20d", "sigma": 1},
                            "segments": {"tier": {"vip": {"probability": 1.5, "delay": 0.7}}},
                        },
                        {"to": "search", "probability": 0.2, "after": _mean("5d")},
                    ]
                },
                "search": {
                    "limit": 3,
                    "next": [
                        {"to": "visit", "probability": 0.5, "history": {"visit": [1, 0.6]}},
                        {"to": "cart", "probability": 0.3, "after": _mean("2d")},
                    ],
                },
                "cart": {
                    "next": [
                        {
                            "to": "paid",
                            "probability": 0.8,
                            "after": _mean("10d"),
                            "timeout": "15d",
                            "otherwise": "reminder",
                        }
                    ]
                },
                "reminder": {"next": {"paid": 0.5}},
                "paid": {
                    "resource": "clerk",
                    "service": {"type": "gamma", "mean": "12h", "shape": 3},
                    "next": {"sent": 0.9},
                },
                "sent": {},
            },
        }
    },
    resources={"clerk": {"capacity": 3}},
)
"""Processes and their delays, a queue, and facts that follow from facts."""

ARRIVALS = _world(
    "arrivals",
    curves={"growth": {"type": "exponential", "rate": "50%/year"}},
    entities={
        "parent": {"initial": {"count": 20}, "arrivals": {"rate": "2/day", "curves": ["growth"]}},
        "fan": {"arrivals": {"diffusion": {"type": "bass", "market": 1000, "p": "0.1/year", "q": "6/year"}}},
        "pet": {
            "parent": "parent",
            "arrivals": {
                "per_parent": {"type": "poisson", "mean": 1.4, "min": 1},
                "after": {"type": "lognormal", "median": "20d", "sigma": 0.6},
            },
        },
    },
)
"""Births at a rate, by diffusion, and of those that come with a parent."""

JOURNEYS = _world(
    "journeys",
    entities={"visitor": {"initial": {"count": 150}}},
    processes={
        "journey": {
            "entity": "visitor",
            "start": {"rate": "1/month"},
            "first": {"search": 0.4, "social": 0.4, "email": 0.2},
            "after": _mean("1d"),
            "steps": {
                "search": {"next": {"search": 0.2, "social": 0.1, "sale": 0.2}},
                "social": {"next": {"search": 0.3, "email": 0.2, "sale": 0.1}},
                "email": {"next": {"search": 0.4, "sale": 0.15}},
                "sale": {},
            },
            "conversions": ["sale"],
        }
    },
)
"""Journeys over touchpoints, some of which convert."""

SCHEDULES = _world(
    "schedules",
    entities={
        "account": {
            "initial": {"count": 60, "age": _mean("100d")},
            "lifecycle": {
                "initial": "open",
                "states": {
                    "open": {"transitions": [{"to": "frozen", "hazard": "20%/month"}]},
                    "frozen": {"transitions": [{"to": "open", "hazard": "70%/month"}]},
                },
            },
        }
    },
    streams={
        "bill": {
            "entity": "account",
            "every": {"period": "10 days", "probability": 0.8, "jitter": _mean("12h")},
            "states": ["open"],
        },
    },
)
"""What is on a schedule, with a probability and late."""

WORLDS: Mapping[str, dict[str, Any]] = {
    world["name"]: world for world in (VALUES, RATES, LIVES, CASES, JOURNEYS, ARRIVALS, SCHEDULES)
}
