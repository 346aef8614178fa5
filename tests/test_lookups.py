import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from support_rows import DAY, FakeReference, FakeRows

from sim.attributes.registry import AnyAttribute

SIZE = 60_000
attribute = TypeAdapter(AnyAttribute).validate_python


def drawn(reference, size=SIZE, times=None, seed=1, columns=None, **spec):
    rows = FakeRows(size, seed=seed, times=times, columns=columns or {}, references={"product": reference})
    return attribute({"type": "lookup", "entity": "product", **spec}).make(rows, "product")


def weights_of(reference, weights):
    """The weight of every id, as the table in the population's cache has it."""
    drawn(reference, 10, weights=weights)
    (table,) = [made for key, made in reference.cache.items() if key.startswith("drawer/")]
    return table.of(np.arange(len(reference.births)))


def test_without_weights_all_entities_are_equally_likely():
    ids = drawn(FakeReference(np.zeros(50))).values
    assert stats.chisquare(np.bincount(ids, minlength=50)).pvalue > 1e-3


@pytest.mark.parametrize("exponent", [0.0, 0.7, 1.1, 2.0])
def test_zipf_popularity_has_the_declared_exponent(exponent):
    reference = FakeReference(np.zeros(200))
    ids = drawn(reference, weights={"type": "zipf", "exponent": exponent}).values
    ranked = np.sort(weights_of(reference, {"type": "zipf", "exponent": exponent}))[::-1]
    assert ranked == pytest.approx(np.arange(1, 201) ** -exponent)
    weights = weights_of(reference, {"type": "zipf", "exponent": exponent})
    common = weights / weights.sum() * SIZE > 8
    observed = np.append(np.bincount(ids, minlength=200)[common], np.isin(ids, np.flatnonzero(~common)).sum())
    expected = np.append(weights[common], weights[~common].sum()) / weights.sum() * SIZE
    keep = expected > 0
    assert stats.chisquare(observed[keep], expected[keep]).pvalue > 1e-3


def test_popularity_is_not_the_order_of_birth():
    weights = weights_of(FakeReference(np.zeros(500)), {"type": "zipf", "exponent": 1})
    assert abs(stats.spearmanr(np.arange(500), weights).statistic) < 0.15


def test_popularity_is_the_same_in_every_stream_and_shard():
    one, other = FakeReference(np.zeros(300)), FakeReference(np.zeros(300))
    spec = {"type": "zipf", "exponent": 1.2}
    first = drawn(one, 1_000, weights=spec).values
    drawn(other, 5, weights=spec)
    assert np.array_equal(first, drawn(other, 1_000, weights=spec).values)


def test_a_head_of_entities_gets_its_share():
    reference = FakeReference(np.zeros(100))
    ids = drawn(reference, weights={"type": "head_tail", "head": "20%", "share": "80%"}).values
    counts = np.bincount(ids, minlength=100)
    head = weights_of(reference, {"type": "head_tail", "head": "20%", "share": "80%"}) > 0.02
    assert head.sum() == 20
    assert stats.binomtest(int(counts[head].sum()), SIZE, 0.8).pvalue > 1e-3


WEIGHTS = [None, {"type": "zipf", "exponent": 1.1}, {"type": "head_tail"}, {"type": "recent", "mean": "3d"}]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_nobody_is_looked_up_before_birth(weights):
    rng = np.random.default_rng(2)
    births, times = np.sort(rng.integers(0, 100 * DAY, 3_000)), np.sort(rng.integers(-DAY, 101 * DAY, SIZE))
    column = drawn(FakeReference(births, nominal=1_000), times=times, weights=weights)
    found = ~column.is_null()
    assert np.array_equal(found, times >= births[0])
    assert np.all(births[column.values[found]] <= times[found])


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_looking_up_in_pieces_gives_the_same_as_looking_up_at_once(weights):
    """Tables that grew in steps, as from window to window, are the tables that grew in one."""
    births = np.arange(2_000) * DAY // 20
    steps, whole = FakeReference(births, nominal=300), FakeReference(births, nominal=300)
    late = np.full(500, 100 * DAY)
    for day in (1, 10, 11, 40, 70):
        drawn(steps, 50, times=np.full(50, day * DAY), weights=weights)
    assert np.array_equal(
        drawn(steps, 500, times=late, weights=weights).values, drawn(whole, 500, times=late, weights=weights).values
    )


def test_late_entities_are_as_popular_as_early_ones():
    births = np.repeat([0, 10], [300, 300])
    weights = weights_of(FakeReference(births, nominal=300), {"type": "zipf", "exponent": 1})
    early, late = weights[:300], weights[300:]
    assert stats.ks_2samp(np.log(early), np.log(late)).pvalue > 1e-3


def test_recent_weights_fall_exponentially_with_age():
    births = np.arange(400) * DAY // 4
    ids = drawn(FakeReference(births), times=np.full(SIZE, 100 * DAY), weights={"type": "recent", "mean": "10d"}).values
    weights = np.exp((births - births[-1]) / (10 * DAY))
    expected = weights / weights.sum() * SIZE
    common = expected > 10
    observed = np.append(np.bincount(ids, minlength=400)[common], np.isin(ids, np.flatnonzero(~common)).sum())
    assert stats.chisquare(observed, np.append(expected[common], expected[~common].sum())).pvalue > 1e-3


def test_recent_weights_survive_ages_far_beyond_the_mean():
    births = np.arange(1_000) * 30 * DAY
    ids = drawn(
        FakeReference(births), 1_000, times=np.full(1_000, births[-1]), weights={"type": "recent", "mean": "1h"}
    ).values
    assert set(ids) == {999}


