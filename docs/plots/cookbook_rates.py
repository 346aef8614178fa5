"""Pictures of the cookbook: what rates, arrivals and values do."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from plots.style import COLORS, GRID, HEAT, World, monthly, thousands, week

SIZE = (7.2, 2.5)
DAY = np.timedelta64(1, "D")


def one() -> tuple[Figure, Axes]:
    """A picture with one panel."""
    return plt.subplots(figsize=SIZE, layout="constrained")


def two() -> tuple[Figure, tuple[Axes, Axes]]:
    """A picture with two panels."""
    return plt.subplots(1, 2, figsize=SIZE, layout="constrained")


def trend(world: World) -> Figure:
    """Sales a day by month, and the declared curve."""
    figure, axes = one()
    month, sales = world.columns(
        """SELECT date_trunc('month', event_time)::DATE + 15 AS month, count(*) / day(last_day(any_value(event_time)))
           FROM sale GROUP BY date_trunc('month', event_time) ORDER BY month"""
    )
    years = (month - np.datetime64("2022-01-01")) / np.timedelta64(8766, "h")
    axes.plot(month, sales, "o", color=COLORS[0], markersize=3.5)
    axes.plot(month, 400 * 20 / 30.4375 * 1.08**years, color=COLORS[3], linewidth=1.4)
    axes.set_title("Sales a day, by month; line: 8% a year, as declared")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    monthly(axes)
    return figure


def seasonality(world: World) -> Figure:
    """The hours of the week."""
    figure, axes = one()
    week(axes, world, "sale", "Sales by hour of the week")
    return figure


def holidays_and_windows(world: World) -> Figure:
    """Sales a day around Black Week and Christmas."""
    figure, axes = one()
    day, sales = world.columns("SELECT event_time::DATE AS day, count(*) FROM sale GROUP BY day ORDER BY day")
    axes.bar(day, sales, width=0.8, color=COLORS[1])
    axes.set_title("Sales a day: Black Week, Christmas, New Year")
    thousands(axes)
    monthly(axes, tuple(range(1, 13)))
    return figure


def arrivals(world: World) -> Figure:
    """Customers by the month of their birth."""
    figure, axes = one()
    month, births = world.columns(
        """SELECT date_trunc('month', born_at)::DATE AS month, count(*) FROM customer
           WHERE born_at >= '2021-01-01' GROUP BY month ORDER BY month"""
    )
    before = month < np.datetime64("2023-01-01")
    axes.bar(month, births, width=24 * DAY, color=np.where(before, COLORS[2], COLORS[0]))
    axes.set_title("Customers by month of birth; light: before the run, those who exist at its start")
    thousands(axes)
    monthly(axes)
    return figure


def adoption(world: World) -> Figure:
    """The share that has adopted, and what was declared."""
    figure, axes = one()
    day, share = world.columns(
        """SELECT event_time::DATE AS day, sum(count(*)) OVER (ORDER BY event_time::DATE) / 20000
           FROM household_lifecycle GROUP BY day ORDER BY day"""
    )
    years = (day - np.datetime64("2024-01-01")) / np.timedelta64(8766, "h")
    decay = np.exp(-0.93 * years)
    axes.plot(day, share, color=COLORS[1], linewidth=4, alpha=0.6)
    axes.plot(day, (1 - decay) / (1 + 30 * decay), color=COLORS[3], linewidth=1.2)
    axes.set_title("Share of the households that have it; thin line: F(t), as declared")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    monthly(axes, (1,))
    return figure


def frailty(world: World) -> Figure:
    """Orders a customer, with frailty and without."""
    figure, axes = one()
    (orders,) = world.columns(
        'SELECT count(order_id) FROM customer LEFT JOIN "order" USING (customer_id) GROUP BY customer.customer_id'
    )
    counts = np.arange(61)
    axes.bar(counts, np.bincount(orders, minlength=61)[:61] / len(orders), width=0.8, color=COLORS[1])
    axes.plot(counts, stats.nbinom.pmf(counts, 1.5, 1.5 / (1.5 + 12)), color=COLORS[3], linewidth=1.4)
    axes.plot(counts, stats.poisson.pmf(counts, 12), color=COLORS[0], linewidth=1.2, linestyle=":")
    axes.set_title("Orders a customer in a year; line: declared; dotted: if all were alike")
    axes.set_yticks([])
    return figure


def segments(world: World) -> Figure:
    """Orders a customer, and what an order is worth."""
    figure, (orders, values) = two()
    tiers = ("vip", "standard", "budget")
    for place, (tier, color) in enumerate(zip(tiers, (COLORS[3], COLORS[0], COLORS[1]), strict=True)):
        counts, amounts = world.columns(
            f"""SELECT count(order_id), exp(avg(ln(amount))) FROM customer LEFT JOIN "order" USING (customer_id)
                WHERE tier = '{tier}' GROUP BY customer.customer_id"""
        )
        orders.bar(place, counts.mean(), color=color, width=0.6)
        orders.text(place, counts.mean(), f"{counts.mean():.2f}", ha="center", va="bottom", fontsize=8)
        values.hist(
            np.log10(np.ma.filled(amounts, np.nan)[~np.ma.getmaskarray(amounts)]),
            bins=40,
            color=color,
            alpha=0.7,
            density=True,
        )
    orders.set_xticks(range(3), tiers)
    orders.set_title("Orders a customer in a year")
    orders.grid(axis="y", color=GRID, linewidth=0.8)
    orders.set_axisbelow(True)
    values.set_xticks([1, 1.5, 2, 2.5], ["10", "32", "100", "316"])
    values.set_yticks([])
    values.set_title("What a customer's typical order is worth")
    return figure


def vintage(world: World) -> Figure:
    """Orders a customer by age, for each quarter of birth."""
    figure, axes = one()
    cohort, age, orders = world.columns(
        """WITH born AS (SELECT customer_id, born_at, date_trunc('quarter', born_at)::DATE AS cohort FROM customer),
                size AS (SELECT cohort, count(*) AS customers FROM born GROUP BY cohort)
           SELECT cohort, floor((epoch(event_time) - epoch(born_at)) / 2629800) AS age, count(*) / any_value(customers)
           FROM "order" JOIN born USING (customer_id) JOIN size USING (cohort)
           WHERE age < datediff('month', cohort, DATE '2025-01-01') - 3 GROUP BY ALL ORDER BY 1, 2"""
    )
    names = np.unique(cohort)
    for row, name in enumerate(names):
        chosen = cohort == name
        axes.step(age[chosen], orders[chosen], where="post", color=HEAT(0.3 + 0.7 * row / len(names)), linewidth=1.3)
    axes.set_ylim(0)
    axes.set_xlabel("months since birth")
    axes.set_title("Orders a customer and month by age, one line a quarter of birth")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    return figure


def schedule(world: World) -> Figure:
    """The days of the month on which things are due."""
    figure, (invoices, salaries) = two()
    for axes, stream, color in ((invoices, "invoice", COLORS[0]), (salaries, "salary", COLORS[3])):
        day, count = world.columns(f"SELECT day(event_time) AS day, count(*) FROM {stream} GROUP BY day")
        axes.bar(day, count, color=color)
        axes.set_xlim(0, 32)
        axes.set_xlabel("day of the month")
        thousands(axes)
    invoices.set_title("Invoices, from each one's birth")
    salaries.set_title("Salaries, by the calendar")
    return figure


def values_over_time(world: World) -> Figure:
    """A balance, a temperature, and how fast the temperature forgets."""
    figure, axes = plt.subplots(1, 3, figsize=(8.2, 2.5), layout="constrained")
    time, balance = world.columns(
        """SELECT event_time::TIMESTAMP, balance FROM (FROM deposit SELECT event_time, account_id, balance UNION ALL
           FROM payment SELECT event_time, account_id, balance) WHERE account_id = 8 ORDER BY 1"""
    )
    axes[0].step(time, balance, where="post", color=COLORS[0], linewidth=1.2)
    axes[0].set_ylim(0)
    axes[0].set_title("A balance")
    time, temperature = world.columns(
        """SELECT event_time::TIMESTAMP, temperature FROM reading WHERE account_id = 8 AND event_time < '2024-01-15'
           ORDER BY 1"""
    )
    axes[1].plot(time, temperature, color=COLORS[1], linewidth=1.2)
    axes[1].set_title("A temperature")
    for one_of in axes[:2]:
        one_of.tick_params(axis="x", rotation=30)
    lags = np.arange(1, 13)
    terms = ", ".join(f"corr(temperature, x{lag})" for lag in lags)
    columns = ", ".join(
        f"lag(temperature, {lag}) OVER (PARTITION BY account_id ORDER BY event_time) AS x{lag}" for lag in lags
    )
    found = world.columns(f"SELECT {terms} FROM (SELECT temperature, {columns} FROM reading)")
    axes[2].plot(lags * 3, [float(value[0]) for value in found], "o", color=COLORS[0], markersize=4)
    axes[2].plot(lags * 3, 0.5 ** (lags / 2), color=COLORS[3], linewidth=1.2)
    axes[2].set_xlabel("hours apart")
    axes[2].set_title("Correlation; line: declared")
    axes[2].grid(axis="y", color=GRID, linewidth=0.8)
    return figure
