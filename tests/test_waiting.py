"""Sinks that wait for their target say so, and their readiness is known outside."""

from __future__ import annotations

import itertools
import json
import logging
import signal
import socket
import threading
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from commands import SMALL, start, wait_for
from fake_batches import RUN, STREAMS, fake_batches

from sim.cli.jobs.metrics import Monitor, served
from sim.delivery.pipeline import Progress, deliver
from sim.delivery.remarks import LOGGER, Remark
from sinks.contract import Sink, Stopped
from sinks.kafka.waiting import Patience, Waiting, Watch
from sinks.run import Report
from sinks.target import Target


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    return lambda: [(record.event, record.getMessage()) for record in caplog.records]


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_waiting_is_said_after_a_moment_then_every_now_and_then_and_when_it_is_over(said):
    clock = Clock()
    waiting = Waiting(clock)
    for clock.now in range(30):
        waiting.still("refused")
    waiting.over()
    expected = [("waiting", f"waiting for the brokers since {second} s: refused") for second in (2, 12, 22)]
    assert said() == [*expected, ("going_on", "the brokers are back after 29 s")]


def test_a_moment_of_waiting_is_nothing_to_speak_of(said):
    clock = Clock()
    waiting = Waiting(clock)
    for clock.now in (0.0, 1.0, 1.9):
        waiting.still("refused")
    waiting.over()
    assert said() == []


class Silent:
    """Fails as often as it is told to, with an error that is a text."""

    def __init__(self, times: int, text: str) -> None:
        self.left, self.text = times, text

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise OSError(self.text)
        return "found"


def test_what_fails_for_the_time_being_is_tried_until_it_works(said):
    patience = Patience(Waiting(ticking(), "the registry", "the registry is back"), 60)
    patience._stop.wait = lambda seconds: False
    assert patience.outlast(Silent(4, "refused"), str) == "found"
    expected = [
        ("waiting", "waiting for the registry since 2 s: refused"),
        ("going_on", "the registry is back after 4 s"),
    ]
    assert said() == expected


def ticking():
    """A clock on which every look takes a second."""
    seconds = itertools.count()
    return lambda: next(seconds)


@pytest.mark.parametrize(("passing", "tries"), [(str, 10), (lambda error: "", 1)])
def test_patience_ends_with_the_time_or_where_there_is_no_hope(passing, tries):
    attempt = Silent(1000, "refused")
    patience = Patience(Waiting(), 9, clock=ticking())
    patience._stop.wait = lambda seconds: False
    with pytest.raises(OSError, match="refused"):
        patience.outlast(attempt, passing)
    assert 1000 - attempt.left in (tries, tries // 2)


def test_a_run_that_is_to_end_waits_no_more():
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        Patience(Waiting(), 60, stop).outlast(Silent(1000, "refused"), str)


def test_a_watch_speaks_up_when_nothing_is_acknowledged_though_something_could_be(said):
    clock, account = Clock(), [0, 0]
    watch = Watch(Waiting(clock), lambda: (account[0], account[1]), lambda: "", clock)
    noise = [(20, 9), (20, 9), (18, 20), *[(20, 20)] * 4, (21, 20), (20, 21)]
    for clock.now, account[:] in enumerate([(0, 0), (10, 5), *noise, (45, 15), (60, 0), (60, 0), (60, 0)]):
        watch.look()
    assert [event for event, _ in said()] == ["waiting", "going_on"]
    assert "since 5 s: nothing is acknowledged" in said()[0][1]


def test_a_slow_broker_is_not_an_absent_one(said):
    clock = Clock()
    watch = Watch(Waiting(clock), lambda: (int(clock.now), 500_000), lambda: "", clock)
    for clock.now in range(100):
        watch.look()
    assert said() == []


def get(port, path):
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, json.loads(error.read())
    except URLError:
        return None


def test_ready_is_who_delivers_and_waits_for_nobody(port):
    stop = threading.Event()
    monitor = Monitor([], stop)
    with served(monitor, port):
        assert (get(port, "/healthz")[0], get(port, "/readyz")) == (200, (503, {"status": "starting", "facts": 0}))
        monitor.beside(None)(Progress(1, 7))
        assert get(port, "/readyz") == (200, {"status": "running", "facts": 7})
        for worker in (0, 1):
            Remark(logging.WARNING, "refused", "waiting").repeat(worker)
        Remark(logging.INFO, "back", "going_on").repeat(0)
        assert get(port, "/readyz") == (503, {"status": "waiting", "facts": 7, "reason": "refused"})
        assert get(port, "/healthz")[0] == 200
        Remark(logging.INFO, "back", "going_on").repeat(1)
        assert get(port, "/readyz")[0] == 200
        stop.set()
        assert [get(port, path)[0] for path in ("/healthz", "/readyz")] == [200, 503]


class Deaf(Sink):
    """A sink whose target has gone: it waits in the second window, and meanwhile the run is told to end."""

    scheme = "deaf"

    def _open(self, streams, run):
        pass

    def _write(self, batch):
        pass

    def _commit(self, watermark):
        if self.watermark is not None:
            threading.Timer(0.1, self.stop.set).start()
            assert self.stop.wait(10)
            raise Stopped

    def _close(self, sound):
        return Report(self.committed, until=self.watermark)


def test_a_run_that_is_told_to_end_ends_though_its_target_does_not_answer():
    outcome = deliver(fake_batches(4), Deaf(Target("deaf:", "deaf")), STREAMS, RUN)
    assert (outcome.stopped, outcome.total) == (True, 100)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_broker_that_is_not_there_is_waited_for_and_a_signal_ends_that(workers, tmp_path, port):
    (tmp_path / "small.yaml").write_text(SMALL)
    words = ("--workers", workers, "--metrics-port", str(port), "--log-format", "json")
    process = start("run", str(tmp_path / "small.yaml"), "--to", "kafka://127.0.0.1:1", *words)
    found = []
    assert wait_for(lambda: found.append(json.loads(process.stderr.readline())) or found[-1]["event"] == "waiting")
    assert "refused" in found[-1]["message"]
    assert wait_for(lambda: get(port, "/readyz"))[0] == 503
    assert wait_for(lambda: get(port, "/healthz"))[1]["status"] == "waiting"
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (143, "")
    assert json.loads(stderr.splitlines()[-1])["facts"] == 0


def test_there_is_a_limit_to_waiting(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL)
    process = start("run", str(tmp_path / "small.yaml"), "--to", "kafka://127.0.0.1:1?timeout=3s")
    stderr = process.communicate(timeout=30)[1].splitlines()
    assert process.returncode == 3
    assert stderr[0].startswith("datagen: warning: waiting for the brokers since ")
    assert stderr[1].startswith("datagen: kafka://127.0.0.1:1: no broker answers within 3 s: ")
