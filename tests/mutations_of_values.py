"""Mutations of values: limits, categories, templates, shares and distributions."""

from __future__ import annotations

from mutations import Output, mutation


@mutation("ranges")
def a_value_is_too_large(output: Output) -> None:
    output.replace("order", "weight", "CASE WHEN row_number() OVER () = 7 THEN 31 ELSE weight END")


@mutation("ranges")
def a_count_is_below_its_minimum(output: Output) -> None:
    output.replace("order", "quantity", "CASE WHEN row_number() OVER () = 7 THEN 0 ELSE quantity END")


@mutation("rounding")
def values_have_more_digits_than_they_should(output: Output) -> None:
    output.replace("order", "weight", "CASE WHEN weight < 20 THEN weight + 0.003 ELSE weight END")


@mutation("categories")
def a_category_is_unknown(output: Output) -> None:
    output.replace("order", "channel", "CASE WHEN row_number() OVER () = 7 THEN 'fax' ELSE channel END")


@mutation("categories")
def a_segment_is_unknown(output: Output) -> None:
    output.replace("customer", "tier", "CASE WHEN row_number() OVER () = 7 THEN 'gold' ELSE tier END")


@mutation("patterns")
def codes_are_in_small_letters(output: Output) -> None:
    output.replace("customer", "code", "CASE customer_id % 100 WHEN 0 THEN lower(code) ELSE code END")


@mutation("sequences")
def numbers_are_not_those_of_their_rows(output: Output) -> None:
    output.replace("customer", "number", "CASE customer_id % 100 WHEN 0 THEN 'C-000000' ELSE number END")


@mutation("shares")
def a_share_has_changed(output: Output) -> None:
    output.replace("order", "channel", "CASE WHEN channel = 'web' AND order_id % 5 = 0 THEN 'shop' ELSE channel END")


@mutation("shares")
def a_category_has_disappeared(output: Output) -> None:
    output.replace("customer", "country", "CASE country WHEN 'ES' THEN 'FR' ELSE country END")


@mutation("null_shares")
def more_is_null_than_there_should_be(output: Output) -> None:
    output.replace("customer", "phone", "CASE customer_id % 6 WHEN 0 THEN NULL ELSE phone END")


@mutation("distributions")
def the_variance_is_inflated(output: Output) -> None:
    wider = "round(least(greatest(8 + (weight - 8) * 1.2, 0.1), 30), 1)"
    output.replace("order", "weight", wider)


@mutation("distributions")
def the_tail_is_clipped(output: Output) -> None:
    output.replace("order", "weight", "least(weight, 12)")


@mutation("distributions")
def the_mean_is_shifted(output: Output) -> None:
    output.replace("order", "quantity", "CASE order_id % 4 WHEN 0 THEN quantity + 1 ELSE quantity END")


@mutation("inequalities")
def births_come_after_they_are_told(output: Output) -> None:
    later = "CASE WHEN row_number() OVER () = 7 THEN event_time + INTERVAL 1 SECOND ELSE born_at END"
    output.replace("customer", "born_at", later)


@mutation("times_in_state")
def times_in_states_are_in_minutes(output: Output) -> None:
    output.replace("customer_lifecycle", "seconds_in_state", "seconds_in_state / 60")


@mutation("expectations")
def columns_are_swapped(output: Output) -> None:
    output.rewrite("order", "SELECT * REPLACE (total AS amount, amount AS total) FROM t")
