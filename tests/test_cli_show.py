from __future__ import annotations

import pytest

from sim.cli.terminal.progress import EVERY, Meter, bar, lines, shown
from sim.cli.terminal.show import clock, instant, iso, short, size
from sim.delivery.pipeline import Progress

DAY = 86_400_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (12_345, "12.3 kB"), (999_950, "1.00 MB"), (2.5e9, "2.50 GB")],
)
def test_sizes_have_three_digits_and_a_unit(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0.01, "0.01"), (0.001234, "0.0012"), (7, "7"), (1234, "1.23k"), (4_100_000, "4.10M")]
)
def test_counts_are_short(count, text):
    assert short(count) == text


def test_times_are_written_for_people_and_for_machines():
    assert (clock(7.34), clock(3725)) == ("7.3 s", "1:02:05")
    assert instant(DAY) == "1970-01-02 00:00:00"
    assert iso(DAY + 1) == "1970-01-02T00:00:00.000001Z"
    assert iso(None) is None


def test_the_share_of_a_run_is_that_of_its_time_or_of_its_limit():
    assert Meter(0, 10 * DAY, None).share(Progress(5 * DAY, 100)) == 0.5
    assert Meter(0, 10 * DAY, 200).share(Progress(DAY, 100)) == 0.5
    assert Meter(0, 10 * DAY, None).share(Progress(20 * DAY, 0)) == 1.0


def test_the_meter_knows_rate_and_time_to_go():
    now = Clock()
    meter = Meter(0, 10 * DAY, None, now)
    now.now = 2.0
    assert meter.rate(Progress(DAY, 500)) == 250
    assert meter.left(Progress(DAY, 500)) == pytest.approx(18.0)
    assert meter.left(Progress(0, 0)) == float("inf")


def test_lines_come_every_few_seconds_on_stderr(capsys):
    now = Clock()
    tell = lines(Meter(0, 10 * DAY, None, now), now)
    for now.now in (1.0, EVERY, EVERY + 1, 2 * EVERY):
        tell(Progress(5 * DAY, 1000))
    written = capsys.readouterr()
    assert written.out == ""
    assert [line.split()[0] for line in written.err.splitlines()] == ["50.0%", "50.0%"]
    assert "1,000 facts" in written.err


def test_a_bar_takes_progress_also_before_the_first_fact():
    with bar(Meter(0, DAY, None)) as tell:
        tell(Progress(0, 0))
        tell(Progress(DAY, 10))


def test_nothing_is_shown_where_it_is_not_wanted():
    with shown(Meter(0, DAY, None), False, True) as tell:
        assert tell is None
