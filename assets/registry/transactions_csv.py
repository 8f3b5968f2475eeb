"""transactions/*.csv: the canonical ledger.

Belongs here: the columns, the rules of each type, and each transaction's identity.
Must not be here: what a transaction does to lots or cash (the ledger's work).
"""

from hashlib import sha256

import polars as pl

from assets.registry.csv_rules import (
    RATIO_PATTERN,
    Rule,
    apply_rules,
    canonical_decimal,
    decimal_ratio,
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
from assets.registry.identifiers import Refusal, currency_id, held_instrument_id, suggestion
from assets.registry.model import KnownPortfolios
from assets.registry.problems import FileProblems, Problem
from assets.registry.references import report_unknown_accounts

TYPES = (
    "BUY", "SELL", "SWAP_IN", "SWAP_OUT", "DEPOSIT", "WITHDRAWAL", "TRANSFER_IN", "TRANSFER_OUT", "DIVIDEND",
    "INTEREST", "INTEREST_CHARGE", "STAKING_REWARD", "AIRDROP", "FEE", "FEE_REFUND", "TAX", "TAX_REFUND", "SPLIT",
    "OPENING",
)  # fmt: skip
COLUMNS = Columns(
    required=("portfolio", "account", "executed_at", "type", "instrument", "quantity"),
    optional=(
        "price", "amount", "currency", "fx_rate", "cash_account", "fee", "fee_currency", "tax", "group_id",
        "external_id", "note",
    ),
)  # fmt: skip
RAW_COLUMNS = (
    "line", "transaction_id", "portfolio_id", "account_id", "executed_at", "is_date_only", "type", "instrument_id",
    "quantity", "price", "amount", "currency", "fx_rate", "cash_account", "fee", "fee_currency", "tax", "group_id",
    "external_id", "note",
)  # fmt: skip
_DECIMALS = ("quantity", "price", "amount", "fx_rate", "fee", "tax")
# not external_id and group_id: the hash of a transaction has the shape of a key, and is the natural id of an export
_FREE_TEXT = ("cash_account", "note")
_CONTENT = tuple(name for name in RAW_COLUMNS if name not in ("line", "transaction_id"))
_SEPARATOR = "\x1f"


def read_transactions(
    file: str, data: bytes, known: KnownPortfolios | None
) -> tuple[pl.DataFrame | None, list[Problem]]:
    """Read one file of transactions.

    Args:
        file: its path relative to the inputs folder; part of the identity of rows without `external_id`.
        data: its bytes.
        known: portfolios and accounts that rows may name; None = not known, not tested.

    Returns:
        Rows with `RAW_COLUMNS` (decimals as text), equal repetitions of one `external_id` once; None when there are
        problems. And the problems.
    """
    problems = FileProblems(file)
    frame = read_csv_text(data, COLUMNS, problems)
    if frame is None:
        return None, list(problems)
    frame = with_instants(frame, "executed_at", is_date_at_close=False)
    apply_rules(frame, _rules(frame), problems)
    report_secrets(frame, _FREE_TEXT, problems)
    if known is not None:
        report_unknown_accounts(frame, known, ("account", "cash_account"), problems)
    frame = with_normal_form(frame, "type", _type, problems)
    frame = with_normal_form(frame, "instrument", held_instrument_id, problems)
    frame = with_normal_form(frame, "currency", currency_id, problems)
    frame = with_normal_form(frame, "fee_currency", currency_id, problems)
    if known is not None:
        _report_fiat_flows(frame, known, problems)
    if problems:
        return None, list(problems)
    return _with_identity(_normalised(frame), file), []


def _rules(frame: pl.DataFrame) -> list[Rule]:
    kind, quantity = pl.col("type"), pl.col("quantity")
    is_split = kind == "SPLIT"
    is_ratio = quantity.str.contains(RATIO_PATTERN) & ~quantity.str.contains(r"(?:^|:)\s*0*\.?0*\s*(?::|$)")
    is_price_needed = kind.is_in(["BUY", "SELL", "OPENING"]) & pl.col("amount").is_null()
    has_money = pl.col("price").is_not_null() | pl.col("amount").is_not_null()
    is_currency_needed = has_money | kind.is_in(["DIVIDEND", "INTEREST"])
    no_currency = pl.col("currency").is_null()
    above_zero = "a decimal number above 0"
    return [
        *required_rules(COLUMNS.required),
        instant_rule("executed_at"),
        Rule(
            "quantity",
            is_split & ~(is_decimal("quantity") & is_positive("quantity")) & ~is_ratio,
            "for SPLIT the ratio new/old, a decimal above 0 or two numbers such as 3:1",
            "write how many new units one old unit becomes",
        ),
        Rule(
            "quantity",
            ~is_split & ~(is_decimal("quantity") & is_positive("quantity")),
            above_zero,
            "write digits with a decimal point; the type tells the direction, not the sign",
        ),
        *decimal_rules(frame, ("price", "amount", "fee", "tax"), "zero"),
        *decimal_rules(frame, ("fx_rate",), "positive"),
        Rule(
            "price",
            is_price_needed & pl.col("price").is_null(),
            "a price or an amount with BUY, SELL and OPENING",
            "fill in the price per unit, or the amount of money moved",
        ),
        Rule(
            "currency",
            is_currency_needed & no_currency,
            "a currency where there is a price or an amount, and with DIVIDEND and INTEREST",
            "fill it in, as in USD",
        ),
        Rule(
            "currency",
            no_currency & is_decimal("tax") & is_positive("tax"),
            "a currency where there is a tax",
            "fill in the currency of the tax",
        ),
        Rule(
            "fee_currency",
            no_currency & pl.col("fee_currency").is_null() & is_decimal("fee") & is_positive("fee"),
            "a fee_currency where there is a fee and no currency",
            "fill it in, as in USD or crypto:ETH",
        ),
    ]


def _type(text: str) -> str:
    if text in TYPES:
        return text
    raise Refusal(f"one of {', '.join(TYPES)}", suggestion(text, TYPES) or "choose one of them")


def _report_fiat_flows(frame: pl.DataFrame, known: KnownPortfolios, problems: FileProblems) -> None:
    implicit = [portfolio for portfolio, cash in known.cash.items() if cash == "implicit"]
    is_flow = pl.col("type").is_in(["DEPOSIT", "WITHDRAWAL"]) & pl.col("instrument").str.starts_with("fiat:")
    rule = Rule(
        "type",
        is_flow & pl.col("portfolio").is_in(implicit),
        "no DEPOSIT or WITHDRAWAL of a currency in a portfolio with cash: implicit",
        "remove the row, or set cash: ledger",
    )
    if implicit:
        apply_rules(frame, [rule], problems)


def _normalised(frame: pl.DataFrame) -> pl.DataFrame:
    is_ratio = frame["quantity"].str.contains(":", literal=True)
    if is_ratio.any():
        ratios = {text: decimal_ratio(text) for text in frame["quantity"].filter(is_ratio).unique()}
        frame = frame.with_columns(pl.col("quantity").replace(ratios))
    shortest = [canonical_decimal(name) for name in _DECIMALS if frame[name].null_count() < frame.height]
    fee_currency = pl.when(pl.col("fee").is_not_null()).then(pl.coalesce("fee_currency", "currency"))
    return frame.with_columns(*shortest).select(
        LINE,
        pl.col("portfolio").alias("portfolio_id"),
        pl.col("account").alias("account_id"),
        pl.col("at").alias("executed_at"),
        "is_date_only",
        "type",
        pl.col("instrument").alias("instrument_id"),
        *("quantity", "price", "amount", "currency", "fx_rate", "cash_account", "fee"),
        fee_currency.alias("fee_currency"),
        *("tax", "group_id", "external_id", "note"),
    )


def _with_identity(frame: pl.DataFrame, file: str) -> pl.DataFrame:
    """Give each row its transaction_id: by external_id, else by (file, content, how many times it came before)."""
    frame = frame.with_columns(pl.concat_str([_text(name) for name in _CONTENT], separator=_SEPARATOR).alias("content"))
    has_id = pl.col("external_id").is_not_null()
    if frame["external_id"].null_count() < frame.height:
        frame = frame.filter(~has_id | pl.col("content").is_first_distinct())
    own = pl.concat_str("portfolio_id", "account_id", "external_id", separator=_SEPARATOR)
    frame = frame.with_columns(pl.when(has_id).then(own).otherwise(file + _SEPARATOR + pl.col("content")).alias("key"))
    is_repeated = frame["key"].is_duplicated().any()
    occurrence = pl.int_range(pl.len()).over("key").cast(pl.String) if is_repeated else pl.lit("0")
    frame = frame.with_columns(pl.when(has_id).then("key").otherwise(pl.col("key") + _SEPARATOR + occurrence))
    ids = ["t-" + sha256(key.encode()).hexdigest()[:24] for key in frame["key"]]
    return frame.with_columns(pl.Series("transaction_id", ids, dtype=pl.String)).select(RAW_COLUMNS)


def _text(name: str) -> pl.Expr:
    if name == "executed_at":
        return pl.col(name).dt.epoch("us").cast(pl.String)
    return pl.col(name).cast(pl.String).fill_null("")
