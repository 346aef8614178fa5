from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from damage import ENTITIES, MINUTE, SPAN, STREAM, cut, made, spec, struck
from pydantic import ValidationError
from scipy import stats
from worlds import SEED, acting, model, population, scenario

from sim.batch import event_times
from sim.delivery.chance import uniform
from sim.delivery.faults import Injector, stall_of
from sim.delivery.inject import Injected
from sim.errors import ScenarioError

DELAY = {"type": "exponential", "mean": "5min"}
ALL = {
    "bound": "30min",
    "late": {"probability": 0.1, "delay": DELAY},
    "duplicates": {"probability": 0.05, "after": DELAY},
    "drops": 0.02,
    "stalls": {"every": "2h", "lasts": "10min"},
    "clock_skew": {"share": 0.1, "offset": DELAY},
    "hot_keys": {"share": 0.1, "keys": 3},
    "corrupt": {"probability": 0.03, "kinds": ["missing_field", "truncated"]},
}


def arrived(*instants: int, **parts) -> pl.DataFrame:
    """All that arrives, in order, with arrivals and windows, of a run that is cut into windows at these instants."""
    frames = []
    for batch in Injected(cut(made(), *instants), [STREAM], {"act": spec(**parts)}, SEED):
        frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch.data])))
        ends = {"start": pl.lit(batch.start, pl.Int64), "until": pl.lit(batch.until, pl.Int64)}
        frames.append(frame.with_columns(arrival=pl.Series(batch.times), **ends))
    return pl.concat(frames)


def truncated(mean: float, bound: float):
    """The cdf of an exponential distribution, given that it is not above the bound."""
    return lambda x: stats.expon.cdf(x, scale=mean) / stats.expon.cdf(bound, scale=mean)


def test_numbers_that_belong_to_ids_are_uniform_and_independent_between_draws():
    one, other = (uniform(SEED, name, np.arange(100_000)) for name in ("one", "other"))
    evidence.distributed(one, "uniform")
    assert abs(stats.pearsonr(one, other).statistic) < evidence.Z / np.sqrt(100_000)
    assert abs(stats.pearsonr(one[1:], one[:-1]).statistic) < evidence.Z / np.sqrt(100_000)


def test_another_seed_hits_others():
    ids = np.arange(10_000)
    hits = [set(ids[uniform(SEED + add, "x", ids) < 0.1].tolist()) for add in (0, 1)]
    assert len(hits[0] & hits[1]) < 200


@pytest.mark.parametrize(("kind", "parts", "share"), [
    ("drop", {"drops": 0.03}, 0.03),
    ("late", {"bound": "1h", "late": {"probability": "5%", "delay": DELAY}}, 0.05),
    ("duplicate", {"bound": "1h", "duplicates": {"probability": 0.2, "after": DELAY}}, 0.2),
])  # fmt: skip
def test_so_many_facts_are_hit_as_the_scenario_says(kind, parts, share):
    batch, _, found = struck(**parts)
    evidence.share(len(found[kind].rows), len(batch), share)


def test_delays_have_their_distribution_up_to_the_bound():
    batch, _, found = struck(bound="15min", late={"probability": 0.5, "delay": DELAY})
    late = found["late"]
    delays = (late.at - batch.times[late.rows]) / MINUTE
    evidence.distributed(delays, truncated(5, 15))
    assert delays.max() <= 15


def test_second_arrivals_come_after_the_first_by_their_distribution():
    batch, _, found = struck(bound="1h", duplicates={"probability": 0.5, "after": DELAY})
    again = found["duplicate"]
    evidence.distributed((again.at - batch.times[again.rows]) / MINUTE, truncated(5, 60))


def test_what_is_late_and_repeated_is_within_the_bound_both_times():
    late = {"probability": 0.5, "delay": {"type": "uniform", "low": "0s", "high": "10min"}}
    batch, _, found = struck(bound="10min", late=late, duplicates={"probability": 0.5, "after": DELAY})
    again = found["duplicate"]
    lateness = again.at - batch.times[again.rows]
    assert 0 <= lateness.min() <= lateness.max() <= 10 * MINUTE


