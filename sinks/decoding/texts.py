"""Text back to values, and the other way: what JSON and Protobuf write for types that they do not have.

Whoever has written it, text that says nothing of the kind becomes null.
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from sinks.formats.columns import frame, plain

_SPAN = r"^(-)?P(?:(\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+)(?:\.(\d{1,9}))?S)?)?$"
_ZONED = r"(Z|[+-]\d{2}:?\d{2})$"


def values(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """Text as values of the type `kind`: instants, dates, times of day, spans (ISO 8601), bytes (base64), numbers."""
    types = pa.types
    if types.is_timestamp(kind):
        return _instants(text, kind)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return _made(pl.Series(text).str.decode("base64", strict=False), kind)
    if types.is_date(kind):
        return _made(pl.Series(text).str.to_date("%Y-%m-%d", strict=False), kind)
    if types.is_time(kind):
        return _made(pl.Series(text).str.to_time("%H:%M:%S%.f", strict=False), kind)
    if types.is_duration(kind):
        return _made(_spans(pl.Series(text)), kind)
    if types.is_boolean(kind):
        return _made(pl.Series(text).replace_strict({"true": True, "false": False}, default=None), kind)
    return _numbers(text, kind)


def written(column: pa.Array) -> pa.Array:
    """Values of any type as text, as the text formats write them; lists and objects as JSON."""
    alone = frame(pa.RecordBatch.from_arrays([column], ["v"]))
    text = plain("v", alone.schema["v"])
    if alone.schema["v"].is_nested():
        text = pl.struct(text).struct.json_encode().str.slice(5).str.head(-1)
    return alone.select(text.cast(pl.String)).to_series().to_arrow(compat_level=pl.CompatLevel.oldest())


def _made(series: pl.Series, kind: pa.DataType) -> pa.Array:
    made = series.to_arrow(compat_level=pl.CompatLevel.oldest())
    if pa.types.is_time(made.type):
        return made.cast(pa.time64("us"), safe=False).cast(kind, safe=False)
    return made.cast(kind, safe=False)


def _instants(text: pa.Array, kind: pa.DataType) -> pa.Array:
    exact = pa.timestamp("us", kind.tz)
    try:
        return text.cast(exact).cast(kind, safe=False)
    except pa.ArrowInvalid:
        # Some have no zone, or are no instants at all: these are worth a slower way.
        series = pl.Series("t", text).to_frame()
        zoned = pl.when(pl.col("t").str.contains(_ZONED)).then(pl.col("t")).otherwise(pl.col("t") + "Z")
        found = series.select(zoned.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC")).to_series()
        return _made(found.dt.replace_time_zone(kind.tz), kind)


def _spans(text: pl.Series) -> pl.Series:
    """ISO 8601 durations of days and less, as durations in microseconds."""
    parts = text.alias("t").to_frame().select(pl.col("t").str.extract_groups(_SPAN).alias("p")).unnest("p")
    sign, days, hours, minutes, seconds, fraction = (pl.col(name) for name in parts.columns)

    def number(part: pl.Expr) -> pl.Expr:
        return part.cast(pl.Int64, strict=False).fill_null(0)

    whole = ((number(days) * 24 + number(hours)) * 60 + number(minutes)) * 60 + number(seconds)
    micros = fraction.fill_null("").str.pad_end(6, "0").str.head(6).cast(pl.Int64)
    behind = seconds.str.starts_with("-").fill_null(False)
    total = whole * 1_000_000 + pl.when(behind).then(-micros).otherwise(micros)
    known = pl.any_horizontal(pl.all().is_not_null())
    signed = pl.when(sign.is_not_null()).then(-total).otherwise(total)
    return parts.select(pl.when(known).then(signed).cast(pl.Duration("us"))).to_series()


def _numbers(text: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:
        if pa.types.is_integer(kind):
            return _made(pl.Series(text).cast(pl.Int64, strict=False), kind)
        return _made(pl.Series(text).cast(pl.Float64, strict=False), kind)
