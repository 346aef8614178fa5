"""The storefront says what it declares."""

from __future__ import annotations

import numpy as np
import pytest
from evidence import proportions, share
from full_runs import full_run
from scipy import stats

NAME = "storefront"


def test_every_line_has_a_product_and_an_amount():
    assert full_run(NAME).one("SELECT count(*) FROM order_line WHERE product_id IS NULL OR amount IS NULL") == 0


def test_newcomers_among_the_vips_order_as_much_more_as_declared():
    rates = dict(
        full_run(NAME).rows(
            """WITH born AS (SELECT customer_id, tier, born_at FROM customer WHERE born_at > '2023-01-02'),
                    size AS (SELECT tier, count(*) AS customers FROM born GROUP BY tier)
               SELECT tier, count(*) / any_value(customers)
               FROM "order" AS o JOIN born USING (customer_id) JOIN size USING (tier)
               WHERE o.event_time < born_at + INTERVAL 3 DAY GROUP BY tier"""
        )
    )
    # frailty makes the counts vary more than Poisson ones: a standard error of 2% for 10,000 customers
    assert rates["vip"] / rates["regular"] == pytest.approx(3.2, rel=0.08)
    assert rates["occasional"] / rates["regular"] == pytest.approx(0.35, rel=0.08)


def test_prices_follow_the_declared_inflation_and_end_as_price_tags_do():
    run = full_run(NAME)
    sample = run.rows(
        """SELECT epoch(order_line.event_time) / 86400 / 365.25, ln(unit_price / price)
           FROM order_line JOIN product USING (product_id) WHERE price > 50 AND order_line_id % 10 = 0"""
    )
    years, growth = np.array(sample).T
    assert stats.linregress(years, growth).slope == pytest.approx(np.log(1.025), rel=0.01)
    assert run.one("SELECT count(*) FROM product WHERE right(printf('%.2f', price), 1) NOT IN ('0', '9')") == 0


def test_nobody_orders_during_the_outage():
    outage = "event_time >= '2024-09-17 14:10' AND event_time < '2024-09-17 17:40'"
    assert full_run(NAME).one(f'SELECT count(*) FROM "order" WHERE {outage}') == 0


def test_orders_have_the_declared_shape_of_a_day():
    run = full_run(NAME)
    quiet = "event_time < '2023-03-25'"  # no ramp of a sale, no change of clocks
    hours = dict(run.rows(f'SELECT hour(event_time), count(*) FROM "order" WHERE {quiet} GROUP BY 1'))
    proportions([hours[hour] for hour in range(24)], run.scenario.curves["hours"].weights)


def test_lines_come_back_as_often_as_declared():
    lines, returns = full_run(NAME).one(
        """SELECT count(*), count(r.return_id) FROM order_line LEFT JOIN "return" AS r USING (order_line_id)
           WHERE order_line.event_time < '2025-08-01'"""
    )
    share(returns, lines, 0.09)


def test_customers_are_won_back_rather_than_lost_as_often_as_declared():
    left, back = full_run(NAME).one(
        """SELECT count(*), count(*) FILTER (to_state = 'active') FROM customer_lifecycle
           WHERE from_state = 'dormant'"""
    )
    share(back, left, np.log(0.96) / (np.log(0.96) + np.log(0.985)))


def test_customers_prefer_their_favourite_category():
    lines, favourites = full_run(NAME).one(
        """SELECT count(*), count(*) FILTER (category = favourite) FROM order_line JOIN customer USING (customer_id)
           WHERE favourite = 'books'"""
    )
    share(favourites, lines, 0.40 + 0.12)
