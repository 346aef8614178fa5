"""The bank says what it declares, and its books balance."""

from __future__ import annotations

import numpy as np
import pytest
from full_runs import full_run
from scipy import stats

NAME = "bank"

MOVES = """
    SELECT account_id, event_time, 1 AS stream, salary_id AS id, amount, balance FROM salary
    UNION ALL SELECT account_id, event_time, 2, standing_order_id, -amount, balance FROM standing_order
    UNION ALL SELECT account_id, event_time, 3, saving_id, -amount, balance FROM saving
    UNION ALL SELECT account_id, event_time, 4, direct_debit_id, -amount, balance FROM direct_debit
    UNION ALL SELECT account_id, event_time, 5, card_payment_id, -amount, balance FROM card_payment
    UNION ALL SELECT account_id, event_time, 6, cash_id, -amount, balance FROM cash
    UNION ALL SELECT account_id, event_time, 7, transfer_id, signed, balance FROM transfer
"""


def test_every_balance_is_the_opening_balance_and_all_that_has_moved_since():
    off, moves = full_run(NAME).one(
        f"""WITH summed AS (SELECT account_id, balance, sum(amount) OVER (
                                   PARTITION BY account_id ORDER BY event_time, stream, id
                                   ROWS UNBOUNDED PRECEDING) AS moved FROM ({MOVES}))
            SELECT max(abs(opening_balance + moved - balance)), count(*) FROM summed JOIN account USING (account_id)"""
    )
    assert moves > 1_500_000
    assert off < 0.0051


def test_balances_stay_plausible():
    deep, below, middle = full_run(NAME).one(
        f"""WITH ends AS (SELECT account_id, arg_max(balance, event_time) AS balance FROM ({MOVES})
                          GROUP BY account_id, date_trunc('month', event_time))
            SELECT avg((balance < -2000)::INT), avg((balance < 0)::INT), median(balance) FROM ends"""
    )
    assert deep < 0.01
    assert 0.01 < below < 0.10
    assert 2000 < middle < 5000


def test_salaries_come_once_a_month_early_on_the_28th():
    run = full_run(NAME)
    assert run.rows("SELECT DISTINCT day(event_time), hour(event_time) < 5 FROM salary") == [(28, True)]
    months = "SELECT count(*) AS n FROM salary GROUP BY account_id, strftime(event_time, '%Y-%m')"
    assert run.one(f"SELECT max(n) FROM ({months})") == 1


def test_salaries_grow_as_declared():
    sample = full_run(NAME).rows(
        """SELECT epoch(salary.event_time) / 86400 / 365.25, ln(amount / income)
           FROM salary JOIN account USING (account_id)"""
    )
    fit = stats.linregress(*np.array(sample).T)
    assert abs(fit.slope - np.log(1.045)) < 3.3 * fit.stderr


def test_who_pays_often_by_card_pays_as_much_less_at_a_time():
    logs = dict(
        full_run(NAME).rows(
            """SELECT card_use, avg(ln(amount / spending) - ln(1.045) * epoch(p.event_time) / 86400 / 365.25)
               FROM card_payment AS p JOIN account USING (account_id) GROUP BY card_use"""
        )
    )
    assert np.exp(logs["constant"] - logs["regular"]) == pytest.approx(0.5714, rel=0.02)
    assert np.exp(logs["rare"] - logs["regular"]) == pytest.approx(2.5, rel=0.02)


def test_cards_belong_to_the_accounts_that_pay_with_them():
    wrong = full_run(NAME).one(
        "SELECT count(*) FROM card_payment AS p JOIN card USING (card_id) WHERE p.account_id <> card.account_id"
    )
    assert wrong == 0
