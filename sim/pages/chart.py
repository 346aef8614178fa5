"""A chart: a Vega-Lite specification that knows no colours, drawn as SVG or PNG in one of the themes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sim.errors import ParameterError
from sim.pages.library import vl_convert
from sim.pages.theme import THEMES

Size = Literal["wide", "half", "third"]
WIDTHS: dict[Size, int] = {"wide": 968, "half": 464, "third": 296}
VEGA_LITE = "6.1"
PADDING, TITLE = 14, 28
"""What a picture is larger than its chart: its margins, and the height of its title."""


@dataclass(frozen=True)
class Chart:
    """One picture: `spec` is Vega-Lite without title and colours; a page sets `wide` charts over its whole width,
    the others side by side; `description` is what a screen reader says."""

    spec: dict[str, Any] = field(repr=False)
    title: str = ""
    size: Size = "wide"
    description: str = ""

    def svg(self, theme: str = "light") -> str:
        """An `<svg>` element for that ground: transparent, without a title, with names that no other element has."""
        return _distinct(_bare(vl_convert.vegalite_to_svg(self.spec, vl_version=VEGA_LITE, config=_config(theme))))

    def png(self, path: str | Path, theme: str = "light", scale: float = 2.0) -> None:
        """Write the chart with its title on the theme's ground, `scale` pixels a unit."""
        more = TITLE if self.title else 0
        size = {"width": self.spec["width"] + 2 * PADDING, "height": self.spec["height"] + 2 * PADDING + more}
        spec = {**self.spec, **size, **({"title": self.title} if self.title else {})}
        config = {**_config(theme), "background": THEMES[theme].ground}
        Path(path).write_bytes(
            vl_convert.vegalite_to_png({**spec, "padding": PADDING}, vl_version=VEGA_LITE, config=config, scale=scale)
        )


def _config(theme: str) -> dict[str, Any]:
    if theme not in THEMES:
        raise ParameterError(f"{theme!r} is not a theme of charts; there are {', '.join(THEMES)}")
    return THEMES[theme].config()


def _bare(svg: str) -> str:
    """Without what shows nothing, and without roles of marks: a page says what the chart is as a whole."""
    shown = re.sub(r'<path class="(?:foreground|background)"[^>]*display="none"/>', "", svg)
    return re.sub(r' (?:role|aria-roledescription|aria-hidden)="[^"]*"', "", shown)


def _distinct(svg: str) -> str:
    """Names inside an SVG are names of the whole page: what is drawn gives them, so that no chart clips another."""
    found = dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg))
    order = {name: str(place) for place, name in enumerate(found)}
    plain = _NAMED.sub(lambda match: f"{match[1]}{order.get(match[2], match[2])}{match[3]}", svg)
    prefix = f"c{hashlib.blake2s(plain.encode(), digest_size=5).hexdigest()}-"
    return _NAMED.sub(lambda match: f"{match[1]}{prefix}{match[2]}{match[3]}", plain)


_NAMED = re.compile(r"""(\bid="|url\(#|href="#)([^")]+)([")])""")
