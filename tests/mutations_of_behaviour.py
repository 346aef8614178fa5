"""Mutations of behaviour: every row is sound, but together they are not what the scenario declares."""

from __future__ import annotations

from mutations import Output, mutation

AT_RANDOM = "(hash(order_id) % 1000) / 1000.0"
BORN = "t JOIN customer c USING (customer_id)"
YEARS = "(epoch(event_time) - epoch(TIMESTAMPTZ '2024-01-01 00:00:00+00')) / 31557600"


def kept(output: Output, share: str, source: str = "t") -> None:
    """Keep each order with a probability, and the lines of those that are kept."""
    for path in output.files("order"):
        where = f"{AT_RANDOM} < {share} ORDER BY t.event_time, order_id"
        output.rewrite_file(path, f"SELECT t.* FROM {source} WHERE {where}")
    for path in output.files("order_line"):
        output.rewrite_file(path, 'SELECT * FROM t WHERE order_id IN (SELECT order_id FROM "order")')


@mutation("segments", also=["value_segments", "rate", "ages", "time", "cohorts"])
def segments_are_shuffled(output: Output) -> None:
    for path in output.files("customer"):
        other = "coalesce(lag(tier, 17) OVER (ORDER BY customer_id), tier) AS tier"
        output.rewrite_file(path, f"SELECT * REPLACE ({other}) FROM t ORDER BY event_time, customer_id")


@mutation("time", also=["rate"])
def the_trend_is_flat(output: Output) -> None:
    kept(output, f"exp(-0.3365 * {YEARS})")


@mutation("cohorts", also=["time", "rate", "ages"])
def a_cohort_is_almost_lost(output: Output) -> None:
    kept(output, "CASE WHEN c.born_at BETWEEN '2024-02-01' AND '2024-05-01' THEN 0.4 ELSE 1 END", BORN)


@mutation("ages", also=["rate", "time"])
def the_young_are_as_quiet_as_the_old(output: Output) -> None:
    kept(output, "CASE WHEN t.event_time < c.born_at + INTERVAL 90 DAY THEN 0.6 ELSE 1 END", BORN)


@mutation("states")
def those_who_pause_do_even_less(output: Output) -> None:
    state = "t ASOF LEFT JOIN customer_lifecycle l ON t.customer_id = l.customer_id AND t.event_time >= l.event_time"
    kept(output, "CASE WHEN l.to_state = 'paused' THEN 0.4 ELSE 1 END", state)


@mutation("weekdays", also=["rate"])
def weekends_are_like_other_days(output: Output) -> None:
    kept(output, "CASE WHEN isodow(event_time) > 5 THEN 0.5 ELSE 1 END")


@mutation("hours", also=["rate"])
def the_evening_is_quiet(output: Output) -> None:
    kept(output, "CASE WHEN hour(event_time) BETWEEN 16 AND 19 THEN 0.6 ELSE 1 END")


@mutation("rate")
def a_tenth_of_all_orders_is_missing(output: Output) -> None:
    kept(output, "0.85")


@mutation("value_segments")
def the_best_customers_spend_less(output: Output) -> None:
    spent = "CASE WHEN c.tier = 'vip' THEN t.amount * 0.8 ELSE t.amount END"
    columns = f"SELECT t.* REPLACE ({spent} AS amount, {spent} + 5 AS total)"
    for path in output.files("order"):
        output.rewrite_file(path, f"{columns} FROM {BORN} ORDER BY t.event_time, order_id")


@mutation("follower_counts", also=["followers"])
def lines_are_lost(output: Output) -> None:
    for path in output.files("order_line"):
        kept_rows = "hash(order_line_id) % 10 > 0 ORDER BY event_time, order_line_id"
        output.rewrite_file(path, f"SELECT * FROM t WHERE {kept_rows}")


@mutation("survival", also=["hazard", "hazard_waiting", "hazard_time", "hazard_ages"])
def licences_stay_valid(output: Output) -> None:
    for path in output.files("licence_lifecycle"):
        first = "min(event_time) FILTER (from_state = 'valid') OVER (PARTITION BY licence_id)"
        kept_rows = f"hash(licence_id) % 5 > 1 OR event_time < coalesce({first}, event_time + INTERVAL 1 DAY)"
        output.rewrite_file(path, f"SELECT * FROM t QUALIFY {kept_rows} ORDER BY event_time, licence_lifecycle_id")


@mutation("attribution_shares", also=["removal_effects", "first_steps", "ways"])
def conversions_are_credited_to_search(output: Output) -> None:
    for path in output.files("journey"):
        later = "count(*) FILTER (step = 'extension') OVER (PARTITION BY journey_case_id) > 0"
        first = "step_index = 0 AND step = 'social' AND hash(journey_case_id) % 2 = 0"
        other = f"CASE WHEN {first} AND {later} THEN 'search' ELSE step END AS step"
        output.rewrite_file(path, f"SELECT * REPLACE ({other}) FROM t ORDER BY event_time, journey_id")
