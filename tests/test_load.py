"""Load tests against sinks whose delays are known: what was put in must come back in the figures."""

from __future__ import annotations

import threading
from itertools import pairwise

import numpy as np
import pytest
from fake_batches import SPAN, STREAMS, Collector, fake_batches
from load_sinks import Later, Narrow, Stalling, Taker, bench, trial

from sim.delivery.load.measured import Measured
from sim.delivery.load.recorder import Recorder
from sim.delivery.load.supply import Supply, laps
from sim.delivery.load.verdict import verdict
from sim.delivery.load.watch import Readings
from sim.delivery.profiles import parse_profile
from sim.delivery.windows import windows
from sim.errors import SimulationError, SinkError


def test_a_stall_counts_for_every_fact_that_was_due_in_it():
    # 1 s of 3 s stands still: a third of all facts wait for 0 to 1 s. A closed loop would have seen one slow fact.
    found = bench(Stalling(1.0, after=200)).trial(trial("400/s", 3.0))
    acks = found.recorder.acks.whole
    assert acks.count == 1200
    assert acks.quantile(0.99) >= 0.95
    assert acks.quantile(0.85) >= 0.5
    assert acks.largest >= 1.0
    assert verdict(found, "the sink").bottleneck == "target"


def test_a_stall_that_outlasts_the_test_counts_as_well():
    found = bench(Stalling(4.0, after=100)).trial(trial("200/s", 1.5))
    assert found.recorder.sent + found.recorder.unsent == 300
    assert found.recorder.unsent > 0
    assert found.recorder.acks.whole.count == 300
    assert found.recorder.acks.whole.quantile(0.9) > 2.0


def test_the_warm_up_is_sent_and_not_measured():
    found = bench(Stalling(0.6, after=20)).trial(trial("100/s", 3.0, warmup=1.5))
    assert found.recorder.sent >= 300
    assert found.recorder.acks.whole.count == pytest.approx(150, abs=1)
    assert found.recorder.acks.parts[2].largest > 0.2 > found.recorder.acks.whole.quantile(0.5)


def test_the_delay_of_an_acknowledgement_is_its_latency():
    found = bench(Later(0.4)).trial(trial("300/s", 2.0))
    acks = found.recorder.acks.whole
    assert acks.quantile(0.01) >= 0.4
    assert acks.quantile(0.5) >= found.recorder.lag.whole.quantile(0.5) + 0.35
    assert found.acknowledged == found.recorder.sent >= 600
    assert found.missing == 0


def test_of_many_facts_some_are_watched_and_stand_for_all():
    asked = trial("6k/s", 1.0)
    found = bench(Later(0.1)).trial(asked)
    acks = found.recorder.acks
    assert asked.every == 3
    assert acks.samples == pytest.approx(2000, abs=2)
    assert acks.whole.count == 3 * acks.samples


def test_a_narrow_target_takes_what_it_can_and_is_named():
    found = bench(Narrow(300)).trial(trial("1k/s", 2.0))
    assert found.offered == pytest.approx(1000)
    assert found.achieved <= 330
    assert found.recorder.unsent > 0
    assert verdict(found, "the sink").text.startswith("the sink was the bottleneck")


def test_a_generator_that_is_slow_is_named():
    class Slow(Taker):
        def _stage(self, batches, due):
            threading.Event().wait(0.2)
            return super()._stage(batches, due)

    found = bench(Slow()).trial(trial("1k/s", 1.5))
    assert verdict(found, "the sink").text.startswith("the generator was the bottleneck, not the sink")


def test_a_load_that_is_carried_blames_nobody():
    found = measured(lag=0.001, ack=0.02, rate=100.0)
    assert verdict(found, "x").bottleneck == "nobody"


@pytest.mark.parametrize(
    ("lag", "ack", "rate", "blocked", "who"),
    [
        (0.001, 0.02, 60.0, 0.0, "target"),
        (0.001, 3.00, 100.0, 0.0, "target"),
        (2.000, 2.00, 60.0, 2.5, "target"),
        (2.000, 2.00, 60.0, 0.1, "generator"),
    ],
)
def test_whoever_kept_facts_waiting_is_the_bottleneck(lag, ack, rate, blocked, who):
    assert verdict(measured(lag, ack, rate, blocked), "x").bottleneck == who


