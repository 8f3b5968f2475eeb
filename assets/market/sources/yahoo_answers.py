"""What an answer of Yahoo means: currency and unit, splits, dividends, the end of the session.

Belongs here: reading frames and metadata as yfinance gives them. Must not be here: asking (yahoo.py).
"""

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from assets.importers.values import MINOR_UNITS
from assets.network.errors import Failure, Kind
from assets.registry.identifiers import ISO_4217


@dataclass(frozen=True, slots=True)
class History:
    """One answer: the frame as yfinance gives it, and what it says of the listing."""

    frame: Any  # pandas.DataFrame
    meta: dict[str, Any]
    currency: str
    unit: Decimal
    splits: tuple[tuple[date, Fraction], ...]

    def later_splits(self, day: date) -> Decimal:
        """By what Yahoo divided the prices of a day."""
        factor = math.prod((ratio for ex_date, ratio in self.splits if ex_date > day), start=Fraction(1))
        return Decimal(factor.numerator) / Decimal(factor.denominator)


def _meta(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed of it: to look at all of its keys would make yfinance send another request."""
    return {
        name: told.get(name) for name in ("currency", "currentTradingPeriod", "regularMarketPrice", "regularMarketTime")
    }


def history_of(frame: Any, told: Mapping[str, Any]) -> History | Failure:
    """An answer of `Ticker.history` and of its metadata, or what is wrong with it."""
    meta = _meta(told)
    if frame is None or frame.empty:
        return Failure.of(Kind.MALFORMED, "an empty answer")
    code = meta.get("currency")
    if not isinstance(code, str):
        return Failure.of(Kind.MALFORMED, "no currency told")
    code, unit = (MINOR_UNITS[code], Decimal("0.01")) if code in MINOR_UNITS else (code, Decimal(1))
    if code not in ISO_4217:
        return Failure.of(Kind.PERMANENT, "a currency that is no ISO 4217 code")
    splits = frame["Stock Splits"]
    ratios = tuple(
        (stamp.date(), Fraction(ratio).limit_denominator(10_000)) for stamp, ratio in splits.items() if ratio > 0
    )
    return History(frame, meta, f"fiat:{code}", unit, ratios)


def dividends_of(history: History) -> list[tuple[date, Decimal]]:
    """What was paid on a share of today, by ex-date, in the listing's unit; distributions of gains are dividends."""
    paid: dict[date, Decimal] = {}
    for name in ("Dividends", "Capital Gains"):
        if name in history.frame:
            for stamp, amount in history.frame[name].items():
                if amount > 0:
                    paid[stamp.date()] = paid.get(stamp.date(), Decimal(0)) + exact(amount)
    return list(paid.items())


def session_end(meta: dict[str, Any]) -> datetime | None:
    """When the exchange's session of today, or its next one, ends; in its own time zone."""
    with contextlib.suppress(KeyError, TypeError):
        regular = meta["currentTradingPeriod"]["regular"]
        end = regular["end"]
        if isinstance(end, int | float):
            end = datetime.fromtimestamp(end, UTC) + timedelta(seconds=regular.get("gmtoffset", 0))
            return end
        return end.to_pydatetime()  # type: ignore[no-any-return]
    return None


def exact(value: float) -> Decimal:
    """The decimal that the answer had."""
    return Decimal(repr(float(value)))
