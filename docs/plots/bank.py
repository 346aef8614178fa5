"""Pictures of the bank."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.style import COLORS, GRID, MUTED, World, monthly, thousands, week

BALANCES = " UNION ALL ".join(
    f"SELECT account_id, event_time, balance FROM {stream}"
    for stream in ("salary", "standing_order", "saving", "direct_debit", "card_payment", "cash", "transfer")
)


def bank(world: World) -> Figure:
    """Balances over the years and through the month, single accounts, payments by segment, hours, incomes."""
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    _accounts(axes[0, 0], world)
    _month(axes[0, 1], world)
    _years(axes[0, 2], world)
    week(axes[1, 0], world, "card_payment", "When cards are used")
    _amounts(axes[1, 1], world)
    _incomes(axes[1, 2], world)
    return figure


def _accounts(axes: Axes, world: World) -> None:
    chosen = world.columns(
        """SELECT account_id FROM account WHERE born_at < '2023-01-01' AND income BETWEEN 1700 AND 2600
           AND account_id IN (SELECT account_id FROM salary GROUP BY account_id HAVING count(*) = 36
                                AND max(balance) < 7000)
           ORDER BY account_id LIMIT 4"""
    )[0]
    for account, color in zip(chosen, COLORS, strict=False):
        time, balance = world.columns(
            f"""SELECT event_time::TIMESTAMP, balance FROM ({BALANCES})
                WHERE account_id = {account} AND event_time BETWEEN '2024-03-01' AND '2024-09-01' ORDER BY event_time"""
        )
        axes.step(time, balance, where="post", color=color, linewidth=1)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    thousands(axes)
    monthly(axes, (3, 5, 7, 9))
    axes.set_title("Balances of four accounts, £")


def _month(axes: Axes, world: World) -> None:
    day, low, median, high = world.columns(
        f"""WITH days AS (SELECT account_id, event_time::DATE AS day, arg_max(balance, event_time) AS balance
                          FROM ({BALANCES}) WHERE event_time >= '2024-01-01' GROUP BY ALL),
                 relative AS (SELECT day(day) AS day, balance / income AS months
                              FROM days JOIN account USING (account_id))
            SELECT day, quantile_cont(months, 0.25), median(months), quantile_cont(months, 0.75)
            FROM relative GROUP BY day ORDER BY day"""
    )
    axes.fill_between(day, low, high, color=COLORS[2], alpha=0.45, linewidth=0)
    axes.plot(day, median, color=COLORS[0], linewidth=2)
    axes.set_ylim(0)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_xticks([1, 7, 14, 21, 28])
    axes.set_xlabel("day of the month")
    axes.set_title("Balance, in monthly incomes")


def _years(axes: Axes, world: World) -> None:
    month, *levels = world.columns(
        f"""WITH ends AS (SELECT account_id, date_trunc('month', event_time)::DATE AS month,
                                 arg_max(balance, event_time) AS balance FROM ({BALANCES}) GROUP BY ALL)
            SELECT month, quantile_cont(balance, 0.05), quantile_cont(balance, 0.25), median(balance),
                   quantile_cont(balance, 0.75) FROM ends GROUP BY month ORDER BY month"""
    )
    for level, name, color in zip(levels, ("5%", "25%", "median", "75%"), COLORS[3::-1], strict=True):
        axes.plot(month, level, color=color, linewidth=1.8)
        axes.text(month[-1], level[-1], f"  {name}", color=color, va="center", fontsize=8)
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.set_xlim(month[0], month[-1] + np.timedelta64(170, "D"))
    thousands(axes)
    monthly(axes, (1,))
    axes.set_title("Balances at the end of the month, £")


def _amounts(axes: Axes, world: World) -> None:
    use, amount, payments = world.columns(
        """WITH active AS (SELECT a.card_use, a.account_id, avg(p.amount) AS amount,
                                  count(*) / datediff('day', min(p.event_time), max(p.event_time)) * 30.4 AS payments
                           FROM card_payment p JOIN account a USING (account_id)
                           GROUP BY ALL HAVING datediff('day', min(p.event_time), max(p.event_time)) > 300)
           SELECT card_use, amount, payments FROM active"""
    )
    names = ("rare", "occasional", "regular", "frequent", "constant")
    for row, (name, color) in enumerate(zip(names, COLORS, strict=False)):
        chosen = use == name
        axes.plot(payments[chosen], amount[chosen], ".", color=color, alpha=0.5, markersize=3)
        axes.text(np.median(payments[chosen]), 4.9 - row % 2, name, color=color, ha="center", fontsize=7)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(6, 100)
    axes.set_ylim(3.3, 500)
    axes.set_xticks([10, 20, 40, 80], ["10", "20", "40", "80"])
    axes.set_yticks([10, 30, 100, 300], ["£10", "£30", "£100", "£300"])
    axes.minorticks_off()
    axes.set_xlabel("card payments a month")
    axes.set_title("Mean payment, by use of the card")


def _incomes(axes: Axes, world: World) -> None:
    band, income = world.columns("SELECT band, income FROM account")
    edges = np.geomspace(700, 25_000, 45)
    names = ("mass", "affluent", "private")
    axes.hist([income[band == name] for name in names], edges, stacked=True, color=[COLORS[1], COLORS[0], COLORS[3]])
    for name, place, color in zip(names, (1150, 5200, 11_000), (COLORS[1], COLORS[0], COLORS[3]), strict=True):
        high = {"mass": 110, "affluent": 62, "private": 26}[name]
        axes.text(place, high, name, color=color, fontsize=8, ha="right" if name == "mass" else "left")
    axes.set_xscale("log")
    axes.set_xticks([1000, 2000, 5000, 10_000, 20_000], ["£1k", "£2k", "£5k", "£10k", "£20k"])
    axes.minorticks_off()
    thousands(axes)
    axes.set_title("Monthly incomes, accounts")