def test_a_match_only_finds_entities_that_are_equal():
    rng = np.random.default_rng(3)
    regions = np.array(["north", "south", "east"])[rng.integers(0, 3, 500)]
    asked = np.array(["south", "east", "west", "north"])[rng.integers(0, 4, SIZE)]
    reference = FakeReference(np.zeros(500), {"region": regions.tolist()})
    column = drawn(reference, columns={"customer.region": asked.tolist()}, match={"region": "customer.region"})
    assert np.array_equal(column.is_null(), asked == "west")
    assert np.all(regions[column.values[asked != "west"]] == asked[asked != "west"])
    south = np.bincount(column.values[asked == "south"], minlength=500)[regions == "south"]
    assert stats.chisquare(south).pvalue > 1e-3


def test_a_match_on_two_attributes_wants_both():
    reference = FakeReference(np.zeros(4), {"a": [1, 1, 2, 2], "b": [True, False, True, None]})
    columns = {"x": pa.array([1, 2, 2, None, 1]), "y": pa.array([False, True, False, True, None])}
    column = drawn(reference, 5, columns=columns, match={"a": "x", "b": "y"})
    assert column.to_arrow().to_pylist() == [1, 2, None, None, None]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.sampled_from([None, {"type": "zipf", "exponent": 1.0}]))
def test_a_match_in_a_growing_population_is_equal_and_born(seed, weights):
    rng = np.random.default_rng(seed)
    births, kinds = np.sort(rng.integers(0, 1_000, 400)), rng.integers(0, 5, 400)
    reference = FakeReference(births, {"kind": kinds}, nominal=100)
    for start in (0, 300, 330, 900):
        times, asked = np.sort(rng.integers(start, start + 100, 300)), rng.integers(0, 6, 300)
        column = drawn(reference, 300, times=times, columns={"kind": asked}, match={"kind": "kind"}, weights=weights)
        exists = [bool(np.any((births <= t) & (kinds == k))) for t, k in zip(times, asked, strict=True)]
        found = ~column.is_null()
        assert np.array_equal(found, exists)
        assert np.all((births[column.values] <= times)[found])
        assert np.all((kinds[column.values] == asked)[found])


def test_a_weighted_match_keeps_the_proportions_of_the_weights():
    reference = FakeReference(np.zeros(60), {"kind": np.arange(60) % 3})
    spec = {"type": "zipf", "exponent": 1.0}
    ids = drawn(reference, columns={"kind": np.ones(SIZE, np.int64)}, match={"kind": "kind"}, weights=spec).values
    weights = weights_of(reference, spec)[1::3]
    assert stats.chisquare(np.bincount(ids, minlength=60)[1::3], weights / weights.sum() * SIZE).pvalue > 1e-3


def test_a_kind_that_looks_up_its_own_only_finds_older_ones():
    births = np.zeros(2_000, np.int64)
    rows = FakeRows(2_000, times=births, subject="employee", references={"employee": FakeReference(births)})
    column = attribute({"type": "lookup", "entity": "employee"}).make(rows, "manager")
    assert column.is_null().tolist() == [True] + [False] * 1_999
    assert np.all(column.values[1:] < rows.ids[1:])
    assert stats.kstest(column.values[1:] / rows.ids[1:], "uniform").pvalue > 1e-3


def test_own_children_are_looked_up_among_the_rows_own():
    first, count, ids = np.array([0, 2, 2, 3]), np.array([2, 0, 1, 3]), np.array([10, 11, 12, 20, 21, 22])
    index = np.tile(np.arange(4), SIZE // 4)
    rows = FakeRows(len(index), children={"account": (first[index], count[index], ids)})
    column = attribute({"type": "lookup", "entity": "account", "of": "own"}).make(rows, "account")
    assert np.array_equal(column.is_null(), index == 1)
    assert set(column.values[index == 2]) == {12}
    assert stats.chisquare(np.bincount(column.values[index == 3] - 20)).pvalue > 1e-3


def test_the_parent_is_the_one_the_row_knows():
    spec = attribute({"type": "lookup", "entity": "customer", "of": "parent"})
    rows = FakeRows(2, columns={"customer_id": np.array([7, 3])})
    assert spec.reads() == {"customer_id"}
    assert spec.looks_up() == frozenset()
    assert spec.make(rows, "owner").values.tolist() == [7, 3]


@pytest.mark.parametrize("weights", WEIGHTS, ids=str)
def test_nobody_to_choose_from_gives_nulls(weights):
    empty = FakeReference([], {"kind": np.zeros(0, np.int64)}, nominal=5)
    assert drawn(empty, 4, weights=weights).to_arrow().to_pylist() == [None] * 4
    assert len(drawn(empty, 0, weights=weights)) == 0
    assert drawn(empty, 2, columns={"k": np.array([1, 2])}, match={"kind": "k"}).is_null().all()


def test_a_lookup_names_its_column_after_the_id():
    assert attribute({"type": "lookup", "entity": "product"}).column_name("product") == "product_id"
    assert attribute({"type": "lookup", "entity": "product"}).column_name("main_id") == "main_id"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"of": "own", "weights": {"type": "zipf", "exponent": 1}}, "goes without"),
        ({"of": "parent", "match": {"a": "b"}}, "goes without"),
        ({"weights": {"type": "recent", "mean": "1d"}, "match": {"a": "b"}}, "do not go with 'match'"),
        ({"value": True}, "gives ids"),
        ({"modifiers": [{"type": "multiply", "by": 2}]}, "only 'null' can modify"),
        ({"weights": {"type": "zipff"}}, "zipf"),
    ],
)
def test_lookups_that_make_no_sense_are_refused(keys, message):
    with pytest.raises(ValidationError, match=message):
        attribute({"type": "lookup", "entity": "product", **keys})
