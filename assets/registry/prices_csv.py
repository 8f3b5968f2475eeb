"""prices/*.csv: manual and historical prices, and exchange rates.

Belongs here: the columns, what a price must be, and which prices are set aside instead of refused.
Must not be here: outliers and staleness, which need other prices to tell (quality), or conversion of currencies.
"""

from datetime import datetime

import polars as pl

from assets.registry.csv_rules import (
    Rule,
    apply_rules,
    canonical_decimal,
    decimal_rules,
    instant_rule,
    is_decimal,
    is_positive,
    report_secrets,
    required_rules,
    with_instants,
    with_normal_form,
)
from assets.registry.csv_text import LINE, Columns, read_csv_text
from assets.registry.identifiers import currency_id, instrument_id
from assets.registry.problems import FileProblems, Problem
from assets.registry.sources import no_quarantine

COLUMNS = Columns(
    required=("instrument", "priced_at", "price", "currency"),
    optional=("open", "high", "low", "volume", "source"),
)
RAW_COLUMNS = (
    "line", "instrument_id", "priced_at", "is_date_only", "price", "currency", "open", "high", "low", "volume",
    "source",
)  # fmt: skip
_EXTRA_DECIMALS = ("open", "high", "low", "volume")
_NOT_FINITE_PATTERN = r"(?i)^[+-]?(?:nan|inf|infinity)$"


def read_prices(
    file: str, data: bytes, now: datetime
) -> tuple[tuple[pl.DataFrame, pl.DataFrame] | None, list[Problem]]:
    """Read one file of prices.

    Args:
        file: its path relative to the inputs folder.
        data: its bytes.
        now: the clock, UTC; a price of a later instant, or of a later day for a bare date, is set aside.

    Returns:
        Rows with `RAW_COLUMNS` (a bare date is the last microsecond of its day) and quarantined rows; None when there
        are problems. And the problems.
    """
    problems = FileProblems(file)
    frame = read_csv_text(data, COLUMNS, problems)
    if frame is None:
        return None, list(problems)
    as_written = pl.concat_str([pl.col(name).fill_null("") for name in COLUMNS.all], separator=",")
    frame = with_instants(frame, "priced_at", is_date_at_close=True)
    is_not_finite = pl.col("price").str.contains(_NOT_FINITE_PATTERN)
    rules = [
        *required_rules(COLUMNS.required),
        instant_rule("priced_at"),
        Rule("price", ~is_decimal("price") & ~is_not_finite, "a decimal number above 0", "write digits with a point"),
        *decimal_rules(frame, _EXTRA_DECIMALS, "zero"),
    ]
    apply_rules(frame, rules, problems)
    report_secrets(frame, ("source",), problems)
    before = frame.select(as_written.alias("row_text"))
    frame = with_normal_form(frame, "instrument", instrument_id, problems)
    frame = with_normal_form(frame, "currency", currency_id, problems)
    if problems:
        return None, list(problems)
    frame = frame.with_columns(_reason(is_not_finite, now).alias("reason"))
    is_set_aside = frame["reason"].is_not_null()
    return (_normalised(frame.filter(~is_set_aside)), _quarantined(frame.hstack(before).filter(is_set_aside))), []


def _reason(is_not_finite: pl.Expr, now: datetime) -> pl.Expr:
    end_of_today = pl.lit(now).dt.truncate("1d") + pl.duration(days=1)
    is_future = pl.when("is_date_only").then(pl.col("at") >= end_of_today).otherwise(pl.col("at") > pl.lit(now))
    return (
        pl.when(is_not_finite)
        .then(pl.lit("price is not a finite number"))
        .when(~is_positive("price"))
        .then(pl.lit("price is not above 0"))
        .when(is_future)
        .then(pl.lit("price is of a time that has not come"))
    )


def _quarantined(frame: pl.DataFrame) -> pl.DataFrame:
    if not frame.height:
        return no_quarantine()
    is_future = pl.col("reason").str.contains("time")
    return frame.select(
        LINE,
        pl.col("instrument").alias("instrument_id"),
        pl.when(is_future).then(pl.lit("priced_at")).otherwise(pl.lit("price")).alias("column_name"),
        pl.when(is_future).then("priced_at").otherwise("price").alias("value"),
        "reason",
        pl.when(is_future)
        .then(pl.lit("an instant not later than the run's clock"))
        .otherwise(pl.lit("a finite decimal above 0"))
        .alias("expectation"),
        "row_text",
    )


def _normalised(frame: pl.DataFrame) -> pl.DataFrame:
    names = ("price", *_EXTRA_DECIMALS)
    shortest = [canonical_decimal(name) for name in names if frame[name].null_count() < frame.height]
    return frame.with_columns(*shortest).select(
        LINE,
        pl.col("instrument").alias("instrument_id"),
        pl.col("at").alias("priced_at"),
        "is_date_only",
        *("price", "currency", "open", "high", "low", "volume", "source"),
    )
