"""More than was recorded: passes, copies of entities, and scenarios beside them."""

from __future__ import annotations

import json
import uuid
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from commands import SMALL, invoke
from fake_batches import STREAMS as FAKE
from fake_batches import fake_batches
from recordings import STREAMS, instants, play, record, tables, write
from scipy import stats

from sim.delivery.replay.blend import Flow, blended
from sim.delivery.replay.naming import Naming
from sim.delivery.replay.rekeying import Rekeying, delays, hashes
from sim.delivery.windows import windows
from sim.errors import ParameterError

HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copies") / "o"
    record(folder, sizes=(300, 0, 500))
    return folder


def test_amplified_every_entity_is_there_so_many_times(recorded):
    once, thrice = tables(play(recorded))["visit"], tables(play(recorded, copies=3))["visit"]
    counts = Counter(key % 1000 for key in thrice["customer_id"].to_pylist())
    assert counts == {key: 3 * n for key, n in Counter(once["customer_id"].to_pylist()).items()}
    assert len(set(thrice["customer_id"].to_pylist())) == 3 * len(set(once["customer_id"].to_pylist()))
    assert len(set(thrice["visit_id"].to_pylist())) == len(thrice) == 3 * len(once)


def test_each_copy_has_the_facts_that_were_recorded_at_their_times(recorded):
    once, thrice = tables(play(recorded))["visit"], tables(play(recorded, copies=3))["visit"]
    offset = 1000
    for number in range(3):
        own = [row for row in thrice.to_pylist() if row["visit_id"] // offset == number]
        back = [row | {name: row[name] - number * offset for name in ("visit_id", "customer_id")} for row in own]
        assert back == once.to_pylist()


def test_an_entity_has_the_same_new_key_in_every_stream(recorded):
    found = tables(play(recorded, copies=2))
    keys = [set(found[stream.name]["customer_id"].to_pylist()) for stream in STREAMS]
    assert keys[0] == keys[1] == {*range(7), *range(1000, 1007)}


def test_further_copies_are_delayed_each_entity_by_its_own_amount(recorded):
    jittered, plain = (tables(play(recorded, copies=40, jitter=j))["visit"] for j in (HOUR, 0))
    before = dict(zip(plain["visit_id"].to_pylist(), instants(plain), strict=True))
    late = [t - before[id] for id, t in zip(jittered["visit_id"].to_pylist(), instants(jittered), strict=True)]
    by_key = dict(zip(jittered["customer_id"].to_pylist(), late, strict=True))
    assert all(by_key[key] == lag for key, lag in zip(jittered["customer_id"].to_pylist(), late, strict=True))
    assert [by_key[key] for key in range(7)] == [0] * 7
    further = np.array([lag for key, lag in by_key.items() if key >= 1000])
    assert 0 <= further.min() <= further.max() < HOUR
    assert stats.kstest(further / HOUR, "uniform").pvalue > 1e-3


def test_jitter_loses_nothing_and_keeps_the_order_of_an_entity(recorded):
    found = tables(play(recorded, copies=5, jitter=HOUR, passes=2))["thing"]
    assert len(found) == 800 * 5 * 2
    by_key = {}
    for key, id in zip(found["customer_id"].to_pylist(), found["thing_id"].to_pylist(), strict=True):
        by_key.setdefault(key, []).append(id)
    assert all(ids == sorted(ids) for ids in by_key.values())


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
def test_delays_are_independent_of_each_other_and_of_the_order_of_keys(kind):
    keys = pa.array(range(4000)).cast(kind)
    first, second = delays(keys, 1, 10**9), delays(keys, 2, 10**9)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.08
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.08
    assert stats.kstest(first / 1e9, "uniform").pvalue > 1e-4
    assert (delays(keys.take(pa.array(range(3999, -1, -1))), 1, 10**9) == first[::-1]).all()


def test_the_hash_of_text_does_not_depend_on_what_else_is_in_the_batch():
    alone, beside = pa.array(["ab", "ünï"]), pa.array(["a much longer text than the others", "ab", "ünï"])
    assert (hashes(alone, 5) == hashes(beside, 5)[1:]).all()
    assert (hashes(beside.dictionary_encode(), 5) == hashes(beside, 5)).all()


def test_passes_follow_each_other_without_a_gap(recorded):
    once, looped = play(recorded), play(recorded, passes=3)
    span = once.end - once.start
    assert looped.end - looped.start == 3 * span
    single, whole = tables(once)["visit"], tables(looped)["visit"]
    expected = [t + number * span for number in range(3) for t in instants(single)]
    assert instants(whole) == expected


@pytest.mark.parametrize("same", [False, True])
def test_every_pass_has_ids_of_its_own_unless_they_are_to_be_the_same(recorded, same):
    found = tables(play(recorded, passes=3, same_keys=same))["visit"]
    ids, keys = found["visit_id"].to_pylist(), set(found["customer_id"].to_pylist())
    assert len(set(ids)) == (800 if same else 2400)
    assert len(keys) == (7 if same else 21)


def test_numbers_of_rows_without_ids_go_on_whatever_the_keys_do(tmp_path):
    write(tmp_path / "f.parquet", np.arange(50) * 1000, user=[f"u{i % 3}" for i in range(50)])
    player = play(tmp_path / "f.parquet", Naming(key="user"), passes=4, copies=2, same_keys=True)
    found = tables(player)["f"]
    assert len(set(found["replay_id"].to_pylist())) == len(found) == 400
    assert set(found["user"].to_pylist()) == {f"u{i}{copy}" for i in range(3) for copy in ("", "~1")}


def test_the_end_of_foreign_files_is_as_far_from_the_last_row_as_rows_are_apart(tmp_path):
    write(tmp_path / "f.parquet", np.arange(10) * 1000)
    assert instants(tables(play(tmp_path / "f.parquet", passes=3))["f"]) == [1000 * i for i in range(30)]


def test_uuids_stay_uuids_and_nulls_stay_nulls():
    ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, str(number))) for number in range(200)]
    copies = [Rekeying(frozenset(), 10).copy(pa.array(ids), number).to_pylist() for number in (0, 1, 2, 4_000_000_000)]
    assert len({text for copy in copies for text in copy}) == 800
    assert all(str(uuid.UUID(text)) == text and uuid.UUID(text).version == 5 for copy in copies for text in copy)
    assert Rekeying(frozenset(), 10).copy(pa.array([ids[0], None]), 1).to_pylist()[1] is None
    assert Rekeying(frozenset(), 10).copy(pa.array([7, None]), 3).to_pylist() == [37, None]


