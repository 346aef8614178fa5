import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter
from scipy import stats
from support_rows import FakeReference, FakeRows

from sim.attributes.column import STRING_CODES, TIME_TYPE, Column
from sim.attributes.registry import AnyAttribute
from sim.attributes.table import AttributeTable
from sim.errors import ScenarioError

PRODUCT = {"price": pa.float64(), "category": STRING_CODES, "id": pa.int64()}
CONTEXT = {"event_time": TIME_TYPE, "age": pa.float64(), "state": STRING_CODES, "customer.country": STRING_CODES}
read = TypeAdapter(dict[str, AnyAttribute]).validate_python

ORDER = {
    "amount": {"type": "expression", "sql": "round(product.price * quantity, 2)", "value": True},
    "product": {"type": "lookup", "entity": "product"},
    "quantity": {"type": "poisson", "mean": 1.4, "min": 1},
}


def table(attributes, context=CONTEXT, **keys):
    return AttributeTable(read(attributes), context, {"product": PRODUCT}, **keys)


def products(count=20):
    prices = np.arange(1, count + 1) / 4
    return FakeReference(np.zeros(count), {"price": prices, "category": ["a", "b"] * (count // 2)})


def problems(attributes, **keys):
    with pytest.raises(ScenarioError) as error:
        table(attributes, **keys)
    return [f"{problem.path}: {problem.message}" for problem in error.value.problems]


def test_attributes_are_made_after_what_they_read_whatever_their_order_in_the_file():
    rows = FakeRows(1_000, references={"product": products()}, factors={"amount": np.full(1_000, 2.0)})
    made = table(ORDER).evaluate(rows)
    price = products().columns["price"].values[made["product_id"].values]
    assert made["amount"].values == pytest.approx(np.round(price * made["quantity"].values, 2) * 2)


def test_the_schema_is_in_the_order_of_the_file_with_descriptions():
    made = table({**ORDER, "note": {"type": "uuid", "description": "what for"}}).schema()
    assert [(field.name, field.type) for field in made] == [
        ("amount", pa.float64()),
        ("product_id", pa.int64()),
        ("quantity", pa.int64()),
        ("note", pa.string()),
    ]
    assert made[3].metadata == {b"description": b"what for", b"logical": b"uuid"}
    assert made[0].metadata.keys() == {b"description"}


def test_every_batch_has_the_types_of_the_schema_even_without_rows():
    made = table({**ORDER, "kind": {"type": "expression", "sql": "product.category || '!'"}})
    for size in (0, 1, 100):
        rows = FakeRows(size, references={"product": products()})
        assert {name: column.to_arrow().type for name, column in made.evaluate(rows).items()} == made.types


def test_an_attribute_more_changes_none_of_the_others():
    rows = FakeRows(200, references={"product": products()})
    more = {"first": {"type": "uuid"}, **ORDER, "last": {"type": "normal", "mean": 0, "sd": 1}}
    small, large = table(ORDER).evaluate(rows), table(more).evaluate(rows)
    assert all(np.array_equal(small[name].values, large[name].values) for name in small)


def test_what_is_read_of_context_and_lookups_is_known_before_the_run():
    made = table(
        {
            **ORDER,
            "local": {"type": "expression", "sql": "customer.country = 'FR' and state = 'active'"},
            "near": {"type": "lookup", "entity": "product", "match": {"category": "local_category"}},
            "local_category": {"type": "choice", "values": ["a", "b"]},
            "new": {"type": "lookup", "entity": "product", "weights": {"type": "recent", "mean": "1d"}},
        }
    )
    assert made.needs == {"customer.country", "state"}
    assert made.lookups == {"product": {"price", "category", "born_at"}}


def test_attributes_of_whom_a_row_looks_up_follow_the_id_nulls_included():
    attributes = {
        "product": {"type": "lookup", "entity": "product", "modifiers": [{"type": "null", "probability": 0.5}]},
        "price": {"type": "expression", "sql": "product.price"},
        "same": {"type": "expression", "sql": "product_id"},
    }
    made = table(attributes).evaluate(FakeRows(500, references={"product": products()}))
    price = products().columns["price"].values[made["product_id"].values]
    assert np.array_equal(made["price"].is_null(), made["product_id"].is_null())
    assert 150 < made["price"].is_null().sum() < 350
    assert np.array_equal(made["price"].values[~made["price"].is_null()], price[~made["price"].is_null()])
    assert made["same"].to_arrow() == made["product_id"].to_arrow()


def test_lookups_that_all_fail_give_nulls_of_the_right_type():
    attributes = {
        "product": {"type": "lookup", "entity": "product"},
        "kind": {
            "type": "expression",
            "sql": "product.category",
            "modifiers": [{"type": "map_values", "values": {"a": "A"}}],
        },
    }
    nobody = FakeReference([], {"price": np.zeros(0), "category": pa.nulls(0, STRING_CODES)})
    made = table(attributes)
    columns = made.evaluate(FakeRows(3, references={"product": nobody}))
    assert columns["kind"].to_arrow().to_pylist() == [None] * 3
    assert columns["kind"].type == made.types["kind"]


def test_correlation_comes_through_a_lookup():
    attributes = {
        **ORDER,
        "paid": {"type": "expression", "sql": "product.price", "modifiers": [{"type": "jitter", "sd": 0.1}]},
    }
    rows = FakeRows(20_000, references={"product": products()})
    made = table(attributes).evaluate(rows)
    price = products().columns["price"].values[made["product_id"].values]
    ratio = made["paid"].values / price
    assert stats.kstest(ratio, stats.norm(1, 0.1).cdf).pvalue > 1e-3
    assert abs(stats.pearsonr(ratio, price).statistic) < 4 / np.sqrt(20_000)


def test_running_totals_split_the_attributes_into_two_stages():
    made = table(
        {
            "warning": {"type": "expression", "sql": "balance < 0 and big"},
            "balance": {"type": "running_total", "of": "amount", "total": "balance"},
            "big": {"type": "expression", "sql": "amount > 1"},
            "amount": {"type": "normal", "mean": 0, "sd": 1},
        }
    )
    rows = FakeRows(50)
    early = made.evaluate(rows)
    assert list(early) == ["amount", "big"]
    assert [(name, spec.of, spec.total) for name, spec in made.sequences] == [("balance", "amount", "balance")]
    balance = made.sequences[0][1].shown(Column.of(np.cumsum(early["amount"].values)), rows)
    late = made.evaluate(rows, {**early, "balance": balance}, stage=1)
    assert list(late) == ["balance", "warning"]
    assert np.array_equal(late["warning"].values, (balance.values < 0) & (early["amount"].values > 1))


def test_the_start_of_a_total_may_be_an_attribute_of_the_entity():
    total = {"type": "running_total", "of": "amount", "start": "account.opening", "digits": 2}
    attributes = {"amount": {"type": "normal", "mean": 0, "sd": 1}, "balance": total}
    made = table(attributes, {"account.opening": pa.float64(), "account.born_at": TIME_TYPE})
    assert made.needs == {"account.opening"}
    assert made.sequences[0][1].shown(Column.of(np.array([1.234])), FakeRows(1)).values.tolist() == [1.23]


def test_the_own_name_means_the_context():
    rows = FakeRows(2, columns={"state": ["active", "paused"]})
    made = table({"state": {"type": "expression", "sql": "upper(state)"}}).evaluate(rows)
    assert made["state"].to_arrow().to_pylist() == ["ACTIVE", "PAUSED"]


def test_the_parent_is_read_through_any_name():
    context = {"customer_id": pa.int64(), "customer.country": STRING_CODES}
    attributes = {
        "owner": {"type": "lookup", "entity": "customer", "of": "parent"},
        "land": {"type": "expression", "sql": "owner.country"},
    }
    made = table(attributes, context)
    rows = FakeRows(2, columns={"customer_id": np.array([4, 5]), "customer.country": ["FR", "DE"]})
    assert made.needs == {"customer_id", "customer.country"}
    assert made.evaluate(rows)["land"].to_arrow().to_pylist() == ["FR", "DE"]


def test_a_circle_is_named():
    found = problems(
        {
            "a": {"type": "expression", "sql": "b + 1"},
            "b": {"type": "expression", "sql": "c + 1"},
            "c": {"type": "expression", "sql": "a + 1"},
        }
    )
    assert len(found) == 1
    assert "in a circle: " in found[0]
    assert all(name in found[0] for name in "abc")


def test_all_problems_are_found_at_once_each_with_its_place():
    found = problems(
        {
            "product": {"type": "lookup", "entity": "product", "match": {"categori": "kind"}},
            "kind": {"type": "choice", "values": ["a"], "value": True},
            "amount": {"type": "expression", "sql": "product.prize * quantity"},
            "quantity": {"type": "poisson", "mean": 1},
            "code": {"type": "uuid", "modifiers": [{"type": "round", "digits": 2}]},
            "total": {"type": "running_total", "of": "code"},
            "sum": {"type": "expression", "sql": "quantty + 1"},
        },
        path="streams.order.attributes",
    )
    assert found == [
        "streams.order.attributes.amount: 'product.prize' is not known here; did you mean 'product.price'?",
        "streams.order.attributes.code.modifiers[0]: round needs numbers, but these are text",
        "streams.order.attributes.kind.value: value needs numbers, but these are text",
        "streams.order.attributes.sum: 'quantty' is not known here; did you mean 'quantity'?",
    ]


def test_a_match_on_what_the_other_does_not_have_is_a_problem_also_when_nested():
    lookup = {"type": "lookup", "entity": "product", "match": {"categori": "state"}}
    assert problems({"product": lookup}) == ["product.match: product has no 'categori'; did you mean 'category'?"]
    nested = problems({"box": {"type": "object", "fields": {"item": lookup}}})
    assert nested == ["box.fields.item.match: product has no 'categori'; did you mean 'category'?"]


def test_newborn_entities_cannot_match_or_read_their_own_kind():
    lookup = {"type": "lookup", "entity": "product", "match": {"category": "state"}}
    assert "its own kind" in problems({"like": lookup}, subject="product")[0]
    reading = {"like": {"type": "lookup", "entity": "product"}, "p": {"type": "expression", "sql": "like.price"}}
    assert "'like.price' is not known here" in problems(reading, subject="product")[0]


def test_a_total_of_a_total_is_a_problem():
    total = {"type": "running_total", "of": "twice"}
    attributes = {"twice": {"type": "expression", "sql": "first * 2"}, "second": total}
    attributes |= {"first": {"type": "running_total", "of": "amount"}, "amount": {"type": "normal", "mean": 0, "sd": 1}}
    assert problems(attributes) == ["second: 'twice' depends on an entity's past, which cannot be added up again"]


def test_given_columns_are_read_like_siblings():
    made = table(
        {
            "balance": {"type": "running_total", "of": "x"},
            "x": {"type": "integer", "low": 1, "high": 1},
            "y": {"type": "expression", "sql": "balance + x"},
        }
    )
    columns = made.evaluate(
        FakeRows(2), {"balance": Column.of(np.array([5.0, 6.0])), "x": Column.of(np.array([1, 1]))}, 1
    )
    assert columns["y"].values.tolist() == [6.0, 7.0]
