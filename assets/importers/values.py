"""Values of other products' files in the canonical spelling.

Belongs here: decimals with a point or a comma, minor units of money, moments, and the refusal of a value.
Must not be here: symbols (symbols), what a product's types mean (its own module).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Context, Decimal
from typing import Literal

from assets.importers.model import Reject

Style = Literal["point", "comma"]
#: Exact for any sum or product of two numbers that a file can hold.
EXACT = Context(prec=80)
# Apostrophes and narrow blanks part thousands in Switzerland and France.
_THOUSANDS = "'’\u00a0\u202f "
_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_GROUPED = {"point": re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]*)?"),
            "comma": re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{3})+(?:,[0-9]*)?")}  # fmt: skip
_LOCAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)(Z?))?")
#: Units in which exchanges quote, and the money of which they are a hundredth.
MINOR_UNITS = {"GBp": "GBP", "GBX": "GBP", "GBx": "GBP", "ZAc": "ZAR", "ZAC": "ZAR", "ILA": "ILS"}


class LineRefusal(ValueError):  # noqa: N818 -- not an error of the program: an answer to a line
    """A line that cannot become a transaction: which value, what was expected, what to do."""

    def __init__(self, column: str, value: object, reason: str, remedy: str) -> None:
        self.column, self.value, self.reason, self.remedy = column, str(value), reason, remedy
        super().__init__(reason)

    def at(self, line: int) -> Reject:
        """The reject of a line."""
        return Reject(line, self.column, self.value, self.reason, self.remedy)


def decimal(values: Mapping[str, str], column: str, style: Style = "point") -> Decimal:
    """A column as a number; an empty one is 0.

    Args:
        values: of a record.
        column: which; a column that is not there counts as empty.
        style: `comma` reads `1.234,56`, `point` reads `1,234.56`.

    Raises:
        LineRefusal: it is no number of this style.
    """
    text = values.get(column, "")
    if not text:
        return Decimal(0)
    bare = text.translate({ord(mark): None for mark in _THOUSANDS}).replace("\u2212", "-")
    group, point = (",", ".") if style == "point" else (".", ",")
    if _GROUPED[style].fullmatch(bare):
        bare = bare.replace(group, "")
    is_told = group not in bare  # "1.5" in a file with decimal commas could be 1.5 or 15
    bare = bare.replace(point, ".")
    if not is_told or not _PLAIN.fullmatch(bare):
        example = "1,234.56" if style == "point" else "1.234,56"
        raise LineRefusal(column, text, f"expected a number such as {example}", "correct it, or export the file again")
    return Decimal(bare)


def plain(number: Decimal) -> str:
    """The shortest plain spelling, without exponent: `1.50` → `1.5`."""
    text = f"{number:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def plain_or_empty(number: Decimal) -> str:
    """As `plain`; 0 is an empty value."""
    return plain(number) if number else ""


def moment(text: str, column: str) -> str:
    """An ISO moment as the canonical CSV wants it: midnight is a bare date, a time without offset is UTC.

    Raises:
        LineRefusal: it is none.
    """
    match = _LOCAL.fullmatch(text)
    try:
        datetime.fromisoformat(text)
        if match is None:
            raise ValueError(text)
    except ValueError:
        raise LineRefusal(
            column, text, "expected a date or time such as 2024-03-01 or 2024-03-01T09:30", "correct it"
        ) from None
    day, time, _ = match.groups()
    if time is None or not time.strip("0:."):
        return day
    return f"{day}T{time}Z"


def major_unit(code: str) -> tuple[str, Decimal]:
    """Money by its code and what one unit of the code is worth in it: GBp → (GBP, 0.01)."""
    return (MINOR_UNITS[code], Decimal("0.01")) if code in MINOR_UNITS else (code, Decimal(1))
