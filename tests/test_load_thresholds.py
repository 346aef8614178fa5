"""Thresholds and the search for the limit."""

from __future__ import annotations

import math

import pytest

from sim.delivery.load.search import Step, search
from sim.delivery.load.thresholds import parse_threshold
from sim.errors import ParameterError

REPORT = {
    "offered_per_s": 1000.0,
    "achieved_per_s": 900.0,
    "errors": 3,
    "unsent": 0,
    "ack": {"p50_s": 0.01, "p99_s": 0.3, "p99.9_s": 0.5},
    "lag": {"p99_s": 0.002},
    "e2e": None,
    "cpu": {"generator": 0.5, "machine": 0.9},
}


@pytest.mark.parametrize(
    ("text", "crossed"),
    [
        ("p99 > 200ms", True),
        ("p99 > 0.4s", False),
        ("ack.p99>=300ms", True),
        ("p99.9 > 499ms", True),
        ("lag.p99 > 1ms", True),
        ("errors > 0", True),
        ("errors > 3", False),
        ("achieved < 95% offered", True),
        ("achieved < 0.9 offered", False),
        ("achieved <= 0.9 * offered", True),
        ("achieved < 1k/s", True),
        ("p99 > 20 p50", True),
        ("cpu > 80%", False),
        ("machine > 80%", True),
        ("e2e.p99 > 1s", None),
    ],
)
def test_a_threshold_is_crossed_or_kept_or_not_known(text, crossed):
    assert parse_threshold(text).judge(REPORT)["crossed"] is crossed


def test_a_comparison_knows_what_was_before():
    before = {**REPORT, "ack": {"p99_s": 0.2}}
    judge = parse_threshold("p99 > 120% before", relative=True).judge
    assert judge(REPORT, before)["crossed"] is True
    assert judge(REPORT, REPORT)["crossed"] is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("p98 > 1s", ("'p98' is not a metric", "did you mean 'p", "e2e.p99", "achieved")),
        ("acheived < 5/s", ("did you mean 'achieved'",)),
        ("p99 200ms", ("METRIC > VALUE", "'p99 > 200ms'")),
        ("p99 > 200", ("p99", "200ms")),
        ("p99 > 5k/s", ("p99", "200ms")),
        ("achieved < fast", ("achieved", "95% offered")),
        ("errors > many", ("errors", "'many' is not a number")),
        ("p99 > 95% offered", ("p99 and offered are not of one kind", "p50")),
        ("p99 > 120% before", ("'before'",)),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused_with_what_is_allowed(text, words):
    with pytest.raises(ParameterError) as caught:
        parse_threshold(text)
    assert [word for word in (*words, text) if word not in str(caught.value)] == []


def searched(capacity, first=100.0, precision=0.05, fastest=1e8):
    rates = []

    def attempt(rate):
        rates.append(rate)
        return Step(rate, rate <= capacity, None)

    return search(attempt, first, precision, fastest), rates


@pytest.mark.parametrize("capacity", [3.0, 99.0, 100.0, 777.0, 12_345.0, 1e6])
@pytest.mark.parametrize("precision", [0.2, 0.05, 0.01])
def test_the_limit_is_found_to_within_the_precision(capacity, precision):
    limit, rates = searched(capacity, precision=precision)
    assert limit.carried.rate <= capacity < limit.failed.rate
    assert limit.failed.rate <= limit.carried.rate * (1 + precision)
    assert len(rates) <= abs(math.log2(capacity / 100)) + 2 + math.log2(math.log(2) / math.log1p(precision)) + 1


def test_a_search_goes_up_by_doubling_and_then_in_between():
    assert searched(500.0, precision=0.5)[1] == pytest.approx([100, 200, 400, 800, 400 * math.sqrt(2)])


def test_a_search_stops_at_the_fastest_rate():
    limit, rates = searched(1e9, fastest=1000)
    assert rates[-1] == limit.carried.rate == 1000
    assert limit.failed is None


def test_where_nothing_is_carried_there_is_no_limit():
    limit, rates = searched(0.0)
    assert limit.carried is None
    assert 1 <= rates[-1] < 2


def test_a_rate_that_failed_once_is_not_trusted_above():
    answers = iter([True, False, True, True, True])
    limit = search(lambda rate: Step(rate, next(answers), None), 100.0, 0.2)
    assert limit.carried.rate < limit.failed.rate == 200
