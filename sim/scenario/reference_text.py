"""The words of the reference that are not in the models: its head, and the titles of the families."""

from __future__ import annotations

HEAD = """\
# The scenario language

Every key of a scenario file, with its type, unit, default and an example. This page is written from the models that
read scenarios (`python -m sim.scenario.reference`), so it says what the program does. The language itself ends where
[curves](#curve) begin, after a quarter of an hour's reading; the rest is a catalogue to look things up in.

A scenario is a YAML file (or JSON, which is YAML). Keys that the language does not know are errors, and so are
quantities without a unit. Scalars follow YAML 1.2: `no`, `on` and `12:30` are text, `1e-3` is a number, a bare date
stays a date.

For completion and checks while you type, write the language's JSON Schema to a file and name it in the first line of a
scenario:

```console
$ datagen schema > datagen.schema.json
```

```yaml
# yaml-language-server: $schema=datagen.schema.json
```"""

UNITS: dict[str, tuple[str, str]] = {
    "Duration": ("length of time", "time"),
    "Offset": ("length of time with a sign", "time"),
    "Rate": ("rate", "1 / time"),
    "HazardRate": ("hazard", "% / time or 1 / time"),
    "GrowthRate": ("growth", "% / time"),
    "Slope": ("slope", "% / time or 1 / time"),
    "Instant": ("point in time", "date or time"),
    "Probability": ("probability", "0 to 1, or %"),
}
"""Quantity -> what the reference calls it, and its unit."""

TYPES_OF_UNITS: dict[str, str] = {
    **{name: unit for name, (_, unit) in UNITS.items()},
    "DurationDistribution": "time",
    "Hazard": "% / time or 1 / time",
    "Curve": "factor",
    "AgeCurve": "factor",
}

FAMILIES: dict[str, tuple[str, str, str]] = {
    "Curve": (
        "Curves over time",
        "Factors over time, at least 0, chosen by `type`. Named under `curves`, or written in place wherever a curve "
        "may stand. Trends are 1 at the scenario's start; seasons have mean 1 and follow the civil time of `timezone`, "
        "clock changes included.",
        "curve",
    ),
    "AgeCurve": (
        "Curves over age",
        "Factors over the time since birth, at least 0, chosen by `type`.",
        "curve over age",
    ),
    "DurationDistribution": (
        "Distributions of lengths of time",
        "Chosen by `type`; a bare length of time such as `20d` is always that long. Draws are never negative.",
        "distribution of time",
    ),
    "CountDistribution": (
        "Distributions of counts",
        "Chosen by `type`; a bare number is always that many.",
        "distribution of counts",
    ),
    "Hazard": (
        "Hazards",
        "How likely it is to leave a state, given that one is still in it; chosen by `type`. A bare `3%/month` (a "
        "probability per period) or `0.5/month` (a rate) is exponential.",
        "hazard",
    ),
    "Frailty": ("Frailty", "How much entities differ in activity; chosen by `type`. The mean is 1.", "frailty"),
    "Attribute": (
        "Attributes",
        "Columns, made by a generator that `type` chooses; then come the factors, then the modifiers in their order.",
        "attribute",
    ),
    "Modifier": ("Modifiers", "Steps after the draw of an attribute, chosen by `type`.", "modifier"),
    "LookupWeights": ("Weights of lookups", "Who is looked up how often; chosen by `type`.", "weights"),
    "Popularity": ("Weights by rank", "How often the first, the second, the third comes; chosen by `type`.", "weights"),
}
"""Union -> its title, what it is, and what a key that takes it is said to be."""

