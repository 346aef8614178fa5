"""Mutations of behaviour: every row is sound, but together they are not what the scenario declares."""

from __future__ import annotations

from mutations import Output, mutation

AT_RANDOM = "(hash(order_id) % 1000) / 1000.0"
BORN = "t JOIN customer c USING (customer_id)"
YEARS = "(epoch(event_time) - epoch(TIMESTAMPTZ '2024-01-01 00:00:00+00')) / 31557600"
"""Since the start of the run."""

SINCE_FEBRUARY = f"greatest({YEARS} - 31 / 365.25, 0)"
IN_SPRING = "born_at >= '2024-03-01' AND born_at < '2024-06-01'"
ALIVE_AT_THE_START = "born_at < '2024-01-01'"
OF_CUSTOMERS = ("customer", "customer_lifecycle", "order", "order_line", "checkout", "checkout_case")


def kept(output: Output, share: str, source: str = "t") -> None:
    """Keep each order with a probability, and the lines of those that are kept."""
    for path in output.files("order"):
        where = f"{AT_RANDOM} < {share} ORDER BY t.event_time, order_id"
        output.rewrite_file(path, f"SELECT t.* FROM {source} WHERE {where}")
    for path in output.files("order_line"):
        output.rewrite_file(path, 'SELECT * FROM t WHERE order_id IN (SELECT order_id FROM "order")')


def moved(output: Output, later: str, condition: str = "true") -> None:
    """Put orders off, and their lines with them: none of those whose customer's state changes in the meantime."""
    changes = f"l.event_time > o.event_time AND l.event_time <= o.event_time + INTERVAL {later}"
    within = f"SELECT 1 FROM customer_lifecycle l WHERE l.customer_id = o.customer_id AND {changes}"
    where = f"o.event_time < '2024-12-26' AND ({condition}) AND NOT EXISTS ({within})"
    those = f'SELECT o.order_id FROM "order" o WHERE {where}'
    then = f"CASE WHEN order_id IN ({those}) THEN event_time + INTERVAL {later} ELSE event_time END AS event_time"
    for stream in ("order_line", "order"):
        for path in output.files(stream):
            output.rewrite_file(path, f"SELECT * REPLACE ({then}) FROM t ORDER BY event_time, {stream}_id")


def without(output: Output, customers: str) -> None:
    """Leave out customers, and everything that they have done."""
    gone = f"SELECT customer_id FROM customer WHERE {customers}"
    for stream in reversed(OF_CUSTOMERS):
        for path in output.files(stream):
            output.rewrite_file(path, f"FROM t WHERE customer_id NOT IN ({gone})")


def spent(output: Output, factor: str) -> None:
    """Multiply the amounts of orders."""
    amount = f"t.amount * {factor}"
    columns = f"SELECT t.* REPLACE ({amount} AS amount, {amount} + 5 AS total)"
    for path in output.files("order"):
        output.rewrite_file(path, f"{columns} FROM {BORN} ORDER BY t.event_time, order_id")


@mutation("segments")
def two_segments_are_swapped(output: Output) -> None:
    other = "CASE tier WHEN 'vip' THEN 'basic' WHEN 'basic' THEN 'vip' ELSE tier END AS tier"
    for path in output.files("customer"):
        output.rewrite_file(path, f"SELECT * REPLACE ({other}) FROM t")


@mutation("time")
def the_trend_is_flat(output: Output) -> None:
    kept(output, f"exp(-0.3365 * {SINCE_FEBRUARY})")


@mutation("cohorts")
def a_cohort_is_quiet(output: Output) -> None:
    sixths = "(SELECT customer_id, ntile(6) OVER (ORDER BY born_at) AS sixth FROM customer)"
    kept(output, "CASE c.sixth WHEN 5 THEN 0.5 ELSE 1 END", f"t JOIN {sixths} c USING (customer_id)")


@mutation("ages")
def the_old_are_even_quieter(output: Output) -> None:
    kept(output, "CASE WHEN t.event_time > c.born_at + INTERVAL 270 DAY THEN 0.7 ELSE 1 END", BORN)


