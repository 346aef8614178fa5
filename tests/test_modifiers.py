import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from support_rows import FakeRows

from sim.attributes.attribute import AttributeProblem
from sim.attributes.column import STRING_CODES, TIME_TYPE, Column
from sim.attributes.modifiers import Modifier
from sim.attributes.registry import AnyAttribute

SIZE = 40_000
modifier = TypeAdapter(Modifier).validate_python
attribute = TypeAdapter(AnyAttribute).validate_python


def modified(values, spec, **rows):
    column = Column.of(values)
    step = modifier(spec)
    fake = FakeRows(len(column), **rows)
    types = {name: value.type for name, value in fake.columns.items()}
    result = step.apply(column, fake, fake.rng("x"))
    assert result.type == step.arrow_type(column.type, types)
    assert len(result) == len(column)
    return result


def listed(values, spec, **rows):
    return modified(values, spec, **rows).to_arrow().to_pylist()


@pytest.mark.parametrize(
    ("spec", "values", "expected"),
    [
        ({"type": "multiply", "by": 2.5}, [2, None], [5.0, None]),
        ({"type": "add", "amount": 3}, [2, None], [5, None]),
        ({"type": "add", "amount": 0.5}, [2, None], [2.5, None]),
        ({"type": "clamp", "min": 1, "max": 3}, [0, 2, 9, None], [1, 2, 3, None]),
        ({"type": "clamp", "max": 2.5}, [1, 3], [1.0, 2.5]),
        ({"type": "round", "digits": 2}, [1.239, None], [1.24, None]),
        ({"type": "round", "digits": -2}, [149, 151], [100, 200]),
        ({"type": "round"}, [2.4], [2.0]),
        ({"type": "round", "to": 0.05}, [0.163, 0.131], [0.15, 0.15]),
        ({"type": "round", "to": 25}, [60.0], [50.0]),
        ({"type": "expression", "sql": "value * 2"}, [1.5, None], [3.0, None]),
        ({"type": "expression", "sql": "coalesce(value, 0)"}, [1.5, None], [1.5, 0.0]),
        ({"type": "map_values", "values": {"a": "A"}}, ["a", "b", None], ["A", "b", None]),
        ({"type": "map_values", "values": {"a": "A"}, "otherwise": "?"}, ["a", "b", None], ["A", "?", None]),
        ({"type": "map_values", "values": {"a": 1}, "otherwise": 0}, ["a", "b", None], [1, 0, None]),
        ({"type": "map_values", "values": {1: 10, 2: 20}}, [1, 2, 3, None], [10, 20, 3, None]),
        ({"type": "map_values", "values": {1: "one"}, "otherwise": "many"}, [1, 2], ["one", "many"]),
        ({"type": "map_values", "values": {True: "yes", False: "no"}, "otherwise": "-"}, [True, False], ["yes", "no"]),
    ],
)
def test_a_step_on_values(spec, values, expected):
    assert (
        listed(values, spec) == pytest.approx(expected)
        if isinstance(expected[0], float)
        else listed(values, spec) == expected
    )


def test_expressions_see_the_row_beside_the_value():
    spec = {"type": "expression", "sql": "value * factor"}
    assert modifier(spec).reads() == {"factor"}
    assert listed([1.0, 2.0], spec, columns={"factor": [10, 20]}) == [10.0, 40.0]


def test_jitter_scatters_in_proportion_to_the_value():
    ratio = modified(np.full(SIZE, 200.0), {"type": "jitter", "sd": 0.05}).values / 200
    assert stats.kstest(ratio, stats.norm(1, 0.05).cdf).pvalue > 1e-3


def test_outliers_are_as_rare_as_declared():
    values = modified(np.ones(SIZE), {"type": "outliers", "probability": "2%", "factor": 7}).values
    assert set(values) == {1.0, 7.0}
    assert stats.binomtest(int((values == 7).sum()), SIZE, 0.02).pvalue > 1e-3


def test_nulls_are_as_frequent_as_declared_on_any_type():
    for values in (np.ones(SIZE), ["a"] * SIZE, pa.array([[1]] * SIZE)):
        column = modified(values, {"type": "null", "probability": 0.1})
        assert stats.binomtest(int(column.is_null().sum()), SIZE, 0.1).pvalue > 1e-3


@pytest.mark.parametrize(
    ("spec", "law"),
    [
        ({"sd": "5s"}, stats.norm(0, 5e6)),
        ({"within": "1min"}, stats.uniform(-6e7, 1.2e8)),
        ({"within": "1min", "direction": "later"}, stats.uniform(0, 6e7)),
        ({"sd": "5s", "direction": "earlier"}, stats.norm(0, 5e6)),
    ],
)
def test_time_jitter_moves_instants_by_the_declared_error(spec, law):
    column = modified(Column(np.zeros(SIZE, np.int64), TIME_TYPE), {"type": "time_jitter", **spec})
    errors = column.values.astype(float)
    if spec.get("direction") == "earlier":
        assert errors.max() <= 0
        errors *= np.where(np.random.default_rng(1).random(SIZE) < 0.5, -1, 1)
    assert stats.kstest(errors, law.cdf).pvalue > 1e-3


