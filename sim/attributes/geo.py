"""The generator `geo_point`: places on Earth."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from sim.attributes.attribute import Attribute
from sim.attributes.column import Array, Column
from sim.attributes.rows import Rows
from sim.attributes.sampling import Alias
from sim.maths.model import Model
from sim.maths.units import Weight

POINT_TYPE = pa.struct([pa.field("lat", pa.float64()), pa.field("lon", pa.float64())])
KM_PER_DEGREE = 111.195
"""Along a meridian of a sphere with a radius of 6371 km."""

Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Distance = Annotated[float, Field(ge=0, le=5_000)]


class Center(Model):
    """A place that points scatter around."""

    lat: Latitude = Field(description="Latitude in degrees.", examples=[48.8566])
    lon: Longitude = Field(description="Longitude in degrees.", examples=[2.3522])
    spread_km: Distance | None = Field(None, description="Standard deviation north-south, and east-west.", examples=[8])
    weight: Weight = Field(1.0, description="Share among the places.", examples=[5])


class Box(Model):
    """An area between two parallels and two meridians."""

    south: Latitude = Field(description="Lowest latitude.", examples=[41.3])
    north: Latitude = Field(description="Highest latitude.", examples=[51.1])
    west: Longitude = Field(description="Lowest longitude.", examples=[-5.1])
    east: Longitude = Field(description="Highest longitude.", examples=[9.6])

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.north <= self.south or self.east <= self.west:
            raise ValueError("'north' must be above 'south', and 'east' above 'west'")
        return self


class GeoPoint(Attribute):
    """Places as {lat, lon} in degrees: normally scattered around one of some centers, or uniform in a box."""

    type: Literal["geo_point"]
    centers: list[Center] = Field(
        [], max_length=10_000, description="Places by weight.", examples=[[{"lat": 48.86, "lon": 2.35, "weight": 5}]]
    )
    box: Box | None = Field(None, description="An area, all points of it equally likely.")
    spread_km: Distance = Field(5.0, description="For centers without a spread of their own.", examples=[8])
    digits: int = Field(6, ge=0, le=12, description="Decimal places; 6 are about 10 cm.")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.centers) == (self.box is not None):
            raise ValueError("give either 'centers' or 'box'")
        if self.centers and not sum(center.weight for center in self.centers) > 0:
            raise ValueError("all weights of the centers are 0")
        return self

    def arrow_type(self, types: Mapping[str, pa.DataType]) -> pa.DataType:
        """struct<lat: float64, lon: float64>."""
        return POINT_TYPE

    def generate(self, rows: Rows, rng: np.random.Generator) -> Column:
        """One place for each row."""
        lat, lon = self._in_box(self.box, rng, len(rows)) if self.box else self._around(rng, len(rows))
        arrays = [pa.array(np.round(angle, self.digits)) for angle in (lat, lon)]
        return Column.of(pa.StructArray.from_arrays(arrays, fields=list(POINT_TYPE)))

    @staticmethod
    def _in_box(box: Box, rng: np.random.Generator, length: int) -> tuple[Array, Array]:
        """Uniform by area: the area north of the equator grows with the sine of the latitude."""
        south, north = np.sin(np.radians([box.south, box.north]))
        lat = np.degrees(np.arcsin(rng.uniform(south, north, length)))
        return lat, rng.uniform(box.west, box.east, length)

    @cached_property
    def _table(self) -> tuple[Alias, Array]:
        weights = np.array([center.weight for center in self.centers], np.float64)
        spreads = (self.spread_km if center.spread_km is None else center.spread_km for center in self.centers)
        rows = [(c.lat, c.lon, spread / KM_PER_DEGREE) for c, spread in zip(self.centers, spreads, strict=True)]
        return Alias(weights), np.array(rows).T

    def _around(self, rng: np.random.Generator, length: int) -> tuple[Array, Array]:
        alias, (lats, lons, spreads) = self._table
        center = alias.draw(rng, length)
        spread = spreads[center]
        lat = np.clip(lats[center] + spread * rng.standard_normal(length), -90.0, 90.0)
        shrunk = np.maximum(np.cos(np.radians(lat)), 1e-3)  # a degree of longitude is shorter away from the equator
        lon = lons[center] + spread / shrunk * rng.standard_normal(length)
        return lat, (lon + 180.0) % 360.0 - 180.0
