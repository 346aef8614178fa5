"""Mutations of structure: files, columns, keys, references, order, paths."""

from __future__ import annotations

import shutil

from mutations import Output, mutation

NUMBERED = "(SELECT *, row_number() OVER () AS i FROM t)"


@mutation("unique_ids")
def one_key_in_a_thousand_is_there_twice(output: Output) -> None:
    before = "SELECT *, row_number() OVER () AS i, lag(order_line_id) OVER () AS p FROM t"
    twice = "CASE i % 1000 WHEN 1 THEN coalesce(p, order_line_id) ELSE order_line_id END AS order_line_id"
    output.rewrite("order_line", f"SELECT * EXCLUDE (i, p) REPLACE ({twice}) FROM ({before})")


@mutation("references")
def orders_of_customers_who_do_not_exist(output: Output) -> None:
    output.replace("order_line", "customer_id", "CASE order_line_id % 500 WHEN 0 THEN 999999 ELSE customer_id END")


@mutation("references_in_time")
def customers_order_before_they_are_born(output: Output) -> None:
    last = "(SELECT arg_max(customer_id, born_at) FROM customer)"
    early = f"CASE WHEN row_number() OVER () = 5 THEN {last} ELSE customer_id END"
    output.replace("order_line", "customer_id", early)


@mutation("links")
def lines_of_orders_that_do_not_exist(output: Output) -> None:
    output.replace("order_line", "order_id", "CASE order_line_id % 2000 WHEN 0 THEN -1 ELSE order_id END")


@mutation("links_in_time")
def a_line_comes_before_its_order(output: Output) -> None:
    last = '(SELECT arg_max(order_id, event_time) FROM "order")'
    output.replace("order_line", "order_id", f"CASE WHEN row_number() OVER () = 5 THEN {last} ELSE order_id END")


@mutation("order")
def time_is_shuffled(output: Output) -> None:
    output.rewrite("order_line", f"SELECT * EXCLUDE i FROM {NUMBERED} ORDER BY (i * 7919) % 10007, i")


@mutation("order")
def two_rows_change_places(output: Output) -> None:
    output.rewrite("order_line", f"SELECT * EXCLUDE i FROM {NUMBERED} ORDER BY CASE i WHEN 50 THEN 2000 ELSE i END")


@mutation("no_nulls")
def a_column_is_null(output: Output) -> None:
    output.replace("customer", "code", "NULL::VARCHAR")


@mutation("no_nulls")
def an_id_is_null(output: Output) -> None:
    childless = "(SELECT min(order_id) FROM t WHERE order_id NOT IN (SELECT order_id FROM order_line))"
    output.replace("order", "order_id", f"CASE WHEN order_id = {childless} THEN NULL ELSE order_id END")


@mutation("types")
def whole_numbers_become_text(output: Output) -> None:
    output.replace("order", "quantity", "quantity::VARCHAR")


@mutation("types")
def an_id_becomes_a_floating_point_number(output: Output) -> None:
    output.replace("order_line", "order_id", "order_id::DOUBLE")


@mutation("columns")
def a_column_is_missing(output: Output) -> None:
    output.rewrite("order", "SELECT * EXCLUDE weight FROM t")


@mutation("columns")
def a_column_has_another_name(output: Output) -> None:
    output.rewrite("order", "SELECT * RENAME (weight AS mass) FROM t")


@mutation("readable_files")
def a_file_is_truncated(output: Output) -> None:
    path = output.files("order_line")[0]
    output.overwrite(path, path.read_bytes()[:-200])


@mutation("complete_shards")
def a_shard_is_missing(output: Output) -> None:
    for path in [*output.root.rglob("part-*-2-of-2.parquet"), output.manifests()[1]]:
        path.unlink()


@mutation("complete_shards")
def a_shard_did_not_come_to_its_end(output: Output) -> None:
    output.edit(output.manifests()[0], lambda document: document.update(complete=False))


@mutation("files_there")
def a_file_is_missing(output: Output) -> None:
    output.files("order_line")[0].unlink()


@mutation("digests")
def a_file_was_written_once_more(output: Output) -> None:
    output.rewrite("order", "FROM t", seal=False)


@mutation("counts")
def some_rows_are_lost(output: Output) -> None:
    path = output.files("order_line")[0]
    output.rewrite("order_line", f"SELECT * EXCLUDE i FROM {NUMBERED} WHERE i NOT IN (5, 500, 900)")
    output.note(path, {"facts": 10**6})


@mutation("no_other_files")
def a_file_nobody_knows_of(output: Output) -> None:
    path = output.files("order")[0]
    kept = output.root / "kept"
    shutil.copy(path, kept)
    output.rewrite("order", "FROM t LIMIT 0", seal=False)
    path.rename(path.with_name("other.parquet"))
    kept.rename(path)


@mutation("inside_the_run")
def facts_come_after_the_end(output: Output) -> None:
    late = "CASE WHEN row_number() OVER () = count(*) OVER () THEN event_time + INTERVAL 90 DAY ELSE event_time END"
    output.replace("order_line", "event_time", late)


@mutation("transitions")
def changes_of_state_are_skipped(output: Output) -> None:
    output.rewrite("customer_lifecycle", "FROM t WHERE NOT (from_state = 'active' AND customer_lifecycle_id % 60 = 0)")


@mutation("transitions_in_time", also={"references_in_time": "a change of state names whose state it is"})
def a_state_changes_before_the_birth(output: Output) -> None:
    born = "(SELECT max(born_at) FROM customer c WHERE c.customer_id = t.customer_id)"
    once = "SELECT customer_id FROM t GROUP BY customer_id HAVING count(*) = 1"
    young = f"born_at > '2024-02-01' AND customer_id IN ({once})"
    one = f"customer_id = (SELECT min(customer_id) FROM customer WHERE {young})"
    early = f"CASE WHEN {one} THEN {born} - INTERVAL 1 HOUR ELSE event_time END AS event_time"
    rows = f"SELECT * REPLACE ({early}) FROM t ORDER BY event_time, customer_lifecycle_id"
    output.rewrite("customer_lifecycle", rows)


@mutation("known_transitions")
def a_way_that_the_lifecycle_does_not_know(output: Output) -> None:
    last = (
        "customer_lifecycle_id = (SELECT arg_max(customer_lifecycle_id, event_time) FROM t WHERE to_state = 'paused')"
    )
    output.replace("customer_lifecycle", "to_state", f"CASE WHEN {last} THEN 'gone' ELSE to_state END")


@mutation("step_order")
def steps_are_skipped(output: Output) -> None:
    paid = "checkout_case_id IN (SELECT checkout_case_id FROM t WHERE step = 'payment')"
    output.rewrite("checkout", f"FROM t WHERE NOT (step = 'cart' AND checkout_case_id % 40 = 0 AND {paid})")


@mutation("finished_cases")
def last_steps_are_missing(output: Output) -> None:
    output.rewrite("checkout", "FROM t WHERE NOT (step = 'payment' AND checkout_case_id % 40 = 0)")


@mutation("known_steps")
def a_step_that_nothing_leads_to(output: Output) -> None:
    last = "checkout_id = (SELECT arg_max(checkout_id, event_time) FROM t WHERE step = 'cart')"
    output.replace("checkout", "step", f"CASE WHEN {last} THEN 'payment' ELSE step END")


@mutation("finished_cases")
def cases_that_took_more_steps_than_there_are(output: Output) -> None:
    output.replace("checkout_case", "steps", "CASE checkout_case_id % 50 WHEN 0 THEN steps + 1 ELSE steps END")
