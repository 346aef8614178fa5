"""What a running process says of itself over HTTP: `/metrics` for Prometheus, `/healthz` and `/readyz` for
whoever restarts it, or waits for it.

Nothing is counted for it: the figures are read where they are kept anyway, when somebody asks.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from sim.delivery.remarks import GOING_ON, WAITING, Remark, Remarks, forget, listen
from sim.errors import MissingExtra, ParameterError

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from sim.cli.terminal.summary import Leg
    from sim.delivery.pipeline import Progress

QUANTILES = (0.5, 0.9, 0.99, 0.999)

Environ = dict[str, Any]
Respond = Callable[[str, list[tuple[str, str]]], Any]


STARTING, RUNNING, STOPPING = "starting", "running", "stopping"


class Monitor:
    """The state of a run, for those outside; `legs` are its parts, one a sink."""

    def __init__(self, legs: Sequence[Leg], stop: threading.Event) -> None:
        self._legs = legs
        self._stop = stop
        self._progress: Progress | None = None
        self._waiting: dict[int | None, str] = {}

    def hear(self, remark: Remark, worker: int | None) -> None:
        """Take note of a sink, that of a worker or of this process, which waits for its target or goes on."""
        if remark.event == WAITING:
            self._waiting[worker] = remark.text
        elif remark.event == GOING_ON:
            self._waiting.pop(worker, None)

    def beside(self, tell: Callable[[Progress], None] | None) -> Callable[[Progress], None]:
        """A function that takes note of how far the run is, and tells others as well."""

        def both(progress: Progress) -> None:
            self._progress = progress
            if tell is not None:
                tell(progress)

        return both

    def health(self) -> dict[str, Any]:
        """What `/healthz` and `/readyz` answer: the status, the facts so far, and what is waited for, if anything."""
        waiting = list(self._waiting.values())
        facts = 0 if self._progress is None else self._progress.facts
        return {"status": self._status(), "facts": facts, **({"reason": waiting[0]} if waiting else {})}

    def _status(self) -> str:
        if self._stop.is_set():
            return STOPPING
        if self._waiting:
            return WAITING
        return STARTING if self._progress is None else RUNNING

    def collect(self) -> Iterator[Metric]:
        """All metrics, as the client library asks for them."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        if self._progress is not None:
            yield CounterMetricFamily("datagen_facts", "Facts delivered, over all streams.", self._progress.facts)
            text = "Up to when all facts are delivered: seconds since the epoch, of simulated time."
            yield GaugeMetricFamily("datagen_watermark_seconds", text, self._progress.watermark / 1e6)
        streams = CounterMetricFamily("datagen_stream_facts", "Facts delivered.", labels=("stream", "to"))
        blocked = CounterMetricFamily("datagen_blocked_seconds", "Waiting for the target.", labels=("to",))
        for leg in self._legs:
            to = leg.sink.target.url
            for stream, facts in list(leg.outcome.facts.items()):
                streams.add_metric((stream, to), facts)
            blocked.add_metric((to,), leg.sink.blocked)
        text = "1 while a sink waits for a target that does not answer."
        yield from (streams, blocked, GaugeMetricFamily("datagen_waiting", text, float(bool(self._waiting))))
        yield from self._punctuality()

    def _punctuality(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily

        late = SummaryMetricFamily("datagen_lateness_seconds", "From when facts were due to when they had left.")
        slowest = GaugeMetricFamily("datagen_lateness_quantile_seconds", "The same, so far.", labels=("quantile",))
        starved = CounterMetricFamily("datagen_starved_seconds", "Time in which facts were due and not ready.")
        behind = GaugeMetricFamily("datagen_behind_seconds", "How late the last fact left.")
        for leg in self._legs:
            if (account := leg.outcome.punctuality) is None:
                continue
            late.add_metric((), account.late.count, account.late.total)
            for share in QUANTILES:
                slowest.add_metric((str(share),), account.late.quantile(share))
            starved.add_metric((), account.starved_s)
            behind.add_metric((), max(0.0, account.took_s - account.asked_s))
            yield from (late, slowest, starved, behind)


class Listener(Remarks):
    """The monitor's ear."""


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(monitor: Monitor, port: int | None) -> Iterator[None]:
    """Answer on `port` of all interfaces while the context is open; None serves nothing.

    Raises MissingExtra without the client library, ParameterError where the port is taken.
    """
    if port is None:
        yield
        return
    try:
        server = make_server("", port, _application(monitor), handler_class=_Quiet)
    except OSError as error:
        raise ParameterError(f"--metrics-port {port}: {error.strerror or error}") from None
    listen(listener := Listener(monitor.hear))
    thread = threading.Thread(target=server.serve_forever, name="datagen-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        forget(listener)
        server.shutdown()
        server.server_close()
        thread.join()


def _application(monitor: Monitor) -> Callable[[Environ, Respond], Iterable[bytes]]:
    try:
        from prometheus_client import CollectorRegistry, make_wsgi_app
    except ImportError:
        raise MissingExtra("metrics", "--metrics-port") from None
    registry = CollectorRegistry()
    registry.register(monitor)
    metrics: Callable[[Environ, Respond], Iterable[bytes]] = make_wsgi_app(registry)

    def answer(environ: Environ, respond: Respond) -> Iterable[bytes]:
        path = environ.get("PATH_INFO")
        if path == "/metrics":
            return metrics(environ, respond)
        health = monitor.health() if path in ("/healthz", "/readyz") else {}
        # Who waits for a broker is alive: to restart it would not bring the broker back. It is not ready, though.
        ready = path == "/healthz" or health.get("status") == RUNNING
        status = "404 Not Found" if not health else "200 OK" if ready else "503 Service Unavailable"
        respond(status, [("Content-Type", "application/json")])
        return [json.dumps(health).encode()]

    return answer
