"""What rebalancing knows of a portfolio and says of it, as plain values.

Belongs here: shapes that several modules of the room share. Must not be here: arithmetic, SQL.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CASH_PREFIX = "fiat:"


class Holding(NamedTuple):
    """A position, accounts added up: `value_base` None where it has no price."""

    instrument_id: str
    quantity: Decimal
    value_base: Decimal | None


class Quote(NamedTuple):
    """The price to trade at; `problem` says why it cannot be used, if so."""

    price_base: Decimal | None
    price_usd: Decimal | None
    problem: str | None = None


@dataclass(frozen=True)
class Terms:
    """On which terms one instrument trades.

    Attributes:
        lot: the smallest step of a quantity; None: any.
        spread: between bid and ask, a fraction of the price; None: unknown.
        is_spread_measured: from bars, not the default of the class.
        daily_volatility: standard deviation of a day's log returns; None: not stored.
        daily_volume: units traded a day, on average; None: not stored.
    """

    lot: Decimal | None = None
    spread: float | None = None
    is_spread_measured: bool = False
    daily_volatility: float | None = None
    daily_volume: float | None = None


@dataclass(frozen=True)
class Covariance:
    """Of returns a year in base currency: `matrix` (n, n), no NaN, in the order of `labels`."""

    labels: tuple[str, ...]
    matrix: NDArray[np.float64]


class Suggestion(NamedTuple):
    """One row: `action` buy, sell or hold; quantity and values >= 0, None where nothing is to be traded or unknown.

    Attributes:
        expected_gain_usd: what the trade is worth in a year (`worth`).
        cash_after_base: the portfolio's cash after all its suggested trades, before their costs.
        realized_gain_base, short_gain_base, long_gain_base, estimated_tax_base: of a sale (`taxes`).
    """

    instrument_id: str
    action: str
    quantity: Decimal | None
    value_usd: Decimal | None
    current_weight: Decimal | None
    target_weight: Decimal | None
    estimated_cost_usd: Decimal | None
    reason: str
    spread_cost_usd: Decimal | None = None
    impact_cost_usd: Decimal | None = None
    cost_method: str | None = None
    realized_gain_base: Decimal | None = None
    short_gain_base: Decimal | None = None
    long_gain_base: Decimal | None = None
    estimated_tax_base: Decimal | None = None
    expected_gain_usd: Decimal | None = None
    cash_after_base: Decimal | None = None


NO_TERMS: Mapping[str, Terms] = {}
