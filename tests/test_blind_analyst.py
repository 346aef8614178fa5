"""The blind analyst: who sees only the facts of a bundled scenario finds what it declares.

The questions are SQL over facts alone (analyst.py), with the names of streams and columns as a data dictionary has
them. What they should find comes from the compiled scenario, by integrating its curves, hazards and probabilities; the
engine has no part in it. Every scenario is asked what makes sense there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from analyst import Analyst, Sample
from evidence import levels, near, poisson, proportions, share
from full_runs import FullRun, full_run

from sim.maths.units import DAY, YEAR
from sim.model.model import Branch, Exit, Population
from sim.model.truth import truths_of

GRID = 10 * 60 * 1_000_000
"""Cells in which curves are integrated, in microseconds; they turn at whole minutes of civil time."""


def analyst(scenario: str) -> tuple[Analyst, FullRun]:
    """Somebody who has the facts, and what is only for the truth."""
    run = full_run(scenario)
    return Analyst(run.db), run


# When does it happen, and does it grow?


def curve_of(run: FullRun, stream: str):
    """What multiplies the rate of births, of a stream or of a process's starts over time."""
    model = run.model
    births = [one.arrival_curve for one in model.populations if one.name == stream]
    acts = [one.curve for one in model.activities if one.name == stream]
    starts = [flow.start.curve for flow in model.flows if flow.name == stream and flow.start]
    (curve,) = [*births, *acts, *starts]
    return curve


def expected(run: FullRun, stream: str, part: str) -> dict[int | str, float]:
    """The integral of a curve by hour, day of the week (from 0) or month of civil time, in microseconds."""
    middles = np.arange(run.model.start, run.model.end, GRID) + GRID // 2
    civil = pl.Series(middles).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(run.scenario.timezone).dt
    classes = {"hour": civil.hour, "weekday": lambda: civil.weekday() - 1, "month": lambda: civil.strftime("%Y-%m")}[
        part
    ]()
    values = pl.Series(curve_of(run, stream).at(middles) * GRID)
    table = pl.DataFrame({"class": classes, "value": values}).group_by("class").agg(pl.col("value").sum()).sort("class")
    return dict(table.iter_rows())


def grown(stream: str, entity: str, age: str, where: str = "TRUE") -> str:
    """The facts of those who are old enough for their age not to matter any more."""
    return f"""(FROM "{stream}" AS fact JOIN {entity} USING ({entity}_id) SELECT fact.event_time
                WHERE {where} AND born_at < fact.event_time - INTERVAL {age})"""


TIMES = [
    ("storefront", "order", grown("order", "customer", "90 DAY")),
    ("bank", "card_payment", "card_payment"),
    ("bank", "login", grown("login", "customer", "1 YEAR")),
    ("public_services", "visit", grown("visit", "citizen", "1 YEAR")),
    ("payments", "payment", "(FROM payment WHERE place = 'shop')"),
    ("clickstream", "visitor", "visitor"),
    ("hospital", "emergency", "(FROM emergency WHERE step = 'arrival')"),
    ("telecom", "call", "call"),
    ("telecom", "data_session", "data_session"),
    ("insurance", "accident", "accident"),
    ("logistics", "parcel", "(FROM parcel WHERE step = 'label')"),
    ("factory", "lot", "(FROM lot WHERE step = 'sawing')"),
    ("game", "session", grown("session", "player", "7 DAY", "step = 'opened'")),
]


CLASSES = {"hour": ("hour(event_time)", 24), "weekday": ("isodow(event_time) - 1", 7)}
PARTS = [(part, *case) for part in CLASSES for case in TIMES if (part, case[0]) != ("weekday", "game")]
"""Days of the week are not asked of the game, whose players come and go within weeks."""


@pytest.mark.parametrize(("part", "scenario", "stream", "facts"), PARTS, ids=[" ".join(case[:3]) for case in PARTS])
def test_the_busy_hours_and_days_are_those_declared(part, scenario, stream, facts):
    someone, run = analyst(scenario)
    truth = expected(run, stream, part)
    sql, classes = CLASSES[part]
    found = someone.when(sql, facts, classes)
    assert found.sum() > 2000
    proportions(found, [truth.get(one, 0.0) for one in range(classes)])


BIRTHS = [
    ("storefront", "customer"),
    ("bank", "customer"),
    ("public_services", "citizen"),
    ("payments", "holder"),
    ("clickstream", "visitor"),
    ("game", "player"),
    ("telecom", "subscriber"),
    ("insurance", "policyholder"),
]