@mutation("states")
def those_who_pause_do_even_less(output: Output) -> None:
    state = "t ASOF LEFT JOIN customer_lifecycle l ON t.customer_id = l.customer_id AND t.event_time >= l.event_time"
    kept(output, "CASE WHEN l.to_state = 'paused' THEN 0.4 ELSE 1 END", state)


@mutation("weekdays")
def half_of_the_weekend_happens_two_days_later(output: Output) -> None:
    same_month = "month(o.event_time) = month(o.event_time + INTERVAL 2 DAY)"
    moved(output, "2 DAY", f"isodow(o.event_time) > 5 AND {AT_RANDOM} < 0.5 AND {same_month}")


@mutation("hours")
def clocks_are_an_hour_ahead(output: Output) -> None:
    moved(output, "1 HOUR")


@mutation("hours")
def half_of_the_afternoon_happens_in_the_evening(output: Output) -> None:
    moved(output, "6 HOUR", f"hour(o.event_time) BETWEEN 12 AND 16 AND {AT_RANDOM} < 0.5")


@mutation("rate")
def a_tenth_of_all_orders_is_missing(output: Output) -> None:
    kept(output, "0.9")


@mutation("births")
def a_fifth_of_the_new_customers_is_missing(output: Output) -> None:
    without(output, f"NOT ({ALIVE_AT_THE_START}) AND hash(customer_id) % 5 = 0")


@mutation("births_time")
def a_cohort_is_lost(output: Output) -> None:
    without(output, IN_SPRING)


@mutation("initial_entities")
def some_of_the_first_customers_are_missing(output: Output) -> None:
    without(output, f"{ALIVE_AT_THE_START} AND hash(customer_id) % 50 = 0")


@mutation("value_segments")
def the_best_customers_spend_less(output: Output) -> None:
    spent(output, "CASE c.size WHEN 'large' THEN 0.8 ELSE 1 END")


@mutation("value_ages")
def the_old_spend_more(output: Output) -> None:
    spent(output, "CASE WHEN t.event_time > c.born_at + INTERVAL 270 DAY THEN 1.3 ELSE 1 END")


@mutation("value_time")
def prices_rise(output: Output) -> None:
    spent(output, f"(1 + 0.4 * {YEARS.replace('event_time', 't.event_time')})")


FEWER = "that fewer follow from each fact is another distribution of their number"


@mutation("followers", also={"follower_counts": FEWER})
def lines_are_lost(output: Output) -> None:
    for path in output.files("order_line"):
        kept_rows = "hash(order_line_id) % 10 > 0 ORDER BY event_time, order_line_id"
        output.rewrite_file(path, f"SELECT * FROM t WHERE {kept_rows}")


@mutation("follower_counts")
def orders_of_two_lines_have_one_or_three(output: Output) -> None:
    number = "count(*) OVER (PARTITION BY order_id) AS n"
    place = "row_number() OVER (PARTITION BY order_id ORDER BY hash(order_line_id)) AS k"
    pairs = f"SELECT *, dense_rank() OVER (ORDER BY n = 2, order_id) % 4 AS d FROM (SELECT *, {number}, {place} FROM t)"
    fewer = "FROM pairs WHERE NOT (n = 2 AND k = 1 AND d = 0)"
    more = "SELECT * REPLACE (-order_line_id - 1 AS order_line_id) FROM pairs WHERE n = 2 AND k = 1 AND d = 1"
    rows = f"WITH pairs AS ({pairs}) SELECT * EXCLUDE (n, k, d) FROM ({fewer} UNION ALL {more})"
    for path in output.files("order_line"):
        output.rewrite_file(path, f"{rows} ORDER BY event_time, order_line_id")


@mutation("ways")
def some_never_pay(output: Output) -> None:
    unpaid = "step = 'payment' AND hash(checkout_case_id) % 8 = 0"
    cases = f"SELECT checkout_case_id FROM checkout WHERE {unpaid}"
    cart = "(SELECT max(event_time) FROM checkout s WHERE s.checkout_case_id = t.checkout_case_id AND step = 'cart')"
    shorter = f"{cart} AS event_time, 'cart' AS last_step, 2::BIGINT AS steps"
    finished = f"SELECT * REPLACE ({shorter}) FROM t WHERE checkout_case_id IN ({cases})"
    finished = f"FROM ({finished} UNION ALL FROM t WHERE checkout_case_id NOT IN ({cases}))"
    for path in output.files("checkout_case"):
        output.rewrite_file(path, f"{finished} ORDER BY event_time, checkout_case_id")
    for path in output.files("checkout"):
        output.rewrite_file(path, f"FROM t WHERE NOT ({unpaid})")


