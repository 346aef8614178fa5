"""Running totals are exact sums, per entity, in the order of events, over all streams that share them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from worlds import population, scenario, tables

AMOUNT = {"type": "lognormal", "median": 20, "sigma": 1, "modifiers": [{"type": "round", "digits": 2}]}


def bank(start=0.0, entity=None, **parts):
    """Users who pay in and pay out, with one balance."""
    balance = {"type": "running_total", "of": "amount", "total": "balance", "start": start, "digits": 2}
    streams = {
        "credit": {"rate": "2/day", "attributes": {"amount": AMOUNT, "balance": balance}},
        "debit": {"rate": "3/day", "attributes": {"amount": AMOUNT, "balance": balance | {"sign": -1}}},
    }
    streams = {name: {"entity": "user", **spec} for name, spec in streams.items()}
    entities = population(30, arrivals={"rate": "1/day"}, **(entity or {}))
    return tables(scenario(entities=entities, streams=streams, end="2024-04-01", **parts))


def ledger(run):
    """All postings in the order of events: (event_time, rank of the stream, id)."""
    pieces = [
        run[name].select("event_time", "user_id", "balance", signed=pl.col("amount") * sign, rank=rank, id=f"{name}_id")
        for rank, (name, sign) in enumerate((("credit", 1), ("debit", -1)))
    ]
    return pl.concat(pieces).sort("event_time", "rank", "id")


@pytest.mark.parametrize("tick", ["6h", "30d"])
def test_a_balance_is_the_sum_of_all_postings_so_far(tick):
    book = ledger(bank(tick=tick)).with_columns(expected=pl.col("signed").cum_sum().over("user_id"))
    assert book.height > 10_000
    assert np.abs(book["balance"] - book["expected"]).max() < 0.006


def test_a_balance_begins_with_an_attribute_of_the_entity():
    opening = {"opening": {"type": "uniform", "low": 100, "high": 900}}
    run = bank("user.opening", {"attributes": opening}, tick="30d")
    book = ledger(run).join(run["user"].select("user_id", "opening"), on="user_id", maintain_order="left")
    book = book.with_columns(expected=pl.col("opening") + pl.col("signed").cum_sum().over("user_id"))
    assert np.abs(book["balance"] - book["expected"]).max() < 0.006


def test_a_balance_begins_with_a_number():
    first = ledger(bank(1000)).group_by("user_id", maintain_order=True).first()
    assert np.allclose(first["balance"], 1000 + first["signed"])


def test_a_total_without_a_name_is_the_streams_own():
    one = {"type": "constant", "value": 1.0}
    count = {"type": "running_total", "of": "one"}
    stream = {"entity": "user", "rate": "1/day", "attributes": {"one": one, "count": count}}
    run = tables(scenario(entities=population(20), streams={"act": stream, "other": stream}, end="2024-03-01"))
    for name in ("act", "other"):
        expected = run[name].select(pl.col("user_id").cum_count().over("user_id")).to_series()
        assert (run[name]["count"] == expected).all()


def test_what_reads_a_total_sees_the_sum_that_is_shown():
    attributes = {
        "amount": AMOUNT,
        "points": {"type": "running_total", "of": "amount"},
        "grade": {"type": "expression", "sql": "CASE WHEN points > 200 THEN 'gold' ELSE 'plain' END"},
    }
    stream = {"entity": "user", "rate": "1/day", "attributes": attributes}
    act = tables(scenario(entities=population(20), streams={"act": stream}, end="2024-03-01"))["act"]
    assert ((act["grade"].cast(pl.String) == "gold") == (act["points"] > 200)).all()
    assert act["grade"].n_unique() == 2


def test_totals_of_large_and_small_amounts_stay_exact():
    amount = {"type": "expression", "sql": "CASE WHEN tier = 'rich' THEN 1234567890.12 ELSE 0.01 END"}
    total = {"type": "running_total", "of": "amount"}
    tier = {"rich": {"weight": 1}, "poor": {"weight": 9}}
    stream = {"entity": "user", "rate": "20/day", "attributes": {"amount": amount, "sum": total}}
    world = scenario(entities=population(200, segments={"tier": tier}), streams={"act": stream}, end="2024-03-01")
    act = tables(world | {"tick": "30d"})["act"]
    expected = act["amount"] * act.select(pl.col("user_id").cum_count().over("user_id")).to_series()
    assert np.abs(act["sum"] / expected - 1).max() < 1e-12
