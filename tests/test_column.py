import datetime as dt

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.attributes.column import STRING_CODES, TIME_TYPE, Column

INSTANT = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)

SAMPLES = [
    pa.array([1, None, 3]),
    pa.array([1.5, 2.5, None]),
    pa.array([True, None, False]),
    pa.array(["b", "a", None]),
    pa.array(["b", "a", None]).dictionary_encode(),
    pa.array([INSTANT, None, INSTANT], TIME_TYPE),
    pa.array([dt.date(2024, 2, 29), None, dt.date(1969, 12, 31)]),
    pa.array([{"x": 1}, {"x": 2}, None]),
    pa.array([[1], None, [2, 3]]),
]


@pytest.mark.parametrize("array", SAMPLES, ids=lambda array: str(array.type))
def test_a_column_gives_back_the_arrow_array_it_was_made_of(array):
    column = Column.of(array)
    assert column.type == array.type
    assert column.to_arrow().type == array.type
    assert column.to_arrow().to_pylist() == array.to_pylist()


@pytest.mark.parametrize("array", SAMPLES, ids=lambda array: str(array.type))
def test_take_picks_rows_in_the_order_of_the_index(array):
    taken = Column.of(array).take(np.array([2, 0, 0, 1]))
    assert taken.to_arrow().to_pylist() == [array[i].as_py() for i in (2, 0, 0, 1)]


@pytest.mark.parametrize("array", SAMPLES, ids=lambda array: str(array.type))
def test_concat_appends_nulls_included(array):
    column = Column.concat([Column.of(array), Column.of(array).slice(1, 3), Column.nulls(1, array.type)])
    assert column.to_arrow().to_pylist() == [*array.to_pylist(), *array.to_pylist()[1:], None]
    assert column.type == array.type


@pytest.mark.parametrize("array", SAMPLES, ids=lambda array: str(array.type))
def test_an_empty_column_keeps_its_type(array):
    empty = Column.of(array.slice(0, 0))
    assert (len(empty), empty.type, empty.to_arrow().type) == (0, array.type, array.type)


@pytest.mark.parametrize("array", SAMPLES, ids=lambda array: str(array.type))
def test_polars_sees_the_same_values(array):
    assert Column.of(array).to_polars("x").to_list() == array.to_pylist()


def test_concat_unifies_dictionaries_that_differ():
    one, two = Column.of(["a", "b"]), Column.of(["c", "b", None])
    both = Column.concat([one, two])
    assert both.to_arrow().to_pylist() == ["a", "b", "c", "b", None]
    assert both.categories.to_pylist() == ["a", "b", "c"]


def test_concat_refuses_different_types():
    with pytest.raises(TypeError, match=r"double.*int64"):
        Column.concat([Column.of([1]), Column.of([1.5])])


def test_taking_from_a_plain_column_is_one_numpy_take():
    column = Column.of(np.array([5, 6, 7]))
    assert column.take(np.array([1])).values.base is None
    assert column.take(np.array([1])).mask is None
    assert column.take(np.array([1])).categories is None


def test_python_strings_are_coded():
    column = Column.of(["x", "y", "x"])
    assert column.type == STRING_CODES
    assert column.values.tolist() == [0, 1, 0]


def test_numpy_datetimes_become_microseconds_in_utc():
    column = Column.of(np.array(["2024-02-29T12:00", "NaT"], "datetime64[s]"))
    assert column.to_arrow().to_pylist() == [INSTANT, None]


def test_floats_marks_nulls_as_nan_and_refuses_text():
    assert np.isnan(Column.of(pa.array([1, None])).floats()).tolist() == [False, True]
    assert Column.of(np.array([True, False])).floats().tolist() == [1.0, 0.0]
    with pytest.raises(TypeError, match="has no numbers"):
        Column.of(["a"]).floats()


def test_floats_resolves_codes_of_numbers():
    codes = Column.coded(np.array([1, 0, 1]), pa.array([0.5, 2.5]))
    assert codes.floats().tolist() == [2.5, 0.5, 2.5]


def test_with_nulls_adds_to_the_nulls_that_are_there():
    column = Column.of(pa.array([1, None, 3])).with_nulls(np.array([True, False, False]))
    assert column.to_arrow().to_pylist() == [None, None, 3]


@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=20), st.data())
def test_any_rows_of_any_text_survive(texts, data):
    column = Column.of(pa.array(texts, pa.string()).dictionary_encode())
    index = data.draw(st.lists(st.integers(0, max(len(texts) - 1, 0)), max_size=20 if texts else 0))
    taken = column.take(np.array(index, np.int64))
    assert taken.to_arrow().to_pylist() == [texts[i] for i in index]
    assert taken.to_polars("x").dtype == pl.String
