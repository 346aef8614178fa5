"""The suite that every sink passes, for authors of their own.

    from sinks.conformance import CHECKS, check_sink

    def test_it_is_a_sink(tmp_path):
        places = (tmp_path / str(number) for number in itertools.count())
        check_sink(lambda: open_sink(f"mine:{next(places)}"), read_back)

`factory` gives a new sink on a new, empty target each time it is called. `read_back` takes a sink that was closed and
returns what a reader of its target sees: per stream the facts as (key, id) pairs, keys and ids as whole numbers, in the
order in which they are read. Without it only what the sink says of itself is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

import numpy as np

from sim.batch import Batch, Stream
from sim.errors import SinkError
from sinks.contract import Sink
from sinks.run import Report
from sinks.samples import SPAN, START, sample_batch, sample_run, simple_stream, typed_stream

Facts = Mapping[str, Sequence[tuple[int, int]]]
Factory = Callable[[], Sink]
ReadBack = Callable[[Sink], Facts]
Check = Callable[[Factory, ReadBack | None], None]


def check_sink(factory: Factory, read_back: ReadBack | None = None) -> None:
    """Run every check; AssertionError says which one failed and how."""
    for check in CHECKS:
        check(factory, read_back)


def states_what_it_is(factory: Factory, read_back: ReadBack | None) -> None:
    """Scheme, durability, guarantee and interleaving are declared."""
    sink = factory()
    assert isinstance(sink, Sink), f"{sink!r} is not a sinks.contract.Sink"
    assert sink.scheme, "scheme is not set"
    assert isinstance(sink.durable, bool), f"durable is {sink.durable!r}"
    assert isinstance(sink.interleaved, bool), f"interleaved is {sink.interleaved!r}"
    assert sink.guarantee, "guarantee does not say anything"


def keeps_every_committed_fact(factory: Factory, read_back: ReadBack | None) -> None:
    """Two streams over three windows come back whole, once, and in order per key."""
    visit, thing = simple_stream(), typed_stream()
    batches = _windows([visit, thing], [13, 1, 40])
    sink, report = _run(factory, [visit, thing], batches)
    assert dict(report.facts) == {"visit": 54, "thing": 54}, f"the report counts {dict(report.facts)}"
    _compare(sink, read_back, batches)


def takes_every_type(factory: Factory, read_back: ReadBack | None) -> None:
    """Numbers, text, instants, dictionaries, lists and structs, with nulls among them and null throughout."""
    thing = typed_stream()
    batches = [
        sample_batch(thing, 50),
        sample_batch(thing, 9, 50, START + SPAN, nulls=True),
        sample_batch(thing, 20, 59, START + 2 * SPAN),
    ]
    sink, _ = _run(factory, [thing], batches)
    _compare(sink, read_back, batches)


def takes_slices(factory: Factory, read_back: ReadBack | None) -> None:
    """A batch may be a part of a longer one, as where a window is cut."""
    thing = typed_stream()
    whole = sample_batch(thing, 30)
    cuts = [(0, 7), (7, 16), (23, 7)]
    times = [START + first * SPAN // 30 for first, _ in cuts] + [START + SPAN]
    parts = [
        Batch(thing, whole.data.slice(first, rows), start, until)
        for (first, rows), start, until in zip(cuts, times[:-1], times[1:], strict=True)
    ]
    sink, _ = _run(factory, [thing], parts)
    _compare(sink, read_back, parts)


def lets_staged_facts_go(factory: Factory, read_back: ReadBack | None) -> None:
    """Facts that were staged leave in parts, and are the same as those that are written; the last of them may stay."""
    visit, thing = simple_stream(), typed_stream()
    batches = _windows([visit, thing], [13, 0, 40])
    sink = factory()
    sink.open([visit, thing], sample_run(START + 3 * SPAN))
    for number in range(3):
        window = [batch for batch in batches[2 * number : 2 * number + 2] if len(batch)]
        count = sum(map(len, window))
        staged = sink.stage(window, np.arange(count, dtype=np.int64))
        for upto in sorted({0, count // 3, count // 3, count}):
            sink.emit(staged, upto)
        sink.commit(START + (number + 1) * SPAN)
    report = sink.close()
    assert dict(report.facts) == {"visit": 53, "thing": 53}, f"the report counts {dict(report.facts)}"
    _compare(sink, read_back, batches)


def takes_empty_batches(factory: Factory, read_back: ReadBack | None) -> None:
    """Windows in which nothing happens, in one stream or in all."""
    visit, thing = simple_stream(), typed_stream()
    batches = _windows([visit], [0, 5, 0])
    sink, report = _run(factory, [visit, thing], batches)
    assert dict(report.facts) == {"visit": 5, "thing": 0}, f"the report counts {dict(report.facts)}"
    _compare(sink, read_back, batches)


def ends_without_facts(factory: Factory, read_back: ReadBack | None) -> None:
    """A run may end before its first window."""
    sink, report = _run(factory, [simple_stream()], [])
    assert report.total == 0
    assert report.until is None
    _compare(sink, read_back, [])


def drops_what_is_not_committed(factory: Factory, read_back: ReadBack | None) -> None:
    """A window that was interrupted leaves no trace; those before it stay."""
    visit = simple_stream()
    kept, lost = sample_batch(visit, 11), sample_batch(visit, 12, 11, START + SPAN)
    sink = factory()
    sink.open([visit], sample_run(START + 2 * SPAN))
    sink.write(kept)
    sink.commit(kept.until)
    sink.write(lost)
    report = sink.close()
    assert dict(report.facts) == {"visit": 11}, f"the report counts {dict(report.facts)}"
    _compare(sink, read_back, [kept])


def shows_nothing_of_an_aborted_run(factory: Factory, read_back: ReadBack | None) -> None:
    """Closed before the first commit, the target is as good as empty."""
    visit = simple_stream()
    sink = factory()
    sink.open([visit], sample_run())
    sink.write(sample_batch(visit, 11))
    assert sink.close().total == 0
    _compare(sink, read_back, [])


def reports_what_it_did(factory: Factory, read_back: ReadBack | None) -> None:
    """Every fact is acknowledged or failed; the watermark is the last one; closing again changes nothing."""
    visit = simple_stream()
    sink, report = _run(factory, [visit], _windows([visit], [10, 20]))
    assert report.acknowledged + sum(report.failed.values()) == report.total == 30
    assert report.until == START + 2 * SPAN, f"until is {report.until}"
    assert sink.close() is report is sink.report, "closing again gives another report"


def holds_to_its_lifecycle(factory: Factory, read_back: ReadBack | None) -> None:
    """Nothing but open comes first, open comes once, nothing follows close."""
    visit = simple_stream()
    batch = sample_batch(visit, 3)
    sink = factory()
    _refuses(lambda: sink.write(batch), "write before open")
    _refuses(lambda: sink.commit(batch.until), "commit before open")
    sink.open([visit], sample_run())
    _refuses(lambda: sink.open([visit], sample_run()), "open after open")
    sink.close()
    _refuses(lambda: sink.write(batch), "write after close")
    _refuses(lambda: sink.commit(batch.until), "commit after close")
    _refuses(lambda: sink.open([visit], sample_run()), "open after close")
    assert factory().close().total == 0, "a sink that was never opened cannot be closed"


def refuses_what_does_not_belong(factory: Factory, read_back: ReadBack | None) -> None:
    """Facts of an unknown stream, or from before the watermark, are errors."""
    visit = simple_stream()
    sink = factory()
    sink.open([visit], sample_run())
    _refuses(lambda: sink.write(sample_batch(simple_stream("other"), 1)), "a stream that was not announced")
    sink.commit(START + SPAN)
    _refuses(lambda: sink.write(sample_batch(visit, 1)), "facts from before the watermark")
    _refuses(lambda: sink.commit(START), "a watermark that goes back")
    sink.close()


CHECKS: tuple[Check, ...] = (
    states_what_it_is,
    keeps_every_committed_fact,
    takes_every_type,
    takes_slices,
    lets_staged_facts_go,
    takes_empty_batches,
    ends_without_facts,
    drops_what_is_not_committed,
    shows_nothing_of_an_aborted_run,
    reports_what_it_did,
    holds_to_its_lifecycle,
    refuses_what_does_not_belong,
)
"""Every check, one by one, for `pytest.mark.parametrize`."""


def _windows(streams: Sequence[Stream], sizes: Sequence[int]) -> list[Batch]:
    firsts = [sum(sizes[:number]) for number in range(len(sizes))]
    return [
        sample_batch(stream, rows, first, START + number * SPAN)
        for number, (first, rows) in enumerate(zip(firsts, sizes, strict=True))
        for stream in streams
    ]


def _run(factory: Factory, streams: Sequence[Stream], batches: Sequence[Batch]) -> tuple[Sink, Report]:
    sink = factory()
    sink.open(streams, sample_run(max((batch.until for batch in batches), default=START)))
    for batch, following in zip_longest(batches, batches[1:]):
        sink.write(batch)
        if following is None or following.until > batch.until:
            sink.commit(batch.until)
    return sink, sink.close()


def _compare(sink: Sink, read_back: ReadBack | None, batches: Sequence[Batch]) -> None:
    if read_back is None:
        return
    seen = read_back(sink)
    expected: dict[str, list[tuple[int, int]]] = {stream.name: [] for stream in sink.streams}
    for batch in batches:
        pairs = (batch.data.column(name).to_pylist() for name in (batch.stream.key, batch.stream.id))
        expected[batch.stream.name] += zip(*pairs, strict=True)
    for name, facts in expected.items():
        found = list(seen.get(name, ()))
        assert sorted(found) == sorted(facts), f"{name}: {len(found)} facts come back of {len(facts)}"
        # Sorting by key alone is stable: it keeps the order within each key.
        by_key = sorted(found, key=lambda pair: pair[0])
        assert by_key == sorted(facts, key=lambda pair: pair[0]), f"{name}: the order within a key is lost"


def _refuses(act: Callable[[], object], what: str) -> None:
    try:
        act()
    except SinkError:
        return
    raise AssertionError(f"{what} is not refused with a SinkError")
