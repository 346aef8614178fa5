"""Pictures of the public services."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.style import COLORS, GRID, World, monthly, note, thousands, week


def public_services(world: World) -> Figure:
    """Visits a day, tax returns a week, the portal's spread, an attack on it, opening hours, satisfaction."""
    figure, axes = plt.subplots(2, 3, figsize=(11, 6), layout="constrained")
    _tax_season(axes[0, 0], world)
    _portal(axes[0, 1], world)
    _attack(axes[0, 2], world)
    week(axes[1, 0], world, "visit", "When the counters are busy")
    _visits(axes[1, 1], world)
    _scores(axes[1, 2], world)
    return figure


def _tax_season(axes: Axes, world: World) -> None:
    monday, returns = world.columns(
        "SELECT date_trunc('week', event_time)::DATE AS w, count(*) FROM tax_return GROUP BY w ORDER BY w"
    )
    axes.fill_between(monday[1:-1], returns[1:-1], step="mid", color=COLORS[1], linewidth=0)
    for deadline in ("2023-10-02", "2024-09-02", "2025-07-31"):
        axes.axvline(np.datetime64(deadline), color=COLORS[4], linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_ylim(0)
    thousands(axes)
    monthly(axes, (1,))
    axes.set_title("Tax returns a week, and the deadlines")


def _portal(axes: Axes, world: World) -> None:
    month, group, share = world.columns(
        """WITH month AS (SELECT unnest(generate_series(TIMESTAMP '2023-01-02', '2025-12-31', INTERVAL 1 MONTH))
                              AS month),
                state AS (SELECT citizen_id, event_time, state FROM citizen
                          UNION ALL SELECT citizen_id, event_time, to_state FROM citizen_lifecycle),
                past AS (SELECT month, citizen_id, arg_max(state, event_time) AS state
                         FROM month JOIN state ON event_time < month GROUP BY ALL)
           SELECT month::DATE, age_group, count(*) FILTER (past.state = 'portal') / count(*)
           FROM past JOIN citizen USING (citizen_id) WHERE past.state <> 'gone' GROUP BY ALL ORDER BY 1"""
    )
    for name, color in zip(("young", "middle", "senior"), (COLORS[0], COLORS[1], COLORS[3]), strict=True):
        chosen = group == name
        axes.plot(month[chosen], 100 * share[chosen], color=color, linewidth=2)
        axes.text(month[chosen][-1], 100 * share[chosen][-1], f"  {name}", color=color, va="center", fontsize=8)
    axes.set_ylim(0)
    axes.set_xlim(month[0], month[-1] + np.timedelta64(190, "D"))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    monthly(axes, (1,))
    axes.set_title("Citizens with a portal account, %")


def _attack(axes: Axes, world: World) -> None:
    day, applications = world.columns(
        """SELECT event_time::DATE AS day, count(*) FROM application
           WHERE event_time BETWEEN '2024-01-08' AND '2024-03-25' GROUP BY day ORDER BY day"""
    )
    axes.bar(day, applications, width=1.0, color=COLORS[1])
    thousands(axes)
    monthly(axes, range(1, 13))
    axes.set_title("Applications a day, early 2024")
    note(axes, "cyberattack", (np.datetime64("2024-02-08"), 8.0), (-44, 150))
    note(axes, "catching up", (np.datetime64("2024-02-14"), float(applications.max()) * 0.97), (26, 2))


def _visits(axes: Axes, world: World) -> None:
    month, visits, wait = world.columns(
        """SELECT date_trunc('month', event_time)::DATE AS month, count(*), avg(wait_minutes)
           FROM visit GROUP BY month ORDER BY month"""
    )
    axes.bar(month + np.timedelta64(14, "D"), visits, width=27.0, color=COLORS[2])
    thousands(axes)
    monthly(axes, (1,))
    right = axes.twinx()
    right.plot(month + np.timedelta64(14, "D"), wait, color=COLORS[4], linewidth=2)
    right.set_ylim(0, 30)
    right.spines["top"].set_visible(False)
    right.tick_params(length=0)
    right.text(month[0], 28, "minutes of waiting (right)", color=COLORS[4], fontsize=8)
    axes.set_title("Visits a month, and waiting times")


def _scores(axes: Axes, world: World) -> None:
    wait, score = world.columns(
        """SELECT floor(wait_minutes / 5) * 5 AS wait, avg(score) FROM visit_rating JOIN visit USING (visit_id)
           WHERE wait_minutes < 90 GROUP BY wait ORDER BY wait"""
    )
    days, stars = world.columns(
        """SELECT floor(days / 2) * 2 AS d, avg(score) FROM application_rating JOIN decision USING (decision_id)
           WHERE days < 36 AND outcome = 'granted' GROUP BY d ORDER BY d"""
    )
    axes.plot(wait + 2.5, score, color=COLORS[0], linewidth=2)
    axes.plot(days + 1, stars, color=COLORS[3], linewidth=2)
    axes.text(55, 2.6, "minutes of waiting\nat the counter", color=COLORS[0], fontsize=8)
    axes.text(2, 1.15, "days until an\napplication\nwas granted", color=COLORS[3], fontsize=8)
    axes.set_ylim(1, 5)
    axes.set_yticks(range(1, 6))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_title("Mean score, by patience asked for")