@mutation("delays")
def carts_wait_longer_for_payment(output: Output) -> None:
    cart = "(SELECT max(event_time) FROM checkout s WHERE s.checkout_case_id = t.checkout_case_id AND step = 'cart')"
    later = f"least(event_time + (event_time - {cart}) * 0.5, '2024-12-31 23:59:59')"
    for stream, step in (("checkout_case", "last_step"), ("checkout", "step")):
        then = f"CASE {step} WHEN 'payment' THEN {later} ELSE event_time END AS event_time"
        for path in output.files(stream):
            output.rewrite_file(path, f"SELECT * REPLACE ({then}) FROM t ORDER BY event_time, {stream}_id")


LEFT = "whoever leaves otherwise is there for another time"


def prolonged(output: Output, factor: str) -> None:
    """Let licences expire later: after the time that they were valid for, times a factor."""
    later = f"t.event_time + to_microseconds((seconds_in_state * ({factor} - 1) * 1e6)::BIGINT) AS event_time"
    longer = f"SELECT t.* REPLACE ({later}, seconds_in_state * {factor} AS seconds_in_state)"
    for path in output.files("licence_lifecycle"):
        rows = f"FROM ({longer} FROM t JOIN licence c USING (licence_id)) WHERE event_time < '2025-01-01'"
        output.rewrite_file(path, f"{rows} ORDER BY event_time, licence_lifecycle_id")


@mutation("survival", also={"hazard": "that fewer have left after a month is that they leave at a lower hazard"})
def licences_stay_valid(output: Output) -> None:
    prolonged(output, "1.5")


@mutation("hazard_segments", also={"survival": LEFT})
def special_licences_stay_valid(output: Output) -> None:
    prolonged(output, "CASE c.type WHEN 'special' THEN 3 ELSE 1 END")


@mutation("hazard_time", also={"survival": LEFT})
def licences_stay_valid_from_summer_on(output: Output) -> None:
    lost = "event_time > '2024-07-01' AND hash(licence_id) % 3 > 0"
    for path in output.files("licence_lifecycle"):
        output.rewrite_file(path, f"FROM t WHERE NOT ({lost})")


@mutation("dwell_time")
def some_pauses_last_a_day_longer(output: Output) -> None:
    last = "event_time = max(event_time) OVER (PARTITION BY customer_id) AND event_time < '2024-12-30'"
    some = f"CASE WHEN from_state = 'paused' AND {last} AND customer_id % 10 = 0 THEN 1 ELSE 0 END"
    later = f"event_time + to_days({some}) AS event_time, seconds_in_state + 86400.0 * {some} AS seconds_in_state"
    for path in output.files("customer_lifecycle"):
        output.rewrite_file(path, f"SELECT * REPLACE ({later}) FROM t ORDER BY event_time, customer_lifecycle_id")


@mutation("impossible_events")
def somebody_who_is_gone_orders(output: Output) -> None:
    gone = "(SELECT arg_min(customer_id, event_time) FROM customer_lifecycle WHERE to_state = 'gone')"
    last = "(SELECT arg_max(order_id, event_time) FROM t WHERE order_id NOT IN (SELECT order_id FROM order_line))"
    output.replace("order", "customer_id", f"CASE order_id WHEN {last} THEN {gone} ELSE customer_id END")


