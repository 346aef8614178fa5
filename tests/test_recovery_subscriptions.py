"""Recurring relationships: born from facts, billed from their own start while they are active, left by hazards."""

from __future__ import annotations

import math
from functools import lru_cache

import evidence
import numpy as np
import polars as pl
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from worlds import END, START, instants, micros, population, scenario, tables, words

from sim.maths.units import DAY, MONTH

MONTH_DAYS = MONTH / DAY
LIFE = {
    "initial": "active",
    "states": {
        "active": {
            "transitions": [
                {"to": "ended", "hazard": "6%/month", "segments": {"plan": {"pro": 0.5}}, "reason": "choice"},
                {"to": "ended", "hazard": "3%/month", "reason": "payment"},
                {"to": "paused", "hazard": "2%/month"},
            ]
        },
        "paused": {
            "transitions": [
                {"to": "active", "after": {"type": "exponential", "mean": "30d"}, "probability": 0.8},
                {"to": "ended", "after": {"type": "exponential", "mean": "30d"}, "probability": 0.2},
            ]
        },
        "ended": {"terminal": True},
    },
}


@lru_cache(maxsize=1)
def shop():
    """Sales that become subscriptions, and their invoices: a run, one frame a stream."""
    subscription = {
        "parent": "user",
        "arrivals": {"on": {"stream": "sale", "where": "step = 'signed'"}},
        "segments": {"plan": {"pro": {"weight": 1}, "basic": {"weight": 2}}},
        "attributes": {"fee": {"type": "expression", "sql": "CASE WHEN plan = 'pro' THEN 30.0 ELSE 10.0 END"}},
        "lifecycle": LIFE,
    }
    steps = {
        "offer": {"next": [{"to": "signed", "probability": 0.5, "after": {"type": "exponential", "mean": "3d"}}]},
        "signed": {},
    }
    streams = {"invoice": {"entity": "subscription", "every": "1 month", "states": ["active"]}}
    made = scenario(
        entities=population(3000) | {"subscription": subscription},
        processes={"sale": {"entity": "user", "start": {"rate": "2/year"}, "steps": steps}},
        streams=streams,
        tick="10d",
    )
    return tables(made)


def lives(plan=None):
    """Days until a subscription first stops being active or the run ends, and how: 0 not, 1, 2 by reason, 3 pause."""
    first = shop()["subscription_lifecycle"].sort("event_time").group_by("subscription_id", maintain_order=True).first()
    born = shop()["subscription"]
    born = born if plan is None else born.filter(pl.col("plan") == plan)
    both = born.join(first, on="subscription_id", how="left", suffix="_left")
    left = both["event_time_left"].to_physical().fill_null(END).to_numpy()
    how = both.select(
        pl.when(pl.col("to_state").is_null()).then(0).when(pl.col("to_state") == "paused").then(3)
        .when(pl.col("reason") == "choice").then(1).otherwise(2).alias("how")
    )["how"].to_numpy()  # fmt: skip
    return (left - instants(both)) / DAY, how


def per_day(percent):
    return -math.log(1 - percent / 100) / MONTH_DAYS


def test_every_sale_is_the_start_of_one_subscription():
    sales = shop()["sale"].filter(pl.col("step") == "signed").select("event_time", "user_id")
    assert shop()["subscription"].select("event_time", "user_id").equals(sales)


def test_kaplan_meier_finds_the_declared_survival_by_segment():
    for plan, factor in (("pro", 0.5), ("basic", 1.0)):
        lasting, how = lives(plan)
        fit = KaplanMeierFitter().fit(lasting, how > 0)
        hazard = per_day(6) * factor + per_day(3) + per_day(2)
        table = fit.event_table
        for day in (15, 60, 180):
            seen = table[(table.index <= day) & (table["observed"] > 0)]
            greenwood = (seen["observed"] / (seen["at_risk"] * (seen["at_risk"] - seen["observed"]))).sum()
            survival = float(fit.predict(day))
            evidence.near(survival, survival * math.sqrt(greenwood), math.exp(-hazard * day))


