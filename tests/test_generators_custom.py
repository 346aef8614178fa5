import json
import pickle

import jsonschema
import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError
from support_rows import FakeRows

from sim.attributes import custom
from sim.attributes.registry import GENERATORS, AnyAttribute, register_generator, registered
from sim.attributes.table import AttributeTable
from sim.errors import ParameterError, SimulationError

attribute = TypeAdapter(AnyAttribute).validate_python


@pytest.fixture(autouse=True)
def _empty_registry(monkeypatch):
    monkeypatch.setattr(custom, "_REGISTERED", {})


def scaled(rows, rng, scale, shift=0.0):
    return rng.random(len(rows)) * scale + shift


def test_a_registered_function_is_a_generator_with_its_parameters_as_keys():
    register_generator("scaled", scaled)
    made = attribute({"type": "scaled", "scale": 3, "modifiers": [{"type": "add", "amount": 10}]})
    values = made.make(FakeRows(1_000), "x").values
    assert registered() == ("scaled",)
    assert 10 <= values.min() < values.max() < 13


def test_a_function_reads_the_columns_it_was_registered_with():
    register_generator("doubled", lambda rows, rng: rows.column("x").values * 2, pa.int64(), reads=("x",))
    table = AttributeTable(
        {"y": attribute({"type": "doubled"}), "x": attribute({"type": "integer", "low": 4, "high": 4})}, {}
    )
    assert table.evaluate(FakeRows(2))["y"].values.tolist() == [8, 8]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "scaled"}, "needs 'scale'"),
        ({"type": "scaled", "scale": 1, "skale": 2}, "'skale' is not a parameter"),
        ({"type": "scalded", "scale": 1}, "did you mean 'scaled'"),
        ({"type": "lognorml", "median": 1}, "did you mean 'lognormal'"),
        ({"type": "zzz"}, "there are array, autoregressive"),
        ({"median": 1}, "Field required"),
        ({"type": None}, "valid string"),
        (5, "valid dictionary"),
    ],
)
def test_unknown_names_and_parameters_are_refused_with_the_nearest_word(spec, message):
    register_generator("scaled", scaled)
    with pytest.raises(ValidationError, match=message):
        attribute(spec)


@pytest.mark.parametrize("name", ["lognormal", "scaled", "Not A Name"])
def test_names_are_taken_once_and_are_names(name):
    register_generator("scaled", scaled)
    with pytest.raises(ParameterError, match="register_generator"):
        register_generator(name, scaled)


def test_a_registered_generator_can_be_replaced_on_purpose():
    register_generator("scaled", scaled)
    register_generator("scaled", lambda rows, rng: np.zeros(len(rows)), replace=True)
    assert attribute({"type": "scaled"}).make(FakeRows(2), "x").values.tolist() == [0.0, 0.0]


def test_a_function_without_rows_and_rng_is_refused():
    with pytest.raises(ParameterError, match="must take rows and rng"):
        register_generator("nothing", lambda: None)


def test_a_function_that_returns_something_else_stops_the_run():
    register_generator("short", lambda rows, rng: np.zeros(1))
    register_generator("text", lambda rows, rng: np.full(len(rows), np.nan), pa.int64())
    with pytest.raises(SimulationError, match="'short' returned 1 values for 3 rows"):
        attribute({"type": "short"}).make(FakeRows(3), "x")
    with pytest.raises(SimulationError, match="'text' returned double, but is registered with int64"):
        attribute({"type": "text"}).make(FakeRows(3), "x")


def test_the_json_schema_tells_built_in_and_registered_generators_apart():
    schema = TypeAdapter(AnyAttribute).json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({"type": "lognormal", "median": 1, "sigma": 1})
    assert validator.is_valid({"type": "somebodys_own", "anything": 1})
    assert not validator.is_valid({"type": "lognormal", "median": 1})
    assert not validator.is_valid({"type": "object", "fields": {"a": {"type": "uuid", "x": 1}}})


@pytest.mark.parametrize("name", sorted(GENERATORS))
def test_every_key_of_every_generator_is_described(name):
    fields = GENERATORS[name].model_fields
    assert all(field.description for key, field in fields.items() if key != "type")
    assert json.dumps(GENERATORS[name].model_json_schema())


EVERYTHING = {
    "a": {"type": "choice", "values": {"x": 1, "y": 2}, "modifiers": [{"type": "map_values", "values": {"x": "z"}}]},
    "b": {"type": "lognormal", "median": 3, "sigma": 1, "modifiers": [{"type": "trend", "rate": "8%/year"}]},
    "c": {
        "type": "datetime",
        "from": "2024-01-01",
        "until": "2025-01-01",
        "modifiers": [{"type": "shift", "by": "-2h"}],
    },
    "d": {"type": "date", "after": {"type": "exponential", "mean": "3d"}},
    "e": {"type": "lookup", "entity": "p", "weights": {"type": "recent", "mean": "3d"}},
    "f": {"type": "array", "count": 2, "of": {"type": "object", "fields": {"x": {"type": "poisson", "mean": 2}}}},
    "g": {"type": "faker", "provider": "pyint", "pool": 5, "args": {"min_value": 1}},
    "h": {"type": "geo_point", "box": {"south": 0, "north": 1, "west": 0, "east": 1}},
    "i": {"type": "scaled", "scale": 2},
    "j": {"type": "constant", "value": True},
}


def test_attributes_can_be_written_down_and_read_again():
    register_generator("scaled", scaled)
    several = TypeAdapter(dict[str, AnyAttribute])
    made = several.validate_python(EVERYTHING)
    assert several.validate_json(several.dump_json(made, by_alias=True)) == made


def test_attributes_can_be_sent_to_another_process_after_use():
    register_generator("scaled", scaled)
    for spec in ("a", "b", "f", "g", "j"):
        made = attribute(EVERYTHING[spec])
        made.make(rows := FakeRows(3, curves={"exponential": lambda t: np.ones(len(t))}), "x")
        again = pickle.loads(pickle.dumps(made))
        assert again.make(rows, "x").to_arrow().equals(made.make(rows, "x").to_arrow())
