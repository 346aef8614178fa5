"""Entities that travel: around their home, never faster than they can, and the same whoever looks."""

from __future__ import annotations

import evidence
import numpy as np
import polars as pl
import pytest
from worlds import instants, model, population, scenario, tables

from sim.errors import ScenarioError

HOMES = {"depot": {"type": "geo_point", "box": {"south": 40, "north": 60, "west": -10, "east": 30}}}
MOVING = {"type": "moving_point", "home": "van.depot", "radius_km": 40, "speed_kmh": 60, "digits": 9}


def fleet(moving=None, vans=40, rate="96/day", **parts):
    """Vans that report where they are: reports with the van's home, sorted by van and time."""
    van = {"initial": {"count": vans}, "attributes": HOMES}
    streams = {
        "report": {"entity": "van", "rate": rate, "attributes": {"at": MOVING | (moving or {})}},
        "stop": {"entity": "van", "rate": "2/day", "attributes": {"at": MOVING | (moving or {})}},
    }
    return tables(scenario(entities={"van": van}, streams=streams, end="2024-02-01", **parts))


def ways(run):
    """Reports in order, with their home."""
    both = pl.concat([run[name].select("van_id", "event_time", "at") for name in ("report", "stop")])
    return both.join(run["van"].select("van_id", "depot"), on="van_id").sort("van_id", "event_time")


def kilometres(one, other):
    """Great-circle distances between points {lat, lon} (haversine)."""
    lat1, lon1, lat2, lon2 = (
        np.radians(points.struct.field(name).to_numpy()) for points in (one, other) for name in ("lat", "lon")
    )
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * np.arcsin(np.sqrt(half))


def test_nobody_is_faster_than_the_speed_or_further_than_the_radius():
    way = ways(fleet())
    same = way["van_id"].to_numpy()[1:] == way["van_id"].to_numpy()[:-1]
    hours = np.diff(instants(way))[same] / 3.6e9
    gone = kilometres(way["at"][:-1], way["at"][1:])[same]
    assert (gone <= 60 * hours * (1 + 1e-4) + 1e-3).all()
    away = kilometres(way["at"], way["depot"])
    assert 39 < away.max() < 40.001
    moving = (hours < 0.1) & (gone > 1e-3)
    assert np.median(gone[moving] / hours[moving]) == pytest.approx(60, rel=1e-3)


def test_places_are_uniform_in_the_circle_or_home():
    at_rest = fleet({"every": "2h", "speed_kmh": 100_000, "home_share": 0.25}, rate="2/day", vans=400)
    away = kilometres(*(ways(at_rest)[name] for name in ("at", "depot")))
    waits = ways(at_rest).with_columns(away=pl.Series(away)).group_by("van_id", maintain_order=True).last()["away"]
    evidence.share((waits < 1e-3).sum(), len(waits), 0.25)
    evidence.distributed((waits.filter(waits > 1e-3) / 40) ** 2, "uniform")


def test_neither_ticks_nor_shards_change_the_way():
    van = {"initial": {"count": 20}, "attributes": HOMES}
    streams = {"stop": {"entity": "van", "every": "5 hours", "attributes": {"at": MOVING}}}
    world = scenario(entities={"van": van}, streams=streams, end="2024-02-01")
    whole = tables(world | {"tick": "1h"})["stop"].sort("van_id", "event_time").drop("stop_id")
    shards = pl.concat([tables(world | {"tick": "10d"}, shard=shard)["stop"] for shard in ("1/2", "2/2")])
    assert whole.height > 2000
    assert whole.equals(shards.sort("van_id", "event_time").drop("stop_id"))


def test_homes_near_the_pole_and_the_date_line_are_as_good_as_others():
    for lat, lon in ((89.9, 0.0), (0.0, 179.95), (-90.0, 12.0)):
        home = {"depot": {"type": "geo_point", "centers": [{"lat": lat, "lon": lon, "spread_km": 0}]}}
        van = {"initial": {"count": 20}, "attributes": home}
        stream = {"entity": "van", "rate": "8/day", "attributes": {"at": MOVING}}
        run = tables(scenario(entities={"van": van}, streams={"report": stream}, end="2024-01-20"))
        report = run["report"].join(run["van"].select("van_id", "depot"), on="van_id")
        assert kilometres(report["at"], report["depot"]).max() < 40.001
        assert report["at"].struct.field("lon").is_between(-180, 180).all()


@pytest.mark.parametrize(
    ("moving", "message"),
    [
        ({"every": "1h"}, "the longest way takes 1h 20min at 60 km/h, but 'every' is shorter"),
        ({"home": "depot"}, "at.home"),
        ({"home": "van.born_at"}, "'van.born_at' must be a geo point, but these are timestamps"),
        ({"speed_kmh": 0}, "at.speed_kmh"),
    ],
)
def test_a_way_that_cannot_be_is_a_problem_with_its_place(moving, message):
    van = {"initial": {"count": 2}, "attributes": HOMES}
    stream = {"entity": "van", "rate": "1/day", "attributes": {"at": MOVING | moving}}
    with pytest.raises(ScenarioError, match=message):
        model(scenario(entities={"van": van}, streams={"report": stream}))


def test_a_fleet_may_be_looked_up():
    streams = {
        "ask": {
            "entity": "user",
            "rate": "3/day",
            "attributes": {"van": {"type": "lookup", "entity": "van"}, "seen": MOVING},
        }
    }
    van = {"van": {"initial": {"count": 5}, "attributes": HOMES}}
    run = tables(scenario(entities=population(10) | van, streams=streams, end="2024-02-01"))
    ask = run["ask"].join(run["van"], on="van_id")
    assert kilometres(ask["seen"], ask["depot"]).max() < 40.001
