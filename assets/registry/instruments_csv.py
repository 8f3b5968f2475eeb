"""instruments.csv and corporate_actions.csv: what the owner tells about instruments.

Belongs here: the columns of the two files and their rules. Must not be here: the master data of instruments.
"""

from collections.abc import Callable

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
from assets.registry.identifiers import Refusal, currency_id, evm_address, instrument_id, suggestion
from assets.registry.other_chains import known_slugs
from assets.registry.problems import FileProblems, Problem
from assets.registry.references import TwiceRule

INSTRUMENT_COLUMNS = Columns(
    required=("instrument",),
    optional=(
        "name", "asset_class", "asset_type", "quote_currency", "chain", "address", "decimals", "category", "protocol",
        "canonical_instrument", "yfinance_symbol", "ccxt_symbol", "annualization_days", "max_price_age_days",
        "lot_size",
    ),
)  # fmt: skip
ASSET_CLASSES = (
    "crypto", "token", "equity", "etf", "commodity", "bond", "index", "rate", "fiat", "custom",
)  # fmt: skip
ASSET_TYPES = (
    "token", "nft", "lp_token", "staked", "vested", "supplied", "borrowed", "equity", "etf", "bond", "commodity",
    "index", "rate", "fiat", "custom",
)  # fmt: skip
_WHOLE_NUMBERS = {"decimals": 77, "annualization_days": 366, "max_price_age_days": 36500}
_FREE_TEXT = ("name", "category", "protocol", "yfinance_symbol", "ccxt_symbol")

ACTION_COLUMNS = Columns(
    required=("instrument", "ex_date", "kind"), optional=("ratio", "amount", "currency", "pay_date")
)
RAW_ACTION_COLUMNS = ("line", "instrument_id", "ex_date", "kind", "ratio", "amount", "currency", "pay_date")
_PAY_DATE = pl.col("pay_date").str.to_date("%Y-%m-%d", strict=False)
SAME_ACTION = TwiceRule(
    key=("ex_date", "kind", "instrument_id"),
    content=("ratio", "amount", "currency", "pay_date"),
    column="instrument",
    expected="one split and one dividend of an instrument on one day",
)


def read_instruments(file: str, data: bytes) -> tuple[pl.DataFrame | None, list[Problem]]:
    """Read instruments.csv.

    Returns:
        Rows with `INSTRUMENT_COLUMNS.all`, currencies and addresses in normal form, whole numbers as Int32, and `line`;
        None when there are problems. And the problems.
    """
    problems = FileProblems(file)
    frame = read_csv_text(data, INSTRUMENT_COLUMNS, problems)
    if frame is None:
        return None, list(problems)
    apply_rules(frame, [*_instrument_rules(), *decimal_rules(frame, ("lot_size",), "positive")], problems)
    report_secrets(frame, _FREE_TEXT, problems)
    checks: dict[str, Callable[[str], str]] = {
        "instrument": instrument_id,
        "canonical_instrument": instrument_id,
        "quote_currency": currency_id,
        "asset_class": _one_of(ASSET_CLASSES),
        "asset_type": _one_of(ASSET_TYPES),
        "chain": _chain,
        "address": _address,
    }
    for name, check in checks.items():
        frame = with_normal_form(frame, name, check, problems)
    _report_repeated(frame, problems)
    if problems:
        return None, list(problems)
    frame = frame.with_columns(pl.col(name).cast(pl.Int32) for name in _WHOLE_NUMBERS)
    return frame.with_columns(canonical_decimal("lot_size")), []


def read_corporate_actions(file: str, data: bytes) -> tuple[pl.DataFrame | None, list[Problem]]:
    """Read corporate_actions.csv.

    Returns:
        Rows with `RAW_ACTION_COLUMNS` (ratio = new units for one old), equal repetitions once; None when there are
        problems. And the problems.
    """
    problems = FileProblems(file)
    frame = read_csv_text(data, ACTION_COLUMNS, problems)
    if frame is None:
        return None, list(problems)
    frame = with_instants(frame, "ex_date", is_date_at_close=False)
    apply_rules(frame, _action_rules(frame), problems)
    frame = with_normal_form(frame, "instrument", instrument_id, problems)
    frame = with_normal_form(frame, "kind", _one_of(("split", "dividend")), problems)
    frame = with_normal_form(frame, "currency", currency_id, problems)
    if problems:
        return None, list(problems)
    is_ratio = frame["ratio"].str.contains(":", literal=True).fill_null(value=False)
    ratios = {text: decimal_ratio(text) for text in frame["ratio"].filter(is_ratio).unique()}
    frame = frame.with_columns(pl.col("ratio").replace(ratios), pl.col("at").dt.date().alias("ex_date"), _PAY_DATE)
    frame = frame.with_columns(canonical_decimal("ratio"), canonical_decimal("amount"))
    frame = frame.rename({"instrument": "instrument_id"}).select(RAW_ACTION_COLUMNS)
    return frame.unique([name for name in RAW_ACTION_COLUMNS if name != LINE], keep="first", maintain_order=True), []


