"""Histories of entities: changes, versions and snapshots agree with each other and with the facts that they tell of."""

from __future__ import annotations

from functools import lru_cache

import duckdb
import evidence
import numpy as np
import polars as pl
import pytest
from test_changes import merged
from test_recovery_changes import world
from worlds import END, START, batches, instants, scenario, tables

from sim.maths.units import DAY

LIFE = {
    "initial": "on",
    "states": {
        "on": {"transitions": [{"to": "off", "hazard": "10%/month"}, {"to": "gone", "hazard": "5%/month"}]},
        "off": {"transitions": [{"to": "on", "hazard": "30%/month"}, {"to": "gone", "hazard": "9%/month"}]},
        "gone": {"terminal": True},
    },
}
FIELDS = ["tier", "state", "plan", "level", "points", "city"]


def told():
    """The world of changes, in which users come and go and everything is told of them and of their accounts."""
    made = world()
    history = {"changes": True, "versions": True, "snapshots": "1 week"}
    made["entities"]["user"] |= {"lifecycle": LIFE, "history": history}
    made["entities"]["user"]["initial"] = {"count": 300, "age": {"type": "exponential", "mean": "200d"}}
    made["entities"]["account"]["history"] = {"changes": True, "snapshots": "1 month"}
    made["timezone"] = "Europe/Paris"
    return made


@lru_cache(maxsize=1)
def run():
    return {name: frame.with_columns(pl.col(pl.Categorical).cast(pl.String)) for name, frame in tables(told()).items()}


def asked(sql):
    """The answer to a question about the run."""
    with duckdb.connect() as database:
        for name, frame in run().items():
            database.register(name, frame.to_arrow())
        return database.sql(sql).pl()


def changes():
    return run()["user_change"].sort("user_id", "event_time", "user_change_id")


def test_everybody_who_has_not_ended_before_is_created_once_at_birth_or_at_the_start():
    created = changes().filter(pl.col("op") == "create").sort("user_id")
    alive = run()["user"].filter(pl.col("state") != "gone").sort("user_id")
    assert created["user_id"].equals(alive["user_id"])
    assert created["event_time"].equals(alive["event_time"])
    assert len(alive) < len(run()["user"])


def test_deletions_are_the_changes_to_the_terminal_state():
    deleted = changes().filter(pl.col("op") == "delete").sort("user_id")
    gone = run()["user_lifecycle"].filter(pl.col("to_state") == "gone").sort("user_id")
    assert deleted.select("user_id", "event_time").equals(gone.select("user_id", "event_time"))
    assert len(deleted) > 50


def test_nothing_happens_to_an_entity_before_its_creation_or_after_its_deletion():
    firsts, lasts = changes().group_by("user_id").first(), changes().group_by("user_id").last()
    assert (firsts["op"] == "create").all()
    by_op = changes().group_by("op").len()
    assert dict(by_op.iter_rows())["delete"] == (lasts["op"] == "delete").sum()


def test_before_is_what_was_after_the_change_before():
    chained = changes().with_columns(earlier=pl.col("after").shift(1).over("user_id"))
    assert chained["before"].eq_missing(chained["earlier"]).all()
    assert chained["before"].is_null().eq(chained["op"] == "create").all()
    assert chained["after"].is_null().eq(chained["op"] == "delete").all()


def test_an_update_names_exactly_what_is_different():
    updates = changes().filter(pl.col("op") == "update")
    differs = updates.select(
        pl.col("before").struct.field(name).ne_missing(pl.col("after").struct.field(name)).alias(name)
        for name in FIELDS
    )
    named = updates.select(pl.col("changed").list.contains(name).alias(name) for name in FIELDS)
    assert named.equals(differs)
    assert (updates["changed"].list.len() > 0).all()
    assert (changes().filter(pl.col("op") != "update")["changed"].list.len() == 0).all()


def test_every_fact_that_makes_a_difference_is_an_update():
    """Plans that change to another one, moves to another city, changes of state but deletions: none is missing."""
    times = run()["user_change"].filter(pl.col("op") == "update").select("user_id", "event_time")
    changed = run()["plan_change"].filter(pl.col("plan") != pl.col("old")).select("user_id", "event_time")
    states = run()["user_lifecycle"].filter(pl.col("to_state") != "gone").select("user_id", "event_time")
    both = pl.concat([changed, states])
    assert len(both.join(times, on=["user_id", "event_time"], how="semi")) == len(both) > 1_000