EXAMPLES: dict[str, str] = {
    "Scenario": """\
name: shop
start: 2024-01-01
end: 2025-01-01
entities:
  customer:
    arrivals: {rate: 20/day}
streams:
  order: {entity: customer, rate: 2/month, attributes: {amount: {type: lognormal, median: 35, sigma: 0.8}}}""",
    "Entity": """\
initial: {count: 1000, age: {type: exponential, mean: 300d}}
arrivals: {rate: 40/day}
frailty: {type: gamma, shape: 4}
attributes:
  country: {type: choice, values: {FR: 6, DE: 3, ES: 1}}
segments:
  tier: {vip: {weight: 0.15, activity: 5.0, value: 3.0}, standard: {weight: 0.85}}
vintage:
  activity: {type: points, values: [1.0, 0.75, 0.60], per: month}
lifecycle:
  initial: active
  states: {active: {transitions: [{to: gone, hazard: 3%/month}]}, gone: {terminal: true}}""",
    "StreamSpec": """\
entity: customer
rate: 2/month
attributes:
  amount: {type: lognormal, median: 35, sigma: 0.8, value: true}
children:
  order_line: {count: {type: poisson, mean: 2, min: 1}, attributes: {quantity: {type: integer, low: 1, high: 4}}}""",
    "Child": """\
count: {type: poisson, mean: 2, min: 1}
attributes: {quantity: {type: integer, low: 1, high: 4}}""",
    "Initial": "{count: 1000, age: {type: exponential, mean: 300d}}",
    "Segment": "{weight: 0.15, activity: 5.0, value: 3.0}",
    "SegmentEffect": "{activity: 2.5, value: 0.8}",
    "Vintage": """\
activity: {type: points, values: [1.0, 0.75, 0.60, 0.50], per: month}
value: {type: logarithmic, a: 1.0, b: 0.15, per: month}""",
    "Lifecycle": """\
initial: active
states:
  active: {transitions: [{to: churned, hazard: 3%/month}, {to: paused, hazard: 2%/month}]}
  paused: {activity: 0.1, transitions: [{to: active, after: {type: lognormal, median: 20d, sigma: 0.5}}]}
  churned: {activity: 0, transitions: [{to: active, hazard: 1%/month}]}""",
    "State": "{activity: 0.1, transitions: [{to: active, after: {type: lognormal, median: 20d, sigma: 0.5}}]}",
    "Incident": """\
per: card
rate: 2%/year
duration: {type: lognormal, median: 4h, sigma: 0.5}
streams:
  payment: {extra: 20/day, value: 3, set: {country: {type: choice, values: {RO: 2, US: 1}}}}""",
    "IncidentEffect": "{rate: 8, value: 3, set: {country: {type: choice, values: {RO: 2, US: 1}}}}",
    "Resource": "{capacity: 12, queue: priority}",
    "Faults": """\
bound: 10min
late: {probability: 5%, delay: {type: lognormal, median: 30s, sigma: 1}}
duplicates: {probability: 1%, after: {type: exponential, mean: 20s}}
drops: 0.1%""",
    "Expectation": "{stream: order, where: amount > 0}",
    "Transition": "{to: churned, hazard: 3%/month, reason: price}",
    "Regular": "{period: 1 month, anchor: calendar, offset: 24d, jitter: {type: uniform, low: 0h, high: 6h}}",
    "Points": "{type: points, points: {2023-01-01: 1.0, 2023-06-01: 1.4}, interpolation: linear}",
    "PointsAge": "{type: points, values: [1.0, 0.75, 0.60], per: month}",
    "Window": "{type: window, from: 2024-11-25, until: 2024-12-02, factor: 3, ramp: 6h}",
}
"""Model -> what it looks like, where a mapping of its required keys would show too little."""

KEY_EXAMPLES: dict[tuple[str, str], str] = {
    ("", "curves"): "[growth, daily]",
    ("", "description"): "what it is, in a sentence",
    ("", "segments"): "{tier: {vip: {activity: 2.5}}}",
    ("", "attributes"): "{amount: {type: lognormal, median: 35, sigma: 0.8}}",
    ("", "states"): "[active, paused]",
    ("", "children"): "{order_line: {count: 2}}",
    ("Scenario", "curves"): "{growth: {type: exponential, rate: 8%/year}}",
    ("Scenario", "entities"): "{customer: {arrivals: {rate: 40/day}}}",
    ("Scenario", "streams"): "{order: {entity: customer, rate: 2/month}}",
    ("Scenario", "resources"): "{packers: {capacity: 12}}",
    ("Scenario", "faults"): "{order: {drops: 0.1%}}",
    ("Scenario", "expect"): "{positive: {stream: order, where: amount > 0}}",
    ("Scenario", "incidents"): "{outage: {from: 2024-03-05, until: 2024-03-06, streams: {order: {rate: 0.1}}}}",
    ("Incident", "segments"): "{region: [north]}",
    ("Incident", "states"): "[active]",
    ("Resource", "calendar"): "growth",
    ("Entity", "segments"): "{tier: {vip: {weight: 1, activity: 5}, standard: {weight: 4}}}",
    ("Entity", "lifecycle"): "{initial: active, states: {active: {}}}",
    ("Vintage", "cohort"): "growth",
    ("Lifecycle", "states"): "{active: {transitions: [{to: gone, hazard: 3%/month}]}, gone: {}}",
    ("Transition", "segments"): "{tier: {vip: 0.5}}",
    ("Branch", "segments"): "{tier: {vip: {probability: 1.3}}}",
    ("Branch", "curves"): "{probability: [growth]}",
    ("Process", "first"): "{search: 5, social: 3}",
    ("Process", "each"): "{device: {type: choice, values: {phone: 3, desktop: 1}}}",
    ("Process", "steps"): "{cart: {next: {paid: 60%}}, paid: {}}",
    ("Process", "conversions"): "[paid]",
    ("Step", "next"): "{cart: 35%}",
    ("State", "transitions"): "[{to: gone, hazard: 3%/month}]",
}
"""(Model, key) -> an example; without a model, for the key wherever it has no example of its own there."""