def _instrument_rules() -> list[Rule]:
    is_custom = pl.col("instrument").str.starts_with("custom:")
    rules = [
        *required_rules(("instrument",)),
        Rule(
            "quote_currency",
            is_custom & pl.col("quote_currency").is_null(),
            "a quote_currency for a custom: instrument",
            "fill in the currency of its prices, as in USD",
        ),
    ]
    for name, top in _WHOLE_NUMBERS.items():
        low = 0 if name == "decimals" else 1
        number = pl.col(name).cast(pl.Int64, strict=False)
        is_digits = pl.col(name).str.contains(r"^[0-9]{1,9}$")
        fails = ~is_digits | (number < low) | (number > top)
        rules.append(Rule(name, fails, f"a whole number from {low} to {top}", "change it, or leave it empty"))
    return rules


def _action_rules(frame: pl.DataFrame) -> list[Rule]:
    kind, ratio = pl.col("kind"), pl.col("ratio")
    is_ratio = ratio.str.contains(RATIO_PATTERN) & ~ratio.str.contains(r"(?:^|:)\s*0*\.?0*\s*(?::|$)")
    is_number = is_decimal("ratio") & is_positive("ratio")
    told = pl.col("pay_date").is_not_null()
    return [
        *required_rules(ACTION_COLUMNS.required),
        instant_rule("ex_date"),
        Rule("ratio", ~is_number & ~is_ratio, "the ratio new/old above 0, such as 2 or 3:1", "correct it"),
        Rule("ratio", (kind == "split") & ratio.is_null(), "a ratio with a split", "fill in new/old, such as 2 or 3:1"),
        Rule("ratio", (kind == "dividend") & ratio.is_not_null(), "no ratio with a dividend", "leave it empty"),
        *decimal_rules(frame, ("amount",), "positive"),
        Rule("amount", (kind == "dividend") & pl.col("amount").is_null(), "an amount per unit", "fill it in"),
        Rule("amount", (kind == "split") & pl.col("amount").is_not_null(), "no amount with a split", "leave it empty"),
        Rule("currency", (kind == "dividend") & pl.col("currency").is_null(), "a currency", "fill it in, as in USD"),
        Rule("pay_date", told & _PAY_DATE.is_null(), "a date such as 2024-05-16", "correct it, or leave it empty"),
        Rule("pay_date", told & (kind == "split"), "no pay_date with a split", "leave it empty"),
        Rule(
            "pay_date", pl.col("at").dt.date() > _PAY_DATE, "a pay_date not before the ex_date", "correct one of them"
        ),
    ]


def _report_repeated(frame: pl.DataFrame, problems: FileProblems) -> None:
    named = frame.drop_nulls("instrument")
    repeated = named.filter(~pl.col("instrument").is_first_distinct())
    for line, name in repeated.select(LINE, "instrument").iter_rows():
        first = named.filter(pl.col("instrument") == name)[LINE][0]
        problems.add(line, "instrument", name, "each instrument once", f"it stands at line {first} already: keep one")


def _one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text in words:
            return text
        raise Refusal(f"one of {', '.join(words)}", suggestion(text, words) or "choose one of them")

    return check


def _chain(text: str) -> str:
    if text in known_slugs():
        return text
    near = suggestion(text, known_slugs()) or "`holdfast chains` lists them"
    raise Refusal("the slug of a known chain, such as ethereum or arbitrum", near)


def _address(text: str) -> str:
    """Addresses of other chains (Solana mints, say) have other forms: only what begins with 0x is checked."""
    if text.lower().startswith("0x"):
        return evm_address(text)
    if len(text) > 128 or any(letter.isspace() for letter in text):
        raise Refusal("an address without blanks", "copy the address again")
    return text
