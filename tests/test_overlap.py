"""Work that is done ahead comes in order, is not done further ahead than asked, and fails in its place."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from sinks.kafka.overlap import Ahead


@pytest.fixture
def executor():
    with ThreadPoolExecutor(1) as found:
        yield found


def test_results_come_in_order(executor):
    assert list(Ahead(lambda number: number * number, range(100), executor)) == [n * n for n in range(100)]


def test_nothing_comes_of_nothing(executor):
    assert list(Ahead(str, [], executor)) == []


@pytest.mark.parametrize("most", [1, 3])
def test_items_are_taken_only_so_far_ahead(executor, most):
    taken = []
    items = (taken.append(number) or number for number in range(10))
    results = Ahead(str, items, executor, most)
    assert taken == list(range(most))
    for number, result in enumerate(results):
        assert result == str(number)
        assert taken == list(range(min(most + number + 1, 10)))


def test_work_goes_on_while_a_result_is_in_use(executor):
    begun = threading.Event()
    results = iter(Ahead(lambda number: begun.set() if number == 2 else None, range(3), executor))
    next(results)
    assert begun.wait(10)


def test_what_fails_fails_in_its_place(executor):
    results = iter(Ahead(lambda number: 1 // (2 - number), range(4), executor))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
