"""Incidents for everybody: factors, selections and ramps are those declared, by rate ratios inside and outside."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pytest
from scipy import stats
from worlds import DAY, END, START, acting, batches, days, facts, instants, micros, population, scenario, tables, words

REGIONS = {"segments": {"region": {"north": {"weight": 1}, "south": {"weight": 1}}}}
SPAN = {"from": "2024-03-01", "until": "2024-05-10"}
INSIDE = 70


def inside(frame, since="2024-03-01", until="2024-05-10"):
    times = instants(frame)
    return (times >= micros(since)) & (times < micros(until))


def hit(effect, stream="act", **parts):
    return {"incidents": {"trouble": {**SPAN, "streams": {stream: effect}, **parts}}}


@pytest.mark.parametrize("factor", [0.01, 0.3, 4])
def test_the_rate_has_the_factor_inside_and_is_the_same_outside(factor):
    frame = facts(acting(200, "1/day", tick="30d", **hit({"rate": factor})))
    evidence.levels([inside(frame).sum(), (~inside(frame)).sum()], np.array([INSIDE * factor, 366 - INSIDE]) * 200)


def test_nothing_happens_where_the_factor_is_0():
    frame = facts(acting(200, "1/day", tick="30d", **hit({"rate": 0})))
    assert not inside(frame).any()
    evidence.poisson(len(frame), (366 - INSIDE) * 200)


@pytest.mark.parametrize("factor", [0.3, 4])
def test_only_the_segment_is_hit(factor):
    run = tables(acting(400, "1/day", REGIONS, tick="30d", **hit({"rate": factor}, segments={"region": ["north"]})))
    north = words(run["user"], "region") == "north"
    within, mine = inside(run["act"]), north[run["act"]["user_id"].to_numpy()]
    observed = [(within & mine).sum(), (within & ~mine).sum(), (~within & mine).sum(), (~within & ~mine).sum()]
    sizes = np.array([north.sum(), (~north).sum()])
    evidence.levels(observed, np.concatenate([sizes * INSIDE * [factor, 1], sizes * (366 - INSIDE)]))


def test_only_who_is_in_the_state_is_hit():
    states = {
        "on": {"transitions": [{"to": "off", "hazard": "0.1/day"}]},
        "off": {"transitions": [{"to": "on", "hazard": "0.2/day"}]},
    }
    from worlds import stays

    life = {"lifecycle": {"initial": "on", "states": states}}
    run = tables(acting(300, "1/day", life, tick="30d", **hit({"rate": 5}, states=["off"])))
    times = instants(run["act"])
    stay = stays(run)
    keys = stay.entity * 4 * (END - START) + (stay.entered - START)
    place = np.searchsorted(keys, run["act"]["user_id"].to_numpy() * 4 * (END - START) + times - START, "right") - 1
    off, within = stay.state[place] == "off", inside(run["act"])
    limits = micros("2024-03-01"), micros("2024-05-10")
    exposure = [stay.of(name).exposure(*limits) for name in ("on", "off")]
    evidence.levels([(within & ~off).sum(), (within & off).sum()], np.array(exposure) * [1, 5])


def test_a_share_of_the_entities_is_hit_all_the_time():
    frame = facts(acting(1000, "0.3/day", tick="30d", **hit({"rate": 10}, share="30%")))
    counts = np.bincount(frame.filter(inside(frame))["user_id"].to_numpy(), minlength=1000)
    struck = counts > 3.1 * 0.3 * INSIDE
    evidence.share(struck.sum(), 1000, 0.3)
    evidence.levels([counts[struck].sum(), counts[~struck].sum()], np.array([struck.sum() * 10, (~struck).sum()]) * 21)


def test_shares_by_segment_multiply():
    exposed = {"region": {"north": 1.5, "south": 0.5}}
    run = tables(acting(2000, "0.3/day", REGIONS, **hit({"rate": 20}, share="40%", segments=exposed)))
    frame = run["act"]
    struck = np.bincount(frame.filter(inside(frame))["user_id"].to_numpy(), minlength=2000) > 4 * 21
    north = words(run["user"], "region") == "north"
    evidence.share(struck[north].sum(), north.sum(), 0.6)
    evidence.share(struck[~north].sum(), (~north).sum(), 0.2)


def test_what_belongs_to_an_entity_shares_its_fate():
    entities = {**population(200), "card": {"parent": "user", "arrivals": {"per_parent": 2}}}
    streams = {name: {"entity": name, "rate": "1/day"} for name in ("user", "card")}
    streams = {"act": streams["user"], "pay": streams["card"]}
    trouble = {**SPAN, "share": 0.5, "streams": {"act": {"rate": 9}, "pay": {"rate": 9}}}
    run = tables(scenario(entities=entities, streams=streams, incidents={"trouble": trouble}))
    owner = run["card"].sort("card_id")["user_id"].to_numpy()
    busy = {}
    for name, kind in (("act", "user"), ("pay", "card")):
        frame = run[name].filter(inside(run[name]))
        busy[kind] = np.bincount(frame[f"{kind}_id"].to_numpy(), minlength=len(run[kind])) > 3 * INSIDE
    assert (busy["card"] == busy["user"][owner]).all()
    evidence.share(busy["user"].sum(), 200, 0.5)


def test_a_ramp_is_a_straight_line():
    frame = facts(acting(300, "1/day", tick="30d", **hit({"rate": 6}, ramp_up="40d", ramp_down="20d")))
    day = np.floor(days(frame, micros("2024-03-01"))).astype(int)
    counts = np.bincount(day[(day >= 0) & (day < INSIDE)], minlength=INSIDE)
    middle = np.arange(INSIDE) + 0.5
    evidence.levels(counts, 300 * (1 + 5 * np.minimum(np.minimum(middle / 40, (INSIDE - middle) / 20), 1)))
    rising = stats.linregress(middle[:40], counts[:40] / 300)
    evidence.near(rising.slope, rising.stderr, 5 / 40)


def test_random_incidents_begin_at_the_rate_and_last_as_long_as_declared():
    storm = {"rate": "1/day", "duration": {"type": "gamma", "mean": "12h", "shape": 2}, "streams": {"act": {"rate": 2}}}
    run = tables(acting(1, "1/year", end="2027-01-01", incidents={"storm": storm}))
    begins, ends = days(run["incident"], column="began_at"), days(run["incident"], column="ends_at")
    assert (ends[:-1] <= begins[1:]).all()
    evidence.distributed(ends - begins, stats.gamma(2, scale=0.25).cdf)
    evidence.distributed(begins[1:] - ends[:-1], "expon")


def test_the_seasons_of_random_incidents_are_those_of_their_curve():
    weights = [1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3]
    storm = {"rate": "1/day", "duration": "1min", "curves": [{"type": "month", "weights": weights}]}
    storm["streams"] = {"act": {"rate": 2}}
    run = tables(acting(1, "1/year", end="2026-01-01", incidents={"storm": storm}))
    month = run["incident"]["began_at"].dt.month().to_numpy()
    evidence.levels([(month <= 6).sum(), (month > 6).sum()], np.array([363 * 0.5, 368 * 1.5]))


def test_random_incidents_have_their_factor_and_no_other():
    storm = {"rate": "12/year", "duration": {"type": "exponential", "mean": "9d"}, "streams": {"act": {"rate": 3}}}
    run = tables(acting(300, "1/day", incidents={"storm": storm}, tick="11d"))
    begins, ends = instants(run["incident"], "began_at"), np.minimum(instants(run["incident"], "ends_at"), END)
    times = instants(run["act"])
    place = np.searchsorted(begins, times, "right") - 1
    on = (place >= 0) & (times < ends[place])
    length = (ends - begins).sum() / DAY
    evidence.levels([on.sum(), (~on).sum()], 300 * np.array([3 * length, 366 - length]))


def test_values_are_multiplied_inside():
    amount = {"type": "lognormal", "median": 10, "sigma": 0.5, "value": True}
    stream = {"attributes": {"amount": amount}}
    frame = facts(acting(100, "1/day", stream=stream, **hit({"value": 3}, ramp_up="35d")))
    within = days(frame, micros("2024-03-01"))
    outside, full = (within < 0) | (within >= INSIDE), (within >= 35) & (within < INSIDE)
    logs = np.log(frame["amount"].to_numpy() / 10) / 0.5
    evidence.distributed(logs[outside], "norm")
    evidence.distributed(logs[full] - np.log(3) / 0.5, "norm")
    half = (within >= 16) & (within < 19)
    evidence.mean(frame["amount"].to_numpy()[half] / np.exp(0.125) / 10, 2)


def test_followers_are_less_likely_and_later():
    line = {"probability": 0.6, "after": {"type": "exponential", "mean": "2h"}}
    world = acting(200, "1/day", stream={"children": {"line": line}}, **hit({"probability": 0.5, "delay": 6}, "line"))
    run = tables(world)
    joined = run["line"].join(run["act"], on="act_id", suffix="_act")
    within = inside(run["act"])
    late = inside(joined.select("event_time_act").rename({"event_time_act": "event_time"}))
    evidence.share(late.sum(), within.sum(), 0.3)
    evidence.share((~late).sum(), (~within).sum(), 0.6)
    hours = (instants(joined) - instants(joined, "event_time_act")) / 3.6e9
    evidence.distributed(hours[~late], stats.expon(scale=2).cdf)
    evidence.distributed(hours[late], stats.expon(scale=12).cdf)


def test_probabilities_above_1_come_to_1():
    run = tables(
        acting(50, "1/day", stream={"children": {"line": {"probability": 0.4}}}, **hit({"probability": 9}, "line"))
    )
    within = inside(run["act"])
    assert inside(run["line"]).sum() == within.sum()
    evidence.share((~inside(run["line"])).sum(), (~within).sum(), 0.4)


def test_schedules_leave_out_what_an_incident_prevents():
    bill = {"entity": "user", "every": {"period": "1 day", "probability": 0.8}}
    run = tables(scenario(entities=population(50), streams={"bill": bill}, **hit({"probability": 0.25}, "bill")))
    within = inside(run["bill"])
    evidence.share(within.sum(), 50 * INSIDE, 0.2)
    evidence.share((~within).sum(), 50 * (366 - INSIDE), 0.8)


def checkout(effect):
    steps = {
        "cart": {"next": [{"to": "paid", "probability": 0.5, "after": {"type": "exponential", "mean": "1h"}}]},
        "paid": {"service": {"type": "exponential", "mean": "30min"}, "next": {"sent": 1.0}},
        "sent": {},
    }
    process = {"entity": "user", "start": {"rate": "1/day"}, "steps": steps}
    return scenario(entities=population(200), processes={"checkout": process}, **hit(effect, "checkout"))


def steps_of(effect):
    """The steps of each case side by side: those who came to `cart` inside, and outside."""
    frame = tables(checkout(effect))["checkout"]
    wide = frame.pivot(on="step", index="checkout_case_id", values="event_time").drop_nulls("cart")
    within = inside(wide.rename({"cart": "event_time"}))
    # Whoever comes close to the edges may take the next step on the other side.
    far = np.abs(instants(wide, "cart")[:, None] - [micros("2024-03-01"), micros("2024-05-10"), END]).min(1) > 3 * DAY
    return wide.filter(within & far), wide.filter(~within & far)


def test_the_ways_on_from_a_step_are_less_likely():
    hit_, spared = steps_of({"probability": 0.4, "steps": ["cart"]})
    evidence.share(hit_["paid"].is_not_null().sum(), len(hit_), 0.2)
    evidence.share(spared["paid"].is_not_null().sum(), len(spared), 0.5)
    assert hit_.filter(hit_["paid"].is_not_null())["sent"].null_count() == 0


def test_the_ways_on_are_certain_at_most():
    struck, spared = steps_of({"probability": 30})
    assert struck["sent"].null_count() == 0
    evidence.share(spared["paid"].is_not_null().sum(), len(spared), 0.5)


def test_ways_that_become_certain_keep_their_proportions():
    doc = checkout({"probability": 30})
    ways = [{"to": "paid", "probability": 0.5}, {"to": "sent", "probability": 0.2}]
    doc["processes"]["checkout"]["steps"]["cart"] = {"next": ways}
    frame = tables(doc)["checkout"]
    second = words(frame, "step")[inside(frame) & (frame["step_index"] == 1).to_numpy()]
    starts = (inside(frame) & (frame["step_index"] == 0).to_numpy()).sum()
    assert len(second) == starts
    evidence.share((second == "paid").sum(), starts, 5 / 7)


def test_steps_take_longer():
    for cases, factor in zip(steps_of({"delay": 3}), (3, 1), strict=True):
        done = cases.drop_nulls("sent")
        evidence.distributed((instants(done, "paid") - instants(done, "cart")) / 3.6e9, stats.expon(0, factor).cdf)
        evidence.distributed((instants(done, "sent") - instants(done, "paid")) / 3.6e9, stats.expon(0, factor / 2).cdf)


def test_cases_start_less_often():
    frame = tables(checkout({"rate": 0.2}))["checkout"]
    starts = frame.filter(words(frame, "step") == "cart")
    evidence.levels([inside(starts).sum(), (~inside(starts)).sum()], 200 * np.array([0.2 * INSIDE, 366 - INSIDE]))


def test_a_flood_adds_facts_that_owe_nothing_to_the_entities_own_pace():
    slow = {"segments": {"tier": {"slow": {"weight": 1, "activity": 0.1}}}, "frailty": {"type": "gamma", "shape": 1}}
    world = acting(200, "1/day", slow, stream={"label": True}, **hit({"extra": "2/day"}, ramp_up="35d"))
    frame = tables(world)["act"]
    flood = words(frame, "incident") == "trouble"
    assert inside(frame)[flood].all()
    evidence.poisson(flood.sum(), 200 * 2 * 52.5)
    counts = np.bincount(frame["user_id"].to_numpy()[flood], minlength=200)
    evidence.proportions(counts, np.ones(200))


def test_any_hits_all_others():
    streams = {"act": {"entity": "user", "rate": "1/day", "children": {"line": {"probability": 0.5}}}}
    streams["see"] = {"entity": "user", "rate": "1/day"}
    incident = {**SPAN, "streams": {"any": {"rate": 0.1, "probability": 0.2}, "see": {"rate": 5}}}
    run = tables(scenario(entities=population(100), streams=streams, incidents={"trouble": incident}))
    evidence.poisson(inside(run["act"]).sum(), 100 * INSIDE * 0.1)
    evidence.poisson(inside(run["see"]).sum(), 100 * INSIDE * 5)
    evidence.share(inside(run["line"]).sum(), inside(run["act"]).sum(), 0.1)


def test_others_keep_their_facts_and_so_does_the_stream_before_it_is_hit():
    streams = {name: {"entity": "user", "rate": "1/day"} for name in ("act", "see")}
    plain = scenario(entities=population(50), streams=streams, tick="10d")
    struck = {**plain, **hit({"rate": 3}, share=0.5)}
    for one, other in zip(batches(plain), _without_truth(batches(struck)), strict=True):
        if one.stream.name != "act" or one.until <= micros("2024-03-01") or one.start >= micros("2024-05-10"):
            assert one.data.equals(other.data)


def _without_truth(found):
    return [batch for batch in found if not batch.stream.name.startswith("incident")]


def test_values_of_cases_are_those_of_their_start_and_of_each_step_those_of_the_step():
    doc = checkout({"value": 5, "set": {"shown": {"type": "constant", "value": 1}}})
    doc["processes"]["checkout"] |= {
        "attributes": {"basket": {"type": "uniform", "low": 1, "high": 2, "value": True}},
        "each": {"shown": {"type": "constant", "value": 0}},
    }
    frame = tables(doc)["checkout"]
    first = frame.filter(frame["step_index"] == 0)
    assert ((first["basket"].to_numpy() >= 5) == inside(first)).all()
    assert frame.group_by("checkout_case_id").agg(pl.col("basket").n_unique())["basket"].max() == 1
    assert ((frame["shown"].to_numpy() == 1) == inside(frame)).all()


def test_what_is_confined_to_steps_is_changed_there_only():
    doc = checkout({"steps": ["paid"], "set": {"shown": {"type": "constant", "value": 1}}})
    doc["processes"]["checkout"] |= {"each": {"shown": {"type": "constant", "value": 0}}, "label": True}
    frame = tables(doc)["checkout"]
    struck = inside(frame) & (words(frame, "step") == "paid")
    assert ((frame["shown"].to_numpy() == 1) == struck).all()
    assert (frame["incident"].is_not_null().to_numpy() == struck).all()


def test_fewer_are_born_inside():
    user = {"user": {"arrivals": {"rate": "30/day"}}}
    run = tables(scenario(entities=user, tick="30d", **hit({"rate": 0.2}, "user", ramp_down="20d")))
    evidence.levels(
        [inside(run["user"]).sum(), (~inside(run["user"])).sum()], 30 * np.array([50 * 0.2 + 20 * 0.6, 296])
    )
    assert len(run["incident_fact"]) == inside(run["user"]).sum()


def test_hazards_are_multiplied_for_the_segment_inside():
    life = {"on": {"transitions": [{"to": "on", "hazard": "0.1/day"}]}}
    user = {**REGIONS, "lifecycle": {"initial": "on", "states": life}}
    trouble = hit({"rate": 6}, "user_lifecycle", segments={"region": ["north"]}, ramp_up="40d")
    run = tables(scenario(entities=population(300, **user), tick="30d", **trouble))
    north = words(run["user"], "region") == "north"
    within, mine = inside(run["user_lifecycle"]), north[run["user_lifecycle"]["user_id"].to_numpy()]
    observed = [(within & mine).sum(), (within & ~mine).sum(), (~within & mine).sum(), (~within & ~mine).sum()]
    sizes = 0.1 * np.array([north.sum(), (~north).sum()])
    evidence.levels(observed, np.concatenate([sizes * [30 * 6 + 40 * 3.5, INSIDE], sizes * (366 - INSIDE)]))
    assert len(run["incident_fact"]) == (within & mine).sum()


def test_fewer_leave_where_the_hazard_is_lower():
    life = {"on": {"transitions": [{"to": "on", "hazard": "0.1/day"}]}}
    user = {"lifecycle": {"initial": "on", "states": life}}
    run = tables(scenario(entities=population(300, **user), **hit({"rate": 0.1}, "user_lifecycle", share=0.5)))
    inside_ = inside(run["user_lifecycle"])
    counts = np.bincount(run["user_lifecycle"].filter(inside_)["user_id"].to_numpy(), minlength=300)
    evidence.poisson((~inside_).sum(), 300 * (366 - INSIDE) * 0.1)
    evidence.share((counts <= 3).sum(), 300, 0.5 * stats.poisson.cdf(3, 0.7) + 0.5 * stats.poisson.cdf(3, 7))
