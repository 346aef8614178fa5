from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from fake_batches import RUN, STREAMS, Collector, facts, fake_batches

from sim.delivery.pacing import GRAIN, LEAD, Pacer, Punctuality
from sim.delivery.pipeline import Outcome, deliver
from sim.delivery.profiles import parse_profile
from sim.delivery.schedule import MOST, SLICE, Rate, Speed, parse_pace, parse_speed
from sim.delivery.windows import windows
from sim.errors import ParameterError, SinkError
from sinks.staging import Staged


class Clock:
    """A clock that only waiting and what a sink costs move."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


class Gradual(Collector):
    """Notes when how many facts have left; each time costs `cost` seconds, which it says its target took."""

    def __init__(self, clock, cost=0.0):
        super().__init__()
        self.clock, self.cost, self.left = clock, cost, []

    def _stage(self, batches, due):
        return _Noted(self, batches)


class _Noted(Staged):
    gradual = True

    def _send(self, upto, first, last):
        self.sink.left.append((self.sink.clock.now, upto - self.sent))
        for batch, start, end in zip(self.batches, first, last, strict=True):
            self.sink.batches.append(replace(batch, data=batch.data.slice(start, end - start)))
        self.sink.clock.now += self.sink.cost
        self.sink.blocked += self.sink.cost


def paced(schedule, cost=0.0, count=3, sink=None):
    clock = Clock()
    sink = sink or Gradual(clock, cost)
    sink.open(STREAMS, RUN)
    pacer = Pacer(schedule, sink, threading.Event(), lambda window: None, clock, clock.wait)
    for window in windows(fake_batches(count), len(STREAMS)):
        for part in schedule.slices(window):
            if pacer._began is None:
                pacer.begin(part)
            pacer.emit(pacer.ready(part))
    return pacer, sink


def departures(sink):
    """Seconds after the schedule's beginning at which each fact left."""
    return np.repeat([now - 100.0 - LEAD for now, _ in sink.left], [count for _, count in sink.left])


@pytest.mark.parametrize("speed", [0.5, 1.0, 7.0, 60.0])
def test_no_fact_leaves_before_its_time_nor_much_later(speed):
    _, sink = paced(Speed(speed))
    due = np.sort([time for time, _, _ in facts(list(fake_batches(3)))]) / 1e6 / speed
    late = departures(sink) - due
    assert late.min() >= -1e-6
    assert late.max() <= GRAIN + 1e-6


@pytest.mark.parametrize("schedule", [Speed(2.0), Rate(parse_profile("70/s")), Rate(parse_profile("1M/s"))])
def test_every_fact_leaves_once_in_the_total_order_and_the_watermark_comes_to_the_end(schedule):
    _, sink = paced(schedule)
    assert sink.rows() == facts(list(fake_batches(3)))
    assert sink.watermarks == sorted(sink.watermarks)
    assert sink.watermarks[-1] == 3_000_000


def test_at_a_rate_facts_leave_evenly_whatever_their_event_times():
    _, sink = paced(Rate(parse_profile("50/s")))
    assert departures(sink) == pytest.approx(np.arange(300) / 50, abs=GRAIN + 1e-6)


def test_a_slow_target_does_not_move_the_schedule_and_is_named_the_bottleneck():
    pacer, sink = paced(Speed(10.0), cost=0.5)
    account = pacer.punctuality
    assert account.asked_s < 0.3 < 0.5 < account.took_s
    assert account.late.largest > 0.4
    assert account.blocked_s == pytest.approx(0.5 * len(sink.left))
    assert not account.kept
    assert account.verdict("kafka://x").startswith("kafka://x was the bottleneck")


def test_a_slow_generator_is_named_the_bottleneck():
    class Slow(Gradual):
        def _stage(self, batches, due):
            self.clock.now += 0.3
            return super()._stage(batches, due)

    clock = Clock()
    sink = Slow(clock)
    sink.open(STREAMS, RUN)
    schedule = Speed(10.0)
    pacer = Pacer(schedule, sink, threading.Event(), lambda window: None, clock, clock.wait)
    for window in windows(fake_batches(3), len(STREAMS)):
        for part in schedule.slices(window):
            if pacer._began is None:
                pacer.begin(part)
            pacer.emit(pacer.ready(part))
    assert pacer.punctuality.starved_s > 0.5
    assert pacer.punctuality.blocked_s == 0
    assert pacer.punctuality.verdict("null:").startswith("the generator was the bottleneck, not null:")


def test_facts_that_are_overdue_together_leave_together():
    prompt, late = (paced(Rate(parse_profile("2k/s")), cost=cost)[1] for cost in (0.0, 0.4))
    assert len(late.left) < len(prompt.left) / 10


def test_a_sink_that_takes_whole_batches_gets_each_slice_when_its_last_fact_is_due():
    pacer, sink = paced(Speed(1.0), sink=Collector())
    assert sink.rows() == facts(list(fake_batches(3)))
    assert pacer.punctuality.late.largest <= SLICE + GRAIN


def test_slices_are_short_in_time_and_in_facts():
    (window,) = windows(fake_batches(1, rows=200_000), len(STREAMS))
    parts = list(Rate(parse_profile("100M/s")).slices(window))
    assert sum(part.window.facts for part in parts) == 400_000
    assert max(part.window.facts for part in parts) <= MOST
    assert max(part.due[-1] - part.due[0] for part in Speed(1.0).slices(window)) <= SLICE


def test_a_stop_ends_the_wait_at_once_and_keeps_what_has_left():
    stop, sink, outcome = threading.Event(), Gradual(Clock()), Outcome()
    threading.Timer(0.4, stop.set).start()
    began = time.monotonic()
    deliver(fake_batches(10), sink, STREAMS, RUN, schedule=Rate(parse_profile("100/s")), stop=stop, outcome=outcome)
    assert time.monotonic() - began < 5
    assert outcome.stopped
    assert 0 < outcome.total == sum(count for _, count in sink.left) < 1000
    assert outcome.facts == sink.committed


def test_a_paced_run_says_how_punctual_it_was():
    outcome = deliver(fake_batches(2), Collector(), STREAMS, RUN, schedule=Speed(100.0))
    assert outcome.punctuality is not None
    assert outcome.punctuality.facts == outcome.total == 200


def test_an_error_of_the_sink_ends_a_paced_run_and_is_raised_once():
    sink = Collector(fail_at=2, error=SinkError("disk full"))
    with pytest.raises(SinkError, match="disk full"):
        deliver(fake_batches(1000), sink, STREAMS, RUN, schedule=Speed(1000.0))


def test_a_run_without_facts_has_kept_its_schedule():
    assert Punctuality().verdict("null:") == "the schedule was kept"


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("1x", 1.0), ("60x", 60.0), ("0.5x", 0.5), ("3", 3.0)])
def test_a_speed_is_a_multiple_of_real_time(text, speed):
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "0x", "-1x", "fast", "", "x", "nan", "inf"])
def test_a_speed_that_makes_no_sense_is_refused_with_what_is_allowed(text):
    with pytest.raises(ParameterError, match="60x"):
        parse_speed(text)


def test_a_pace_is_a_speed_or_a_rate_and_not_both():
    assert parse_pace("max", None) is None
    assert isinstance(parse_pace("2x", None), Speed)
    assert isinstance(parse_pace("max", "2/s"), Rate)
    with pytest.raises(ParameterError, match="--speed and --rate"):
        parse_pace("2x", "2/s")
