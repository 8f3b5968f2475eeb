"""balances/*.csv: dated balances where there is no ledger.

Belongs here: the columns and their rules. Must not be here: how balances become flows.
"""

import polars as pl

from assets.registry.csv_rules import (
    apply_rules,
    canonical_decimal,
    decimal_rules,
    instant_rule,
    required_rules,
    with_instants,
    with_normal_form,
)
from assets.registry.csv_text import LINE, Columns, read_csv_text
from assets.registry.identifiers import held_instrument_id
from assets.registry.model import KnownPortfolios
from assets.registry.problems import FileProblems, Problem
from assets.registry.references import TwiceRule, report_unknown_accounts

COLUMNS = Columns(
    required=("portfolio", "account", "instrument", "balance_at", "quantity"),
    optional=("cost_base",),
)
RAW_COLUMNS = (
    "line", "portfolio_id", "account_id", "instrument_id", "balance_at", "is_date_only", "quantity", "cost_base",
)  # fmt: skip
TWICE = TwiceRule(
    key=("portfolio_id", "account_id", "balance_at", "is_date_only", "instrument_id"),
    content=("quantity", "cost_base"),
    column="instrument",
    expected="one balance of an instrument in an account at one time",
)


def read_balances(file: str, data: bytes, known: KnownPortfolios | None) -> tuple[pl.DataFrame | None, list[Problem]]:
    """Read one file of balances.

    Args:
        file: its path relative to the inputs folder.
        data: its bytes.
        known: portfolios and accounts that rows may name; None = not known, not tested.

    Returns:
        Rows with `RAW_COLUMNS` (decimals as text; a balance may be negative), equal repetitions once; None when there
        are problems. And the problems.
    """
    problems = FileProblems(file)
    frame = read_csv_text(data, COLUMNS, problems)
    if frame is None:
        return None, list(problems)
    frame = with_instants(frame, "balance_at", is_date_at_close=False)
    rules = [
        *required_rules(COLUMNS.required),
        instant_rule("balance_at"),
        *decimal_rules(frame, ("quantity",)),
        *decimal_rules(frame, ("cost_base",), "zero"),
    ]
    apply_rules(frame, rules, problems)
    if known is not None:
        report_unknown_accounts(frame, known, ("account",), problems)
    frame = with_normal_form(frame, "instrument", held_instrument_id, problems)
    if problems:
        return None, list(problems)
    return _normalised(frame), []


def _normalised(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.with_columns(canonical_decimal("quantity"), canonical_decimal("cost_base")).select(
        LINE,
        pl.col("portfolio").alias("portfolio_id"),
        pl.col("account").alias("account_id"),
        pl.col("instrument").alias("instrument_id"),
        pl.col("at").alias("balance_at"),
        "is_date_only",
        "quantity",
        "cost_base",
    )
    return frame.unique([name for name in RAW_COLUMNS if name != LINE], keep="first", maintain_order=True)