def test_shift_moves_instants_by_a_fixed_time():
    column = modified(Column(np.array([0, 10]), TIME_TYPE), {"type": "shift", "by": "-2s"})
    assert column.values.tolist() == [-2_000_000, -1_999_990]


def test_seasonality_and_trend_multiply_by_a_curve_at_the_rows_time():
    curves = {"c": lambda t: 1 + t / 1e6, "exponential": lambda t: np.full(len(t), 3.0)}
    assert listed([2.0, 2.0], {"type": "seasonality", "curve": "c"}, curves=curves) == [2.0, 4.0]
    assert listed([2.0, 2.0], {"type": "trend", "curve": "c"}, curves=curves) == [2.0, 4.0]
    assert listed([2.0], {"type": "trend", "rate": "8%/year"}, curves=curves) == [6.0]


def test_a_trend_by_rate_is_an_exponential_curve():
    course = modifier({"type": "trend", "rate": "8%/year"}).course
    assert course.rate * 365.25 * 86_400e6 == pytest.approx(np.log(1.08))


def test_steps_are_stacked_in_order():
    steps = [{"type": "multiply", "by": 3}, {"type": "add", "amount": 1}, {"type": "clamp", "max": 5}]
    one = attribute({"type": "constant", "value": 2, "modifiers": steps})
    other = attribute({"type": "constant", "value": 2, "modifiers": steps[::-1]})
    assert one.make(FakeRows(1), "x").values.tolist() == [5.0]
    assert other.make(FakeRows(1), "x").values.tolist() == [9.0]


def test_factors_come_before_modifiers_and_after_the_draw():
    spec = attribute(
        {
            "type": "integer",
            "low": 2,
            "high": 2,
            "value": True,
            "curves": ["c"],
            "modifiers": [{"type": "add", "amount": 1}],
        }
    )
    rows = FakeRows(2, factors={"x": np.array([1.0, 5.0])}, curves={"c": lambda t: np.full(len(t), 10.0)})
    assert spec.make(rows, "x").values.tolist() == [21.0, 101.0]
    assert spec.result_type({}) == pa.float64()


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        (STRING_CODES, {"type": "multiply", "by": 2}, "multiply needs numbers, but these are text"),
        (TIME_TYPE, {"type": "round"}, "round needs numbers, but these are timestamps"),
        (pa.bool_(), {"type": "add", "amount": 1}, "add needs numbers, but these are booleans"),
        (pa.float64(), {"type": "time_jitter", "sd": "1s"}, "time_jitter needs timestamps, but these are numbers"),
        (pa.int64(), {"type": "map_values", "values": {"a": "b"}}, "'a' can never occur among whole numbers"),
        (STRING_CODES, {"type": "map_values", "values": {"a": 1}}, "say otherwise"),
        (STRING_CODES, {"type": "expression", "sql": "value * 2"}, "arithmetic"),
        (pa.list_(pa.int64()), {"type": "map_values", "values": {1: 2}}, "nested values"),
    ],
)
def test_a_step_that_makes_no_sense_on_a_type_says_so(kind, spec, message):
    with pytest.raises(ValueError, match=message):
        modifier(spec).arrow_type(kind, {})


def test_the_place_of_a_step_is_part_of_the_problem():
    spec = attribute({"type": "uuid", "modifiers": [{"type": "null", "probability": 0.1}, {"type": "jitter", "sd": 1}]})
    with pytest.raises(AttributeProblem, match=r"modifiers\[1\]: jitter needs numbers, but these are text"):
        spec.result_type({})


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "clamp"},
        {"type": "clamp", "min": 3, "max": 1},
        {"type": "round", "digits": 1, "to": 5},
        {"type": "trend"},
        {"type": "time_jitter"},
        {"type": "map_values", "values": {}},
        {"type": "expression", "sql": "sum(value)"},
        {"type": "nul", "probability": 1},
    ],
)
def test_parameters_that_make_no_sense_are_refused(spec):
    with pytest.raises(ValidationError):
        modifier(spec)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), STRING_CODES, TIME_TYPE])
def test_no_rows_stay_no_rows_of_the_declared_type(kind):
    number = [{"type": "round"}, {"type": "jitter", "sd": 1}, {"type": "clamp", "min": 0}]
    text = [{"type": "map_values", "values": {"a": "b"}}]
    time = [{"type": "shift", "by": "1s"}, {"type": "time_jitter", "sd": "1s"}]
    for spec in [
        *(text if kind == STRING_CODES else time if kind == TIME_TYPE else number),
        {"type": "null", "probability": 1},
    ]:
        assert len(modified(pa.nulls(0, kind), spec)) == 0
