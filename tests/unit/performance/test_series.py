"""The layout of the daily table in memory, the days of the periods, and the rows made of them."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from assets.performance.compute import day_number, performance_rows
from assets.performance.frames import standard_periods
from assets.performance.periods import first_day
from assets.performance.series import DailySeriesError, Range, check_days
from tests.unit.performance.daily import daily_rows, daily_series, series_from_frame

AS_OF = date(2024, 3, 31)


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("7d", date(2024, 3, 25)),
        ("30d", date(2024, 3, 2)),
        ("90d", date(2024, 1, 2)),
        ("1y", date(2023, 4, 2)),
        ("ytd", date(2024, 1, 1)),
        ("all", date.min),
    ],
)
def test_first_days(period: str, expected: date) -> None:
    assert first_day(period, AS_OF) == expected


def test_unknown_period_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="7d, 30d"):
        first_day("2w", AS_OF)


def two_portfolios() -> pl.DataFrame:
    long = daily_rows(date(2022, 1, 2), [0.001] * (AS_OF - date(2022, 1, 1)).days)
    short = daily_rows(AS_OF - timedelta(2), [0.01, 0.02, 0.03])
    return pl.concat([short.with_columns(portfolio_id=pl.lit("q")), long])


def test_rows_may_come_in_any_order() -> None:
    frame = two_portfolios()
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=4)
    series = series_from_frame(shuffled, ["q", "p"])
    assert series.portfolio_ids == ["q", "p"]
    rows = performance_rows(Range(series, series.first_day + 1, series.last_day))
    assert rows.measures["twr"].value[0] == pytest.approx(1.01 * 1.02 * 1.03 - 1, abs=1e-14)


@pytest.mark.parametrize("rows", [3, 5])
def test_a_gap_or_a_double_day_is_refused(rows: int) -> None:
    last = day_number(AS_OF)
    spans = {"p": (last - 9, last, 10), "q": (last - 3, last, rows)}
    with pytest.raises(DailySeriesError, match=f"portfolio_daily of q has {rows} rows for 2024-03-28 to 2024-03-31"):
        check_days(spans, ["p", "q"])
    check_days(spans, ["p"])


def test_a_portfolio_without_days_is_refused() -> None:
    with pytest.raises(DailySeriesError, match="portfolio_daily of q has 0 rows for no day"):
        check_days({}, ["q"])


def test_a_short_history_begins_at_inception() -> None:
    table = standard_periods(daily_series(two_portfolios()), AS_OF)
    starts = dict(table.filter(pl.col("portfolio_id") == "q").select("period_type", "period_start").iter_rows())
    inception = AS_OF - timedelta(3)
    assert {starts[name] for name in ("7d", "30d", "90d", "1y", "ytd", "all")} == {inception}
    assert table.height == 2 * 8


def test_intraday_periods_say_why_they_are_empty() -> None:
    table = standard_periods(daily_series(two_portfolios()), AS_OF)
    intraday = table.filter(pl.col("period_type").is_in(["1h", "24h"]))
    assert intraday["undefined_reason"].to_list() == ["all:no_intraday_prices"] * 4
    assert intraday["twr"].null_count() == 4


def test_a_portfolio_that_ended_keeps_its_last_day() -> None:
    """An as-of date after the last row must not fail nor invent days."""
    series = daily_series(two_portfolios())
    table = standard_periods(series, AS_OF + timedelta(40))
    ends = table.filter(~pl.col("period_type").is_in(["1h", "24h"]))["period_end"].unique().to_list()
    assert ends == [AS_OF]


def test_nothing_that_is_not_finite_leaves() -> None:
    table = standard_periods(daily_series(two_portfolios()), AS_OF)
    for column in table.select(pl.col(pl.Float64)).iter_columns():
        assert np.isfinite(column.drop_nulls().to_numpy()).all(), column.name


def test_costs_and_mean_value_of_the_last_year_alone() -> None:
    frame = daily_rows(AS_OF - timedelta(399), [0.0] * 400, start=100.0)
    before, first, last = 400 - 365, 400 - 364, 400
    frame = frame.with_columns(
        pl.Series("fees_base", [{before: 50.0, first: 1.0, last: 1.0}.get(day, 0.0) for day in range(401)]),
        pl.Series("trade_fees_base", [{before: 7.0, last: 2.0}.get(day, 0.0) for day in range(401)]),
        pl.Series("value_base", [465.0 if day == last else 100.0 for day in range(401)]),
    )
    found = standard_periods(daily_series(frame), AS_OF).rows_by_key("period_type", named=True)
    assert (found["1y"][0]["costs_base"], found["1y"][0]["average_value_base"]) == (4.0, 101.0)
    assert found["all"][0]["costs_base"] is None


def test_one_that_ended_earlier_is_measured_as_alone() -> None:
    frame = two_portfolios()
    frame = frame.filter((pl.col("portfolio_id") == "q") | (pl.col("day") <= day_number(AS_OF) - 10))
    together = standard_periods(daily_series(frame), AS_OF).sort("portfolio_id", "period_type")
    alone = [daily_series(frame.filter(portfolio_id=name)) for name in ("p", "q")]
    each = pl.concat([standard_periods(series, AS_OF) for series in alone], how="diagonal")
    assert together.equals(each.sort("portfolio_id", "period_type").select(together.columns))
