"""The rows of intermediate.performance and its like as frames: names beside numbers, NaN as null, money rounded.

Belongs here: the columns of these tables. Must not be here: any formula, reading and writing.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl
from polars import selectors

from assets.performance import reasons
from assets.performance.attribution import AttributionRows
from assets.performance.comparison import PERIODS, ComparisonRows, Others
from assets.performance.compute import PerformanceRows, costs_and_value, performance_rows
from assets.performance.contribution import ContributionRows
from assets.performance.holdings import Holdings
from assets.performance.measures import Integers, Measure
from assets.performance.periods import DAILY_PERIODS, INTRADAY_PERIODS, YEAR, period_days
from assets.performance.series import DailySeries, Range

# beyond this, binary fractions only show the noise of float64
MONEY_DECIMALS = 10


def standard_periods(series: DailySeries, as_of_date: date) -> pl.DataFrame:
    """The rows of intermediate.performance: every period type of every portfolio."""
    frames = [_intraday_frame(series.portfolio_ids, period, as_of_date) for period in INTRADAY_PERIODS]
    starts, ends = period_days(series, as_of_date)
    history = Range(series, series.first_day, ends[:, 0])
    measured: dict[bytes, PerformanceRows] = {}
    for number, period_type in enumerate(DAILY_PERIODS):
        period, days = history.since(starts[:, number]), starts[:, number].tobytes()
        # within its first year a portfolio has the same days in several periods
        if days not in measured:
            measured[days] = performance_rows(period)
        frame = rows_frame(measured[days], period_type)
        if period_type == YEAR:
            costs, average_value = costs_and_value(period)
            frame = frame.with_columns(
                costs_base=_column(costs).round(MONEY_DECIMALS),
                average_value_base=_column(average_value).round(MONEY_DECIMALS),
            )
        frames.append(frame)
    return pl.concat(frames, how="diagonal")


def contribution_frame(series: DailySeries, holdings: Holdings, rows: ContributionRows) -> pl.DataFrame:
    """The columns of intermediate.contribution."""
    return _frame(
        {
            "portfolio_id": _chosen(series.portfolio_ids, holdings.owner[rows.holding]),
            "period_type": _chosen(DAILY_PERIODS, rows.period),
            "instrument_id": _chosen(holdings.instrument_ids, rows.holding),
            **{name: _column(measured) for name, measured in rows.measures.items()},
            "undefined_reason": pl.Series(rows.undefined_reason, dtype=pl.String),
        }
    )


def attribution_frame(series: DailySeries, holdings: Holdings, rows: AttributionRows) -> pl.DataFrame:
    """The columns of intermediate.attribution."""
    classes = holdings.classes
    return _frame(
        {
            "portfolio_id": _chosen(series.portfolio_ids, classes.owner[rows.class_row]),
            "period_type": _chosen(DAILY_PERIODS, rows.period),
            "asset_class": _chosen(classes.names, rows.class_row),
            **{name: _column(measured) for name, measured in rows.measures.items()},
            "undefined_reason": pl.Series(rows.undefined_reason, dtype=pl.String),
        }
    )


def comparison_frame(series: DailySeries, others: Others, rows: ComparisonRows) -> pl.DataFrame:
    """The columns of intermediate.comparison."""
    pairs = {"other_id": others.ids, "other_kind": others.kinds, "other_basis": others.bases}
    return _frame(
        {
            "portfolio_id": _chosen(series.portfolio_ids, others.own[rows.pair]),
            **{name: _chosen(column, rows.pair) for name, column in pairs.items()},
            "period_type": _chosen(PERIODS, rows.period),
            "period_start": pl.Series(rows.period_start.astype("datetime64[D]")),
            "period_end": pl.Series(rows.period_end.astype("datetime64[D]")),
            **{name: _column(measured) for name, measured in rows.measures.items()},
            "observations": pl.Series(rows.observations, dtype=pl.Int64),
            "undefined_reason": pl.Series(rows.undefined_reason, dtype=pl.String),
        }
    )


def rows_frame(rows: PerformanceRows, period_type: str) -> pl.DataFrame:
    """The columns of intermediate.performance; NaN becomes null, money is rounded to `MONEY_DECIMALS`."""
    columns: dict[str, pl.Series] = {
        "portfolio_id": pl.Series(rows.portfolio_ids, dtype=pl.String),
        "period_type": pl.Series([period_type] * len(rows.portfolio_ids), dtype=pl.String),
        "period_start": pl.Series(rows.period_start.astype("datetime64[D]")),
        "period_end": pl.Series(rows.period_end.astype("datetime64[D]")),
    }
    for name, measured in rows.measures.items():
        value = _column(measured)
        columns[name] = value.cast(pl.Int64) if name == "drawdown_days" else value
    columns["annualization_days"] = pl.Series(rows.annualization_days, dtype=pl.Int64)
    for name in ("mwr_flag", "flow_basis", "undefined_reason"):
        columns[name] = pl.Series(getattr(rows, name), dtype=pl.String)
    return _frame(columns)


def _chosen(texts: Sequence[str], places: Integers) -> pl.Series:
    return pl.Series(texts, dtype=pl.String).gather(places)


def _column(measured: Measure) -> pl.Series:
    return pl.Series(measured.value, dtype=pl.Float64, nan_to_null=True)


def _frame(columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Money is rounded to `MONEY_DECIMALS`: all its columns at once, for each call of polars has its price."""
    return pl.DataFrame(columns).with_columns(selectors.ends_with("_base", "_usd").round(MONEY_DECIMALS))


def _intraday_frame(portfolio_ids: Sequence[str], period_type: str, as_of_date: date) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "portfolio_id": list(portfolio_ids),
            "period_type": [period_type] * len(portfolio_ids),
            "period_start": [as_of_date] * len(portfolio_ids),
            "period_end": [as_of_date] * len(portfolio_ids),
            "undefined_reason": [reasons.pair(reasons.ALL, reasons.NO_INTRADAY_PRICES)] * len(portfolio_ids),
        }
    )
