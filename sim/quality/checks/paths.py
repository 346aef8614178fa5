"""Paths through states and steps: a change begins where the one before ended, a step follows on the one before."""

from __future__ import annotations

from collections.abc import Iterator

from sim.batch import TIME
from sim.model.model import Flow, Machine
from sim.quality.checks.rows import FAULTS
from sim.quality.checks.scope import Scope, Subject, column
from sim.quality.finding import Finding, exact, unmeasured
from sim.quality.tables import literal, quoted


def measure(scope: Scope) -> Iterator[Finding]:
    """Changes of state of entities, and steps of cases."""
    for subject in scope.subjects.values():
        if not subject.types or not subject.timed:
            continue
        if subject.has("from_state", "to_state", subject.key, subject.id):
            yield from _states(scope, subject) if not subject.faulty else [_faulty("transitions", subject)]
        if subject.has("step", "step_index", f"{subject.name}_case_id"):
            yield from _steps(scope, subject) if not subject.faulty else [_faulty("step_order", subject)]


def _faulty(name: str, subject: Subject) -> Finding:
    return unmeasured("structure", name, subject.name, FAULTS)


def _states(scope: Scope, subject: Subject) -> Iterator[Finding]:
    key, kind = column(str(subject.key)), subject.name.removesuffix("_lifecycle")
    births = scope.subjects.get(kind)
    begun = births is not None and births.has("state", births.id) and births.id == subject.key and not births.faulty
    joined = f"LEFT JOIN {quoted(kind)} b ON b.{key} = c.{key}" if begun else ""
    state, since = ("b.state", f"b.{TIME}") if begun else ("NULL", "NULL")
    window = f"PARTITION BY {key} ORDER BY {TIME}, {column(str(subject.id))}"
    path = f"SELECT *, lag(to_state) OVER ({window}) AS p, lag({TIME}) OVER ({window}) AS q FROM {quoted(subject.name)}"
    spent = "c.seconds_in_state" if subject.has("seconds_in_state") else "NULL"
    sql = f"""
        SELECT count(*) FILTER (c.from_state <> coalesce(c.p, {state})),
               count(*) FILTER (c.from_state = c.p AND abs(epoch(c.{TIME}) - epoch(c.q) - {spent}) > 0.001),
               count(*) FILTER ({since} > c.{TIME})
        FROM ({path}) c {joined}
    """
    ((broken, other, early),) = scope.dataset.query(sql)
    told = "it leaves another state than the one that was entered before"
    yield exact("structure", "transitions", subject.name, broken, told, of=subject.rows, weight=2)
    told = "the time in the state is not that since the change before"
    yield exact("values", "times_in_state", subject.name, other, told, of=subject.rows)
    yield exact("structure", "transitions_in_time", subject.name, early, "before its birth", of=subject.rows)
    if (machine := _machine(scope, subject)) is not None:
        yield _ways(scope, subject, machine)


def _machine(scope: Scope, subject: Subject) -> Machine | None:
    populations = scope.model.populations if scope.model is not None else ()
    return next((p.machine for p in populations if p.transitions and p.transitions.name == subject.name), None)


def _ways(scope: Scope, subject: Subject, machine: Machine) -> Finding:
    """Changes that the lifecycle does not know."""
    known = [(machine.states[at], machine.states[way.to]) for at, ways in enumerate(machine.exits) for way in ways]
    told = "the lifecycle has no way from there to here"
    return _unknown(scope, subject, "known_transitions", "from_state", "to_state", known, told, quoted(subject.name))


def _steps(scope: Scope, subject: Subject) -> Iterator[Finding]:
    case = column(f"{subject.name}_case_id")
    window = f"PARTITION BY {case} ORDER BY {TIME}, step_index"
    path = f"SELECT *, lag(step_index) OVER ({window}) AS p, lag(step) OVER ({window}) AS q FROM {quoted(subject.name)}"
    sql = f"SELECT count(*) FILTER (step_index <> coalesce(p + 1, 0)) FROM ({path})"
    ((broken,),) = scope.dataset.query(sql)
    told = "the step before it is missing, there twice, or later"
    yield exact("structure", "step_order", subject.name, broken, told, of=subject.rows, weight=2)
    if (flow := _flow(scope, subject)) is not None:
        known = _moves(flow)
        told = "the process has no way from the step before to this one"
        # where a step is missing, what is around it is no way
        source = f"(FROM ({path}) WHERE step_index = coalesce(p + 1, 0))"
        yield _unknown(scope, subject, "known_steps", "coalesce(q, '')", "step", known, told, source)
    finished = scope.subjects.get(f"{subject.name}_case")
    if finished is not None and finished.has("steps", f"{subject.name}_case_id", "started_at") and not finished.faulty:
        yield _finished(scope, subject, finished, case)


def _flow(scope: Scope, subject: Subject) -> Flow | None:
    flows = scope.model.flows if scope.model is not None else ()
    return next((flow for flow in flows if flow.stream.name == subject.name), None)


def _moves(flow: Flow) -> list[tuple[str, str]]:
    begin = [("", step) for step, share in zip(flow.steps, flow.first, strict=True) if share > 0]
    targets = [(at, to) for at, ways in enumerate(flow.branches) for way in ways for to in (way.to, way.otherwise)]
    services = ((at, service) for at, service in enumerate(flow.services) if service is not None)
    targets += [(at, service.reneged) for at, service in services]
    return begin + [(flow.steps[at], flow.steps[to]) for at, to in targets if to >= 0]


def _finished(scope: Scope, subject: Subject, finished: Subject, case: str) -> Finding:
    """Finished cases that end after another step than the last that is there, or began at another time than the first.

    Steps that are missing in between are `step_order`'s.
    """
    first = f"min({TIME}) FILTER (step_index = 0)"
    steps = f"SELECT {case}, max(step_index) + 1 AS n, {first} AS t FROM {quoted(subject.name)} GROUP BY {case}"
    sql = f"""
        SELECT count(*) FILTER (s.n IS NULL OR s.n <> f.steps OR s.t <> f.started_at)
        FROM {quoted(finished.name)} f LEFT JOIN ({steps}) s ON s.{case} = f.{case}
    """
    ((wrong,),) = scope.dataset.query(sql)
    told = "its last step is another, or it began at another time"
    return exact("structure", "finished_cases", finished.name, wrong, told, of=finished.rows, weight=2)


def _unknown(
    scope: Scope,
    subject: Subject,
    name: str,
    first: str,
    second: str,
    known: list[tuple[str, str]],
    told: str,
    source: str,
) -> Finding:
    """Rows with a pair of values that is not among the known ones."""
    pairs = ", ".join(f"({literal(one)}, {literal(other)})" for one, other in dict.fromkeys(known)) or "('', '')"
    sql = f"""
        SELECT {first} AS a, {second} AS b, count(*) AS n FROM {source}
        GROUP BY ALL HAVING (a, b) NOT IN ({pairs}) ORDER BY n DESC
    """
    strange = scope.dataset.query(sql)
    wrong = sum(count for *_, count in strange)
    told = f"{told}: {strange[0][0]} -> {strange[0][1]}" if strange else ""
    return exact("structure", name, subject.name, wrong, told, of=subject.rows, weight=2)