def test_versions_partition_the_life_of_each_entity():
    versions = run()["user_version"].sort("user_id", "version")
    chained = versions.with_columns(
        number=pl.int_range(pl.len()).over("user_id") + 1, earlier=pl.col("valid_to").shift(1).over("user_id")
    )
    assert chained["version"].eq(chained["number"]).all()
    assert chained.filter(pl.col("version") > 1).select(pl.col("valid_from") == pl.col("earlier")).to_series().all()
    assert (chained["valid_to"].is_null() | (chained["valid_to"] > chained["valid_from"])).all()
    ends = chained.group_by("user_id").agg(
        pl.col("valid_from").min(), pl.col("valid_to").last(), pl.col("is_current").sum()
    )
    ends = ends.sort("user_id")
    created = changes().filter(pl.col("op") == "create").sort("user_id")
    deleted = changes().filter(pl.col("op") == "delete").select("user_id", end="event_time")
    assert ends["valid_from"].equals(created["event_time"].alias("valid_from"))
    joined = ends.join(deleted, on="user_id", how="left")
    assert joined["valid_to"].eq_missing(joined["end"]).all()
    assert joined["is_current"].eq(joined["end"].is_null().cast(pl.UInt32)).all()


def test_versions_are_told_when_they_end_or_the_run_does():
    versions = run()["user_version"]
    assert (
        instants(versions.filter(pl.col("is_current"))).tolist()
        == [END - 1 - 3_600_000_000] * versions["is_current"].sum()
    )
    ended = versions.filter(~pl.col("is_current"))
    assert ended["event_time"].equals(ended["valid_to"].alias("event_time"))


def test_versions_are_what_the_changes_say():
    found = asked("""
        SELECT v.* EXCLUDE (user_version_id, event_time, is_current), c.after AS said
        FROM user_version v JOIN user_change c ON c.user_id = v.user_id AND c.event_time = v.valid_from
        WHERE c.op <> 'delete'""")
    assert len(found) == len(run()["user_version"])
    for name in [*FIELDS, "user_id", "born_at"]:
        assert found[name].eq_missing(found["said"].struct.field(name)).all(), name


def _of(table):
    return ", ".join(f"{table}.{name}" for name in FIELDS)


def test_snapshots_show_everybody_who_exists_as_the_versions_say():
    found = asked(f"""
        WITH moments AS (SELECT DISTINCT event_time AS moment FROM user_snapshot),
        expected AS (SELECT moment, v.* FROM moments JOIN user_version v
            ON v.valid_from <= moment AND (v.valid_to > moment OR v.valid_to IS NULL))
        SELECT e.user_id IS NULL OR s.user_id IS NULL AS missing,
            ROW({_of("s")}) IS DISTINCT FROM ROW({_of("e")}) AS other
        FROM expected e FULL JOIN user_snapshot s ON s.user_id = e.user_id AND s.event_time = e.moment""")
    assert len(found) == len(run()["user_snapshot"]) > 10_000
    assert not found["missing"].any()
    assert not found["other"].any()


def test_snapshots_are_taken_at_civil_midnight_of_mondays():
    local = run()["user_snapshot"]["event_time"].dt.convert_time_zone("Europe/Paris").unique()
    assert local.dt.strftime("%a %H:%M").unique().to_list() == ["Mon 00:00"]
    assert len(local) == 53


def test_what_belongs_to_a_deleted_entity_is_deleted_with_it():
    deleted = run()["account_change"].filter(pl.col("op") == "delete").select("account_id", "event_time")
    owners = run()["account"].select("account_id", "user_id", born="event_time")
    gone = run()["user_lifecycle"].filter(pl.col("to_state") == "gone").select("user_id", "event_time")
    expected = owners.join(gone, on="user_id").filter(pl.col("event_time") > pl.col("born"))
    assert deleted.sort("account_id").equals(expected.select("account_id", "event_time").sort("account_id"))
    assert len(deleted) > 30


def test_entities_last_as_long_as_the_hazards_say():
    """From `on`, 5% a month: the first stays are exponential with competing hazards of 10% and 5%."""
    first = asked(
        "SELECT v.* FROM user_version v JOIN user u USING (user_id) WHERE u.born_at = u.event_time AND version = 1"
    )
    assert len(first) > 300
    stays = asked("""
        SELECT u.user_id, min(l.event_time) AS left_at, any_value(u.born_at) AS born
        FROM user u LEFT JOIN user_lifecycle l USING (user_id) WHERE u.born_at = u.event_time GROUP BY u.user_id""")
    exposure = (
        stays["left_at"].to_physical().fill_null(END).to_numpy() - stays["born"].to_physical().to_numpy()
    ).sum() / DAY
    hazard = -(np.log(0.9) + np.log(0.95)) * 12 / 365.25
    evidence.poisson(stays["left_at"].is_not_null().sum(), exposure * hazard)


@pytest.mark.parametrize("shards", [2, 4])
def test_shards_merged_are_one_run_row_for_row(shards):
    for whole, together in zip(batches(told()), merged(told(), shards), strict=True):
        assert together.equals(pl.DataFrame(pl.from_arrow(whole.data))), whole.stream.name


def test_an_entity_that_nothing_changes_has_one_version():
    users = {"user": {"initial": {"count": 9}, "arrivals": {"rate": "1/month"}, "history": {"versions": True}}}
    versions = tables(scenario(entities=users))["user_version"]
    assert versions["version"].eq(1).all()
    assert versions["user_id"].is_unique().all()
    assert versions["valid_from"].min().timestamp() * 1e6 == START
