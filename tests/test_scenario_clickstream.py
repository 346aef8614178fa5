"""The clickstream says what it declares, and what its channels are worth is what the facts show."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from evidence import distributed, proportions, share
from full_runs import full_run
from scipy import stats

from sim.model.truth import truths_of

NAME = "clickstream"
CHANNELS = ("organic_search", "paid_search", "social", "email", "direct", "referral", "display_click")
PAGES = ("home", "category", "product", "search", "guide", "cart", "checkout", "order")

FOLLOWED = """
    SELECT *, coalesce(lead(step) OVER path, 'end') AS next, lead(j.event_time) OVER path AS next_time,
           count(*) FILTER (step = 'display') OVER path AS displays,
           count(*) FILTER (step IN ('email', 'guide')) OVER path AS others
    FROM journey AS j JOIN visitor USING (visitor_id) WINDOW path AS (PARTITION BY journey_case_id ORDER BY step_index)
"""


@cache
def truth():
    """The removal effects of all steps, over all journeys."""
    model = full_run(NAME).model
    (flow,) = (flow for flow in model.flows if flow.name == "journey")
    return {touch.step: touch.removal_effect for touch in truths_of(model, flow)[0].touches}


def test_the_page_compares_attribution_with_the_truth():
    page = (Path(__file__).parent.parent / "docs" / "scenarios" / f"{NAME}.md").read_text(encoding="utf-8")
    shown = {step: float(effect) for step, effect in re.findall(r"\('(\w+)', (0\.\d+)\)", page)}
    assert shown == {step: round(truth()[step], 3) for step in (*CHANNELS, "display")}


def test_journeys_begin_with_the_declared_channels():
    run = full_run(NAME)
    found = dict(run.rows("SELECT step, count(*) FROM journey WHERE step_index = 0 GROUP BY step"))
    declared = run.scenario.processes["journey"].initial
    proportions([found[step] for step in declared], list(declared.values()))


@pytest.mark.parametrize(
    ("intent", "displays", "factor"),
    [
        ("buyer", "= 0", 2.1),
        ("browser", "= 0", 0.85),
        ("passer_by", "= 0", 0.25),
        ("buyer", ">= 2", 2.1 * 1.4),
        ("browser", "= 1", 0.85 * 1.25),
        ("browser", ">= 2", 0.85 * 1.4),
    ],
)
def test_product_pages_lead_to_carts_as_declared_by_intent_and_banners_seen(intent, displays, factor):
    seen, carts = full_run(NAME).one(
        f"""SELECT count(*), count(*) FILTER (next = 'cart') FROM ({FOLLOWED})
            WHERE step = 'product' AND intent = '{intent}' AND displays {displays} AND others = 0
              AND event_time < '2025-08-31 23:00'"""
    )
    assert seen > 200
    share(carts, seen, 0.062 * factor)


@pytest.mark.parametrize(("device", "factor"), [("phone", 0.85), ("desktop", 1.25)])
def test_checkouts_become_orders_as_declared_by_device(device, factor):
    checkouts, orders = full_run(NAME).one(
        f"""SELECT count(*), count(*) FILTER (next = 'order') FROM ({FOLLOWED})
            WHERE step = 'checkout' AND device = '{device}' AND event_time < '2025-08-31 23:00'"""
    )
    share(orders, checkouts, 0.58 * factor)


def test_pages_follow_each_other_after_the_declared_times():
    gaps = full_run(NAME).rows(
        f"""SELECT epoch(next_time - event_time) FROM ({FOLLOWED})
            WHERE step = 'category' AND next = 'product' AND event_time < '2025-08-31'"""
    )
    distributed([gap for (gap,) in gaps], stats.lognorm(1.1, scale=28).cdf)


def test_sessions_orders_and_their_articles_agree_with_the_journeys():
    run = full_run(NAME)
    wrong = run.one(
        """SELECT count(*) FROM session AS s JOIN journey AS j USING (journey_id)
           WHERE s.channel <> j.step OR s.event_time <> j.event_time OR s.visitor_id <> j.visitor_id"""
    )
    sessions = f"(SELECT count(*) FROM journey WHERE step IN {CHANNELS})"
    orders = "(SELECT count(*) FROM journey WHERE step = 'order')"
    same = run.one(f"SELECT {sessions} = (SELECT count(*) FROM session) AND {orders} = (SELECT count(*) FROM purchase)")
    without = run.one("SELECT count(*) FROM purchase ANTI JOIN purchase_item USING (purchase_id)")
    assert (wrong, same, without) == (0, True, 0)


def test_touches_have_costs_and_campaigns_of_their_channel_and_pages_have_load_times():
    wrong = full_run(NAME).one(
        f"""SELECT count(*) FROM journey LEFT JOIN campaign AS c USING (campaign_id)
            WHERE (campaign_id IS NOT NULL) <> (step IN ('paid_search', 'display', 'social', 'email'))
               OR c.channel <> step OR (cost IS NOT NULL) <> (step IN ('paid_search', 'display', 'social'))
               OR (load_ms IS NOT NULL) <> (step IN {PAGES}) OR (product_id IS NOT NULL) <> (step = 'product')"""
    )
    assert wrong == 0


def test_spots_on_television_bring_visitors_at_once():
    spots, usual = full_run(NAME).one(
        """SELECT count(*) FILTER (event_time::DATE IN ('2025-04-13', '2025-05-11', '2025-06-08')),
                  count(*) FILTER (event_time::DATE IN ('2025-04-06', '2025-04-20', '2025-05-04', '2025-05-18',
                                                        '2025-06-01', '2025-06-15')) / 2
           FROM visitor WHERE strftime(event_time, '%H:%M') BETWEEN '19:15' AND '19:29'"""
    )
    assert 4 < spots / usual < 12
