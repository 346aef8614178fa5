"""What a scenario expects of its facts is checked, and what is no such statement is refused with its place."""

from __future__ import annotations

import pytest
from outputs import written
from worlds import acting, model

from sim.errors import ScenarioError
from sim.quality.checks.expected import confirm, measure
from sim.quality.checks.scope import Scope
from sim.quality.dataset import open_dataset
from sim.quality.declared import Declared
from sim.scenario.loader import load

AMOUNT = {"attributes": {"amount": {"type": "uniform", "low": 10, "high": 20}}}


def world(**expect):
    return acting(200, "2/month", stream=AMOUNT, expect=expect)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("expected")
    written(world(), f"parquet:{root}")
    return root


def found(folder, **expectation):
    scenario = load(world(it=expectation))
    with open_dataset(str(folder)) as data:
        scope = Scope(data, Declared(scenario, model(world(it=expectation)), True))
        confirm(scope)
        (finding,) = measure(scope)
        return finding


def test_a_condition_holds_for_all_rows_or_not(folder):
    assert found(folder, stream="act", where="amount >= 10 AND amount < 20").passed
    finding = found(folder, stream="act", where="amount < 19")
    assert not finding.passed
    assert finding.detail.endswith("not amount < 19")


def test_a_condition_may_hold_for_a_share_of_the_rows(folder):
    assert found(folder, stream="act", where="amount < 19", share=0.85).passed
    finding = found(folder, stream="act", where="amount < 19", share=0.95)
    assert not finding.passed
    assert finding.estimate == pytest.approx(0.9, abs=0.03)


def test_a_row_whose_condition_is_null_does_not_fulfil_it(folder):
    assert not found(folder, stream="act", where="nullif(amount > 0, true)").passed


def test_conditions_read_instants_as_utc(folder):
    assert found(folder, stream="act", where="event_time >= TIMESTAMP '2024-01-01 00:00:00'").passed


@pytest.mark.parametrize(
    ("limits", "passed"), [({"min": 14, "max": 16}, True), ({"min": 16}, False), ({"max": 5}, False)]
)
def test_the_number_that_a_query_gives_has_limits(folder, limits, passed):
    finding = found(folder, sql="SELECT avg(amount) FROM act", **limits)
    assert finding.passed is passed
    assert finding.estimate == pytest.approx(15, abs=0.5)


def test_queries_join_streams(folder):
    sql = 'SELECT count(*) FROM act LEFT JOIN "user" USING (user_id) WHERE born_at IS NULL'
    assert found(folder, sql=sql, max=0).passed


def test_a_query_without_a_row_does_not_hold(folder):
    assert "no row" in found(folder, sql="SELECT amount FROM act WHERE amount < 0", max=1).detail


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT avg(amout) FROM act", "amout"),
        ("SELECT 1; SELECT 2", "is not one query"),
        ("COPY (SELECT 1) TO '/tmp/x.csv'", "is not one query"),
        ("SELECT * FROM read_text('/etc/hostname')", "expect.it.sql"),
        ("SELECT amount, 1 FROM act", "gives 2 columns"),
        ("SELECT 1 FROM folder", "folder"),
    ],
)
def test_queries_that_make_no_sense_are_refused_with_their_place(folder, sql, message):
    with pytest.raises(ScenarioError, match=r"expect\.it\.sql: ") as refused:
        found(folder, sql=sql, max=1)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("expectation", "message"),
    [
        ({"stream": "acts", "where": "amount > 0"}, "'acts' is not a stream; did you mean 'act'?"),
        ({"stream": "act", "where": "amout > 0"}, "'amout' is not a column of act; did you mean 'amount'?"),
        ({"stream": "act", "where": "amount + 1"}, "is not a condition"),
        ({"stream": "act", "where": "amount >"}, "expect.it.where"),
        ({"stream": "act"}, "give 'stream' and 'where', or 'sql'"),
        ({"sql": "SELECT 1"}, "'sql' needs 'min', 'max' or both"),
        ({"sql": "SELECT 1", "min": 2, "max": 1}, "must not be below 'min'"),
        ({"sql": "SELECT 1", "min": 2, "where": "true"}, "'sql' goes without"),
        ({"stream": "act", "where": "true", "max": 1}, "limits of what 'sql' gives"),
    ],
)
def test_expectations_that_make_no_sense_are_refused_when_they_are_read(expectation, message):
    with pytest.raises(ScenarioError) as refused:
        model(world(it=expectation))
    assert message in str(refused.value)


def test_no_fact_depends_on_what_is_expected():
    assert model(world()).digest == model(world(it={"sql": "SELECT 1", "max": 2})).digest