@pytest.mark.parametrize(("scenario", "entity"), BIRTHS)
def test_newcomers_grow_and_swing_as_declared(scenario, entity):
    someone, run = analyst(scenario)
    truth = expected(run, entity, "month")
    start = f"TIMESTAMPTZ '{pl.Series([run.model.start]).cast(pl.Datetime('us', 'UTC'))[0]}'"
    found = someone.by_month(f"(FROM {entity} WHERE born_at > {start})", "born_at")
    levels(
        [found.get(month, 0) for month in truth],
        np.array(list(truth.values())) * run.model.population(entity).arrival_rate,
    )


GROWTHS = [
    (
        "storefront",
        "order_line JOIN product USING (product_id)",
        "order_line.event_time",
        "unit_price / price",
        "1",
        0.025,
    ),
    ("bank", "salary JOIN account USING (account_id)", "salary.event_time", "amount / income", "1", 0.045),
    (
        "telecom",
        "data_session WHERE subscriber_id NOT IN (SELECT subscriber_id FROM subscriber_lifecycle)",
        "event_time",
        "mb",
        "(subscriber_id, app)",
        0.18,
    ),
    ("insurance", "damage JOIN policy USING (policy_id)", "damage.event_time", "cost", "kind", 0.06),
]


@pytest.mark.parametrize(
    ("scenario", "facts", "time", "value", "within", "truth"), GROWTHS, ids=[case[0] for case in GROWTHS]
)
def test_values_grow_as_fast_as_declared(scenario, facts, time, value, within, truth):
    slope, error = analyst(scenario)[0].growth(facts, time, value, within)
    near(slope, error, np.log1p(truth))


# Which segment is worth how much?


@dataclass(frozen=True)
class Compared:
    """A segmentation, whose entities are counted how, and which segment the others are compared with."""

    scenario: str
    population: str
    segment: str
    base: str
    entities: str
    facts: str


def still(entity: str, until: str, extra: str = "TRUE") -> str:
    """Entities that exist at the start and do not change their state before `until`."""
    return f"""(FROM {entity} WHERE born_at < (SELECT min(event_time) FROM {entity}) AND {extra}
                AND {entity}_id NOT IN (SELECT {entity}_id FROM {entity}_lifecycle WHERE event_time < '{until}'))"""


HALF_A_YEAR = """(FROM {} WHERE event_time < '2023-07-01')"""
OLD = still("citizen", "2023-07-01", "born_at < '2013-01-01' AND state <> 'gone'")
FIRST_DAY = """(FROM session AS s JOIN player AS p USING (player_id) SELECT s.player_id
                WHERE step = 'opened' AND s.event_time < p.born_at + INTERVAL 1 DAY)"""
PLAYING = """(FROM player WHERE player_id NOT IN
              (FROM player_lifecycle AS l JOIN player AS p USING (player_id) SELECT l.player_id
               WHERE l.event_time < p.born_at + INTERVAL 1 DAY))"""
INSURED = """(FROM policy JOIN policyholder USING (policyholder_id) SELECT policy_id, policyholder.driver
              WHERE policy.born_at < '2017-01-01' AND policy.state = 'active' AND policy_id NOT IN
              (SELECT policy_id FROM policy_lifecycle WHERE to_state = 'ended' AND event_time < '2020-01-01'))"""
ACTIVITY = [
    Compared(
        "storefront",
        "customer",
        "tier",
        "regular",
        still("customer", "2023-07-01", "state = 'active' AND born_at < '2021-01-01'"),
        HALF_A_YEAR.format('"order"'),
    ),
    Compared(
        "bank",
        "customer",
        "card_use",
        "regular",
        "(FROM customer WHERE born_at < '2023-01-01')",
        "(FROM login WHERE event_time < '2024-01-01')",
    ),
    Compared("public_services", "citizen", "age_group", "middle", OLD, HALF_A_YEAR.format("visit")),
    Compared("public_services", "citizen", "household", "other", OLD, HALF_A_YEAR.format("visit")),
    Compared(
        "payments",
        "card",
        "wallet",
        "usual",
        still("card", "2024-04-01", "state = 'active'"),
        "(FROM payment WHERE place = 'shop' AND event_time < '2024-04-01')",
    ),
    Compared("game", "player", "taste", "regular", PLAYING, FIRST_DAY),
    Compared(
        "hospital",
        "patient",
        "age_group",
        "adult",
        "patient",
        "(FROM emergency WHERE step = 'arrival' AND event_time < '2023-04-11')",
    ),
    Compared("logistics", "recipient", "kind", "house", "recipient", "(FROM parcel WHERE step = 'label')"),
    Compared(
        "insurance", "policy", "driver", "experienced", INSURED, "(FROM accident WHERE event_time < '2020-01-01')"
    ),
    Compared(
        "telecom",
        "subscriber",
        "age_group",
        "middle",
        still("subscriber", "2025-04-01", "state = 'sim_only'"),
        "(FROM call WHERE event_time < '2025-04-01')",
    ),
]


