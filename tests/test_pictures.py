"""The pictures of the documentation show what the scenarios give now."""

from __future__ import annotations

import pytest
from answers import DOCS, scenario_of
from PIL import Image

import sim

IMAGES = DOCS / "images"
SHOWN = {name: name for name in ("storefront", "bank", "public_services")} | {"storefront_details": "storefront"}
SHOWN |= {f"tutorial_{path.stem}": path for path in DOCS.glob("tutorial/*.yaml")}
SHOWN |= {f"cookbook_{path.stem}": path for path in DOCS.glob("cookbook/[a-z]*.md")}


def test_each_picture_shows_a_scenario():
    drawn = {path.stem for path in IMAGES.glob("*.png") if "Model" in Image.open(path).info}
    assert drawn == set(SHOWN)


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_picture_was_drawn_from_the_scenario_as_it_is(name):
    model = sim.compile_scenario(scenario_of(SHOWN[name]))
    assert Image.open(IMAGES / f"{name}.png").info["Model"] == model.digest, f"run python docs/make_plots.py {name}"
