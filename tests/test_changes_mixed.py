"""Changes of everything: nested values, lookups, times and flags, set by grandchildren that are born from facts."""

from __future__ import annotations

from functools import lru_cache

import polars as pl
import pytest
from test_changes import merged
from worlds import batches, model, scenario, tables

ADDRESS = {
    "type": "object",
    "fields": {
        "street": {"type": "faker", "provider": "street_address"},
        "number": {"type": "integer", "low": 1, "high": 9},
    },
}
TAGS = {"type": "array", "of": {"type": "choice", "values": ["a", "b"]}, "count": {"type": "poisson", "mean": 1}}
STORE = {"type": "lookup", "entity": "store"}
LIFE = {
    "initial": "on",
    "states": {"on": {"transitions": [{"to": "off", "hazard": "30%/month"}]}, "off": {"terminal": True, "cut": True}},
}


def mixed(count=25, **parts):
    """Users, their accounts, and the cards of these; whoever uses a card changes the account and the user."""
    history = {"history": {"changes": True, "versions": True, "snapshots": "1 week"}}
    attributes = {
        "address": ADDRESS,
        "tags": TAGS,
        "store": STORE,
        "name": {"type": "faker", "provider": "name"},
        "since": {"type": "datetime", "from": "2000-01-01", "until": "2001-01-01"},
        "flag": {"type": "constant", "value": True},
    }
    entities = {
        "user": {"initial": {"count": count}, "attributes": attributes} | history,
        "store": {"initial": {"count": count}} | history,
        "account": {
            "parent": "user",
            "arrivals": {"on": {"stream": "open"}},
            "attributes": {"limit": {"type": "constant", "value": 1.5}},
            "lifecycle": LIFE,
        }
        | history,
        "card": {"parent": "account", "arrivals": {"per_parent": 2, "after": "5d"}} | history,
    }
    sets = {"address": "address", "tags": "tags", "store": "shop_id", "since": "event_time", "flag": "NOT user.flag"}
    fee = {"count": 2, "after": "3d", "sets": {"account.limit": "0.5"}}
    streams = {
        "open": {"entity": "user", "rate": "1/month"},
        "update": {
            "entity": "user",
            "rate": "3/month",
            "attributes": {"address": ADDRESS, "tags": TAGS, "shop": STORE},
            "sets": sets | {"name": "'x' || user.name"},
        },
        "use": {
            "entity": "card",
            "rate": "3/month",
            "sets": {"account.limit": "account.limit + 1", "user.name": "'used'"},
            "children": {"fee": fee},
        },
        "look": {
            "entity": "user",
            "every": "1 week",
            "attributes": {
                "other": {"type": "lookup", "entity": "user"},
                "name": {"type": "expression", "sql": "other.name"},
            },
        },
    }
    return scenario(entities=entities, streams=streams, end="2024-04-01", **{"tick": "7d"} | parts)


@lru_cache(maxsize=1)
def run():
    return tables(mixed())


@pytest.mark.parametrize("kind", ["user", "store", "account", "card"])
def test_before_is_what_was_after_the_change_before(kind):
    changes = run()[f"{kind}_change"].sort(f"{kind}_id", "event_time", f"{kind}_change_id")
    chained = changes.with_columns(earlier=pl.col("after").shift(1).over(f"{kind}_id"))
    assert chained["before"].eq_missing(chained["earlier"]).all()
    assert len(run()[f"{kind}_version"]) == len(changes.filter(pl.col("op") != "delete"))


def test_all_kinds_of_values_arrive():
    after = run()["user_change"].join(run()["update"], on=["user_id", "event_time"], how="inner")
    assert len(after) == len(run()["update"])
    for name, column in (("address", "address"), ("tags", "tags"), ("store_id", "shop_id"), ("since", "event_time")):
        assert after["after"].struct.field(name).eq_missing(after[column]).all(), name
    flags = after.select(before=pl.col("before").struct.field("flag"), after=pl.col("after").struct.field("flag"))
    assert (flags["before"] != flags["after"]).all()


def test_shards_merged_are_one_run_row_for_row():
    """Whom users look up is renamed by facts of cards, which are born from facts: these run in every shard."""
    assert all(node.everywhere for node in model(mixed()).nodes if "use" in node.names or "card" in node.names)
    for whole, together in zip(batches(mixed()), merged(mixed(), 3), strict=True):
        assert together.equals(pl.DataFrame(pl.from_arrow(whole.data))), whole.stream.name


@pytest.mark.parametrize("parts", [{"count": 0}, {"count": 1}, {"tick": "400d"}, {"tick": "7d", "blocks": 1}], ids=str)
def test_small_and_short_worlds_have_as_many_versions_as_changes(parts):
    made = tables(mixed(**{"count": 8} | parts))
    for kind in ("user", "account", "card"):
        changes = made[f"{kind}_change"].filter(pl.col("op").cast(pl.String) != "delete")
        assert len(made[f"{kind}_version"]) == len(changes)
