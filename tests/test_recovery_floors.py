"""Running totals with a floor: never below it, in the exact order of events, with nothing lost."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from worlds import population, scenario, tables

from sim.errors import ScenarioError

AMOUNT = {"type": "lognormal", "median": 20, "sigma": 1, "modifiers": [{"type": "round", "digits": 2}]}
LIMIT = {"limit": {"type": "uniform", "low": -200, "high": 0, "modifiers": [{"type": "round", "digits": 2}]}}


def bank(below="refuse", floor="user.limit", **parts):
    """Users who pay in, and pay out as far as their limit allows."""
    balance = {"type": "running_total", "of": "amount", "total": "balance", "start": 50, "digits": 2}
    taking = balance | {"sign": -1, "floor": floor, "below": below}
    paid = {"type": "posted", "of": "balance"}
    streams = {
        "credit": {"rate": "2/day", "attributes": {"amount": AMOUNT, "balance": balance}},
        "debit": {"rate": "3/day", "attributes": {"amount": AMOUNT, "balance": taking, "paid": paid}},
    }
    streams = {name: {"entity": "user", **spec} for name, spec in streams.items()}
    run = tables(scenario(entities=population(30, attributes=LIMIT), streams=streams, end="2024-05-01", **parts))
    return run, ledger(run)


def ledger(run):
    """All postings in the order of events, with each user's limit and the balance before."""
    pieces = [
        run["credit"].select("event_time", "user_id", "balance", "amount", id="credit_id", rank=0, added="amount"),
        run["debit"].select("event_time", "user_id", "balance", "amount", id="debit_id", rank=1, added=-pl.col("paid")),
    ]
    book = pl.concat(pieces).sort("event_time", "rank", "id").join(run["user"].select("user_id", "limit"), on="user_id")
    return book.with_columns(before=pl.col("balance").shift(1).over("user_id").fill_null(50.0))


@pytest.mark.parametrize("below", ["refuse", "clip"])
@pytest.mark.parametrize("tick", ["6h", "30d"])
def test_a_floor_is_never_broken_and_the_sums_are_exact(below, tick):
    _, book = bank(below, tick=tick)
    assert (book["balance"] >= book["limit"]).all()
    total = 50 + book.select(pl.col("added").cum_sum().over("user_id")).to_series()
    assert np.abs(total - book["balance"]).max() < 1e-6


def test_a_withdrawal_is_refused_if_and_only_if_it_would_go_below():
    debit = bank()[1].filter(pl.col("rank") == 1)
    refused = debit["added"] == 0
    short = debit["before"] - debit["amount"] < debit["limit"] - 1e-6
    assert (refused == short).all()
    assert 0.1 < refused.mean() < 0.9
    assert np.abs(debit.filter(~refused).select(pl.col("added") + pl.col("amount")).to_series()).max() == 0


def test_a_clipped_withdrawal_takes_what_is_there():
    debit = bank("clip")[1].filter(pl.col("rank") == 1)
    expected = np.minimum(debit["amount"], debit["before"] - debit["limit"])
    assert np.abs(-debit["added"] - expected).max() < 1e-6
    assert 0.05 < (-debit["added"] < debit["amount"] - 0.01).mean() < 0.9


def test_a_stream_without_a_floor_may_go_below_and_only_rises_from_there():
    amount = {"type": "choice", "values": [-10, -3, 4]}
    total = {"type": "running_total", "of": "amount", "total": "t"}
    streams = {
        "fee": {"attributes": {"amount": amount, "t": total}},
        "trade": {"attributes": {"amount": amount, "t": total | {"floor": 0}, "done": {"type": "posted", "of": "t"}}},
    }
    streams = {name: {"entity": "user", "rate": "1/day"} | spec for name, spec in streams.items()}
    trade = tables(scenario(entities=population(20), streams=streams))["trade"]
    assert (trade["t"] < 0).any()
    assert (trade.filter(pl.col("t") < 0)["done"] >= 0).all()


def test_a_floor_that_is_null_is_none():
    limit = {"limit": {"type": "constant", "value": 0, "modifiers": [{"type": "null", "probability": 0.5}]}}
    amount = {"type": "constant", "value": -1}
    total = {"type": "running_total", "of": "amount", "floor": "user.limit"}
    stream = {"entity": "user", "rate": "1/day", "attributes": {"amount": amount, "t": total}}
    run = tables(scenario(entities=population(40, attributes=limit), streams={"act": stream}))
    last = run["act"].group_by("user_id", maintain_order=True).last().join(run["user"], on="user_id")
    assert (last.filter(pl.col("limit").is_null())["t"] < -200).all()
    assert (last.filter(pl.col("limit") == 0)["t"] == 0).all()


def test_one_entity_with_very_many_facts_in_a_window_is_exact_too():
    amount = {"type": "choice", "values": [-3, 2]}
    total = {"type": "running_total", "of": "amount", "floor": 0}
    stream = {"entity": "user", "rate": "2000/day", "attributes": {"amount": amount, "t": total}}
    act = tables(scenario(entities=population(1), streams={"act": stream}, end="2024-01-11", tick="10d"))["act"]
    held, expected = 0, []
    for value in act["amount"].to_list():
        held = held + value if held + value >= 0 else held
        expected.append(held)
    assert act["t"].to_list() == expected


def test_a_floor_that_says_nothing_is_a_problem():
    for attributes, message in (
        ({"t": {"type": "running_total", "of": "x", "below": "clip"}}, "give 'floor'"),
        ({"t": {"type": "posted", "of": "x"}}, "'x' is not a running total of this stream"),
        ({"t": {"type": "running_total", "of": "x", "floor": "user.limits"}}, "user.limit"),
    ):
        stream = {"entity": "user", "rate": "1/day", "attributes": {"x": AMOUNT} | attributes}
        with pytest.raises(ScenarioError, match=message):
            tables(scenario(entities=population(2, attributes=LIMIT), streams={"act": stream}))
