from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from fake_batches import RUN, STREAMS, Collector, facts, fake_batches

from sim.delivery.pacing import SLICE, Pacer, parse_speed
from sim.delivery.pipeline import deliver
from sim.delivery.windows import windows
from sim.errors import ParameterError


class Clock:
    """A clock that only waiting and `cost` per hand-over move."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def paced(speed, cost=0.0, count=3):
    clock = Clock()
    pacer = Pacer(speed, threading.Event(), clock, clock.wait)
    out = []
    for window in windows(fake_batches(count), len(STREAMS)):
        for piece in pacer.slices(window):
            out.append((clock.now - 100.0, piece))
            clock.now += cost
    return pacer, out


@pytest.mark.parametrize("speed", [0.5, 1.0, 7.0, 60.0])
def test_no_fact_leaves_before_its_time_nor_a_slice_later(speed):
    _, out = paced(speed)
    for now, piece in out:
        for times in piece.times:
            due = times / 1e6 / speed
            assert (now >= due - 1e-6).all()
            assert (now <= due + SLICE + 1e-6).all()


def test_slices_keep_every_fact_and_the_order_and_cover_the_time_without_gaps():
    _, out = paced(2.0)
    assert facts([batch for _, piece in out for batch in piece.batches]) == facts(list(fake_batches(3)))
    bounds = [(piece.start, piece.until) for _, piece in out]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == 3_000_000
    assert all(before[1] == after[0] for before, after in pairwise(bounds))


def test_a_sink_that_keeps_up_has_no_more_lag_than_a_slice():
    pacer, _ = paced(1.0, cost=0.001)
    assert pacer.lag.facts == 300
    assert 0 < pacer.lag.mean <= pacer.lag.largest <= SLICE + 0.001


def test_a_slow_sink_does_not_move_the_schedule_and_its_lag_is_measured():
    pacer, out = paced(1000.0, cost=0.5)
    assert pacer.lag.largest > 0.4
    assert out[-1][0] < 0.5 * len(out)


def test_facts_that_are_overdue_together_leave_together():
    _, prompt = paced(1.0)
    _, late = paced(1.0, cost=0.4)
    assert len(late) < len(prompt)


def test_a_stop_ends_the_wait_at_once():
    stop = threading.Event()
    stop.set()
    pacer = Pacer(0.0001, stop)
    assert list(pacer.slices(next(windows(fake_batches(1), 2)))) == []


def test_a_paced_run_reports_its_lag():
    outcome = deliver(fake_batches(2), Collector(), STREAMS, RUN, speed=100.0)
    assert outcome.lag is not None
    assert outcome.lag.facts == outcome.total == 200


def test_a_stop_during_a_paced_run_returns_without_waiting_for_the_schedule():
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    outcome = deliver(fake_batches(1000), Collector(), STREAMS, RUN, speed=1e-6, stop=stop)
    assert outcome.stopped


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("1x", 1.0), ("60x", 60.0), ("0.5x", 0.5), ("3", 3.0)])
def test_a_speed_is_a_multiple_of_real_time(text, speed):
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "0x", "-1x", "fast", "", "x", "nan", "inf"])
def test_a_speed_that_makes_no_sense_is_refused_with_what_is_allowed(text):
    with pytest.raises(ParameterError, match="60x"):
        parse_speed(text)
