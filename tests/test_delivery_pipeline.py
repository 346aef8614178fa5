from __future__ import annotations

import threading

import pytest
from fake_batches import RUN, STREAMS, Collector, facts, fake_batches

from sim.delivery.pipeline import Outcome, deliver
from sim.errors import SimulationError, SinkError
from sinks.contract import Closed


def test_every_fact_reaches_the_sink_in_order_and_is_counted():
    sink = Collector()
    outcome = deliver(fake_batches(4), sink, STREAMS, RUN)
    assert sink.rows() == facts(list(fake_batches(4)))
    assert outcome.facts == {"order": 200, "visit": 200}
    assert (outcome.total, outcome.watermark, outcome.bytes) == (400, 4_000_000, 10)
    assert not outcome.stopped


def test_a_limit_of_zero_opens_and_closes_the_sink_and_writes_nothing():
    sink = Collector()
    outcome = deliver(fake_batches(4), sink, STREAMS, RUN, limit=0)
    assert (outcome.total, outcome.watermark, sink.batches) == (0, None, [])
    assert sink.report is not None


def test_progress_tells_every_committed_window():
    seen = []
    deliver(fake_batches(3), Collector(), STREAMS, RUN, on_progress=seen.append)
    assert [(p.watermark, p.facts) for p in seen] == [(1_000_000, 100), (2_000_000, 200), (3_000_000, 300)]


def test_an_error_of_the_sink_ends_the_simulation_and_is_raised_once():
    source, outcome = fake_batches(1000), Outcome()
    sink = Collector(fail_at=2, error=SinkError("disk full"))
    with pytest.raises(SinkError, match="disk full"):
        deliver(source, sink, STREAMS, RUN, outcome=outcome)
    assert outcome.facts == {"order": 100, "visit": 100}
    assert outcome.reports[0].total == 200
    assert next(source).start < 8_000_000


def test_an_error_of_the_simulation_closes_the_sink_on_whole_windows():
    def failing():
        yield from fake_batches(2)
        yield next(fake_batches(1))
        raise SimulationError("no more")

    sink = Collector()
    with pytest.raises(SimulationError):
        deliver(failing(), sink, STREAMS, RUN)
    assert sink.report is not None
    assert sink.report.total in (0, 100, 200)


def test_a_reader_that_went_away_ends_the_run_without_an_error():
    outcome = deliver(fake_batches(1000), Collector(fail_at=1, error=Closed()), STREAMS, RUN)
    assert outcome.closed
    assert outcome.facts == {"order": 50, "visit": 50}


def test_a_stop_ends_the_run_after_the_window_in_hand():
    stop = threading.Event()
    sink = Collector()
    outcome = deliver(fake_batches(1000), sink, STREAMS, RUN, stop=stop, on_progress=lambda p: stop.set())
    assert outcome.stopped
    assert sink.watermarks == [1_000_000]
    assert outcome.total == sink.report.total == 100


def test_a_sink_that_does_not_open_raises_before_anything_is_simulated():
    class Shut(Collector):
        def _open(self, streams, run):
            raise SinkError("no such host")

    source = fake_batches(1)
    with pytest.raises(SinkError, match="no such host"):
        deliver(source, Shut(), STREAMS, RUN)
    assert next(source).start == 0
