"""Colours and type of charts, light and dark, as Vega-Lite configurations.

Categories are coloured by the palette of Okabe and Ito (2008), which people with any kind of colour vision tell apart;
on dark ground its dark members are lightened. Magnitudes are ramps of one hue, from the ground to full contrast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FONT = "Helvetica Neue, Helvetica, Arial, Liberation Sans, sans-serif"


@dataclass(frozen=True)
class Theme:
    """The colours of one ground: ink, grid lines, references, categories, and ramps from low to high."""

    name: str
    ground: str
    ink: str
    muted: str
    grid: str
    reference: str
    categories: tuple[str, ...]
    ramp: tuple[str, ...]
    diverging: tuple[str, ...]
    sequence: tuple[str, ...]

    def config(self) -> dict[str, Any]:
        """What makes a Vega-Lite specification look like this theme."""
        return {
            "aria": False,
            "background": "transparent",
            "font": FONT,
            "view": {"stroke": None},
            "axis": self._axis(),
            "axisTemporal": {"grid": False, "tickSize": 4, "labelOverlap": "parity", "labelSeparation": 8},
            "axisBand": {"grid": False, "ticks": False, "labelPadding": 6},
            "legend": self._legend(),
            "title": {"color": self.ink, "fontSize": 14, "fontWeight": 600, "anchor": "start", "offset": 12},
            "mark": {"color": self.categories[0]},
            "rule": {"color": self.categories[0]},
            "text": {"color": self.ink},
            "line": {"strokeWidth": 2, "strokeCap": "round", "strokeJoin": "round"},
            "area": {"line": False},
            "range": {
                "category": list(self.categories),
                "heatmap": list(self.ramp),
                "ramp": list(self.ramp),
                "ordinal": {"scheme": list(self.sequence)},
                "diverging": list(self.diverging),
            },
            "style": self._styles(),
        }

    def _axis(self) -> dict[str, Any]:
        return {
            "domain": False,
            "gridColor": self.grid,
            "tickColor": self.grid,
            "labelColor": self.muted,
            "titleColor": self.muted,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "titlePadding": 10,
            "labelLimit": 220,
            "labelPadding": 4,
        }

    def _legend(self) -> dict[str, Any]:
        return {
            "labelColor": self.ink,
            "titleColor": self.muted,
            "labelFontSize": 11,
            "titleFontSize": 11,
            "titleFontWeight": "normal",
            "labelLimit": 180,
            "symbolStrokeWidth": 2.5,
            "symbolOpacity": 1,
            "columnPadding": 14,
        }

    def _styles(self) -> dict[str, Any]:
        return {
            "reference": {"color": self.reference, "strokeWidth": 1.2, "strokeDash": [5, 4]},
            "span": {"color": self.reference, "opacity": 0.14},
            "note": {"color": self.muted, "fontSize": 10.5},
            "halo": {"color": self.ground, "stroke": self.ground, "strokeWidth": 5, "fontSize": 10.5},
            "declared": {"color": self.reference},
            "label": {"color": self.ink, "fontSize": 10.5},
            "link": {"color": self.muted},
            "node": {"color": self.ground, "stroke": self.muted, "strokeWidth": 1.2},
            "strong": {"color": self.ink, "fontSize": 12, "fontWeight": 600},
            "cell": {"stroke": self.ground, "strokeWidth": 0.6},
            "onlow": {"color": self.ink, "fontSize": 10},
            "onhigh": {"color": self.ground, "fontSize": 10},
        }


LIGHT = Theme(
    name="light",
    ground="#ffffff",
    ink="#1c2430",
    muted="#5b6675",
    grid="#e6e9ee",
    reference="#8a2b0b",
    categories=("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6ecf", "#7f7f7f"),
    ramp=("#f1f6fb", "#c6dcee", "#8fbfe0", "#4f9bcb", "#1f74b1", "#0b4f8a", "#08306b"),
    diverging=("#a63603", "#e6813b", "#fdd0a2", "#f5f5f5", "#b5d4e9", "#4a98c9", "#08519c"),
    sequence=("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#c8b900"),
)
DARK = Theme(
    name="dark",
    ground="#161b22",
    ink="#e6eaf0",
    muted="#9aa5b4",
    grid="#2a323d",
    reference="#ffb38a",
    categories=("#56b4e9", "#ff8c42", "#2fc79b", "#e39cc4", "#f2c14e", "#9db4ff", "#b8e04a", "#a8b0bb"),
    ramp=("#1b2430", "#1d3c5a", "#205b89", "#2e7fb8", "#56a5d8", "#92cbef", "#d9f0ff"),
    diverging=("#ffa366", "#c8651f", "#6b3a1a", "#232a33", "#1f4a6b", "#3b8cc4", "#8fd0ff"),
    sequence=("#b49be8", "#7f9bea", "#4fb8cf", "#3fcf9e", "#9ade5a", "#fde725"),
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}