@pytest.mark.parametrize("case", ACTIVITY, ids=[f"{case.scenario} {case.segment}" for case in ACTIVITY])
def test_segments_are_as_active_as_declared(case):
    someone, run = analyst(case.scenario)
    found = someone.activity(case.entities, f"{case.population}_id", case.segment, case.facts)
    told = segment_factors(run.model.population(case.population), case.segment, activity_of(run, case))
    compare(found, told, case.base)


def activity_of(run: FullRun, case: Compared):
    """The factors by segment on the rate of what the facts of a comparison are."""
    stream = case.facts.split("FROM ")[1].split()[0].strip('"')
    population = run.model.population(case.population)
    (profile,) = [one.profile for one in run.model.activities if one.name == stream] or [
        flow.start.profile for flow in run.model.flows if flow.name == stream
    ]
    return population.profiles[profile].segments


def segment_factors(population: Population, segment: str, factors) -> dict[str, float]:
    """Factors by the names of a segmentation's segments."""
    (place,) = [number for number, one in enumerate(population.segmentations) if one.name == segment]
    return dict(zip(population.segmentations[place].names, factors[place], strict=True))


def compare(found: dict[str, Sample], told: dict[str, float], base: str) -> None:
    assert set(found) == set(told)
    for name in set(found) - {base}:
        ratio, error = found[name].ratio(found[base])
        near(ratio, error, np.log(told[name] / told[base]))


BOUGHT = "(FROM payment JOIN card USING (card_id) WHERE place = 'shop' AND payment.region = 'home')"
TYPICAL = """(FROM card_payment JOIN account USING (account_id) SELECT card_use, exp(avg(ln(amount))) AS amount
              GROUP BY account_id, card_use)"""
ASSESSED = "(FROM tax_assessment JOIN citizen USING (citizen_id))"
WORTH = [
    Compared("payments", "holder", "wallet", "usual", "", BOUGHT),
    Compared("bank", "account", "card_use", "regular", "", TYPICAL),
    Compared("public_services", "citizen", "age_group", "middle", "", ASSESSED),
]


@pytest.mark.parametrize("case", WORTH, ids=[f"{case.scenario} {case.segment}" for case in WORTH])
def test_segments_are_worth_what_is_declared(case):
    someone, run = analyst(case.scenario)
    found = someone.worth(case.facts, "amount", case.segment)
    population = run.model.population(case.population)
    told = segment_factors(population, case.segment, [one.value for one in population.segmentations])
    assert set(found) == set(told)
    for name in set(found) - {case.base}:
        difference, error = found[name].difference(found[case.base])
        near(difference, error, np.log(told[name] / told[case.base]))


# Who leaves, and when?

LEAVING = [
    ("storefront", "customer", "dormant", "active", "won back"),
    ("storefront", "customer", "dormant", "closed", "account deleted"),
    ("bank", "account", "active", "closed", "switched bank"),
    ("public_services", "citizen", "counter", "gone", "moved away"),
    ("payments", "card", "active", "closed", "expired"),
    ("subscriptions", "account", "paused", "cancelled", "by choice"),
    ("subscriptions", "account", "starter", "paused", None),
    ("game", "player", "lapsed", "playing", "came back"),
    ("telecom", "subscriber", "prepaid", "sim_only", "upgrade"),
    ("telecom", "subscriber", "sim_only", "gone", "switched"),
    ("insurance", "policy", "active", "ended", "car sold"),
    ("factory", "product", "current", "discontinued", None),
    ("logistics", "van", "in_service", "workshop", "breakdown"),
]


def exits(run: FullRun, entity: str, state: str) -> tuple[Exit, ...]:
    machine = run.model.population(entity).machine
    return machine.exits[machine.states.index(state)]


def joined(population: Population) -> str:
    """All segments of an entity as one text."""
    return " || '|' || ".join(f"{one.name}::VARCHAR" for one in population.segmentations) or "''"


def product(population: Population, names: str, factors) -> float:
    """The product of an entity's factors, by the names of its segments."""
    parts = zip(names.split("|"), population.segmentations, factors, strict=True) if names else ()
    return float(np.prod([table[one.names.index(name)] for name, one, table in parts]))


