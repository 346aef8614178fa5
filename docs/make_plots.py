"""Draw the pictures of the documentation from data generated on the spot: `python docs/make_plots.py [NAME ...]`.

Every picture is a few SQL queries over one full run of a bundled scenario, so that what it shows can be measured by
anybody. Needs matplotlib and duckdb.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from plots import cookbook_rates, cookbook_stories, tutorial
from plots.bank import bank
from plots.public_services import public_services
from plots.storefront import storefront, storefront_details
from plots.style import STYLE, World

IMAGES = Path(__file__).parent / "images"
COLORS = 256
"""In a picture, which a third of the bytes is enough for then."""
DIGEST = "Model"
"""The text in a picture that says which model it shows: a test compares it with what the scenario is now."""

PICTURES: dict[str, tuple[str, Callable[[World], Figure]]] = {
    "storefront": ("storefront", storefront),
    "storefront_details": ("storefront", storefront_details),
    "bank": ("bank", bank),
    "public_services": ("public_services", public_services),
}
"""Name of the file: the scenario, and what draws it."""
DOCS = Path(__file__).parent
for path in sorted(DOCS.glob("tutorial/*.yaml")):
    PICTURES[f"tutorial_{path.stem}"] = (str(path), getattr(tutorial, path.stem.partition("_")[2]))
for path in sorted(DOCS.glob("cookbook/[a-z]*.md")):
    rooms = (cookbook_rates, cookbook_stories)
    PICTURES[f"cookbook_{path.stem}"] = (str(path), next(filter(None, (getattr(r, path.stem, None) for r in rooms))))


def main() -> None:
    """Draw the pictures named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(PICTURES)}; all by default")
    parser.add_argument("--to", type=Path, default=IMAGES, help="folder of the pictures")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(PICTURES))
    if unknown:
        parser.error(f"{unknown[0]!r} is not a picture; there are {', '.join(PICTURES)}")
    worlds: dict[str, World] = {}
    for name in arguments.names or PICTURES:
        scenario, draw = PICTURES[name]
        if scenario not in worlds:
            worlds[scenario] = World(scenario)
        _save(draw, worlds[scenario], arguments.to / f"{name}.png")


def _save(draw: Callable[[World], Figure], world: World, path: Path) -> None:
    with mpl.rc_context(STYLE):
        figure = draw(world)
        drawn = BytesIO()
        figure.savefig(drawn)
        plt.close(figure)
    told = PngInfo()
    told.add_text(DIGEST, world.digest)
    Image.open(drawn).convert("RGB").quantize(COLORS).save(path, optimize=True, pnginfo=told)
    print(f"{path}: {path.stat().st_size // 1024} kB, from {world.facts:,} facts", file=sys.stderr)


if __name__ == "__main__":
    main()
