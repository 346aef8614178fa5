"""What a running process says of itself over HTTP."""

from __future__ import annotations

import json
import re
import signal
import socket
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from commands import SMALL, invoke, start, wait_for


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def get(port, path):
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.read().decode()
    except URLError:
        return None


def value(text, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def test_a_paced_run_tells_facts_watermark_and_punctuality(small, port):
    process = start("run", small, "--to", "null:", "--rate", "500/s", "-q", "--metrics-port", str(port))
    assert wait_for(lambda: (value(get(port, "/metrics") or "", "datagen_facts_total") or 0) > 600)
    text = get(port, "/metrics")
    facts = value(text, "datagen_facts_total")
    names = (f'datagen_stream_facts_total{{stream="{stream}",to="null:"}}' for stream in ("customer", "order"))
    assert facts == sum(value(text, name) for name in names)
    assert abs(value(text, "datagen_lateness_seconds_count") - facts) < 200
    assert value(text, "datagen_watermark_seconds") > 1_672_531_000
    assert value(text, 'datagen_lateness_quantile_seconds{quantile="0.99"}') > 0
    health = json.loads(get(port, "/healthz"))
    assert (health["status"], health["facts"] >= facts) == ("running", True)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert get(port, "/healthz") is None


def test_workers_with_sinks_of_their_own_are_summed(small, port):
    words = ("--to", "null:", "--workers", "2", "-q", "--end", "2199-01-01", "--metrics-port", str(port))
    process = start("run", small, *words)
    assert wait_for(lambda: (value(get(port, "/metrics") or "", "datagen_facts_total") or 0) > 10_000)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def test_other_paths_are_not_found(small, port):
    process = start("run", small, "--to", "null:", "--rate", "100/s", "-q", "--metrics-port", str(port))
    assert wait_for(lambda: get(port, "/healthz"))
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"http://127.0.0.1:{port}/", timeout=5)
    process.kill()
    process.communicate()


def test_a_port_that_is_taken_is_refused(small, port):
    with socket.socket() as taken:
        taken.bind(("", port))
        taken.listen()
        result = invoke("run", small, "--to", "null:", "--metrics-port", str(port))
    assert (result.exit_code, f"--metrics-port {port}" in result.stderr) == (2, True)
