"""What is wrong with resources is said with path, value and what would do; what shards cannot do is refused."""

from __future__ import annotations

import pytest
from test_resources import EXPONENTIAL, desk
from worlds import model

from sim.cli.jobs.job import Job
from sim.engine.simulate import simulate
from sim.errors import ParameterError, ScenarioError

ASK = "processes.call.steps.ask"


def problems(doc):
    with pytest.raises(ScenarioError) as caught:
        model(doc)
    return str(caught.value)


def test_an_unknown_resource_is_named_with_the_nearest():
    doc = desk(step={"resource": "desc"})
    assert f"{ASK}.resource: 'desc' is not a resource; did you mean 'desk'?" in problems(doc)


def test_a_resource_that_no_step_uses_is_an_error():
    doc = desk()
    doc["resources"]["till"] = {"capacity": 1}
    assert "resources.till: no step of a process uses 'till'" in problems(doc)


@pytest.mark.parametrize("capacity", [0, [0] * 24])
def test_a_capacity_of_nothing_is_an_error(capacity):
    assert "0 at all times" in problems(desk(resource={"capacity": capacity}))


def test_a_calendar_that_leaves_nothing_is_an_error():
    found = problems(desk(resource={"capacity": 3, "calendar": {"type": "constant", "value": 0.3}}))
    assert "resources.desk: the capacity is 0 over the whole run" in found


def test_a_list_of_capacities_has_the_hours_of_a_day_or_a_week():
    assert "7 numbers; give one, 24 (a day) or 168 (a week)" in problems(desk(resource={"capacity": [1] * 7}))


def test_a_resource_without_service_would_never_be_released():
    doc = desk()
    del doc["processes"]["call"]["steps"]["ask"]["service"]
    assert "'resource' needs 'service': without it the resource would never be released" in problems(doc)


@pytest.mark.parametrize("key", ["patience", "priority", "reneged"])
def test_what_belongs_to_a_queue_needs_a_resource(key):
    doc = desk()
    doc["processes"]["call"]["steps"]["done"] = {key: {"patience": "5min", "priority": 2, "reneged": "done"}[key]}
    assert f"'{key}' goes with 'resource'" in problems(doc)


def test_where_to_go_goes_with_patience():
    assert "'reneged' goes with 'patience'" in problems(desk(step={"reneged": "done"}))


def test_a_step_for_the_impatient_must_be_there():
    doc = desk(step={"patience": "5min", "reneged": "dome"})
    assert f"{ASK}.reneged: 'dome' is not a step; did you mean 'done'?" in problems(doc)


def test_priorities_need_a_queue_that_knows_them_and_a_number():
    assert "no 'queue: priority'" in problems(desk(step={"priority": 1}))
    ranked = {"queue": "priority"}
    assert "'urgency' is not an attribute" in problems(desk(resource=ranked, step={"priority": "urgency"}))
    process = {"attributes": {"urgency": {"type": "choice", "values": ["low", "high"]}}}
    found = problems(desk(resource=ranked, step={"priority": "urgency"}, process=process))
    assert f"{ASK}.priority: 'urgency' is" in found
    assert "a priority is a number" in found


def test_processes_that_queue_together_cannot_start_each_other():
    doc = desk(EXPONENTIAL)
    on = {"stream": "call", "where": "step = 'done'"}
    doc["processes"]["again"] = {**doc["processes"]["call"], "start": {"on": on}}
    assert "processes.again.start.on: follows from call, with which it shares a resource" in problems(doc)


def test_names_of_the_streams_of_resources_are_taken():
    doc = desk()
    doc["streams"] = {name: {"entity": "user", "rate": "1/day"} for name in ("resource_load", "call_service")}
    found = problems(doc)
    assert "'resource_load' is taken by the load of the resources" in found
    assert "'call_service' is taken by" in found


def test_a_shard_is_refused_by_name():
    made = model(desk())
    assert not made.shardable
    with pytest.raises(ParameterError, match="shard 1/2: all cases of world share desk, so it runs in one piece"):
        simulate(made, shard="1/2")
    with pytest.raises(ParameterError, match="--workers 2: all cases of world share desk"):
        Job("world").split(2, made)
    assert len(Job("world").split(1, made)) == 1


def test_the_plan_says_that_there_is_one_shard():
    assert model(desk()).order[-1] == "one shard, one worker: all cases share desk"


def test_what_cases_do_at_resources_can_start_something():
    doc = desk(EXPONENTIAL, step={"patience": "1min"})
    on = {"stream": "call_service", "where": "outcome = 'reneged' AND waited_s > 30"}
    doc["streams"] = {"complaint": {"entity": "user", "on": on}}
    counts: dict[str, int] = {}
    reneged = 0
    for batch in simulate(model(doc)):
        counts[batch.stream.name] = counts.get(batch.stream.name, 0) + len(batch)
        if batch.stream.name == "call_service":
            reneged += batch.data.column("outcome").to_pylist().count("reneged")
    assert counts["complaint"] == reneged > 0
