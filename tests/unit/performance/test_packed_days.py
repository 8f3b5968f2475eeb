"""Daily rows packed by month: whatever part of them was packed before, the series is the same to the last bit."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from assets.performance.compute import day_number
from assets.performance.packed_days import DAY, PackedDays, lay_out, pack, unpack
from assets.performance.series import FLAGS, NUMBERS, DailySeries, DailySeriesError
from tests.unit.performance.daily import daily_rows, series_from_frame

NEVER = np.iinfo(np.int64).max


def some_series() -> DailySeries:
    """Three portfolios of other lengths, with unknown numbers, flows on few days and flags of all kinds."""
    random = np.random.default_rng(1)
    frames = []
    for name, first, days in (("q", date(2023, 11, 30), 70), ("p", date(2024, 1, 31), 1), ("r", date(2024, 1, 1), 31)):
        returns = random.normal(0, 0.01, days).tolist()
        rare = np.where(random.random(days + 1) < 0.1, random.lognormal(3, 2, days + 1), 0.0)
        frame = daily_rows(first, returns, usd_rate=random.random(days + 1), is_observed=0, fees_base=rare)
        unknown = random.random(days + 1) < 0.1
        frame = frame.with_columns(
            pl.lit(name).alias("portfolio_id"),
            *(
                pl.when(pl.Series(unknown)).then(None).otherwise(pl.col(n)).alias(n)
                for n in ("twr_return", "taxes_base")
            ),
            *(pl.Series(flag, random.integers(0, 2, days + 1)) for flag in FLAGS),
        )
        frames.append(frame)
    columns = frames[0].columns
    return series_from_frame(
        pl.concat([frame.select(columns).cast({n: pl.Float64 for n in NUMBERS}) for frame in frames]), ["q", "p", "r"]
    )


def packed(series: DailySeries, from_day: int, before: int) -> PackedDays:
    """The days of whole months from that of `from_day` on, as they come out of a table in any order."""
    months = list(pack(series, np.full(len(series.portfolio_ids), from_day)))[::-1]
    owners = np.array([series.portfolio_ids.index(name) for name, *_ in months], dtype=np.int64)
    limits = np.full(len(series.portfolio_ids), before)
    return unpack(owners, [days for *_, days, _ in months], [events for *_, events in months], limits)


def from_day_on(days: PackedDays, first: int) -> PackedDays:
    kept, kept_events = days.days["day"] >= first, days.events["day"] >= first
    return PackedDays(days.owner[kept], days.days[kept], days.event_owner[kept_events], days.events[kept_events])


def assert_equal(found: DailySeries, expected: DailySeries) -> None:
    assert found.portfolio_ids == expected.portfolio_ids
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    np.testing.assert_array_equal(found.first_day, expected.first_day)
    for name in NUMBERS:
        assert found.numbers[name].tobytes() == expected.numbers[name].tobytes(), name
    for name in FLAGS:
        np.testing.assert_array_equal(found.flags[name], expected.flags[name], err_msg=name)


@pytest.mark.parametrize(
    "day", [date(2023, 1, 1), date(2024, 1, 1), date(2024, 1, 17), date(2024, 2, 1), date(2025, 1, 1)]
)
def test_packed_and_new_days_make_the_same_series(day: date) -> None:
    series, cut = some_series(), day_number(day)
    old, new = packed(series, -1, cut), from_day_on(packed(series, cut, NEVER), cut)
    assert len(old.days) + len(new.days) == series.offsets[-1]
    assert_equal(lay_out(series.portfolio_ids, [old, new]), series)


def test_a_month_is_packed_whole_however_late_its_first_new_day_is() -> None:
    series = some_series()
    everything = {(name, month): (days, events) for name, month, _, days, events in pack(series, np.full(3, -1))}
    assert len(everything) == 3 + 2 + 1 + 1  # November to February, January and February, January
    late = list(pack(series, np.full(3, day_number(date(2024, 1, 31)))))
    assert {(name, str(month), str(first)) for name, month, first, _, _ in late} == {
        ("q", "2024-01-01", "2024-01-01"), ("q", "2024-02-01", "2024-02-01"),
        ("p", "2024-01-01", "2024-01-30"), ("r", "2024-01-01", "2024-01-01"),
    }  # fmt: skip
    assert all(everything[name, month] == (days, events) for name, month, _, days, events in late)


def test_a_lost_and_a_double_day_are_refused() -> None:
    series = some_series()
    days = packed(series, -1, NEVER)
    lost = day_number(date(2024, 1, 10))
    kept = ~((days.days["day"] == lost) & (days.owner == 2))
    without = replace(days, owner=days.owner[kept], days=days.days[kept])
    with pytest.raises(DailySeriesError, match="portfolio_daily of r has"):
        lay_out(series.portfolio_ids, [without])
    double = np.zeros(1, DAY)
    double["day"] = lost + 1
    instead = PackedDays(np.array([2]), double, np.zeros(0, dtype=np.int64), days.events[:0])
    with pytest.raises(DailySeriesError, match="of r lacks 2024-01-10"):
        lay_out(series.portfolio_ids, [without, instead])
    with pytest.raises(DailySeriesError, match="of nobody has 0 rows for no day"):
        lay_out([*series.portfolio_ids, "nobody"], [days])