def test_facts_leave_in_the_order_of_their_arrival_each_in_its_window():
    found = arrived(SPAN // 3, SPAN // 2, **ALL)
    assert found["arrival"].is_sorted()
    assert ((found["arrival"] >= found["start"]) & (found["arrival"] < found["until"])).all()
    assert found["until"].max() > SPAN


def test_nothing_is_later_than_the_bound():
    found = arrived(SPAN // 3, **{**ALL, "clock_skew": None})
    happened = found["event_time"].to_physical()
    assert (found["arrival"] - happened).max() <= 30 * MINUTE
    assert (happened.cum_max() - happened).max() <= 30 * MINUTE


def test_how_a_run_is_cut_into_windows_changes_nothing():
    whole, cuts = arrived(**ALL), arrived(*range(MINUTE, SPAN, 97 * MINUTE), **ALL)
    assert whole.drop("start", "until").equals(cuts.drop("start", "until"))


def test_what_arrives_is_what_happened_without_drops_and_with_duplicates():
    batch, _, found = struck(**ALL)
    ids = batch.data.column("act_id").to_numpy()
    expected = np.concatenate([np.delete(ids, found["drop"].rows), ids[found["duplicate"].rows]])
    assert sorted(arrived(SPAN // 2, **ALL)["act_id"]) == sorted(expected.tolist())


def test_during_a_stall_nothing_arrives_and_then_everything():
    found = arrived(bound="20min", stalls={"every": "2h", "lasts": "10min"})
    arrivals, happened = found["arrival"].to_numpy(), found["event_time"].to_physical().to_numpy()
    begin, end = stall_of(spec(bound="20min", stalls={"every": "2h", "lasts": "10min"}).stalls, SEED, "act", happened)
    held = (happened >= begin) & (happened < end)
    assert (arrivals[held] == end[held]).all()
    assert (arrivals[~held] == happened[~held]).all()
    assert len(np.unique(end[held])) == len(np.unique(happened[held] // (120 * MINUTE)))
    assert found["event_time"].is_sorted()


def test_a_clock_is_wrong_for_all_facts_of_an_entity_alike():
    batch, found, _ = struck(clock_skew={"share": 0.3, "offset": DELAY})
    skews = pl.DataFrame({"user": found.data.column("user_id"), "off": event_times(found.data) - found.happened})
    by_user = skews.group_by("user").agg(pl.col("off").n_unique().alias("n"), pl.col("off").first())
    assert (by_user["n"] == 1).all()
    off = by_user.filter(pl.col("off") != 0)["off"].to_numpy() / MINUTE
    evidence.share(len(off), ENTITIES, 0.3)
    evidence.distributed(np.abs(off), truncated(5, 1e9))
    evidence.share(int((off > 0).sum()), len(off), 0.5)
    assert (found.arrivals == batch.times).all()


@pytest.mark.parametrize(("direction", "sign"), [("ahead", 1), ("behind", -1)])
def test_clocks_may_all_be_fast_or_slow(direction, sign):
    _, found, _ = struck(clock_skew={"share": 1, "offset": DELAY, "direction": direction})
    assert (np.sign(event_times(found.data) - found.happened) == sign).all()


def test_hot_keys_take_their_share_of_the_facts():
    batch, found, _ = struck(hot_keys={"share": 0.2, "keys": 2})
    keys = found.data.column("user_id").to_numpy()
    evidence.share(int(np.isin(keys, [0, 1]).sum()), len(batch), 0.2 + 0.8 * 2 / ENTITIES)
    evidence.share(int((keys == 0).sum()), int(np.isin(keys, [0, 1]).sum()), 0.5)


def test_corrupt_facts_are_of_all_kinds_alike():
    kinds = ["missing_field", "wrong_type", "truncated"]
    batch = made()
    faults = spec(corrupt={"probability": 0.06, "kinds": kinds})
    found = Injector(STREAM, faults, SEED, {"wrong_type": 1, "truncated": 2}).strike(batch)
    sizes = [len(injection.rows) for injection in found.injections]
    evidence.share(sum(sizes), len(batch), 0.06)
    evidence.proportions(sizes, [1, 1, 1])
    counts = np.bincount(found.damage)[1:].tolist()
    assert [found.data.column("amount").null_count, *counts] == sizes


def test_what_a_sink_cannot_damage_stays_whole():
    _, found, injections = struck(corrupt={"probability": 0.5, "kinds": ["truncated"]})
    assert not injections
    assert not found.damage.any()


@pytest.mark.parametrize(("parts", "message"), [
    ({"late": {"probability": 0.1, "delay": "5min"}}, "'bound' is needed beside 'late'"),
    ({"bound": "1h", "drops": 0.1}, "'bound' goes with"),
    ({"bound": "4min", "late": {"probability": 0.1, "delay": "5min"}}, "'late.delay' is never within the bound"),
    ({"bound": "4min", "stalls": {"every": "1h", "lasts": "4min"}}, "'bound' must be longer than stalls.lasts"),
    ({"bound": "4h", "stalls": {"every": "1h", "lasts": "1h"}}, "'lasts' must be shorter than 'every'"),
])  # fmt: skip
def test_what_cannot_be_is_refused(parts, message):
    with pytest.raises(ValidationError, match=message):
        spec(**parts)


def problems(**faults) -> str:
    with pytest.raises(ScenarioError) as error:
        model(acting(1, "1/day", faults=faults))
    return str(error.value)


def test_faults_are_of_streams_that_there_are():
    assert "faults.akt: 'akt' is not a stream; did you mean 'act'?" in problems(akt={"drops": 0.1})
    assert "faults.act.late.probability" in problems(act={"bound": "1h", "late": {"probability": 2, "delay": "1s"}})


def test_who_has_no_entity_has_no_clock():
    queue = {"entity": "user", "start": {"rate": "1/day"}, "steps": {"in": {"resource": "desk", "service": "1h"}}}
    parts = {"processes": {"visit": queue}, "resources": {"desk": {"capacity": 1}}}
    faults = {"resource_load": {"hot_keys": {"share": 0.1}}}
    with pytest.raises(ScenarioError, match=r"faults.resource_load.hot_keys: the facts of resource_load are about no"):
        model(scenario(entities=population(1), **parts, faults=faults))
