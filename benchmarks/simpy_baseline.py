"""The same model as plain SimPy has it: one process per customer, in Python, one fact at a time.

It is what datagen is compared with: the same intensities, exactly, by thinning under a bound that is fixed between two
changes of state, the same columns, nothing written anywhere.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import simpy

from benchmarks.common import arguments, environment, interleaved, median, publish, table, timed
from benchmarks.workload import (
    CHANNELS,
    CHURN,
    DAILY,
    FADING,
    ORDERS_PER_MONTH,
    PAUSE,
    PAUSE_DAYS,
    RETURN,
    SEGMENTS,
    WEEKLY,
)

SIZES = {1_000: 1095.0, 10_000: 120.0, 100_000: 15.0}
"""Customers, and over how many days their facts are counted: the more processes, the slower each fact."""

QUICK_SIZES = {1_000: 120.0, 10_000: 10.0}

DAY = 86_400.0
MONTH = 365.25 / 12 * DAY
START = datetime(2023, 1, 1, tzinfo=UTC).timestamp()
END = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
GROWTH = math.log(1.08) / (365.25 * DAY)
HOURS = [weight * 24 / sum(DAILY) for weight in DAILY]
DAYS = [weight * 7 / sum(WEEKLY) for weight in WEEKLY]
CEILING = max(HOURS) * max(DAYS) * math.exp(GROWTH * (END - START))
ACTIVITY = {"active": 1.0, "paused": 0.1, "churned": 0.0}
LEAVE, PAUSING, COMING = (-math.log1p(-share) / MONTH for share in (CHURN, PAUSE, RETURN))

Fact = tuple[object, ...]


def curve(time: float) -> float:
    """Trend x hour of the day x day of the week."""
    days = int(time // DAY)
    return HOURS[int(time % DAY // 3600)] * DAYS[(days + 3) % 7] * math.exp(GROWTH * (time - START))


def fading(age: float) -> float:
    """The activity that is left at an age."""
    return FADING[min(int(age // MONTH), len(FADING) - 1)]


def next_state(state: str, rng: random.Random) -> tuple[float, str]:
    """How long a customer stays, and where it goes then."""
    if state == "paused":
        return PAUSE_DAYS * DAY * math.exp(rng.gauss(0, 0.5)), "active"
    if state == "churned":
        return rng.expovariate(COMING), "active"
    churn, pause = rng.expovariate(LEAVE), rng.expovariate(PAUSING)
    return (churn, "churned") if churn < pause else (pause, "paused")


def poisson(mean: float, rng: random.Random) -> int:
    """A Poisson count, by Knuth's product of uniforms."""
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


class Customer:
    """One customer and its process."""

    def __init__(self, env: simpy.Environment, number: int, rng: random.Random, facts: list[Fact]) -> None:
        self.env, self.number, self.rng, self.facts = env, number, rng, facts
        self.segment = rng.choices(list(SEGMENTS), [own["weight"] for own in SEGMENTS.values()])[0]
        own = SEGMENTS[self.segment]
        self.rate = ORDERS_PER_MONTH / MONTH * rng.gammavariate(4, 0.25) * own.get("activity", 1.0)
        self.value = own.get("value", 1.0)
        self.born = START - rng.expovariate(1 / (300 * DAY))
        self.state, self.since = "active", self.born
        self.until, self.after = self._leave()
        while self.until < START:
            self._change()
        facts.append((START, number, self.born, self.state, self.segment))

    def live(self) -> Generator[simpy.Event, None, None]:
        """Wait for the next change of state or candidate for an order, whichever comes first, until the end."""
        env, rng = self.env, self.rng
        while True:
            bound = self.rate * ACTIVITY[self.state] * fading(env.now - self.born) * CEILING
            candidate = env.now + rng.expovariate(bound) if bound else math.inf
            if candidate < self.until:
                yield env.timeout(candidate - env.now)
                if rng.random() * bound < self._intensity():
                    self._order()
            else:
                yield env.timeout(self.until - env.now)
                self.facts.append((env.now, len(self.facts), self.number, self.state, self.after, env.now - self.since))
                self._change()

    def _intensity(self) -> float:
        return self.rate * ACTIVITY[self.state] * fading(self.env.now - self.born) * curve(self.env.now)

    def _order(self) -> None:
        rng = self.rng
        amount = round(35 * math.exp(0.8 * rng.gauss(0, 1)) * self.value, 2)
        channel = rng.choices(list(CHANNELS), list(CHANNELS.values()))[0]
        discount = round(rng.uniform(0, 0.3), 2)
        self.facts.append((self.env.now, len(self.facts), self.number, amount, poisson(1.4, rng), channel, discount))

    def _leave(self) -> tuple[float, str]:
        stay, after = next_state(self.state, self.rng)
        return self.since + stay, after

    def _change(self) -> None:
        self.state, self.since = self.after, self.until
        self.until, self.after = self._leave()


def begin(customers: int, seed: int = 42) -> tuple[simpy.Environment, list[Fact]]:
    """A world of so many customers at its start, and the list that its facts go to, in order of time."""
    env, rng, facts = simpy.Environment(initial_time=START), random.Random(seed), list[Fact]()
    for number in range(customers):
        env.process(Customer(env, number, rng, facts).live())
    return env, facts


def facts_per_s(customers: int, days: float) -> float:
    """Facts per second over so many days, when every process has begun: setting up is not held against SimPy."""
    env, facts = begin(customers)
    env.run(until=START + DAY)
    before = len(facts)
    seconds = timed(lambda: env.run(until=START + DAY * (1 + days)))
    return (len(facts) - before) / seconds


def main() -> None:
    options = arguments("the benchmark's model as one SimPy process per customer")
    sizes = QUICK_SIZES if options.quick else SIZES
    measured = interleaved({f"{n}": partial(facts_per_s, n, days) for n, days in sizes.items()})
    rates = {name: median(values) for name, values in measured.items()}
    result = {"environment": environment(), "facts_per_s": rates}
    publish(result, table(("customers", "facts/s"), rates.items()), options.json)


if __name__ == "__main__":
    main()
