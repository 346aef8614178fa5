"""The report of a load test as a page: the verdict on top, then rates, latencies and processors over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from sim.cli.loading.words import (
    SHOWN,
    failure,
    limit_sentence,
    processors,
    rates,
    remarks,
    worded,
)
from sim.cli.terminal.show import brief, clock
from sim.delivery.load.metrics import LATENCIES, METRICS
from sim.pages.charts import Axis, Chart, Rule, lines
from sim.pages.page import Cell, Page, Section, Tile
from sim.pages.sections import Align

Document = dict[str, Any]

SECONDS = Axis("seconds of the test")
RARE = {2: "50 %", 10: "90 %", 100: "99 %", 1000: "99.9 %", 10_000: "99.99 %", 100_000: "99.999 %"}
"""Labels of an axis on which the share of slower facts shrinks by powers of ten."""

_WHO = {"nobody": "nobody", "target": "the target", "generator": "the generator"}


def page_of(document: Document) -> Page:
    """The page of a report."""
    what = "The limit" if document.get("steps") else "Load test"
    page = Page(f"{what}: {document['scenario']} to {document['to']}", _subtitle(document), _about(document))
    summary = page.section("Verdict")
    if document.get("steps"):
        summary.text(sentence(limit_sentence(document)))
    if "ack" not in document:
        return page
    summary.tiles(tiles(document))
    summary.text(sentence(document["verdict"]["text"]))
    if document["thresholds"]:
        summary.table(("threshold", "found", "result"), _thresholds(document))
    if document.get("steps"):
        _search(page.section("The search", "Every rate that was tried, in order."), document)
    _throughput(page.section("Throughput"), document)
    _latency(
        page.section("Latency", "From the instant at which a fact was due, so that no stall is left out."), document
    )
    _machine(page.section("The generator"), document)
    return page


def sentence(text: str) -> str:
    """Words of a report as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def _subtitle(document: Document) -> str:
    if "rate" not in document:
        return "Nothing was measured."
    warm = document["warmup_s"]
    text = f"{document['rate']} for {clock(document['duration_s'])}"
    return f"{text}, the first {clock(warm)} not measured" if warm else text


def _about(document: Document) -> Mapping[str, str]:
    return {
        "scenario": document["scenario"],
        "seed": str(document["seed"]),
        "target": document["to"],
        "guarantee": document["guarantee"],
        "ended": document["ended"][:19].replace("T", " ") + " UTC",
        "datagen": document["datagen"],
    }


def tiles(document: Document) -> Iterator[Tile]:
    """The figures that matter most."""
    who = document["verdict"]["bottleneck"]
    if document.get("limit"):
        yield Tile("highest rate carried", worded(document["limit"]["carried_per_s"], "rate"))
    yield Tile("bottleneck", _WHO[who], tone="good" if who == "nobody" else "bad")
    share = document["achieved_per_s"] / max(document["offered_per_s"], 1e-9)
    short = share < 0.95
    yield Tile(
        "achieved", worded(document["achieved_per_s"], "rate"), f"{share:.1%} of offered", "bad" if short else "good"
    )
    for kind, label in (("ack", "acknowledged at p99"), ("e2e", "end to end at p99")):
        if document[kind] is not None:
            yield Tile(label, brief(document[kind]["p99_s"]), f"{brief(document[kind]['p50_s'])} in the median")
    wrong = document["errors"] + document["unsent"]
    yield Tile(
        "lost or not sent", f"{wrong:,}", f"of {document['sent'] + document['unsent']:,}", "bad" if wrong else "good"
    )


def _thresholds(document: Document) -> Iterator[Sequence[object]]:
    for one in document["thresholds"]:
        unit = METRICS[one["metric"]].unit
        crossed = one["crossed"]
        result = Cell("not known") if crossed is None else Cell("crossed", "bad") if crossed else Cell("kept", "good")
        yield one["expression"], worded(one["value"], unit), result


def _search(section: Section, document: Document) -> None:
    steps = document["steps"]
    frame = pl.DataFrame(
        [
            {"offered": step["rate_per_s"], "seconds": step["ack"][f"{name}_s"] * 1000, "quantile": name}
            for step in sorted(steps, key=lambda step: step["rate_per_s"])
            for name in ("p50", "p99")
        ]
    )
    carried = document["limit"]["carried_per_s"]
    rules = [] if carried is None else [Rule(carried, "highest carried", "x")]
    section.chart(
        lines(
            frame, "offered", "seconds", by="quantile", points=True, title="Latency by offered rate", rules=rules,
            x_axis=Axis("facts a second offered", "~s", log=True), y_axis=Axis("milliseconds", ",~r", log=True),
        )
    )  # fmt: skip
    rows = [
        (
            worded(step["rate_per_s"], "rate"),
            worded(step["achieved_per_s"], "rate"),
            brief(step["ack"]["p50_s"]),
            brief(step["ack"]["p99_s"]),
            f"{step['errors']:,}",
            Cell("carried", "good")
            if step["carried"]
            else Cell(", ".join(map(failure, step["crossed"])) or "errors", "bad"),
            _WHO[step["verdict"]["bottleneck"]],
        )
        for step in steps
    ]
    section.table(
        ("offered", "achieved", "p50", "p99", "errors", "result", "bottleneck"),
        rows,
        align=_sides(0, 5, 2),
    )


