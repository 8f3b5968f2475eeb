"""Rules over columns of text: vectorised tests, problems only for the rows that fail.

Belongs here: what decimals, instants and words look like in a column, and how failing rows become problems.
Must not be here: the rules of any particular file.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext

import polars as pl

from assets.registry.csv_text import LINE
from assets.registry.identifiers import Refusal
from assets.registry.problems import PROBLEMS_PER_FILE, SECRET_REMEDY, FileProblems
from assets.registry.secret_shapes import KEY_PATTERN, MANY_WORDS_PATTERN, URL_PATTERN, secret_kind

DECIMAL_PATTERN = r"^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?$"
_NOT_ZERO_PATTERN = r"^[+-]?[0.]*[1-9]"
_INSTANT_PATTERN = (
    r"^(?<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?<minute>[0-9]{2}:[0-9]{2})(?<second>:[0-9]{2}(?:[.,][0-9]{1,9})?)?"
    r"\s?(?<offset>[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?$"
)
INSTANT_EXPECTED = "an ISO 8601 date or time such as 2024-03-01 or 2024-03-01T09:30:00Z, from 1900 on"
INSTANT_REMEDY = "write year-month-day"
DECIMAL_REMEDY = "write digits with a decimal point, without thousands separators or units"
RATIO_PATTERN = r"^\s*[0-9]+(?:\.[0-9]+)?\s*:\s*[0-9]+(?:\.[0-9]+)?\s*$"
_LONGEST_DECIMAL = 200
_SHORTEST_SECRET = 35  # twelve words of three letters fill 47 characters; a URL with credentials may be shorter


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows where `fails` is true have a problem in `column`; null counts as false."""

    column: str
    fails: pl.Expr
    expected: str
    remedy: str


def apply_rules(frame: pl.DataFrame, rules: Iterable[Rule], problems: FileProblems) -> None:
    """Test all rules over all rows in one pass; the first rule that a value breaks is the one reported."""
    rules = list(rules)
    flags = frame.select(rule.fails.fill_null(value=False).alias(str(index)) for index, rule in enumerate(rules))
    counts = flags.sum().row(0) if flags.height else [0] * len(rules)
    reported: dict[str, pl.Series] = {}
    for index, rule in enumerate(rules):
        if not counts[index]:
            continue
        failing = flags[str(index)]
        earlier = reported.get(rule.column)
        reported[rule.column] = failing if earlier is None else failing | earlier
        report(frame.filter(failing if earlier is None else failing & ~earlier), rule, problems)


def report(failing: pl.DataFrame, rule: Rule, problems: FileProblems) -> None:
    """Turn failing rows into problems, at most a hundred spelled out."""
    for row in failing.head(PROBLEMS_PER_FILE).select(LINE, rule.column).iter_rows():
        problems.add(row[0], rule.column, row[1], rule.expected, rule.remedy)
    problems.add_more(max(0, failing.height - PROBLEMS_PER_FILE))


def is_decimal(name: str) -> pl.Expr:
    """True where the text is a plain decimal, of up to 200 characters."""
    return pl.col(name).str.contains(DECIMAL_PATTERN) & (pl.col(name).str.len_bytes() <= _LONGEST_DECIMAL)


def is_positive(name: str) -> pl.Expr:
    """True where a decimal is above 0; decided on the text, so that no digit is lost."""
    return ~pl.col(name).str.starts_with("-") & pl.col(name).str.contains(_NOT_ZERO_PATTERN)


def is_negative(name: str) -> pl.Expr:
    """True where a decimal is below 0."""
    return pl.col(name).str.starts_with("-") & pl.col(name).str.contains(_NOT_ZERO_PATTERN)


def required_rules(columns: Iterable[str]) -> list[Rule]:
    """Each of the columns has a value in every row."""
    return [Rule(name, pl.col(name).is_null(), f"a value for {name}", "fill it in") for name in columns]


def decimal_rules(frame: pl.DataFrame, columns: Iterable[str], low: str = "any") -> list[Rule]:
    """Columns that hold decimals, where they hold anything.

    Args:
        frame: tells which of the columns are empty throughout and need no test.
        columns: their names.
        low: `any` sign, `zero` for ≥ 0, `positive` for > 0.
    """
    rules = []
    limit = {"any": "", "zero": " of 0 or more", "positive": " above 0"}[low]
    for name in columns:
        if frame[name].null_count() == frame.height:
            continue
        fails = ~is_decimal(name)
        if low == "zero":
            fails = fails | is_negative(name)
        elif low == "positive":
            fails = fails | ~is_positive(name)
        rules.append(
            Rule(name, fails, f"a decimal number{limit}", DECIMAL_REMEDY if low == "any" else _signed_remedy())
        )
    return rules


def _signed_remedy() -> str:
    return "write digits with a decimal point; the type tells the direction, not the sign"