def test_other_columns_are_rekeyed_where_they_are_named(tmp_path):
    write(tmp_path / "f.parquet", [0, 1], user=[1, 2], friend=[2, 1], age=[30, 40])
    naming = Naming(key="user", rekeyed=("friend",))
    found = tables(play(tmp_path / "f.parquet", naming, copies=2, rekeyed=frozenset(["friend"])))["f"]
    rows = sorted((row["user"], row["friend"], row["age"]) for row in found.to_pylist())
    assert rows == [(1, 2, 30), (2, 1, 40), (11, 12, 30), (12, 11, 40)]


@pytest.mark.parametrize(
    ("ways", "text"),
    [
        ({"copies": 0}, "--amplify 0"),
        ({"copies": 10_001}, "--amplify 10001"),
        ({"passes": 10**16}, "year 9999"),
        ({"fixed": frozenset({"nothing"})}, "--fixed nothing"),
        ({"fixed": frozenset({"event_time"})}, "--fixed event_time"),
        ({"rekeyed": frozenset({"nothing"})}, "--rekey nothing"),
    ],
)
def test_ways_to_play_that_make_no_sense_are_refused(recorded, ways, text):
    with pytest.raises(ParameterError, match=text):
        play(recorded, **ways)


def test_ids_that_would_not_fit_are_refused(tmp_path):
    write(tmp_path / "f.parquet", [0, 1], n=[1, 2**62])
    with pytest.raises(ParameterError, match="64 bits"):
        play(tmp_path / "f.parquet", Naming(id="n"), copies=2)


def test_flows_are_blended_in_order_in_windows_that_all_of_them_share():
    flows = [
        Flow("one", FAKE, fake_batches(4)),
        Flow("two", FAKE, fake_batches(4, rows=9)),
        Flow("two", FAKE, fake_batches(4)),
    ]
    streams, batches = blended(flows)
    assert [stream.name for stream in streams] == [
        "order",
        "visit",
        "two.order",
        "two.visit",
        "two-2.order",
        "two-2.visit",
    ]
    assert [stream.rank for stream in streams] == list(range(6))
    found = list(windows(batches, 6))
    assert [window.until for window in found] == [1_000_000, 2_000_000, 3_000_000, 4_000_000]
    assert [sum(len(w.batches[i]) for w in found) for i in range(6)] == [200, 200, 36, 36, 200, 200]


def test_a_blend_has_the_facts_of_the_recording_and_those_of_the_simulation(tmp_path):
    (tmp_path / "small.yaml").write_text(SMALL.replace("tick: 1d", "tick: 7h"))
    scenario = str(tmp_path / "small.yaml")
    interval = ("--start", "2023-01-03", "--end", "2023-01-08")
    assert invoke("run", scenario, *interval, "--to", f"parquet:{tmp_path / 'o'}", "-q").exit_code == 0
    alone = invoke("run", scenario, *interval, "--seed", "9", "-q").stdout.splitlines()
    other = invoke("replay", f"parquet:{tmp_path / 'o'}", "-q").stdout.splitlines()
    both = invoke("replay", f"parquet:{tmp_path / 'o'}", "--blend", scenario, "--seed", "9", "-q").stdout.splitlines()
    expected = [line.replace('{"stream":"', '{"stream":"small.', 1) for line in alone]
    assert sorted(both) == sorted(other + expected)
    times = [json.loads(line)["event_time"] for line in both]
    assert times == sorted(times)
    assert [line for line in both if line in set(other)] == other


def test_a_blend_needs_an_end(tmp_path, recorded):
    result = invoke("replay", f"parquet:{recorded}", "--loop", "forever", "--blend", "storefront")
    assert (result.exit_code, "--loop forever and --blend" in result.stderr) == (2, True)


def test_a_loop_without_end_goes_on_until_it_is_stopped(recorded):
    result = invoke("replay", f"parquet:{recorded}", "--loop", "forever", "--limit", "10001", "--to", "null:", "--json")
    assert json.loads(result.stdout)["streams"] == {"visit": 5001, "thing": 5000}