def test_aalen_johansen_finds_the_competing_risks():
    lasting, how = lives("basic")
    hazards = [per_day(6), per_day(3), per_day(2)]
    for cause, hazard in enumerate(hazards, start=1):
        fit = AalenJohansenFitter(calculate_variance=True, seed=1).fit(lasting, how, event_of_interest=cause)
        for day in (30, 120):
            row = fit.cumulative_density_[fit.cumulative_density_.index <= day].iloc[-1, 0]
            error = math.sqrt(float(np.ravel(fit.variance_[fit.variance_.index <= day])[-1]))
            total = sum(hazards)
            evidence.near(row, error, hazard / total * (1 - math.exp(-total * day)))


def test_paused_subscriptions_come_back_or_end_in_the_declared_shares():
    changes = shop()["subscription_lifecycle"].filter(pl.col("from_state") == "paused")
    targets = words(changes, "to_state")
    evidence.share((targets == "active").sum(), len(targets), 0.8)


def states_at(moment):
    """The state of each subscription that is born by a moment."""
    born = shop()["subscription"].filter(pl.col("event_time").to_physical() <= moment).sort("subscription_id")
    changes = shop()["subscription_lifecycle"].filter(pl.col("event_time").to_physical() <= moment).sort("event_time")
    last = (
        changes.group_by("subscription_id", maintain_order=True).last().with_columns(pl.col("to_state").cast(pl.String))
    )
    return born.join(last, on="subscription_id", how="left")["to_state"].fill_null("active").to_numpy()


def test_month_end_counts_reconcile_with_starts_and_stops_exactly():
    born, changes = shop()["subscription"], shop()["subscription_lifecycle"]
    before, previous = 0, START - 1
    for month in range(2, 13):
        moment = micros(f"2024-{month:02d}-01") - 1
        within = pl.col("event_time").to_physical().is_between(previous + 1, moment)
        starts = born.filter(within).height
        stops = changes.filter(within & (pl.col("from_state") == "active")).height
        returns = changes.filter(within & (pl.col("to_state") == "active")).height
        active = int((states_at(moment) == "active").sum())
        assert active == before + starts - stops + returns
        before, previous = active, moment
    assert before > 500


def test_invoices_are_due_at_whole_months_from_the_start_while_active_and_only_then():
    both = shop()["invoice"].join(shop()["subscription"], on="subscription_id", suffix="_start")
    since = instants(both) - instants(both, "event_time_start")
    assert not np.any(since % MONTH)
    assert since.min() == MONTH
    assert len(both) == expected_invoices()


def expected_invoices():
    """Counted from the stays: whole months since the start at which the subscription was active."""
    born = shop()["subscription"].select("subscription_id", "event_time")
    changes = shop()["subscription_lifecycle"].select("subscription_id", "event_time", "to_state")
    entered = pl.concat(
        [born.with_columns(to_state=pl.lit("active")), changes.with_columns(pl.col("to_state").cast(pl.String))]
    )
    stays = entered.sort("subscription_id", "event_time").with_columns(
        until=pl.col("event_time").to_physical().shift(-1).over("subscription_id").fill_null(END)
    )
    stays = stays.join(born.rename({"event_time": "start"}), on="subscription_id").filter(
        pl.col("to_state") == "active"
    )
    start, until = instants(stays, "start"), stays["until"].to_numpy()
    # Due at start + k months with entered <= due < until, k >= 1.
    low = np.maximum(-((start - instants(stays)) // MONTH), 1)
    high = (until - 1 - start) // MONTH
    return int(np.maximum(high - low + 1, 0).sum())


def test_invoices_are_of_subscriptions_that_exist():
    assert set(shop()["invoice"]["subscription_id"]) <= set(shop()["subscription"]["subscription_id"])
    assert shop()["subscription"]["subscription_id"].is_unique().all()