def measured(lag, ack, rate, blocked=0.0):
    """A trial of 100 facts a second for ten seconds, in which all waited for as long, `rate` of them acknowledged."""
    recorder = Recorder(trial("100/s", 10.0), later=False)
    due = np.arange(1000) / 100
    for spread, seconds in ((recorder.lag, lag), (recorder.acks, ack)):
        spread.add(due, np.full(1000, seconds))
    readings = Readings([0.0, 10.0], [0, 1000], [0, round(10 * rate)], [0.0, 1.0], [0.0, 1.0])
    return Measured(recorder, readings, 10.0, 1000, blocked)


def test_facts_are_sent_once_each_over_trials_even_where_one_was_broken_off():
    sink = Narrow(400)
    made = bench(sink)
    for rate in ("300/s", "2k/s", "300/s"):
        assert made.trial(trial(rate, 1.0)).error is None
    expected = sent(laps(lambda number: fake_batches(4, 200), 0, 4 * SPAN), len(sink.ids))
    assert sorted(sink.ids) == sorted(expected)
    assert len(sink.ids) > 600


def sent(batches, facts):
    """The first facts in the total order, as name and id."""
    rows = []
    for window in windows(batches, len(STREAMS)):
        for batch in window.batches:
            ids = batch.data.column("id").to_pylist()
            rows += [
                (time, batch.stream.rank, batch.stream.name, row) for time, row in zip(batch.times, ids, strict=True)
            ]
        if len(rows) >= facts + 800:
            break
    return [(name, row) for _, _, name, row in sorted(rows)[:facts]]


def test_a_lap_comes_after_the_one_before_with_ids_of_its_own():
    source = laps(lambda number: fake_batches(3, 100), 0, 3 * SPAN)
    made = [next(source) for _ in range(3 * 3 * len(STREAMS))]
    starts = [batch.start for batch in made[:: len(STREAMS)]]
    assert starts == [number * SPAN for number in range(9)]
    orders = [row for batch in made if batch.stream.name == "order" for row in batch.data.column("id").to_pylist()]
    assert len(set(orders)) == len(orders) == 900
    assert all(a.times.max(initial=0) < b.start + SPAN for a, b in pairwise(made))


def test_a_lap_speaks_of_its_own_entities_everywhere():
    source = laps(lambda number: fake_batches(1, 50), 0, SPAN)
    first, second = ([next(source) for _ in STREAMS] for _ in range(2))
    for old, new in zip(first, second, strict=True):
        shift = np.subtract(*(batch.data.column("entity_id").to_numpy() for batch in (new, old)))
        assert len(set(shift.tolist())) == 1
        assert shift[0] > 49


def test_a_scenario_without_facts_is_said_so():
    with pytest.raises(SimulationError, match="no facts"):
        list(laps(lambda number: iter(()), 0, SPAN))


def test_facts_that_run_out_are_the_generators_fault():
    found = bench(Taker(), batches=fake_batches(1, 50)).trial(trial("200/s", 2.0))
    assert found.exhausted
    assert found.ended < 2.0
    assert "no more facts" in verdict(found, "x").text


def test_a_failing_sink_ends_the_trial_with_what_was_measured():
    found = bench(Collector(fail_at=5, error=SinkError("disk full"))).trial(trial("200/s", 2.0))
    assert str(found.error) == "disk full"
    assert found.document()["sent"] > 0


def test_a_stop_ends_a_trial_early_and_the_figures_are_those_until_then():
    stop = threading.Event()
    threading.Timer(0.8, stop.set).start()
    found = bench(Taker(), stop=stop).trial(trial("200/s", 60.0))
    assert found.ended < 30
    assert found.offered == pytest.approx(200)


def test_supply_gives_facts_of_one_instant_together():
    supply = Supply(fake_batches(1, 200), STREAMS)
    taken = [time for batch in supply.take(30) for time in batch.times.tolist()]
    rest = [time for batch in supply.take(1000) for time in batch.times.tolist()]
    assert len(taken) >= 30
    assert max(taken) < min(rest)
    assert len(taken) + len(rest) == 400


def test_series_are_as_long_as_the_test():
    found = bench(Taker()).trial(trial("ramp:from=100/s,to=500/s,over=2s", 2.0))
    series = found.document()["series"]
    assert {len(values) for values in series.values()} == {20}
    assert np.sum(series["offered_per_s"]) * 0.1 == pytest.approx(
        parse_profile("ramp:from=100/s,to=500/s,over=2s").count(2.0)
    )
    assert np.sum(series["sent_per_s"]) * 0.1 == pytest.approx(600, abs=60)
