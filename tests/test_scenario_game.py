"""The game says what it declares: how long players stay, what they do in a session, how points become levels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from evidence import distributed, poisson, proportions, share
from full_runs import full_run

NAME = "game"
DAY = 86_400

FOLLOWED = """
    SELECT *, coalesce(lead(step) OVER path, 'end') AS next FROM session JOIN player USING (player_id)
    WINDOW path AS (PARTITION BY session_case_id ORDER BY step_index)
"""
LIVES = """
    SELECT player_id, to_state AS state, reason, event_time AS since,
           coalesce(lead(event_time) OVER life, TIMESTAMPTZ '2025-06-01 00:00:00+02') AS until
    FROM player_lifecycle WINDOW life AS (PARTITION BY player_id ORDER BY event_time)
"""


def factor(segmentation):
    """The hazards' factors of a segmentation, as a CASE over its column."""
    segments = full_run(NAME).scenario.entities["player"].segments[segmentation]
    return f"CASE {segmentation} " + " ".join(f"WHEN '{name}' THEN {s.hazard}" for name, s in segments.items()) + " END"


def hazard():
    return " * ".join(map(factor, ("platform", "source", "taste", "spending")))


def test_players_lose_interest_after_the_declared_times():
    sample = full_run(NAME).rows(
        f"""SELECT seconds_in_state / {DAY}, {hazard()} FROM player_lifecycle AS l JOIN player USING (player_id)
            WHERE from_state = 'playing' AND l.event_time < born_at + INTERVAL 10 DAY AND born_at < '2025-05-20'
              AND abs(epoch(l.event_time - born_at) - seconds_in_state) < 1"""
    )
    days, factors = np.array(sample, dtype=float).T
    lost, by_then = (-np.expm1(-factors * (limit * 24 / 22) ** 0.36) for limit in (days, 10.0))
    assert len(days) > 3000
    distributed(lost / by_then, "uniform")


def test_lapsed_players_come_back_as_often_as_declared():
    returns, exposure = full_run(NAME).one(
        f"""SELECT (SELECT count(*) FROM player_lifecycle WHERE reason = 'came back'), sum(months * factor)
            FROM (SELECT epoch(until - since) / 2629800 AS months, {hazard()} AS factor
                  FROM ({LIVES}) AS l JOIN player USING (player_id) WHERE l.state = 'lapsed')"""
    )
    poisson(returns, -math.log1p(-0.016) * exposure)


def test_retention_falls_like_that_of_a_good_game():
    installs, *back = full_run(NAME).one(
        """WITH born AS (SELECT player_id, born_at::DATE AS day FROM player WHERE born_at < '2025-05-01'),
                days AS (SELECT DISTINCT player_id, event_time::DATE - day AS n
                         FROM session JOIN born USING (player_id))
           SELECT (SELECT count(*) FROM born), count(*) FILTER (n = 1), count(*) FILTER (n = 7),
                  count(*) FILTER (n = 30) FROM days"""
    )
    first, seventh, thirtieth = (count / installs for count in back)
    assert 0.29 < first < 0.37
    assert 0.08 < seventh < 0.13
    assert 0.025 < thirtieth < 0.055


def test_only_who_plays_opens_the_game():
    strangers = full_run(NAME).one(
        """SELECT count(*) FROM session AS s JOIN player AS p USING (player_id)
           ASOF LEFT JOIN player_lifecycle AS l ON s.player_id = l.player_id AND s.event_time >= l.event_time
           WHERE step = 'opened' AND coalesce(l.to_state, p.state) <> 'playing'"""
    )
    assert strangers == 0


@pytest.mark.parametrize(
    ("step", "following", "platform", "probability"),
    [
        ("started", "rules", "android", 0.95),
        ("rules", "first_try", "ios", 0.93),
        ("first_try", "first_win", "ios", 0.88),
        ("first_try", "first_win", "android", 0.88 * 0.97),
    ],
)
def test_newcomers_get_on_with_the_tutorial_as_declared(step, following, platform, probability):
    here, there = full_run(NAME).one(
        f"""SELECT count(*) FILTER (step = '{step}'), count(*) FILTER (step = '{following}')
            FROM tutorial JOIN player USING (player_id) WHERE platform = '{platform}' AND born_at < '2025-05-31'"""
    )
    share(there, here, probability)


@pytest.mark.parametrize(
    ("spending", "probability"), [("nothing", 0), ("little", 0.08), ("some", 0.08 * 2.2), ("whale", 0.08 * 3.5)]
)
def test_visits_to_the_shop_become_purchases_as_declared(spending, probability):
    visits, purchases = full_run(NAME).one(
        f"""SELECT count(*), count(*) FILTER (next = 'bought') FROM ({FOLLOWED})
            WHERE step = 'shop' AND spending = '{spending}' AND event_time < '2025-05-31'"""
    )
    share(purchases, visits, probability)


def test_what_is_bought_has_a_price_of_its_list_and_nothing_else_has():
    rows = full_run(NAME).rows(
        """SELECT price, count(*) FROM session JOIN player USING (player_id)
           WHERE spending = 'little' AND price > 0 GROUP BY price"""
    )
    found = dict(rows)
    proportions([found.get(price, 0) for price in (0.99, 1.99, 4.99, 9.99)], [42, 30, 22, 6])
    assert set(found) <= {0.99, 1.99, 4.99, 9.99}
    assert full_run(NAME).one("SELECT count(*) FROM session WHERE (step = 'bought') <> (price IS NOT NULL)") == 0


def test_every_round_has_a_result_and_stars_come_as_declared():
    run = full_run(NAME)
    both = "SELECT count(*) FROM session FULL JOIN result USING (session_id)"
    assert run.one(f"{both} WHERE (step IS NOT DISTINCT FROM 'round') <> (stars IS NOT NULL)") == 0
    found = dict(run.rows("SELECT stars, count(*) FROM result GROUP BY stars"))
    proportions([found[stars] for stars in range(4)], [37, 28, 22, 13])


def test_levels_follow_from_all_points_so_far():
    off, wrong, ups = full_run(NAME).one(
        """WITH sums AS (SELECT *, sum(points) OVER life AS summed, lag(level, 1, 1) OVER life AS before FROM result
                         WINDOW life AS (PARTITION BY player_id ORDER BY event_time, result_id))
           SELECT max(abs(total_points - summed)), count(*) FILTER (level <> 1 + floor(pow(summed / 30, 0.6))),
                  count(*) FILTER (level_up <> (level > before)) FROM sums"""
    )
    assert off < 1e-6
    assert (wrong, ups) == (0, 0)


def test_videos_follow_rounds_without_a_star_as_often_as_declared():
    run = full_run(NAME)
    lost, watched, others = run.one(
        """SELECT count(*) FILTER (stars = 0 AND spending <> 'whale'), count(a.result_id) FILTER (stars = 0),
                  count(a.result_id) FILTER (stars > 0 OR spending = 'whale')
           FROM result JOIN player USING (player_id) LEFT JOIN advertisement AS a USING (result_id)"""
    )
    share(watched, lost, 0.30)
    assert others == 0


def test_installations_have_the_declared_shape_of_a_day():
    run = full_run(NAME)
    quiet = "event_time BETWEEN '2025-02-01' AND '2025-03-01' OR event_time BETWEEN '2025-04-01' AND '2025-05-01'"
    hours = dict(run.rows(f"SELECT hour(event_time), count(*) FROM player WHERE {quiet} GROUP BY 1"))
    proportions([hours.get(hour, 0) for hour in range(24)], run.scenario.curves["hours"].weights)
