"""What all pictures share: the data behind them, colours and type, axes of months, heat maps."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from scipy import stats

import sim
from sim.scenario.schema import Scenario

INK, MUTED, GRID = "#22262b", "#6b7280", "#e5e7eb"
COLORS = ("#1f4e79", "#3b8ea5", "#9cc5a1", "#e07a3f", "#b23a48", "#7d6b91")
HEAT = mpl.colors.LinearSegmentedColormap.from_list("heat", ["#f6f8f9", "#9cc5a1", "#3b8ea5", "#1f4e79"])
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.dpi": 130,
}


def shown_on(page: Path) -> str:
    """The first scenario that a page of the documentation shows whole."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r"^```yaml\n# file: [^\n]+\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{page}: shows no scenario")
    return found[1]


def loaded(source: str) -> Scenario:
    """The scenario of a bundled name, in a file, or on a page."""
    if not source.endswith(".md"):
        return sim.load(source)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_text(shown_on(Path(source)), encoding="utf-8")
        return sim.load(path)


class World:
    """One run of a scenario, open to SQL: every stream is a view, times are civil ones."""

    def __init__(self, source: str) -> None:
        scenario = loaded(source)
        model = sim.compile_scenario(scenario)
        self.digest = model.digest
        self.tables = sim.to_arrow(sim.simulate(model))
        self._db = duckdb.connect()
        self._db.execute(f"SET timezone = '{scenario.timezone}'")
        for name, table in self.tables.items():
            self._db.register(name, table)
        self.facts = sum(len(table) for table in self.tables.values())

    def columns(self, sql: str) -> list[np.ndarray]:
        """The columns of a query's result, as arrays."""
        return list(self._db.execute(sql).fetchnumpy().values())


def monthly(axes: Axes, months: Sequence[int] = (1, 7)) -> None:
    """An axis of time with a tick at the given months of the year."""
    axes.xaxis.set_major_locator(mdates.MonthLocator(bymonth=months))
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%b %Y" if len(months) < 5 else "%b"))


def thousands(axes: Axes) -> None:
    """Large numbers on the y axis as 10k; faint lines to read them by."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / 1000:g}k" if abs(y) >= 1000 else f"{y:g}"))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def note(axes: Axes, text: str, at: tuple[object, float], offset: tuple[float, float]) -> None:
    """A short remark with a thin line to what it is about."""
    axes.annotate(
        text,
        at,
        xytext=offset,
        textcoords="offset points",
        color=INK,
        fontsize=7.5,
        arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.7},
    )


def survival(axes: Axes, world: World, sql: str, color: str, label: str) -> None:
    """Kaplan and Meier's curve over days: the query gives for how many, and whether it ended then."""
    days, ended = world.columns(sql)
    curve = stats.ecdf(stats.CensoredData.right_censored(days, ~ended.astype(bool))).sf
    axes.step(curve.quantiles, curve.probabilities, where="post", color=color, linewidth=1.6)
    axes.text(curve.quantiles[-1], curve.probabilities[-1], f" {label}", color=color, va="center", fontsize=8)
    axes.set_ylim(0, 1.02)
    axes.grid(axis="y", color=GRID, linewidth=0.8)


def heat(axes: Axes, values: np.ndarray, label: Callable[[float], str] | None = None) -> None:
    """A matrix as colours, with white lines between the cells."""
    axes.imshow(values, cmap=HEAT, aspect="auto", interpolation="nearest")
    axes.set_xticks(np.arange(values.shape[1] + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0] + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if label is not None:
        middle = np.nanmax(values) * 0.55
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                color = "white" if value > middle else INK
                axes.text(column, row, label(value), ha="center", va="center", fontsize=6, color=color)


def week(axes: Axes, world: World, stream: str, title: str) -> None:
    """How a stream's facts fall on the hours of the week."""
    day, hour, facts = world.columns(
        f'SELECT isodow(event_time) - 1, hour(event_time), count(*) FROM "{stream}" GROUP BY ALL'
    )
    grid = np.zeros((7, 24))
    grid[day.astype(int), hour.astype(int)] = facts
    heat(axes, grid)
    axes.set_yticks(range(7), DAYS)
    axes.set_xticks(range(0, 24, 3), [f"{hour}h" for hour in range(0, 24, 3)])
    axes.set_title(title)
