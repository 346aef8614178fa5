"""Pictures of the cookbook: what happens to entities, cases and facts."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from plots.cookbook_rates import DAY, one, two
from plots.style import COLORS, GRID, World, monthly, survival, thousands


def children(world: World) -> Figure:
    """Lines an order, and days until a line comes back."""
    figure, (lines, days) = two()
    count, orders = world.columns(
        "SELECT n, count(*) FROM (SELECT count(*) AS n FROM line GROUP BY order_id) GROUP BY n ORDER BY n"
    )
    lines.bar(count, orders, color=COLORS[0], width=0.7)
    lines.set_title("Orders by number of lines")
    thousands(lines)
    (after,) = world.columns(
        """SELECT (epoch("return".event_time) - epoch(line.event_time)) / 86400
           FROM "return" JOIN line USING (line_id) WHERE line.event_time < '2024-05-01'"""
    )
    _density(days, after, np.arange(0, 41, 1), stats.lognorm(0.45, scale=11))
    days.set_title("Days until a line comes back")
    return figure


def _density(axes: Axes, sample: np.ndarray, edges: np.ndarray, declared: Any) -> None:
    axes.hist(sample, bins=edges, density=True, color=COLORS[1])
    line = np.linspace(edges[0] + 1e-3, edges[-1], 300)
    axes.plot(line, declared.pdf(line), color=COLORS[3], linewidth=1.4)
    axes.set_yticks([])


def dwell_times(world: World) -> Figure:
    """How long illnesses last, by how they end."""
    figure, panels = two()
    told = (("well", stats.lognorm(0.5, scale=20)), ("chronic", stats.gamma(4, scale=10)))
    for axes, (state, declared) in zip(panels, told, strict=True):
        (days,) = world.columns(
            f"""SELECT seconds_in_state / 86400 FROM patient_lifecycle WHERE from_state = 'ill' AND to_state = '{state}'
                AND event_time - to_seconds(seconds_in_state) < '2024-08-01'"""
        )
        _density(axes, days, np.arange(0, 101, 2.5), declared)
        axes.set_title(f"Days ill, until {state}; line: declared")
    return figure


def lifecycle(world: World) -> Figure:
    """States over time, and how long customers stay active."""
    figure, (states, staying) = two()
    month, active, paused, churned = world.columns(
        """WITH changes AS (SELECT customer_id, event_time AS since, to_state AS state FROM customer_lifecycle
                            UNION ALL SELECT customer_id, event_time, state FROM customer),
                spells AS (SELECT state, since, lead(since, 1, TIMESTAMPTZ '2030-01-01') OVER entity AS until
                           FROM changes WINDOW entity AS (PARTITION BY customer_id ORDER BY since)),
                months AS (SELECT unnest(generate_series(TIMESTAMPTZ '2023-01-02', TIMESTAMPTZ '2024-12-31',
                                                         INTERVAL 1 MONTH)) AS month)
           SELECT month::DATE, count(*) FILTER (state = 'active'), count(*) FILTER (state = 'paused'),
                  count(*) FILTER (state = 'churned')
           FROM months JOIN spells ON since <= month AND month < until GROUP BY month ORDER BY month"""
    )
    states.stackplot(month, active, paused, churned, colors=(COLORS[1], COLORS[3], GRID))
    for label, height in (("active", active / 2), ("churned", active + paused + churned / 2)):
        states.text(month[-2], height[-2], label, ha="right", va="center", fontsize=8)
    states.text(month[3], (active + paused)[3] + 150, "paused", color=COLORS[3], fontsize=8)
    states.set_title("Customers by state")
    states.margins(0)
    thousands(states)
    monthly(states)
    for plan, color in (("basic", COLORS[0]), ("premium", COLORS[3])):
        survival(
            staying,
            world,
            f"""WITH last AS (SELECT customer_id, min(event_time) AS stopped FROM customer_lifecycle GROUP BY ALL)
                SELECT epoch(coalesce(stopped, TIMESTAMPTZ '2025-01-01') - TIMESTAMPTZ '2023-01-01') / 86400,
                       stopped IS NOT NULL
                FROM customer LEFT JOIN last USING (customer_id) WHERE plan = '{plan}' AND state = 'active'""",
            color,
            plan,
        )
    staying.set_xlim(0, 850)
    staying.set_xlabel("days since the start")
    staying.set_title("Share still active without a break")
    return figure


def funnel(world: World) -> Figure:
    """The funnel by device, and minutes to the cart."""
    figure, (steps, minutes) = two()
    device, step, cases = world.columns(
        "SELECT device::VARCHAR, step, count(*) FROM checkout JOIN visitor USING (visitor_id) GROUP BY ALL"
    )
    names = ("visit", "cart", "paid")
    for row, (name, color) in enumerate((("phone", COLORS[0]), ("desktop", COLORS[3]))):
        counts = np.array([cases[(device == name) & (step == one_step)][0] for one_step in names])
        places = np.arange(3) + (row - 0.5) * 0.38
        steps.barh(places, counts / counts[0], height=0.34, color=color)
        for place, share in zip(places, counts / counts[0], strict=True):
            steps.text(share + 0.01, place, f"{share:.1%} {name}", va="center", fontsize=7.5, color=color)
    steps.set_yticks(range(3), names)
    steps.invert_yaxis()
    steps.set_xlim(0, 1.35)
    steps.set_xticks([])
    steps.set_title("Of all visits")
    (after,) = world.columns(
        """SELECT (epoch(b.event_time) - epoch(a.event_time)) / 60 FROM checkout a JOIN checkout b
           ON a.checkout_case_id = b.checkout_case_id AND b.step_index = a.step_index + 1
           WHERE a.step = 'visit' AND b.step = 'cart'"""
    )
    _density(minutes, after, np.arange(0, 20.5, 0.5), stats.lognorm(1, scale=3))
    minutes.set_title("Minutes from visit to cart; line: declared")
    return figure


def journeys(world: World) -> Figure:
    """Conversions by first and last touch."""
    figure, axes = one()
    first, last = (
        world.columns(
            f"""WITH touches AS (SELECT journey_case_id, step, step_index FROM journey WHERE step <> 'purchase'
                                 AND journey_case_id IN (SELECT journey_case_id FROM journey WHERE step = 'purchase'))
                SELECT touch, count(*) FROM (SELECT {pick}(step, step_index) AS touch FROM touches
                                             GROUP BY journey_case_id) GROUP BY touch ORDER BY touch"""
        )
        for pick in ("arg_min", "arg_max")
    )
    channels = ("display", "search", "email")
    for row, (label, (names, counts), color) in enumerate(
        (("first touch", first, COLORS[1]), ("last touch", last, COLORS[0]))
    ):
        credit = dict(zip(names, counts / counts.sum(), strict=True))
        axes.bar(
            np.arange(3) + (row - 0.5) * 0.36,
            [credit.get(name, 0) for name in channels],
            width=0.32,
            color=color,
            label=label,
        )
    removal = _removal_effects()
    axes.bar(np.arange(3) + 0.27, removal, width=0.25, color=COLORS[3], label="truth: removal effect")
    axes.set_xticks(range(3), channels)
    axes.legend(frameon=False, fontsize=8)
    axes.set_title("Share of the conversions that each channel is credited with")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    return figure


def _removal_effects() -> np.ndarray:
    """The effects of the page's chain, from its probabilities, as shares."""

    def converts(removed: int | None) -> float:
        ways = np.array([[0.15, 0.25, 0], [0, 0, 0.20], [0, 0.20, 0]])
        ends = np.array([0, 0.08, 0.12])
        if removed is not None:
            ways[removed], ends[removed] = 0, 0
        return float(np.array([5, 3, 1]) / 9 @ np.linalg.solve(np.eye(3) - ways, ends))

    effects = np.array([1 - converts(channel) / converts(None) for channel in range(3)])
    return effects / effects.sum()


