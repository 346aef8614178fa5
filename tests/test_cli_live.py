from __future__ import annotations

import pytest
from rich.console import Console

from sim.cli.terminal.live import Topics, view


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def counted():
    now = Clock()
    topics = Topics(["order", "visit"], now)
    for now.now in (1.0, 2.0, 3.0, 4.0):
        topics.add("order", 100, '{"id": 7}')
    return topics


def test_records_are_counted_per_topic_and_in_all():
    topics = counted()
    topics.add("visit", 3, "{}")
    assert ([topic.records for topic in topics.topics.values()], topics.records) == ([400, 3], 403)


def test_a_rate_is_that_of_the_last_seconds():
    assert counted().topics["order"].rate(4.0) == pytest.approx(100.0)
    assert counted().topics["order"].rate(60.0) == 0.0
    assert counted().topics["visit"].rate(4.0) == 0.0


def test_the_table_shows_the_last_record_as_it_is():
    console = Console(width=100, record=True, file=None)
    topics = counted()
    topics.add("visit", 1, '{"tag": "[red]"}')
    with console.capture() as capture:
        console.print(topics.table("demo"))
    assert '{"tag": "[red]"}' in capture.get()
    assert "400" in capture.get()


def test_without_a_terminal_the_view_is_lines(capsys):
    topics = counted()
    with view(topics, "a demo") as refresh:
        refresh()
        refresh()
    written = capsys.readouterr().out.splitlines()
    assert written[0] == "a demo"
    assert len(written) == 3
    assert "order 400" in written[1]
