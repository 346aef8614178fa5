"""Payments and the fraud among them are as declared, and the ground truth tells all of it."""

from __future__ import annotations

import evidence
import numpy as np
import pytest
from full_runs import full_run
from scipy import stats

NAME = "payments"
FRAUDS = "('testing', 'details', 'stolen', 'takeover', 'breach')"


def test_labels_lie_within_the_spells_of_their_card_or_holder():
    run = full_run(NAME)
    told = f"SELECT * FROM incident_fact WHERE incident IN {FRAUDS}"
    found, labels = run.one(
        f"""SELECT count(incident_id), (SELECT count(*) FROM ({told}))
            FROM ({told}) AS label JOIN card ON card_id = label.entity_id
            JOIN incident AS spell ON spell.incident = label.incident AND spell.began_at = label.began_at
             AND coalesce(spell.entity_id = CASE spell.entity WHEN 'card' THEN card_id ELSE holder_id END, true)
            WHERE label.event_time >= spell.began_at AND label.event_time < spell.ends_at"""
    )
    assert found == labels > 300


@pytest.mark.parametrize(("name", "hazard"), [("details", 0.05), ("stolen", 0.028)])
def test_spells_begin_as_often_as_declared(name, hazard):
    run = full_run(NAME)
    years = run.one("SELECT sum(epoch(TIMESTAMPTZ '2025-01-01' - event_time)) / 86400 / 365.25 FROM card")
    closed = run.one(
        "SELECT sum(epoch(TIMESTAMPTZ '2025-01-01' - event_time)) / 86400 / 365.25 FROM card_lifecycle"
        " WHERE to_state = 'closed'"
    )
    count = run.one(f"SELECT count(*) FROM incident WHERE incident = '{name}'")
    # Blocked cards are out of reach for some days a year: less than the error of the count.
    evidence.poisson(count, -np.log(1 - hazard) * (years - closed))


def test_spells_last_as_long_as_declared():
    for name, law in (("details", stats.lognorm(0.8, scale=8)), ("stolen", stats.expon(scale=6))):
        hours = full_run(NAME).rows(f"SELECT epoch(ends_at - began_at) / 3600 FROM incident WHERE incident = '{name}'")
        evidence.distributed([hour for (hour,) in hours], law.cdf)


def test_nobody_pays_with_a_card_that_is_blocked():
    late = full_run(NAME).one(
        """SELECT count(*) FROM payment ASOF JOIN card_lifecycle AS change
             ON payment.card_id = change.card_id AND payment.event_time >= change.event_time
           WHERE change.to_state <> 'active'"""
    )
    assert late == 0


def test_fraud_on_the_web_is_never_from_the_usual_device_and_other_payments_mostly():
    strange, honest, own = full_run(NAME).one(
        f"""SELECT count(*) FILTER (incident IS NULL AND payment.device <> card.device),
                   count(*) FILTER (incident IS NULL),
                   count(*) FILTER (incident IS NOT NULL AND payment.device = card.device)
            FROM payment JOIN card USING (card_id)
            LEFT JOIN (FROM incident_fact WHERE incident IN {FRAUDS}) ON payment_id = fact_id
            WHERE payment.device IS NOT NULL"""
    )
    assert own == 0
    evidence.share(strange, honest, 0.025)


def test_outages_let_one_payment_in_twenty_five_through():
    during, before = full_run(NAME).one(
        """SELECT sum((SELECT count(*) FROM payment WHERE event_time >= began_at AND event_time < ends_at)),
                  sum((SELECT count(*) FROM payment WHERE event_time >= began_at - INTERVAL 7 DAYS
                                                      AND event_time < ends_at - INTERVAL 7 DAYS))
           FROM incident WHERE incident = 'outage'"""
    )
    assert during < 0.04 * before + 4 * np.sqrt(0.04 * before) + 1


def test_the_rates_of_fraud_are_ten_times_those_of_the_report():
    volume, value = full_run(NAME).one(
        f"""SELECT 100 * avg((fact_id IS NOT NULL)::INT),
                   100 * sum(amount) FILTER (fact_id IS NOT NULL) / sum(amount)
            FROM payment LEFT JOIN (FROM incident_fact WHERE incident IN {FRAUDS}) ON payment_id = fact_id
            WHERE status = 'approved'"""
    )
    assert 0.12 < volume < 0.18
    assert 0.24 < value < 0.38


def test_only_fraud_is_disputed():
    others, disputed, approved = full_run(NAME).one(
        f"""SELECT count(dispute_id) FILTER (fact_id IS NULL), count(dispute_id), count(fact_id)
            FROM payment LEFT JOIN (FROM incident_fact WHERE incident IN {FRAUDS}) ON payment_id = fact_id
            LEFT JOIN dispute USING (payment_id) WHERE status = 'approved' AND payment.event_time < '2024-08-01'"""
    )
    assert others == 0
    evidence.share(disputed, approved, 0.88)
