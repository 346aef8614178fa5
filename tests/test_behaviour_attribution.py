"""What touchpoints contribute to conversions is measured as the scenario's truth says."""

from __future__ import annotations

from functools import cache

import pytest
from behaviour_facts import SEEDS, changed, facts_of, failed, measured, p_values, uneven
from journeys import NEXT, branches, journeys
from worlds import SEED, model

from sim.model.truth import truths_of

VIP = {"segments": {"tier": {"vip": {"probability": 2.0}}}, "history": {"social": [1, 1.5]}}
TIERS = {"user": {"initial": {"count": 2500}, "segments": {"tier": {"vip": {"weight": 1}, "plain": {"weight": 3}}}}}
STEPS = {name: {"next": branches(name, purchase=VIP)} for name in NEXT}
SHOP = journeys(process={"steps": STEPS}, entities=TIERS)
PURCHASE = "processes.journey.steps.search.next.2"
OTHERWISE = {
    "conversions": (f"{PURCHASE}.probability", 0.1),
    "removal_effects": ("processes.journey.first.social", 6),
    "attribution_shares": ("processes.journey.first.email", 4),
}


@cache
def shop():
    return facts_of(SHOP)


def test_good_facts_raise_no_alarm():
    assert failed("attribution", SHOP, shop()) == set()


@pytest.mark.parametrize("name", OTHERWISE)
def test_other_contributions_are_found(name):
    assert name in failed("attribution", changed(SHOP, *OTHERWISE[name]), shop())


def test_every_channel_is_told_with_its_effect_and_its_share_of_the_credit():
    found = measured("attribution", SHOP, shop())
    for name in ("removal_effects", "attribution_shares"):
        told = {finding.subject: finding for finding in found if finding.name == name}
        assert set(told) == {"journey: search", "journey: social", "journey: email"}
        assert all(finding.low < finding.estimate < finding.high for finding in told.values())


def test_what_is_declared_is_the_truth_of_the_scenario():
    plain = journeys(2500)
    (truth,) = truths_of(model(plain), model(plain).flows[0])
    found = {(f.name, f.subject): f.declared for f in measured("attribution", plain, facts_of(plain))}
    assert found["conversions", "journey"] == pytest.approx(truth.converting)
    for touch in truth.touches:
        assert found["removal_effects", f"journey: {touch.step}"] == pytest.approx(touch.removal_effect)
        assert found["attribution_shares", f"journey: {touch.step}"] == pytest.approx(truth.shares[touch.step])


def test_journeys_whose_chances_change_are_not_measured_and_it_is_said_why():
    rising = {"curves": {"probability": [{"type": "exponential", "rate": "10%/year"}]}}
    world = journeys(200, {"steps": STEPS | {"search": {"next": branches("search", purchase=rising)}}}, entities=TIERS)
    (finding,) = measured("attribution", world, facts_of(world))
    assert "chances change with time" in finding.detail


def test_journeys_that_the_run_cannot_see_through_are_not_measured():
    long = journeys(300, {"after": {"type": "exponential", "mean": "60d"}, "timeout": "300d"})
    (finding,) = measured("attribution", long, facts_of(long))
    assert "too long" in finding.detail


def test_p_values_are_uniform_where_facts_are_as_declared():
    small = changed(SHOP, "entities.user.initial.count", 500)
    assert uneven(p_values("attribution", small, range(SEED * 1000, SEED * 1000 + SEEDS))) == {}
