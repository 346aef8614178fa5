"""What is wrong with incidents is said with path, value and what would do."""

from __future__ import annotations

import pytest
from worlds import model, scenario

from sim.errors import ScenarioError
from sim.scenario.loader import load


def world(**incident):
    """A shop with one incident."""
    user = {
        "initial": {"count": 10},
        "segments": {"tier": {"rich": {"weight": 1}, "plain": {"weight": 1}}},
        "lifecycle": {"initial": "active", "states": {"active": {}}},
    }
    attributes = {
        "amount": {"type": "uniform", "low": 1, "high": 2, "value": True},
        "country": {"type": "choice", "values": ["FR", "DE"]},
        "shop": {"type": "lookup", "entity": "shop"},
        "total": {"type": "running_total", "of": "amount"},
    }
    streams = {
        "act": {
            "entity": "user",
            "rate": "1/day",
            "attributes": attributes,
            "children": {"line": {"probability": 0.5}},
        },
        "bill": {"entity": "user", "every": "1 month"},
    }
    steps = {"cart": {"next": {"paid": 0.5}}, "paid": {}}
    processes = {"checkout": {"entity": "user", "start": {"rate": "1/day"}, "steps": steps}}
    given = {"from": "2024-03-01", "until": "2024-04-01", "streams": {"act": {"rate": 2}}} | incident
    known = {key: value for key, value in given.items() if value is not None}
    entities = {"user": user, "shop": {"initial": {"count": 3}}}
    return scenario(entities=entities, streams=streams, processes=processes, incidents={"outage": known})


def problems(**incident):
    with pytest.raises(ScenarioError) as caught:
        model(world(**incident))
    return str(caught.value)


RANDOM = {"from": None, "until": None, "rate": "1/month", "duration": "1d"}
SINGLE = {"from": None, "until": None, "per": "fact", "probability": 0.1}


def test_a_right_one_is_no_problem():
    assert model(world()).disturbances.incidents[0].name == "outage"
    compiled = model(world(**RANDOM, per="user"))
    assert compiled.populations[compiled.disturbances.incidents[0].population].name == "user"


@pytest.mark.parametrize(
    ("incident", "message"),
    [
        ({"per": "usr"}, "incidents.outage.per: 'usr' is neither an entity nor 'fact'; did you mean 'user'?"),
        ({"streams": {"akt": {}}}, "outage.streams.akt: 'akt' is not a stream or a process; did you mean 'act'?"),
        ({"segments": {"teir": ["rich"]}}, "segments.teir: 'teir' is not a segmentation of user; did you mean 'tier'?"),
        ({"segments": {"tier": ["rish"]}}, "tier[0]: 'rish' is not a segment of tier; did you mean 'rich'?"),
        ({"segments": {"tier": {"rish": 2}}}, "tier.rish: 'rish' is not a segment of tier; did you mean 'rich'?"),
        ({"states": ["aktive"]}, "states[0]: 'aktive' is not a state of user; did you mean 'active'?"),
        ({"streams": {"any": {"rate": 0.5}}, "segments": {"teir": ["rich"]}}, "'teir' is not a segmentation; did"),
        ({"streams": {"any": {"rate": 0.5}}, "states": ["aktive"]}, "'aktive' is not a state; did you mean 'active'?"),
        ({"curves": ["daily"], **RANDOM}, "curves[0]: 'daily' is not a curve"),
        ({"segments": {"tier": {"rich": 2}}}, "segments.tier: lifts the share to 2; at most 1 is possible"),
        (
            {**SINGLE, "streams": {"act": {}}, "segments": {"tier": {"rich": 20}}},
            "segments.tier: lifts the probability to 2",
        ),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"streams": {"act": {"rate": -1}}}, "outage.streams.act.rate: must be at least 0, not -1"),
    ],
)
def test_names_and_numbers(incident, message):
    assert message in problems(**incident)


@pytest.mark.parametrize(
    ("incident", "message"),
    [
        ({"until": None}, "'from' and 'until' go together"),
        ({"until": "2024-02-01"}, "'until' must come after 'from'"),
        ({"from": None, "until": None}, "give either 'from' and 'until', or 'rate' and 'duration'"),
        ({"rate": "1/day", "duration": "1h"}, "give either 'from' and 'until', or 'rate' and 'duration'"),
        ({"from": None, "until": None, "rate": "1/day"}, "'rate' and 'duration' go together"),
        ({"per": "user"}, "'per' goes with 'rate' and 'duration'; at a fixed time an incident is on for everybody"),
        ({"ramp": "20d"}, "the ramps are longer than the incident"),
        ({"ramp": "1d", "ramp_up": "1d"}, "give either ramp, or ramp_up and ramp_down"),
        ({**RANDOM, "per": "user", "share": 0.5}, "'share' and ramps are for what hits everybody at once"),
        ({**RANDOM, "vintage": {"type": "constant", "value": 2}}, "'vintage' is for what happens to one entity"),
        ({"curves": [{"type": "constant", "value": 2}]}, "'curves' multiply a rate or a probability"),
        ({"probability": 0.1}, "'probability' goes with 'per: fact'"),
        ({"from": None, "until": None, "per": "fact"}, "'per: fact' needs a 'probability'"),
        ({"per": "fact", "probability": 0.1}, "single facts have a 'probability', and no time"),
        ({**RANDOM, "rate": "1/min", "duration": "1s"}, "at most 10,000 are possible for what hits everybody"),
    ],
)
def test_times(incident, message):
    assert message in problems(**incident)