def queues(world: World) -> Figure:
    """How long visits wait."""
    figure, axes = one()
    (waits,) = world.columns("SELECT waited_s / 60 FROM visit_service")
    edges = np.arange(0, 181, 3)
    axes.hist(waits, bins=edges, density=True, color=COLORS[1])
    arrive, serve = 2000 * 1.26 / (365.25 / 12 * 24 * 60), 1 / 12
    line = np.linspace(0.1, 180, 300)
    axes.plot(
        line, arrive / serve * (serve - arrive) * np.exp(-(serve - arrive) * line), color=COLORS[3], linewidth=1.4
    )
    axes.set_ylim(0, 0.05)
    axes.set_yticks([])
    axes.set_xlabel("minutes")
    axes.set_title("How long visits wait (31% not at all); line: queueing theory")
    return figure


def relationships(world: World) -> Figure:
    """Active subscriptions, and how long they last."""
    figure, (active, lasting) = two()
    day, alive = world.columns(
        """WITH moves AS (SELECT event_time::DATE AS day, 1 AS step FROM subscription
                          UNION ALL SELECT event_time::DATE, -1 FROM subscription_lifecycle)
           SELECT day, sum(sum(step)) OVER (ORDER BY day) FROM moves GROUP BY day ORDER BY day"""
    )
    active.plot(day, alive, color=COLORS[0], linewidth=1.8)
    active.set_title("Active subscriptions")
    thousands(active)
    monthly(active)
    for plan, color in (("monthly", COLORS[0]), ("yearly", COLORS[3])):
        survival(
            lasting,
            world,
            f"""WITH ends AS (SELECT subscription_id, event_time AS stopped FROM subscription_lifecycle)
                SELECT epoch(coalesce(stopped, TIMESTAMPTZ '2025-01-01') - born_at) / 86400, stopped IS NOT NULL
                FROM subscription LEFT JOIN ends USING (subscription_id) WHERE plan = '{plan}'""",
            color,
            plan,
        )
    lasting.set_xlim(0, 850)
    lasting.set_xlabel("days")
    lasting.set_title("Share that goes on (Kaplan-Meier)")
    return figure


