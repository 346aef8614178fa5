"""The charts that pages are made of, each from a frame with one row a mark.

Frames are small: what is drawn has been aggregated before. Columns are given by name; what else there is to say about
an axis is an `Axis`. Times are drawn as they stand in the frame, in UTC, whatever the machine's time zone. What no
function draws, layers of Altair do: `drawn` makes a `Chart` of them.
"""

from __future__ import annotations

from sim.pages.axes import Axis, Rule, drawn
from sim.pages.bars import bars, dots, histogram
from sim.pages.chart import Chart
from sim.pages.heats import heat
from sim.pages.lines import areas, lines, steps

__all__ = ["Axis", "Chart", "Rule", "areas", "bars", "dots", "drawn", "heat", "histogram", "lines", "steps"]
