from __future__ import annotations

import numpy as np
import pytest

from sim.delivery.latency import Latencies
from sim.delivery.profiles import parse_profile
from sim.errors import ParameterError

PROFILES = [
    "250/s",
    "ramp:from=0/s,to=1k/s,over=10s",
    "ramp:from=1k/s,to=10/s,over=7s",
    "steps:from=100/s,by=50/s,every=3s",
    "steps:from=100/s,by=50/s,every=3s,to=200/s",
    "spike:base=20/s,peak=2k/s,at=4s,for=1s",
    "spike:base=0/s,peak=2k/s,at=4s,for=1s,every=10s",
    "sine:mean=500/s,amplitude=400/s,period=6s",
]


@pytest.mark.parametrize("text", PROFILES)
def test_when_facts_are_due_is_the_inverse_of_how_many_are_due(text):
    profile = parse_profile(text)
    numbers = np.arange(1, 6_000, 37, dtype=np.float64)
    due = profile.due(numbers)
    assert (np.diff(due) > 0).all()
    assert [profile.count(seconds) for seconds in due] == pytest.approx(numbers, rel=1e-9)


@pytest.mark.parametrize("text", PROFILES)
def test_the_count_is_the_integral_of_the_rate(text):
    profile = parse_profile(text)
    seconds = np.linspace(0, 25, 250_001)
    middle = (seconds[1:] + seconds[:-1]) / 2
    total = sum(profile.rate(second) for second in middle) * (seconds[1] - seconds[0])
    assert profile.count(25.0) == pytest.approx(total, rel=2e-4)


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("ramp:from=0/s,to=1k/s,over=10s", {0: 0, 5: 500, 10: 1000, 99: 1000}),
        ("steps:from=100/s,by=50/s,every=3s,to=200/s", {0: 100, 2.9: 100, 3: 150, 6.5: 200, 99: 200}),
        ("spike:base=20/s,peak=2k/s,at=4s,for=1s", {3.9: 20, 4: 2000, 4.9: 2000, 5: 20, 99: 20}),
        ("spike:base=20/s,peak=2k/s,at=4s,for=1s,every=10s", {14.5: 2000, 15.5: 20}),
        ("sine:mean=500/s,amplitude=400/s,period=8s", {0: 500, 2: 900, 6: 100, 10: 900}),
    ],
)
def test_a_profile_has_the_declared_rates(text, rates):
    profile = parse_profile(text)
    assert [profile.rate(seconds) for seconds in rates] == pytest.approx(list(rates.values()), rel=1e-3)


def test_a_profile_may_be_a_file_with_a_heading(tmp_path):
    path = tmp_path / "day.csv"
    path.write_text("seconds,rate\n0,100\n10,300\n10,50\n")
    profile = parse_profile(f"file:{path}")
    assert [profile.rate(seconds) for seconds in (0, 5, 10, 60)] == [100, 200, 50, 50]


@pytest.mark.parametrize("text", ["5,10\n3,20\n", "0,10\nlater,20\n", "0,-1\n", "0,1,2\n", "seconds,rate\n", ""])
def test_a_file_that_is_no_profile_is_refused_with_its_place(text, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(ParameterError, match=r"bad\.csv.*seconds,rate"):
        parse_profile(f"file:{path}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fast", "50k/s"),
        ("10%/s", "percentage"),
        ("0/s", "never end"),
        ("1e12/s", "at most"),
        ("rmap:from=1/s,to=2/s,over=1s", "did you mean ramp"),
        ("ramp:from=1/s,to=2/s", "over missing"),
        ("ramp:from=1/s,to=2/s,over=1s,by=3", "'by=3' is not NAME=VALUE"),
        ("ramp:from=1/s,from=2/s,to=1/s,over=1s", "once each"),
        ("ramp:from=1/s,to=0/s,over=1s", "never end"),
        ("ramp:from=1/s,to=2/s,over=1x", "over"),
        ("ramp:from=1/s,to=2/s,over=0s", "above 0"),
        ("steps:from=5/s,by=1/s,every=1s,to=2/s", "not below"),
        ("spike:base=1/s,peak=2/s,at=4s,for=2s,every=5s", "every"),
        ("sine:mean=1/s,amplitude=2/s,period=1s", "amplitude"),
        ("file:/nowhere.csv", "No such file"),
    ],
)
def test_a_profile_that_makes_no_sense_is_refused_with_its_value(text, message):
    with pytest.raises(ParameterError, match="--rate") as caught:
        parse_profile(text)
    assert message in str(caught.value)


def test_quantiles_of_latencies_are_those_of_the_values_to_a_percent():
    values = np.random.default_rng(1).lognormal(-6, 2, 100_000)
    latencies = Latencies()
    for part in np.array_split(values, 7):
        latencies.add(part)
    for share in (0.01, 0.5, 0.99, 0.9999):
        exact = np.quantile(values, share, method="inverted_cdf")
        assert exact * (1 - 1e-9) <= latencies.quantile(share) <= exact * 1.0101
    assert (latencies.count, latencies.largest) == (100_000, values.max())
    assert latencies.mean == pytest.approx(values.mean())


def test_histograms_add_up():
    whole, parts = Latencies(), [Latencies(), Latencies()]
    values = np.random.default_rng(2).exponential(0.01, 1000)
    whole.add(values)
    parts[0].add(values[:300])
    parts[1].add(values[300:])
    parts[0].merge(parts[1])
    assert (parts[0].counts == whole.counts).all()
    assert parts[0].largest == whole.largest


def test_early_is_not_late():
    latencies = Latencies()
    latencies.add(np.array([-1.0, 0.0]))
    assert latencies.quantile(1.0) == 0
    assert Latencies().quantile(0.5) == 0