@mutation("attribution_shares", also={"removal_effects": "who has less of the credit is missed by fewer conversions"})
def conversions_are_credited_to_search(output: Output) -> None:
    """Who converts and who does not exchange their beginnings, so that all ways are gone as often as before."""
    begins = "max(step) FILTER (step_index = 0) || max(step) FILTER (step_index = 1) AS begins"
    cases = f"SELECT journey_case_id, {begins}, bool_or(step = 'extension') AS won FROM t GROUP BY journey_case_id"
    number = "row_number() OVER (PARTITION BY begins, won ORDER BY hash(journey_case_id)) AS number"
    both = f"SELECT *, {number} FROM ({cases}) WHERE begins = CASE WHEN won THEN 'socialsearch' ELSE 'searchsearch' END"
    fewer = f"(SELECT least(max(number) FILTER (won), max(number) FILTER (NOT won)) FROM ({both}))"
    other = "CASE WHEN won IS NULL OR step_index > 0 THEN step WHEN won THEN 'search' ELSE 'social' END AS step"
    joined = f"t LEFT JOIN (FROM ({both}) WHERE number <= {fewer}) USING (journey_case_id)"
    rows = f"SELECT t.* REPLACE ({other}) FROM {joined} ORDER BY event_time, journey_id"
    for path in output.files("journey"):
        output.rewrite_file(path, rows)


@mutation("scheduled")
def fees_are_skipped(output: Output) -> None:
    for path in output.files("fee"):
        output.rewrite_file(path, "SELECT * FROM t WHERE hash(fee_id) % 10 > 0 ORDER BY event_time, fee_id")


@mutation("jitter")
def fees_come_early(output: Output) -> None:
    for path in output.files("fee"):
        earlier = "t.event_time - to_seconds(epoch(t.event_time - c.born_at) % 2629800 / 4) AS event_time"
        source = "t JOIN licence c USING (licence_id)"
        output.rewrite_file(path, f"SELECT t.* REPLACE ({earlier}) FROM {source} ORDER BY event_time, fee_id")


@mutation("off_schedule")
def a_few_fees_come_at_any_time(output: Output) -> None:
    for path in output.files("fee"):
        moved = "CASE WHEN hash(fee_id) % 50 = 0 THEN event_time - INTERVAL 5 DAY ELSE event_time END AS event_time"
        output.rewrite_file(path, f"SELECT * REPLACE ({moved}) FROM t ORDER BY event_time, fee_id")


@mutation("followers", also={"follower_counts": FEWER})
def complaints_are_lost(output: Output) -> None:
    for stream in ("complaint_lifecycle", "letter", "complaint"):
        for path in output.files(stream):
            output.rewrite_file(
                path, f"SELECT * FROM t WHERE hash(complaint_id) % 6 > 0 ORDER BY event_time, {stream}_id"
            )


@mutation("triggered")
def letters_settle_less(output: Output) -> None:
    for path in output.files("complaint_lifecycle"):
        rows = "WHERE hash(complaint_lifecycle_id) % 5 > 0 ORDER BY event_time, complaint_lifecycle_id"
        output.rewrite_file(path, f"SELECT * FROM t {rows}")


def marks_without_visits(output: Output, lost: str) -> None:
    """Take the marks away for which `lost` holds, and those of visits that are not there."""
    there = "fact_stream != 'visit' OR fact_id IN (SELECT visit_id FROM visit)"
    for path in output.files("incident_fact"):
        rows = f"WHERE ({there}) AND NOT ({lost}) ORDER BY event_time, incident_fact_id"
        output.rewrite_file(path, f"SELECT * FROM t {rows}")


@mutation("incident_share")
def half_are_spared(output: Output) -> None:
    hit = "visit_id IN (SELECT fact_id FROM incident_fact WHERE fact_stream = 'visit') AND hash(licence_id) % 2 = 0"
    for path in output.files("visit"):
        rows = f"WHERE NOT ({hit} AND hash(visit_id) % 3 > 0) ORDER BY event_time, visit_id"
        output.rewrite_file(path, f"SELECT * FROM t {rows}")
    marks_without_visits(output, "fact_stream = 'visit' AND hash(entity_id) % 2 = 0")


@mutation("incident_factor")
def the_rush_is_half_as_large(output: Output) -> None:
    hit = "visit_id IN (SELECT fact_id FROM incident_fact WHERE fact_stream = 'visit')"
    for path in output.files("visit"):
        rows = f"WHERE NOT ({hit} AND hash(visit_id) % 3 = 0) ORDER BY event_time, visit_id"
        output.rewrite_file(path, f"SELECT * FROM t {rows}")
    marks_without_visits(output, "false")
