"""Pictures of the storefront."""

from __future__ import annotations

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.style import COLORS, GRID, World, heat, monthly, note, thousands, week


def storefront(world: World) -> Figure:
    """Orders by segment, retention by cohort, the hours of the week."""
    figure = plt.figure(figsize=(11, 6.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1, 1.05), hspace=0.04)
    segments, curve = top.subplots(1, 2, width_ratios=(1.75, 1))
    cohorts, hours = bottom.subplots(1, 2, width_ratios=(1.75, 1))
    _orders_by_tier(segments, world)
    _age_curve(curve, world)
    _retention(cohorts, world)
    week(hours, world, "order", "When they order")
    return figure


def _orders_by_tier(axes: Axes, world: World) -> None:
    month, tier, orders = world.columns(
        """SELECT date_trunc('month', "order".event_time)::DATE AS month, tier, count(*) AS orders
           FROM "order" JOIN customer USING (customer_id) GROUP BY ALL ORDER BY month"""
    )
    for name, color in zip(("regular", "vip", "occasional"), (COLORS[0], COLORS[1], COLORS[3]), strict=True):
        chosen = tier == name
        axes.plot(month[chosen], orders[chosen], color=color, linewidth=2)
        share = {"regular": "52%", "vip": "8%", "occasional": "40%"}[name]
        axes.text(
            month[chosen][-1],
            orders[chosen][-1],
            f"  {name}\n  {share} of sign-ups",
            color=color,
            va="center",
            fontsize=8,
        )
    axes.set_ylim(0)
    thousands(axes)
    monthly(axes)
    axes.set_xlim(month[0], month[-1] + np.timedelta64(190, "D"))
    axes.set_title("Orders a month, by segment")
    regular = orders[tier == "regular"]
    note(axes, "Black Week\nand Christmas", (month[tier == "regular"][11], float(regular[11])), (-52, 16))


def _age_curve(axes: Axes, world: World) -> None:
    age, rate = world.columns(
        """WITH newcomer AS (SELECT customer_id, born_at FROM customer
                             WHERE born_at BETWEEN '2023-01-01' AND '2024-12-31'),
                aged AS (SELECT floor((epoch("order".event_time) - epoch(born_at)) / 86400) AS age
                         FROM "order" JOIN newcomer USING (customer_id))
           SELECT age, count(*) / (SELECT count(*) FROM newcomer) * 30.4
           FROM aged WHERE age < 360 GROUP BY age ORDER BY age"""
    )
    axes.plot(age + 1, rate, color=COLORS[0], linewidth=1.4)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([1, 7, 30, 90, 360], ["1st day", "week", "month", "quarter", "year"])
    axes.set_yticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
    axes.minorticks_off()
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_title("Orders a month, by age of the account")


def _retention(axes: Axes, world: World) -> None:
    cohort, age, share = world.columns(
        """WITH born AS (SELECT customer_id, born_at, date_trunc('quarter', born_at) AS cohort FROM customer
                         WHERE born_at >= '2023-01-01'),
                size AS (SELECT cohort, count(*) AS customers FROM born GROUP BY cohort),
                seen AS (SELECT DISTINCT cohort, customer_id,
                                datediff('month', date_trunc('month', born_at), date_trunc('month', event_time)) AS age
                         FROM "order" JOIN born USING (customer_id))
           SELECT cohort::DATE, age, count(*) / any_value(customers) FROM seen JOIN size USING (cohort)
           WHERE date_trunc('month', cohort + to_months(2 + age::INT)) < '2026-01-01' GROUP BY ALL ORDER BY 1, 2"""
    )
    cohorts = np.unique(cohort)
    grid = np.full((len(cohorts), 34), np.nan)
    grid[np.searchsorted(cohorts, cohort), age.astype(int)] = share
    heat(axes, grid, lambda value: f"{value:.0%}"[:-1])
    quarters = [f"{str(day)[:4]} Q{(int(str(day)[5:7]) + 2) // 3}" for day in cohorts]
    axes.set_yticks(range(len(cohorts)), quarters)
    axes.set_xticks(range(0, 34, 3))
    axes.set_xlabel("months since sign-up")
    axes.set_title("Customers who order in a month, in % of their cohort")


def storefront_details(world: World) -> Figure:
    """Order values, prices, a Black Week, and an outage."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
    _order_values(axes[0], world)
    _prices(axes[1], world)
    _days(axes[2], world)
    return figure


def _order_values(axes: Axes, world: World) -> None:
    tier, value = world.columns(
        """SELECT any_value(tier), sum(amount) FROM order_line JOIN customer USING (customer_id) GROUP BY order_id"""
    )
    edges = np.geomspace(4, 1000, 30)
    for name, color in zip(("regular", "vip", "occasional"), (COLORS[0], COLORS[1], COLORS[3]), strict=True):
        chosen = value[tier == name]
        shares = np.histogram(chosen, edges)[0] / len(chosen)
        axes.stairs(shares, edges, color=color, linewidth=1.6)
        axes.plot(np.median(chosen), 0.0006, "^", color=color, markersize=5)
        place, high = {"regular": (9.5, 0.5), "vip": (140, 0.62), "occasional": (13, 0.9)}[name]
        side = "left" if name == "vip" else "right"
        axes.text(place, high, name, color=color, ha=side, fontsize=8, transform=axes.get_xaxis_transform())
    axes.set_xscale("log")
    axes.set_xticks([3, 10, 30, 100, 300, 1000], ["3 €", "10 €", "30 €", "100 €", "300 €", "1000 €"])
    axes.minorticks_off()
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_title("What an order is worth (▲ median)")


def _prices(axes: Axes, world: World) -> None:
    category, price = world.columns("SELECT category, price FROM product")
    names = sorted(set(category), key=lambda name: float(np.median(price[category == name])))
    rng = np.random.default_rng(0)
    for row, name in enumerate(names):
        prices = price[category == name]
        axes.plot(prices, row + rng.uniform(-0.28, 0.28, len(prices)), ".", color=COLORS[1], alpha=0.35, markersize=2.5)
        axes.plot([np.median(prices)] * 2, [row - 0.36, row + 0.36], color=COLORS[0], linewidth=2)
    axes.set_xscale("log")
    axes.set_xticks([3, 10, 30, 100, 300], ["3 €", "10 €", "30 €", "100 €", "300 €"])
    axes.minorticks_off()
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_title("List prices of the catalogue")


def _days(axes: Axes, world: World) -> None:
    day, orders = world.columns(
        """SELECT event_time::DATE AS day, count(*) FROM "order"
           WHERE event_time BETWEEN '2024-09-01' AND '2025-01-12' GROUP BY day ORDER BY day"""
    )
    axes.bar(day, orders, width=1.0, color=COLORS[1])
    thousands(axes)
    axes.xaxis.set_major_locator(mdates.MonthLocator())
    axes.xaxis.set_major_formatter(mdates.DateFormatter("%b"))
    axes.set_title("Orders a day, autumn 2024")
    low = orders[list(day).index(np.datetime64("2024-09-17"))]
    note(axes, "outage", (np.datetime64("2024-09-17"), float(low)), (-14, 46))
    note(axes, "Black Week", (np.datetime64("2024-11-29"), float(orders.max())), (-78, -6))