def _throughput(section: Section, document: Document) -> None:
    section.text(sentence(rates(document)))
    for remark in remarks(document):
        section.text(sentence(remark))
    columns = {"offered": "offered_per_s", "sent": "sent_per_s", "acknowledged": "achieved_per_s"}
    frame = over_time(document, columns)
    section.chart(
        lines(
            frame, "seconds", "value", by="series", dashed=["offered"], title="Facts a second", rules=_warm(document),
            x_axis=SECONDS, y_axis=Axis("facts a second", "~s", zero=True),
        )
    )  # fmt: skip


def _latency(section: Section, document: Document) -> None:
    rows = [
        (
            title,
            *(brief(document[kind][f"{name}_s"]) for name in SHOWN),
            f"{document[kind]['facts']:,}",
            f"{document[kind]['samples']:,}",
        )
        for kind, title in LATENCIES.items()
        if document[kind] is not None
    ]
    caption = "Facts that were due and did not leave count with the time for which they had waited in the end."
    section.table(("", *SHOWN, "facts", "looked at"), rows, caption, align=_sides(1, len(SHOWN) + 2, 0))
    section.chart(by_share({title: document[kind] for kind, title in LATENCIES.items() if document[kind] is not None}))
    for kind, title in (("ack", "until acknowledged"), ("e2e", "until read back")):
        if document[kind] is None:
            continue
        frame = over_time(document, {name: f"{kind}_{name}_s" for name in ("p50", "p99", "max")}, 1000)
        section.chart(
            lines(
                frame, "seconds", "value", by="series", title=f"Latency {title}, by when facts were due",
                rules=_warm(document), x_axis=SECONDS, y_axis=Axis("milliseconds", ",~r", zero=True),
            )
        )  # fmt: skip


def _machine(section: Section, document: Document) -> None:
    section.text(sentence(processors(document)))
    lag = over_time(document, {name: f"lag_{name}_s" for name in ("p50", "p99", "max")}, 1000)
    section.chart(
        lines(
            lag, "seconds", "value", by="series", title="How late facts left", size="half", rules=_warm(document),
            x_axis=SECONDS, y_axis=Axis("milliseconds", ",~r", zero=True),
        )
    )  # fmt: skip
    cpu = over_time(document, {"generator (1 = one core)": "cpu_generator", "machine (1 = all cores)": "cpu_machine"})
    section.chart(
        lines(
            cpu, "seconds", "value", by="series", title="Processors", size="half", rules=_warm(document),
            x_axis=SECONDS, y_axis=Axis("share", ".0%", zero=True),
        )
    )  # fmt: skip


def _sides(texts: int, numbers: int, more: int) -> list[Align]:
    return [*["left"] * texts, *["right"] * numbers, *["left"] * more]  # type: ignore[list-item]


def _warm(document: Document) -> list[Rule]:
    return [Rule(document["warmup_s"], "measured from here on", "x")] if document["warmup_s"] else []


def over_time(document: Document, columns: Mapping[str, str], scale: float = 1.0) -> pl.DataFrame:
    """Series of the report below each other: seconds, value and the name of the series."""
    series = document["series"]
    parts = [
        pl.DataFrame(
            {"seconds": series["at_s"], "value": pl.Series(series[key], dtype=pl.Float64) * scale}
        ).with_columns(series=pl.lit(name))
        for name, key in columns.items()
    ]
    return pl.concat(parts)


def by_share(timed: Mapping[str, Document]) -> Chart:
    """Latency by the share of facts that were faster, one line for each of the latencies, by title."""
    parts = [part for title, latency in timed.items() if (part := _shares(title, latency)) is not None]
    empty = pl.DataFrame(schema={"rare": pl.Float64, "milliseconds": pl.Float64, "series": pl.String})
    frame = pl.concat(parts) if parts else empty
    most = frame["rare"].max() or 10.0
    labels = {value: text for value, text in RARE.items() if value <= most * 1.001}  # type: ignore[operator]
    return lines(
        frame, "rare", "milliseconds", by="series", title="Latency by share of facts", curve="step-after",
        x_axis=Axis("share of facts that were as fast", log=True, labels=labels),
        y_axis=Axis("milliseconds", ",~r", log=True),
    )  # fmt: skip


def _shares(title: str, latency: Document) -> pl.DataFrame | None:
    if not latency["histogram"]:
        return None
    upto, counts = zip(*latency["histogram"], strict=True)
    frame = pl.DataFrame({"milliseconds": [1000 * seconds for seconds in upto], "count": counts})
    slower = 1 - pl.col("count").cum_sum().shift(1, fill_value=0) / pl.col("count").sum()
    return frame.select(rare=1 / slower, milliseconds=pl.col("milliseconds"), series=pl.lit(title))
