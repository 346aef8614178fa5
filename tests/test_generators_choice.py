import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from support_rows import FakeRows

from sim.attributes.column import STRING_CODES
from sim.attributes.registry import AnyAttribute
from sim.attributes.sampling import Alias, Cumulative, mix

SIZE = 60_000
attribute = TypeAdapter(AnyAttribute).validate_python


def chosen(size=SIZE, **keys):
    return attribute({"type": "choice", **keys}).make(FakeRows(size, seed=5), "x")


def frequencies(column, values):
    found = column.to_arrow().to_pylist()
    assert set(found) <= set(values)
    return np.array([found.count(value) for value in values])


def test_listed_values_are_equally_likely():
    assert stats.chisquare(frequencies(chosen(values=["a", "b", "c"]), ["a", "b", "c"])).pvalue > 1e-3


def test_weights_are_shares():
    observed = frequencies(chosen(values={"FR": 6, "DE": 3, "ES": 1, "IT": 0}), ["FR", "DE", "ES", "IT"])
    assert observed[3] == 0
    assert stats.chisquare(observed[:3], SIZE * np.array([0.6, 0.3, 0.1])).pvalue > 1e-3


def test_zipf_weights_fall_with_the_place_in_the_list():
    values = [f"v{i}" for i in range(20)]
    observed = frequencies(chosen(values=values, weights={"type": "zipf", "exponent": 1.3}), values)
    expected = np.arange(1, 21) ** -1.3
    assert stats.chisquare(observed, SIZE * expected / expected.sum()).pvalue > 1e-3


def test_a_head_gets_its_share():
    values = list(range(10))
    weights = {"type": "head_tail", "head": "20%", "share": "80%"}
    observed = frequencies(chosen(values=values, weights=weights), values)
    assert stats.chisquare(observed, SIZE * np.array([0.4, 0.4, *[0.025] * 8])).pvalue > 1e-3


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", "b"], STRING_CODES),
        ([1, 2], pa.int64()),
        ([1, 2.5], pa.float64()),
        ([True, False], pa.bool_()),
        ({1: 0.5, 2: 0.5}, pa.int64()),
        ({True: 0.1, False: 0.9}, pa.bool_()),
    ],
)
def test_the_type_is_that_of_the_values_and_the_same_for_no_rows(values, kind):
    assert chosen(10, values=values).type == kind
    assert chosen(0, values=values).to_arrow().type == kind


def test_a_value_listed_twice_counts_twice_and_appears_once_in_the_dictionary():
    column = chosen(values=["a", "b", "a"])
    assert column.categories.to_pylist() == ["a", "b"]
    assert stats.binomtest(int((column.values == 0).sum()), SIZE, 2 / 3).pvalue > 1e-3


def test_a_constant_is_the_same_everywhere_even_with_the_key_value():
    column = attribute({"type": "constant", "value": "EUR"}).make(FakeRows(3), "x")
    assert column.to_arrow().to_pylist() == ["EUR"] * 3
    assert attribute({"type": "constant", "value": 5}).make(FakeRows(2, factors={"x": 3.0}), "x").values.tolist() == [
        5,
        5,
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"values": []}, "at least 1"),
        ({"values": {"a": 0}}, "all weights are 0"),
        ({"values": {"a": -1}}, "greater than or equal to 0"),
        ({"values": ["a", 1]}, "mixed; quote"),
        ({"values": {"a": 1}, "weights": {"type": "zipf", "exponent": 1}}, "weights already"),
    ],
)
def test_lists_that_make_no_sense_are_refused(keys, message):
    with pytest.raises(ValidationError, match=message):
        attribute({"type": "choice", **keys})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=40).filter(lambda weights: sum(weights) > 1))
def test_alias_tables_draw_any_weights(weights):
    shares = np.array(weights) / sum(weights)
    observed = np.bincount(Alias(np.array(weights)).draw(np.random.default_rng(1), 20_000), minlength=len(weights))
    common = shares * 20_000 > 20
    sigma = np.sqrt(20_000 * shares * (1 - shares)) + 1
    assert np.all(np.abs(observed - 20_000 * shares)[common] < 6 * sigma[common])
    assert np.all(observed[shares == 0] == 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.just(0.0) | st.floats(1e-9, 10), max_size=60), min_size=1, max_size=5), st.integers(0, 9))
def test_a_growing_cumulative_table_finds_what_a_binary_search_finds(pieces, seed):
    table, all_weights = Cumulative(), np.concatenate([np.array(piece, float) for piece in pieces])
    rng = np.random.default_rng(seed)
    for piece in pieces:
        table.extend(np.array(piece, float))
        x = rng.random(200) * table.sums[-1]
        if table.sums[-1] > 0:
            assert np.array_equal(table.search(x), np.searchsorted(table.sums[1:], x, side="right"))
    whole = Cumulative()
    whole.extend(all_weights)
    assert np.array_equal(whole.sums, table.sums)


def test_hashes_of_ids_are_uniform_and_do_not_depend_on_their_neighbours():
    ids = np.arange(50_000)
    assert stats.kstest(mix(99, ids), "uniform").pvalue > 1e-3
    assert np.array_equal(mix(99, ids)[1000:1010], mix(99, ids[1000:1010]))
    assert abs(np.corrcoef(mix(99, ids)[:-1], mix(99, ids)[1:])[0, 1]) < 0.02
