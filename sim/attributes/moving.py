"""The generator `moving_point`: where an entity that travels around its home is at the time of each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.geo import POINT_TYPE
from sim.attributes.kinds import name_of
from sim.attributes.rows import Rows
from sim.attributes.sampling import mix
from sim.maths.units import HOUR, Duration, Probability, format_duration

EARTH_KM = 6371.0
_MOST_TRIPS = 1 << 31


class MovingPoint(Attribute):
    """Where an entity is that travels around its home, as {lat, lon}.

    Once in every `every` it sets off in a straight line, at `speed_kmh`, to a place that is uniform in the circle
    around its home, or home, and waits there (random waypoints, Johnson and Maltz 1996). Its way depends on time alone:
    all attributes with the same `home` and settings, in whatever streams, see the same.
    """

    type: Literal["moving_point"]
    home: str = Field(
        pattern=r"^\w+\.\w+$", description="Attribute with the home, a geo point.", examples=["vehicle.depot"]
    )
    radius_km: Annotated[float, Field(gt=0, le=2_000)] = Field(description="Never further away.", examples=[30])
    speed_kmh: Annotated[float, Field(gt=0, le=100_000)] = Field(description="Speed under way.", examples=[50])
    every: Duration = Field(4 * HOUR, gt=0, description="Once in such a time it sets off.", examples=["4h"])
    home_share: Probability = Field(0.3, description="Probability that the next place is home.", examples=["30%"])
    digits: int = Field(6, ge=0, le=12, description="Decimal places; 6 are about 10 cm.")

    @model_validator(mode="after")
    def _arrives(self) -> Self:
        if self._longest > self.every:
            needed = format_duration(round(self._longest))
            raise ValueError(f"the longest way takes {needed} at {self.speed_kmh:g} km/h, but 'every' is shorter")
        return self

    @property
    def _longest(self) -> float:
        """Microseconds from one end of the circle to the other."""
        return 2 * self.radius_km / self.speed_kmh * HOUR

    @property
    def _owner(self) -> str:
        return f"{self.home.partition('.')[0]}_id"

    def reads(self) -> frozenset[str]:
        """The home, and whose it is."""
        return frozenset({self.home, self._owner})

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """struct<lat: float64, lon: float64>; raises ValueError where the home is no such place."""
        if types[self.home] != POINT_TYPE:
            raise ValueError(f"{self.home!r} must be a geo point, but these are {name_of(types[self.home])}")
        return POINT_TYPE

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """Where each row's entity is at the row's time."""
        seeds = [int(seed) for seed in rows.shared_rng(f"{self.home}/way").integers(1 << 62, size=4)]
        who = rows.column(self._owner)
        x, y = self._offset(who.values.astype(np.int64), rows.times, seeds)
        home = rows.column(self.home)
        places = home.to_arrow()
        lat, lon = (np.asarray(places.field(name).fill_null(0.0)) for name in ("lat", "lon"))
        angles = (np.round(angle, self.digits) for angle in _placed(lat, lon, x, y))
        arrays = [pa.array(angle) for angle in angles]
        missing = None if home.mask is None and who.mask is None else home.is_null() | who.is_null()
        return Column.of(pa.StructArray.from_arrays(arrays, fields=list(POINT_TYPE))).with_nulls(missing)

    def _offset(self, who: Array, times: Array, seeds: list[int]) -> tuple[Array, Array]:
        """Kilometres east and north of home: float64[n] each."""
        trip = np.floor_divide(times, self.every)
        key = who * _MOST_TRIPS + trip
        set_off = trip * self.every + mix(seeds[0], key) * (self.every - self._longest)
        x0, y0 = self._goal(key - 1, seeds)
        x1, y1 = self._goal(key, seeds)
        distance = np.hypot(x1 - x0, y1 - y0)
        gone = np.maximum(times - set_off, 0) / HOUR * self.speed_kmh
        share = np.minimum(gone / np.maximum(distance, 1e-9), 1.0)
        return x0 + share * (x1 - x0), y0 + share * (y1 - y0)

    def _goal(self, key: Array, seeds: list[int]) -> tuple[Array, Array]:
        """Where a trip goes, uniform by area."""
        away = mix(seeds[1], key) >= self.home_share
        radius = self.radius_km * np.sqrt(mix(seeds[2], key)) * away
        angle = 2 * np.pi * mix(seeds[3], key)
        return radius * np.cos(angle), radius * np.sin(angle)


def _placed(lat: Array, lon: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Degrees of the points x km east and y km north of others, by the azimuthal equidistant projection.

    Distances from the home are true, and those between other points to one part in 100,000 within 50 km of it.
    """
    phi = np.radians(lat)
    far = np.hypot(x, y)
    angle = far / EARTH_KM
    ratio = np.sinc(angle / np.pi) / EARTH_KM  # sin(angle) / far, also at home
    sine = np.cos(angle) * np.sin(phi) + y * ratio * np.cos(phi)
    across = np.arctan2(x * ratio, np.cos(phi) * np.cos(angle) - y * ratio * np.sin(phi))
    return np.degrees(np.arcsin(np.clip(sine, -1, 1))), (lon + np.degrees(across) + 180.0) % 360.0 - 180.0
