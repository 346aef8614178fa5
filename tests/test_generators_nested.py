import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from support_rows import FakeReference, FakeRows

from sim.attributes.attribute import AttributeProblem
from sim.attributes.registry import AnyAttribute

SIZE = 20_000
KM = 6371 * np.pi / 180
attribute = TypeAdapter(AnyAttribute).validate_python


def points(**keys):
    array = attribute({"type": "geo_point", **keys}).make(FakeRows(SIZE, seed=3), "x").to_arrow()
    return array.field("lat").to_numpy(), array.field("lon").to_numpy()


def test_points_scatter_normally_around_a_center_in_kilometers():
    lat, lon = points(centers=[{"lat": 60, "lon": 10, "spread_km": 5}])
    assert stats.kstest((lat - 60) * KM, stats.norm(0, 5).cdf).pvalue > 1e-3
    assert stats.kstest((lon - 10) * KM * np.cos(np.radians(lat)), stats.norm(0, 5).cdf).pvalue > 1e-3


def test_centers_are_chosen_by_weight():
    lat, _ = points(centers=[{"lat": 48, "lon": 2, "weight": 3}, {"lat": -30, "lon": 100, "weight": 1}])
    assert stats.binomtest(int((lat > 0).sum()), SIZE, 0.75).pvalue > 1e-3


def test_longitudes_wrap_around_the_date_line():
    _, lon = points(centers=[{"lat": 0, "lon": 179.99, "spread_km": 50}])
    assert lon.min() < -179
    assert lon.max() <= 180


def test_points_in_a_box_are_uniform_by_area():
    lat, lon = points(box={"south": 0, "north": 80, "west": -5, "east": 5}, digits=12)
    law = stats.uniform(0, np.sin(np.radians(80)))
    assert stats.kstest(np.sin(np.radians(lat)), law.cdf).pvalue > 1e-3
    assert stats.kstest(lon, stats.uniform(-5, 10).cdf).pvalue > 1e-3


@pytest.mark.parametrize("keys", [{}, {"centers": [], "box": None}, {"centers": [{"lat": 99, "lon": 0}]}])
def test_points_without_a_place_are_refused(keys):
    with pytest.raises(ValidationError):
        attribute({"type": "geo_point", **keys})


ADDRESS = {
    "type": "object",
    "fields": {
        "city": {"type": "choice", "values": {"Paris": 3, "Lyon": 1}},
        "zip": {"type": "pattern", "template": "#####", "modifiers": [{"type": "null", "probability": 0.5}]},
        "at": {"type": "object", "fields": {"floor": {"type": "poisson", "mean": 2}}},
    },
}


def test_an_object_is_a_struct_of_its_fields():
    spec = attribute(ADDRESS)
    array = spec.make(FakeRows(4_000), "x").to_arrow()
    floor = pa.struct([("floor", pa.int64())])
    assert array.type == spec.arrow_type({}) == pa.struct([("city", pa.string()), ("zip", pa.string()), ("at", floor)])
    assert stats.binomtest(array.field("city").to_pylist().count("Paris"), 4_000, 0.75).pvalue > 1e-3
    assert stats.binomtest(array.field("zip").null_count, 4_000, 0.5).pvalue > 1e-3


def test_fields_of_an_object_are_independent_of_each_other():
    fields = {name: {"type": "uniform", "low": 0, "high": 1} for name in "ab"}
    array = attribute({"type": "object", "fields": fields}).make(FakeRows(SIZE), "x").to_arrow()
    a, b = array.field("a").to_numpy(), array.field("b").to_numpy()
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(SIZE)


def test_lists_have_the_declared_lengths_and_elements():
    spec = attribute(
        {
            "type": "array",
            "count": {"type": "poisson", "mean": 2, "min": 1},
            "of": {"type": "normal", "mean": 5, "sd": 2},
        }
    )
    array = spec.make(FakeRows(SIZE), "x").to_arrow()
    lengths = array.value_lengths().to_numpy()
    expected = stats.poisson(2).pmf(np.arange(1, 6))
    expected[0] += stats.poisson(2).pmf(0)
    observed = np.bincount(lengths)[1:6]
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-3
    assert stats.kstest(array.values.to_numpy(), stats.norm(5, 2).cdf).pvalue > 1e-3


def test_elements_read_the_row_that_they_belong_to():
    rows = FakeRows(3, columns={"base": np.array([10, 20, 30])})
    spec = attribute({"type": "array", "count": 2, "of": {"type": "expression", "sql": "base + 1"}})
    assert spec.reads() == {"base"}
    assert spec.make(rows, "x").to_arrow().to_pylist() == [[11, 11], [21, 21], [31, 31]]


def test_nested_lookups_are_known_to_the_attribute():
    spec = attribute(
        {"type": "array", "count": 1, "of": {"type": "lookup", "entity": "product", "match": {"kind": "kind"}}}
    )
    assert spec.looks_up() == {"product"}
    assert spec.reads_of("product") == {"kind"}
    rows = FakeRows(
        2, columns={"kind": ["b", "a"]}, references={"product": FakeReference([0, 0], {"kind": ["a", "b"]})}
    )
    assert spec.make(rows, "x").to_arrow().to_pylist() == [[1], [0]]


def test_a_problem_inside_says_where():
    fields = {"name": {"type": "uuid", "modifiers": [{"type": "multiply", "by": 2}]}}
    spec = attribute({"type": "array", "count": 1, "of": {"type": "object", "fields": fields}})
    with pytest.raises(AttributeProblem) as problem:
        spec.result_type({})
    assert problem.value.place == "of.fields.name.modifiers[0]"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "array", "count": 1, "of": {"type": "running_total", "of": "x"}}, "attribute of its own"),
        ({"type": "array", "count": {"type": "poisson", "mean": 5000}, "of": {"type": "uuid"}}, "at most 100"),
        ({"type": "array", "count": 1, "of": {"type": "uid"}}, "did you mean 'uuid'"),
    ],
)
def test_nesting_that_makes_no_sense_is_refused(spec, message):
    with pytest.raises(ValidationError, match=message):
        attribute(spec)


@pytest.mark.parametrize(
    "spec",
    [ADDRESS, {"type": "array", "count": 2, "of": ADDRESS}, {"type": "geo_point", "centers": [{"lat": 1, "lon": 1}]}],
)
def test_no_rows_give_an_empty_column_of_the_type(spec):
    made = attribute(spec)
    assert made.make(FakeRows(0), "x").to_arrow().type == made.arrow_type({})