def canonical_decimal(name: str) -> pl.Expr:
    """The same number in its shortest plain spelling (`+1.50` → `1.5`); exponents stay as they are."""
    text = pl.col(name).str.strip_chars_start("+")
    trimmed = text.str.strip_chars_end("0").str.strip_chars_end(".")
    has_tail = text.str.contains(".", literal=True) & ~text.str.contains("[eE]")
    return (
        pl.when(has_tail & trimmed.is_in(["", "-"])).then(pl.lit("0")).when(has_tail).then(trimmed).otherwise(text)
    ).alias(name)


def decimal_ratio(text: str) -> str:
    """`3:1` → `3`, `1:3` → 0.333… with 50 digits: exact where a decimal can be."""
    new, _, old = text.partition(":")
    with localcontext() as context:
        context.prec = 50
        ratio = Decimal(new.strip()) / Decimal(old.strip())
        return f"{ratio.normalize():f}"


def with_instants(frame: pl.DataFrame, name: str, *, is_date_at_close: bool) -> pl.DataFrame:
    """Read a column of dates and times.

    Args:
        frame: with the column as text.
        name: the column.
        is_date_at_close: a bare date becomes the last microsecond of its day instead of the first.

    Returns:
        The frame with `at` (Datetime in UTC, microseconds; null where it cannot be read or is before 1900) and
        `is_date_only`.
    """
    text = pl.col(name)
    day = text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
    if is_date_at_close:
        day = day + pl.duration(days=1) - pl.duration(microseconds=1)
    is_date_only = text.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    frame = frame.with_columns(is_date_only.fill_null(value=False).alias("is_date_only"))
    has_times = not frame["is_date_only"].all()
    at = pl.when(pl.col("is_date_only")).then(day).otherwise(_instant(text)) if has_times else day
    frame = frame.with_columns(at.alias("at"))
    is_old = pl.col("at") < pl.datetime(1900, 1, 1)
    return frame.with_columns(pl.when(~is_old).then(pl.col("at")).dt.replace_time_zone("UTC").alias("at"))


def _instant(text: pl.Expr) -> pl.Expr:
    parts = text.str.extract_groups(_INSTANT_PATTERN)

    def part(key: str) -> pl.Expr:
        return parts.struct.field(key)

    stamp = part("day") + "T" + part("minute") + part("second").fill_null(":00").str.replace(",", ".", literal=True)
    local = stamp.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    digits = part("offset").str.replace(":", "", literal=True)
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)
    is_offset = (hours <= 15) & (minutes <= 59)
    return pl.when(is_offset).then(local - pl.duration(minutes=sign * (hours * 60 + minutes)))


def instant_rule(name: str) -> Rule:
    """The rule for a column already read by `with_instants`."""
    return Rule(name, pl.col(name).is_not_null() & pl.col("at").is_null(), INSTANT_EXPECTED, INSTANT_REMEDY)


def with_normal_form(
    frame: pl.DataFrame, name: str, check: Callable[[str], str], problems: FileProblems
) -> pl.DataFrame:
    """Replace a column of few distinct values by their normal forms; values that are refused become problems, and null.

    Args:
        frame: with the column as text.
        name: the column.
        check: gives a value's normal form, or raises Refusal.
        problems: collects what is refused.
    """
    forms: dict[str, str | None] = {}
    refused: list[tuple[str, Refusal]] = []
    for value in frame[name].drop_nulls().unique().to_list():
        try:
            forms[value] = check(value)
        except Refusal as refusal:
            forms[value] = None
            refused.append((value, refusal))
    for value, reason in refused[: PROBLEMS_PER_FILE + 1]:
        rule = Rule(name, pl.col(name) == value, reason.expected, reason.remedy)
        report(frame.filter(rule.fails), rule, problems)
    if not forms or (not refused and all(value == form for value, form in forms.items())):
        return frame
    return frame.with_columns(pl.col(name).replace_strict(forms, default=None, return_dtype=pl.String))


def report_secrets(frame: pl.DataFrame, columns: Iterable[str], problems: FileProblems) -> None:
    """Find keys, seed phrases and credentials in columns of free text."""
    for name in columns:
        text = pl.col(name)
        long = frame.filter(text.str.len_bytes() >= _SHORTEST_SECRET)
        looks = text.str.contains(KEY_PATTERN) | text.str.contains(MANY_WORDS_PATTERN)
        with_urls = frame.filter(text.str.contains("://", literal=True) & text.str.contains(URL_PATTERN))
        suspects = pl.concat([long.filter(looks), with_urls]).unique(LINE, maintain_order=True)
        for line, value in suspects.select(LINE, name).iter_rows():
            kind = secret_kind(value)
            if kind:
                problems.add(line, name, value, f"no {kind} in any input file", SECRET_REMEDY)