@pytest.mark.parametrize(
    ("stream", "effect", "message"),
    [
        ("bill", {"rate": 2}, "streams.bill.rate: 'rate' does not go here: it has no rate"),
        ("line", {"rate": 2}, "streams.line.rate: 'rate' does not go here: it has no rate"),
        ("bill", {"extra": "1/day"}, "'extra' does not go here: facts are added to streams at a rate"),
        ("checkout", {"extra": "1/day"}, "'extra' does not go here: facts are added to streams at a rate"),
        ("act", {"probability": 0.5}, "'probability' does not go here: it follows from nothing and is at a rate"),
        ("act", {"delay": 2}, "'delay' does not go here: it follows from nothing and is at a rate"),
        ("act", {"steps": ["cart"]}, "'steps' does not go here: it is not a process"),
        ("checkout", {"steps": ["cat"]}, "steps[0]: 'cat' is not a step; did you mean 'cart'?"),
        ("any", {"set": {"amount": {"type": "uuid"}}}, "'set' does not go here: goes with one stream, not with all"),
        ("bill", {"value": 2}, "streams.bill.value: no attribute of bill has 'value: true'"),
        ("act", {"set": {"amonut": {"type": "uuid"}}}, "'amonut' is not an attribute of act; did you mean 'amount'?"),
        ("act", {"set": {"country": {"type": "poisson", "mean": 2}}}, "set.country: gives"),
        ("act", {"set": {"total": {"type": "constant", "value": 2.0}}}, "what depends on an entity's past"),
        ("act", {"set": {"country": {"type": "lookup", "entity": "shop"}}}, "a lookup can replace a lookup only"),
        ("act", {"set": {"country": {"type": "expression", "sql": "contry"}}}, "'contry' is not known here; did you"),
    ],
)
def test_effects(stream, effect, message):
    assert message in problems(streams={stream: effect})


def test_single_facts_have_no_rate():
    assert "'rate' does not go here: a single fact has no such thing" in problems(**SINGLE)
    assert "single facts are those of streams" in problems(**SINGLE, streams={"checkout": {}})


def test_facts_of_others_are_not_hit():
    assert "'act' has facts of user, which does not belong to shop" in problems(**RANDOM, per="shop")


def test_the_names_of_the_ground_truth_are_taken():
    doc = world()
    doc["streams"]["incident"] = {"entity": "user", "rate": "1/day"}
    with pytest.raises(ScenarioError, match="'incident' is taken by the incidents; streams need names of their own"):
        load(doc)


def test_the_label_is_a_column_beside_the_attributes():
    doc = world()
    doc["streams"]["bill"] |= {"label": True, "attributes": {"incident": {"type": "uuid"}}}
    with pytest.raises(ScenarioError, match="the column 'incident' is there already"):
        load(doc)


def test_conditions_read_the_label_only_where_there_are_incidents():
    doc = world()
    doc["streams"]["call"] = {"entity": "user", "on": {"stream": "act", "where": "incident = 'outage'"}}
    assert model(doc).followers[0].name == "call"
    del doc["incidents"]
    with pytest.raises(ScenarioError, match="'incident' is not a column of act"):
        load(doc)


def test_all_problems_are_found_at_once():
    found = problems(per="usr") + problems(streams={"akt": {}, "bill": {"rate": 2}}, segments={"teir": ["rich"]})
    assert "'akt' is not" in found
    assert "'rate' does not go here" in found
    assert "'teir' is not" in found


@pytest.mark.parametrize(
    ("stream", "effect", "parts", "message"),
    [
        ("user", {"value": 2}, {}, "'value' does not go here: births have a 'rate' only"),
        ("user", {"rate": 2}, {}, "streams.user: these births have no rate"),
        ("user", {"rate": 2}, {"segments": {"tier": ["rich"]}}, "births cannot be hit by 'segments'"),
        ("user_lifecycle", {"extra": "1/day"}, {}, "'extra' does not go here: changes of state have a 'rate' only"),
        ("user_lifecycle", {"rate": 2}, {"states": ["active"]}, "changes of state cannot be hit by 'states'"),
        ("user_lifecycle", {"rate": 2}, {**RANDOM, "per": "user"}, "changes of state are hit for everybody at once"),
    ],
)
def test_births_and_changes_of_state(stream, effect, parts, message):
    assert message in problems(streams={stream: effect}, **parts)
