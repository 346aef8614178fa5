import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from support_rows import DAY, FakeRows

from sim.attributes.column import TIME_TYPE, Column
from sim.attributes.registry import AnyAttribute

SIZE = 30_000


def attribute(spec, zone="UTC"):
    return TypeAdapter(AnyAttribute).validate_python(spec, context={"zone": ZoneInfo(zone)})


def instant(*parts):
    return int(dt.datetime(*parts, tzinfo=dt.UTC).timestamp() * 1e6)


def test_instants_are_uniform_between_their_limits():
    spec = attribute({"type": "datetime", "from": "2024-01-01", "until": "2024-03-01"})
    column = spec.make(FakeRows(SIZE), "x")
    start, end = instant(2024, 1, 1), instant(2024, 3, 1)
    assert column.type == TIME_TYPE
    assert stats.kstest(column.values, stats.uniform(start, end - start).cdf).pvalue > 1e-3


def test_limits_are_civil_times_of_the_scenario():
    spec = attribute({"type": "datetime", "from": "2024-07-01", "until": "2024-07-02"}, "Europe/Paris")
    assert spec.from_ == instant(2024, 6, 30, 22)


def test_instants_lie_after_the_event_by_the_declared_delay():
    rows = FakeRows(SIZE, times=np.arange(SIZE) * 1_000_000)
    spec = attribute({"type": "datetime", "after": {"type": "gamma", "mean": "3d", "shape": 2}})
    delays = (spec.make(rows, "x").values - rows.times) / DAY
    assert stats.kstest(delays, stats.gamma(2, scale=1.5).cdf).pvalue > 1e-3


def test_instants_before_another_time_of_the_row_keep_its_nulls():
    shipped = Column.of(np.array(["2024-01-05", "NaT"], "datetime64[D]"))
    spec = attribute({"type": "datetime", "base": "shipped", "before": "2d"})
    column = spec.make(FakeRows(2, columns={"shipped": shipped}), "x")
    assert spec.reads() == {"shipped"}
    assert column.to_arrow().to_pylist() == [dt.datetime(2024, 1, 3, tzinfo=dt.UTC), None]


def test_dates_are_uniform_with_both_ends():
    column = attribute({"type": "date", "from": "1969-12-30", "until": "1970-01-02"}).make(FakeRows(SIZE), "x")
    assert column.type == pa.date32()
    assert stats.chisquare(np.bincount(column.values + 2, minlength=4)).pvalue > 1e-3


def test_the_date_of_an_event_is_that_of_the_scenarios_calendar():
    rows = FakeRows(2, times=[instant(2024, 6, 30, 21, 59), instant(2024, 6, 30, 22)])
    spec = attribute({"type": "date"}, "Europe/Paris")
    assert spec.make(rows, "x").to_arrow().to_pylist() == [dt.date(2024, 6, 30), dt.date(2024, 7, 1)]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"type": "datetime", "from": "2024-01-01"}, "both 'from' and 'until'"),
        ({"type": "datetime", "from": "2024-01-02", "until": "2024-01-01"}, "later than 'from'"),
        ({"type": "date", "from": "2024-01-02", "until": "2024-01-01"}, "not be before 'from'"),
        ({"type": "datetime", "after": "1d", "before": "1d"}, "not both"),
        ({"type": "date", "from": "2024-01-01", "until": "2024-01-02", "after": "1d"}, "go without"),
    ],
)
def test_times_that_make_no_sense_are_refused(spec, message):
    with pytest.raises(ValidationError, match=message):
        attribute(spec)


def test_a_base_that_is_no_timestamp_is_refused():
    spec = attribute({"type": "datetime", "base": "quantity", "after": "1d"})
    with pytest.raises(ValueError, match="'quantity' is no timestamp, but whole numbers"):
        spec.result_type({"quantity": pa.int64()})


@pytest.mark.parametrize("kind", ["datetime", "date"])
def test_no_rows_give_an_empty_column_of_the_type(kind):
    spec = attribute({"type": kind, "after": "1d"})
    assert spec.make(FakeRows(0), "x").to_arrow().type == spec.arrow_type({"event_time": TIME_TYPE})
