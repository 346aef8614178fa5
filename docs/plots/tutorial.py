"""Pictures of the tutorial, one a step."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from plots.style import COLORS, GRID, HEAT, MUTED, World, monthly, note, survival, thousands, week

PLANS = {"basic": COLORS[0], "plus": COLORS[1], "premium": COLORS[3]}
SIZE = (8.2, 2.7)
MONTHS = """months AS (
    SELECT unnest(generate_series(DATE '2024-01-01', DATE '2025-12-01', INTERVAL 1 MONTH))::DATE AS month)"""


def population(world: World) -> Figure:
    """Visits a month, flat."""
    return _single(world, "Visits a month: a constant rate is a flat line", steady=True)


def seasons(world: World) -> Figure:
    """The year, and the week."""
    figure, (year, days) = plt.subplots(1, 2, figsize=SIZE, layout="constrained")
    _visits(year, world)
    year.set_title("Visits a month")
    week(days, world, "visit", "When they come")
    return figure


def arrivals(world: World) -> Figure:
    """Members who join, and visits."""
    figure, (joins, visits) = plt.subplots(1, 2, figsize=SIZE, layout="constrained")
    month, members = world.columns(
        """SELECT date_trunc('month', born_at)::DATE AS month, count(*) FROM member
           WHERE born_at >= '2024-01-01' GROUP BY ALL ORDER BY month"""
    )
    joins.bar(month, members, width=np.timedelta64(24, "D"), color=COLORS[1])
    joins.set_title("New members a month")
    thousands(joins)
    monthly(joins)
    _visits(visits, world)
    visits.set_title("Visits a month")
    return figure


def individuals(world: World) -> Figure:
    """How often members come, beside what they would do if all were alike."""
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    (visits,) = world.columns(
        """SELECT count(visit_id) FROM member LEFT JOIN visit USING (member_id)
           WHERE born_at < '2024-01-01' GROUP BY member.member_id"""
    )
    edges = np.arange(0, 400, 8)
    share = np.histogram(visits, edges)[0] / len(visits)
    axes.bar(edges[:-1], share, width=7, align="edge", color=COLORS[1])
    alike = np.diff(stats.poisson.cdf(edges - 1, visits.mean()))
    axes.stairs(np.minimum(alike, share.max() * 1.15), edges, color=COLORS[3], linewidth=1.4)
    note(axes, "if all were alike\n(and far above)", (float(visits.mean()) + 8, float(share.max())), (26, -10))
    axes.set_title("Visits in two years, member by member")
    axes.set_yticks([])
    axes.set_xlabel("visits")
    return figure


def segments(world: World) -> Figure:
    """Visits a member and month, by plan."""
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    month, plan, rate = world.columns(
        f"""WITH {MONTHS},
                there AS (SELECT month, plan, count(*) AS members FROM months, member
                          WHERE born_at < month GROUP BY ALL),
                came AS (SELECT date_trunc('month', visit.event_time)::DATE AS month, plan, count(*) AS visits
                         FROM visit JOIN member USING (member_id)
                         WHERE born_at < date_trunc('month', visit.event_time) GROUP BY ALL)
           SELECT month, plan, visits / members FROM there JOIN came USING (month, plan) ORDER BY month"""
    )
    for name, color in PLANS.items():
        axes.plot(month[plan == name], rate[plan == name], color=color, linewidth=2)
        axes.text(month[-1], rate[plan == name][-1], f"   {name}", color=color, va="center", fontsize=8)
    axes.set_xlim(month[0], month[-1] + np.timedelta64(75, "D"))
    axes.set_ylim(0)
    axes.set_title("Visits a month and member, by plan: 1 to 1.4 to 2")
    thousands(axes)
    monthly(axes)
    return figure


def age(world: World) -> Figure:
    """Visits by time since joining."""
    figure, (curve, cohorts) = plt.subplots(1, 2, figsize=SIZE, layout="constrained", width_ratios=(1, 1.2))
    week_, rate = world.columns(
        """WITH newcomer AS (SELECT member_id, born_at FROM member WHERE born_at BETWEEN '2024-01-01' AND '2024-12-31')
           SELECT floor((epoch(event_time) - epoch(born_at)) / 604800) AS week,
                  count(*) / (SELECT count(*) FROM newcomer) * 30.4375 / 7
           FROM visit JOIN newcomer USING (member_id) GROUP BY week HAVING week < 52 ORDER BY week"""
    )
    curve.plot(week_ + 0.5, rate, color=COLORS[0], linewidth=1.8)
    curve.set_ylim(0)
    curve.set_xlabel("weeks since joining")
    curve.set_title("Visits a month, by age")
    curve.grid(axis="y", color=GRID, linewidth=0.8)
    cohort, month, visits = world.columns(
        """WITH born AS (SELECT member_id, born_at, date_trunc('quarter', born_at)::DATE AS cohort FROM member
                         WHERE born_at >= '2024-01-01' AND born_at < '2025-07-01'),
                size AS (SELECT cohort, count(*) AS members FROM born GROUP BY cohort)
           SELECT cohort, floor((epoch(event_time) - epoch(born_at)) / 2629800) AS age, count(*) / any_value(members)
           FROM visit JOIN born USING (member_id) JOIN size USING (cohort)
           WHERE age < datediff('month', cohort, DATE '2026-01-01') - 3 GROUP BY ALL ORDER BY 1, 2"""
    )
    names = np.unique(cohort)
    for row, name in enumerate(names):
        chosen = cohort == name
        color = HEAT(0.3 + 0.7 * row / len(names))
        cohorts.plot(month[chosen], visits[chosen], color=color, linewidth=1.4)
    cohorts.set_ylim(0)
    cohorts.set_xlabel("months since joining")
    cohorts.set_title("The same by quarter of joining (light: 2024 Q1)")
    cohorts.grid(axis="y", color=GRID, linewidth=0.8)
    return figure


def lifecycle(world: World) -> Figure:
    """Who is active, paused, gone; how long members stay."""
    figure, (states, staying) = plt.subplots(1, 2, figsize=SIZE, layout="constrained", width_ratios=(1.3, 1))
    month, active, paused, left = world.columns(
        f"""WITH {MONTHS},
                spell AS (SELECT member_id, state, event_time AS since, DATE '2026-01-02' AS until FROM member
                          WHERE member_id NOT IN (SELECT member_id FROM member_lifecycle)
                          UNION ALL
                          SELECT member_id, from_state, event_time - to_seconds(seconds_in_state), event_time
                          FROM member_lifecycle
                          UNION ALL
                          SELECT member_id, arg_max(to_state, event_time), max(event_time), DATE '2026-01-02'
                          FROM member_lifecycle GROUP BY member_id)
           SELECT month, count(*) FILTER (state = 'active'), count(*) FILTER (state = 'paused'),
                  count(*) FILTER (state = 'left')
           FROM months JOIN spell ON since <= month AND month < until GROUP BY month ORDER BY month"""
    )
    states.stackplot(month, active, paused, left, colors=(COLORS[1], COLORS[3], GRID))
    for label, height in (
        ("active", active / 2),
        ("paused", active + paused / 2),
        ("left", active + paused + left / 2),
    ):
        states.text(month[-2], height[-2], label, ha="right", va="center", fontsize=8)
    states.set_title("Members by state")
    states.margins(0)
    thousands(states)
    monthly(states)
    for name, color in PLANS.items():
        survival(
            staying,
            world,
            f"""SELECT (epoch(coalesce(ended, DATE '2026-01-01')) - epoch(born_at)) / 86400, ended IS NOT NULL
                FROM member LEFT JOIN (SELECT member_id, min(event_time) AS ended FROM member_lifecycle
                                       WHERE to_state = 'left' GROUP BY ALL) USING (member_id)
                WHERE born_at >= '2024-01-01' AND plan = '{name}'""",
            color,
            name,
        )
    staying.set_xlim(0, 830)
    staying.set_xlabel("days since joining")
    staying.set_title("Share still there (Kaplan-Meier)")
    return figure


def values(world: World) -> Figure:
    """Revenue by month, fees and purchases; what sells."""
    figure, (revenue, sold) = plt.subplots(1, 2, figsize=SIZE, layout="constrained", width_ratios=(1.3, 1))
    month, fees, sales = world.columns(
        """WITH paid AS (SELECT event_time, amount AS fee, 0 AS sale FROM fee
                         UNION ALL SELECT event_time, 0, amount FROM purchase)
           SELECT date_trunc('month', event_time)::DATE AS month, sum(fee), sum(sale) FROM paid
           GROUP BY month ORDER BY month"""
    )
    revenue.bar(month, fees, width=np.timedelta64(24, "D"), color=COLORS[0])
    revenue.bar(month, sales, width=np.timedelta64(24, "D"), bottom=fees, color=COLORS[3])
    end = month[-1] + np.timedelta64(18, "D")
    revenue.text(end, float(fees[-1] + sales[-1] / 2), "purchases", color=COLORS[3], va="center", fontsize=8)
    revenue.text(end, float(fees[-1] / 2), "fees", color=COLORS[0], va="center", fontsize=8)
    revenue.set_xlim(month[0] - np.timedelta64(20, "D"), month[-1] + np.timedelta64(110, "D"))
    revenue.set_title("Revenue a month, in euros")
    thousands(revenue)
    monthly(revenue)
    rank, count = world.columns(
        "SELECT row_number() OVER (ORDER BY count(*) DESC), count(*) FROM purchase GROUP BY product_id ORDER BY 1"
    )
    sold.loglog(rank, count, "o", color=COLORS[0], markersize=3)
    sold.set_xlabel("product, by rank")
    sold.set_title("Purchases: a few products sell")
    sold.grid(color=GRID, linewidth=0.8)
    return figure


def process(world: World) -> Figure:
    """The funnel of bookings."""
    figure, (funnel, delays) = plt.subplots(1, 2, figsize=SIZE, layout="constrained", width_ratios=(1.3, 1))
    plan, step, cases = world.columns(
        "SELECT plan, step, count(*) FROM booking JOIN member USING (member_id) GROUP BY ALL"
    )
    steps = ("search", "reserved", "attended")
    for row, (name, color) in enumerate(PLANS.items()):
        shares = [
            cases[(plan == name) & (step == one)][0] / cases[(plan == name) & (step == "search")][0] for one in steps
        ]
        places = np.arange(len(steps)) + (row - 1) * 0.27
        funnel.barh(places, shares, height=0.24, color=color)
        for place, share in zip(places, shares, strict=True):
            funnel.text(share + 0.01, place, f"{share:.0%} {name}", va="center", fontsize=7, color=color)
    funnel.set_yticks(range(len(steps)), steps)
    funnel.invert_yaxis()
    funnel.set_xlim(0, 1.2)
    funnel.set_xticks([])
    funnel.set_title("Of those who search for a class")
    (days,) = world.columns(
        """SELECT (epoch(b.event_time) - epoch(a.event_time)) / 86400
           FROM booking a JOIN booking b USING (booking_case_id) WHERE a.step = 'reserved' AND b.step = 'attended'"""
    )
    delays.hist(days, bins=np.arange(0, 10, 0.25), color=COLORS[1], density=True)
    line = np.linspace(0.01, 10, 200)
    delays.plot(line, stats.gamma.pdf(line, 4, scale=3 / 4), color=COLORS[3], linewidth=1.4)
    delays.set_yticks([])
    delays.set_xlabel("days from reservation to class; line: as declared")
    delays.set_title("How long before")
    return figure


def trouble(world: World) -> Figure:
    """A week without heating."""
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    day, visits = world.columns(
        """SELECT event_time::DATE AS day, count(*) FROM visit
           WHERE event_time BETWEEN '2025-01-06' AND '2025-03-24' GROUP BY day ORDER BY day"""
    )
    hit = (day >= np.datetime64("2025-02-10")) & (day < np.datetime64("2025-02-17"))
    axes.bar(day, visits, width=0.8, color=np.where(hit, COLORS[3], COLORS[1]))
    note(axes, "heating failure", (day[hit][3], float(visits[hit][3])), (30, 40))
    axes.set_title("Visits a day")
    monthly(axes, tuple(range(1, 13)))
    thousands(axes)
    return figure


def _single(world: World, title: str, steady: bool = False) -> Figure:
    figure, axes = plt.subplots(figsize=SIZE, layout="constrained")
    _visits(axes, world, steady)
    axes.set_title(title)
    return figure


def _visits(axes: Axes, world: World, steady: bool = False) -> None:
    """Visits by month, each scaled to a month of 30.4 days."""
    month, visits = world.columns(
        """SELECT date_trunc('month', event_time)::DATE AS month, count(*) / day(last_day(month)) * 30.4375
           FROM visit GROUP BY month ORDER BY month"""
    )
    axes.plot(month, visits, color=COLORS[0], linewidth=2)
    axes.set_ylim(0, visits.max() * 1.15)
    if steady:
        axes.axhline(2500 * 5, color=MUTED, linewidth=0.8, linestyle=":")
    thousands(axes)
    monthly(axes)
