"""Mutations of processes and queues: of callers, who are served one by one or write a letter."""

from __future__ import annotations

from typing import Any

from mutations import Output, mutation

WRITTEN: dict[str, Any] = {
    "next": [
        {
            "to": "done",
            "probability": 0.5,
            "after": {"type": "exponential", "mean": "1d"},
            "segments": {"kind": {"old": {"probability": 1.2}}},
        }
    ]
}
"""What becomes of mails and letters alike."""

WORLD: dict[str, Any] = {
    "name": "calls",
    "start": "2024-01-01",
    "end": "2025-01-01",
    "entities": {
        "caller": {
            "initial": {"count": 200},
            "segments": {"kind": {"new": {"weight": 0.5}, "old": {"weight": 0.5}}},
        },
    },
    "resources": {"agent": {"capacity": 1}},
    "processes": {
        "call": {
            "entity": "caller",
            "start": {"rate": "4/month"},
            "first": {"phone": 0.4, "mail": 0.3, "letter": 0.3},
            "steps": {
                "phone": {
                    "resource": "agent",
                    "service": {"type": "gamma", "mean": "1h", "shape": 3},
                    "next": {"done": 0.8},
                },
                "mail": WRITTEN,
                "letter": WRITTEN,
                "done": {},
            },
        },
    },
}
"""A world of its own, as whoever queues for the same place is simulated in one piece."""

CALM = """
    SELECT *, coalesce(lead(queued_at) OVER calls > event_time + INTERVAL 1 HOUR, true) AS then_idle,
           coalesce(lag(event_time) OVER calls < queued_at - INTERVAL 1 HOUR, true) AS idle_before,
           coalesce(lag(event_time - to_seconds(served_s)) OVER calls <= queued_at, true) AS first_in_line
    FROM call_service WINDOW calls AS (ORDER BY event_time)
"""
"""All services; whether the one place is free for an hour before and afterwards, and whether nobody else waits."""


def served(output: Output, condition: str, columns: str, end: str) -> None:
    """Change the columns of some services, and when they end; who was called goes on from there."""
    ends = f"SELECT call_case_id, {end} AS ends FROM ({CALM}) WHERE {condition}"
    done = "CASE WHEN step = 'done' AND ends IS NOT NULL THEN ends ELSE event_time END AS event_time"
    for path in output.files("call"):
        rows = f"SELECT t.* REPLACE ({done}) FROM t LEFT JOIN ({ends}) USING (call_case_id)"
        output.rewrite_file(path, f"{rows} ORDER BY event_time, call_id")
    helpers = "EXCLUDE (then_idle, idle_before, first_in_line)"
    changed = f"SELECT * {helpers} REPLACE ({columns}, {end} AS event_time) FROM ({CALM}) WHERE {condition}"
    for path in output.files("call_service"):
        own = "call_service_id IN (SELECT call_service_id FROM t)"
        others = f"SELECT * {helpers} FROM ({CALM}) WHERE NOT ({condition})"
        rows = f"FROM (({changed}) UNION ALL ({others})) WHERE {own}"
        output.rewrite_file(path, f"{rows} ORDER BY event_time, call_service_id")


def exchanged(output: Output, losing: str, winning: str) -> None:
    """Let some be done with their letters in place of others, a third of those who could."""
    began, ended = "max(event_time) FILTER (step_index = 0)", "max(event_time) FILTER (step = 'done')"
    first = "max(step) FILTER (step_index = 0) AS first, max(call_id) FILTER (step = 'done') AS row"
    each = f"SELECT call_case_id, caller_id, {began} AS began, {ended} - {began} AS took, {first} FROM t GROUP BY ALL"
    known = f"SELECT * FROM ({each}) JOIN caller USING (caller_id) WHERE first <> 'phone'"
    number = "row_number() OVER (PARTITION BY first ORDER BY hash(call_case_id)) AS number"
    losers = f"SELECT *, {number} FROM ({known}) WHERE took IS NOT NULL AND {losing} AND hash(call_case_id) % 3 = 0"
    winners = f"SELECT *, {number} FROM ({known}) WHERE took IS NULL AND began < '2024-12-01' AND {winning}"
    pairs = f"SELECT l.row AS call_id, l.took, w.* FROM ({losers}) l JOIN ({winners}) w USING (first, number)"
    to = "p.call_case_id AS call_case_id, p.caller_id AS caller_id, p.began + p.took AS event_time"
    moved = f"SELECT t.* REPLACE ({to}) FROM t JOIN ({pairs}) p USING (call_id)"
    others = f"FROM t WHERE call_id NOT IN (SELECT call_id FROM ({pairs}))"
    for path in output.files("call"):
        output.rewrite_file(path, f"FROM (({moved}) UNION ALL ({others})) ORDER BY event_time, call_id")


@mutation("service_times")
def calls_are_cut_short(output: Output) -> None:
    shorter = "event_time - to_seconds(served_s * 0.5)"
    served(output, "then_idle", "served_s * 0.5 AS served_s", shorter)


@mutation("capacity")
def two_are_served_at_once(output: Output) -> None:
    sooner = "event_time - to_seconds(waited_s)"
    served(output, "waited_s > 1 AND then_idle AND first_in_line", "0.0::DOUBLE AS waited_s", sooner)


@mutation("waits")
def some_wait_though_nobody_is_served(output: Output) -> None:
    later = "event_time + INTERVAL 10 MINUTE"
    condition = "idle_before AND then_idle AND call_service_id % 5 = 0 AND event_time < '2024-12-30'"
    served(output, condition, "waited_s + 600 AS waited_s", later)


@mutation("first_steps")
def mails_are_taken_for_letters(output: Output) -> None:
    case = "CASE WHEN step = 'mail' AND hash(call_case_id) % 4 = 0 THEN 'letter' ELSE step END"
    for path in output.files("call"):
        output.rewrite_file(path, f"SELECT * REPLACE ({case} AS step) FROM t")


@mutation("way_time")
def letters_of_the_first_months_are_forgotten(output: Output) -> None:
    exchanged(output, "began < '2024-06-01'", "began > '2024-06-01'")


@mutation("way_segments")
def letters_of_the_new_are_forgotten(output: Output) -> None:
    exchanged(output, "kind = 'new'", "kind = 'old'")
