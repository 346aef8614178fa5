"""The pictures of the documentation show what the scenarios give now."""

from __future__ import annotations

import pytest
from commands import ROOT
from PIL import Image

import sim

IMAGES = ROOT / "docs" / "images"
TUTORIAL = {f"tutorial_{path.stem}": str(path) for path in (ROOT / "docs" / "tutorial").glob("*.yaml")}
SHOWN = (
    {name: name for name in ("storefront", "bank", "public_services")} | {"storefront_details": "storefront"} | TUTORIAL
)


def test_each_picture_shows_a_scenario():
    drawn = {path.stem for path in IMAGES.glob("*.png") if "Model" in Image.open(path).info}
    assert drawn == set(SHOWN)


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_a_picture_was_drawn_from_the_scenario_as_it_is(name):
    model = sim.compile_scenario(sim.load(SHOWN[name]))
    assert Image.open(IMAGES / f"{name}.png").info["Model"] == model.digest, f"run python docs/make_plots.py {name}"