def changing_entities(world: World) -> Figure:
    """Calls by the plan that was valid."""
    figure, axes = one()
    month, share = world.columns(
        """SELECT date_trunc('month', event_time)::DATE AS month, avg((plan = 'plus')::INT)
           FROM call GROUP BY month ORDER BY month"""
    )
    axes.plot(month, share, "o", color=COLORS[0], markersize=4)
    years = (month + 15 * DAY - np.datetime64("2024-01-01")) / np.timedelta64(8766, "h")
    axes.plot(month, 0.6 - 0.3 * np.exp(-0.6 * years), color=COLORS[3], linewidth=1.2)
    axes.set_title("Share of the calls on plan plus; line: 0.6 - 0.3 exp(-0.6 t), as declared")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    monthly(axes, (1, 4, 7, 10))
    return figure


def incidents(world: World) -> Figure:
    """An outage, and what stolen cards pay."""
    figure, (outage, amounts) = two()
    hour, payments = world.columns(
        """SELECT date_trunc('hour', event_time)::TIMESTAMP AS hour, count(*) FROM payment
           WHERE event_time BETWEEN '2024-03-04' AND '2024-03-07' GROUP BY hour ORDER BY hour"""
    )
    hit = (hour >= np.datetime64("2024-03-05T08")) & (hour < np.datetime64("2024-03-05T20"))
    outage.bar(hour, payments, width=np.timedelta64(50, "m"), color=np.where(hit, COLORS[3], COLORS[1]))
    outage.tick_params(axis="x", rotation=30)
    outage.set_title("Payments an hour: an outage")
    for stolen, color, label in ((False, COLORS[0], "honest"), (True, COLORS[3], "stolen")):
        (values,) = world.columns(
            f"""SELECT log10(amount) FROM payment WHERE {"" if stolen else "NOT"} payment_id IN
                (SELECT fact_id FROM incident_fact WHERE incident = 'stolen')"""
        )
        amounts.hist(values, bins=np.linspace(0, 3.5, 50), density=True, color=color, alpha=0.65, label=label)
    amounts.set_xticks([0, 1, 2, 3], ["1", "10", "100", "1000"])
    amounts.set_yticks([])
    amounts.legend(frameon=False, fontsize=8)
    amounts.set_title("Amounts")
    return figure


def lookups_and_correlations(world: World) -> Figure:
    """Orders by rank of the product; two attributes that go together."""
    figure, (ranks, cloud) = two()
    rank, orders = world.columns(
        'SELECT row_number() OVER (ORDER BY count(*) DESC), count(*) FROM "order" GROUP BY product_id ORDER BY 1'
    )
    ranks.loglog(rank, orders, "o", color=COLORS[0], markersize=3)
    ranks.plot(rank[:100], orders[0] * rank[:100] ** -1.1, color=COLORS[3], linewidth=1.2)
    ranks.set_title("Orders by rank; line: Zipf, 1.1")
    income, spending = world.columns("SELECT income, spending FROM customer LIMIT 1200")
    cloud.loglog(income, spending, ".", color=COLORS[1], markersize=2.5)
    cloud.set_xlabel("income")
    cloud.set_ylabel("spending")
    cloud.set_title("Correlated attributes")
    return figure


def schema_evolution(world: World) -> Figure:
    """Orders with either column."""
    figure, axes = one()
    day, coupon, channel = world.columns(
        """SELECT date_trunc('week', event_time)::DATE AS week, count(coupon) / count(*), count(channel) / count(*)
           FROM "order" GROUP BY week ORDER BY week"""
    )
    axes.step(day, coupon, where="post", color=COLORS[0], linewidth=1.8)
    axes.step(day, channel, where="post", color=COLORS[3], linewidth=1.8)
    axes.text(day[3], 0.9, "coupon, until May", color=COLORS[0], fontsize=8)
    axes.text(day[-6], 0.9, "channel, from March", color=COLORS[3], fontsize=8)
    axes.set_ylim(-0.03, 1.08)
    axes.set_title("Share of a week's orders that have the column")
    monthly(axes, tuple(range(1, 13)))
    return figure