@pytest.mark.parametrize(
    ("scenario", "entity", "state", "to", "reason"), LEAVING, ids=[" ".join(filter(None, case)) for case in LEAVING]
)
def test_people_leave_as_often_as_declared(scenario, entity, state, to, reason):
    someone, run = analyst(scenario)
    population, machine = run.model.population(entity), run.model.population(entity).machine
    (way,) = [
        one for one in exits(run, entity, state)
        if machine.states[one.to] == to and one.hazard and (reason is None or machine.reasons[one.reason] == reason)
    ]  # fmt: skip
    leaves = f"to_state = '{to}'" + (f" AND reason = '{reason}'" if reason else "")
    end = str(pl.Series([run.model.end]).cast(pl.Datetime("us", "UTC"))[0])
    found = someone.leaving(entity, state, leaves, end, joined(population))
    rate = float(way.hazard.rate_at(np.array([DAY]))[0]) * YEAR
    told = {name: years * rate * product(population, name, way.segments) for name, (_, years) in found.items()}
    poisson(sum(events for events, _ in found.values()), sum(told.values()))


STAYING = [
    ("storefront", "customer", "active", 180),
    ("bank", "account", "active", 180),
    ("game", "player", "playing", 7),
    ("telecom", "subscriber", "prepaid", 90),
]


@pytest.mark.parametrize(("scenario", "entity", "state", "days"), STAYING)
def test_as_many_stay_as_is_declared(scenario, entity, state, days):
    someone, run = analyst(scenario)
    population = run.model.population(entity)
    ages = np.linspace(0, days * DAY, 20_001)
    middles = (ages[1:] + ages[:-1]) / 2
    found = someone.staying(entity, state, days, joined(population))
    mean = variance = 0.0
    for names, (_, entities) in found.items():
        risk = 0.0
        for way in (one for one in exits(run, entity, state) if one.hazard):
            steps = np.diff(way.hazard.cumulative(ages))
            for vintage in way.vintages:
                steps = steps * vintage.at(middles)
            risk += steps.sum() * product(population, names, way.segments)
        mean += entities * np.exp(-risk)
        variance += entities * np.exp(-risk) * (1 - np.exp(-risk))
    near(sum(stayed for stayed, _ in found.values()), variance**0.5, mean)


# Where does the funnel lose?

PASSING = [
    ("clickstream", "journey", "checkout", "order", "2025-08-20"),
    ("clickstream", "journey", "cart", "checkout", "2025-08-20"),
    ("game", "tutorial", "started", "rules", "2025-05-30"),
    ("game", "tutorial", "first_try", "first_win", "2025-05-30"),
    ("hospital", "emergency", "triage", "majors", "2024-03-25"),
    ("hospital", "emergency", "triage", "minors", "2024-03-25"),
    ("logistics", "parcel", "tour_city", "failed", "2025-01-30"),
    ("logistics", "parcel", "tour_city", "handed_over", "2025-01-30"),
    ("factory", "rework", "bench", "scrapped", "2024-12-15"),
    ("insurance", "liability_claim", "reported", "refused", "2024-07-01"),
    ("telecom", "payment", "issued", "reminder", "2025-11-01"),
    ("iot", "firmware_update", "downloaded", "installed", "2025-07-05"),
    ("subscriptions", "onboarding", "signed_up", "first_project", "2025-12-15"),
]


@pytest.mark.parametrize(
    ("scenario", "process", "step", "to", "until"), PASSING, ids=[" ".join(case[1:4]) for case in PASSING]
)
def test_the_funnel_loses_as_many_as_is_declared(scenario, process, step, to, until):
    someone, run = analyst(scenario)
    (flow,) = [one for one in run.model.flows if one.name == process]
    population = run.model.populations[flow.population]
    (branch,) = [one for one in flow.branches[flow.steps.index(step)] if one.to == flow.steps.index(to)]
    found = someone.passing(process, population.name, step, to, until, joined(population))
    mean = variance = 0.0
    for names, (_, cases) in found.items():
        told = branch.probability * product(population, names, branch.probabilities.segments) * in_time(branch)
        mean, variance = mean + cases * told, variance + cases * told * (1 - told)
    assert variance > 3
    near(sum(hits for hits, _ in found.values()), variance**0.5, mean)


def in_time(branch: Branch) -> float:
    """The share of those who take a way that are not timed out on it."""
    if branch.timeout is None or branch.after is None:
        return 1.0
    return float(branch.after.cdf(np.array([branch.timeout], dtype=float))[0])


# Which channel really drives conversions?


@pytest.mark.parametrize("channel", ["organic_search", "paid_search", "social", "direct", "display"])
def test_a_channel_was_on_the_way_of_as_many_buyers_as_its_removal_would_cost(channel):
    someone, run = analyst("clickstream")
    (flow,) = [one for one in run.model.flows if one.name == "journey"]
    told = {touch.step: touch.removal_effect for touch in truths_of(run.model, flow)[0].touches}
    touched, buyers = someone.on_the_way("journey", channel, "order", "2025-07-01")
    share(touched, buyers, told[channel])
