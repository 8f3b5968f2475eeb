"""What the room of risk speaks of: holdings of many portfolios laid end to end, instruments, and the constants.

Belongs here: plain types and the numbers that define a measure. Must not be here: SQL, arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

HORIZONS = (1, 10)
CONFIDENCES = (0.95, 0.99)
METHODS = ("historical", "parametric", "monte_carlo", "cornish_fisher")
# Calendar days of history: about 520 business days, the two years in which a 99 % loss is expected five times.
LOOKBACK_DAYS = 730
# A quantile needs one observation beyond it on average: 1 / (1 - confidence).
MIN_OBSERVATIONS = {0.95: 20, 0.99: 100}
# An instrument with less than half of the history of the portfolio's longest would cut off more than it adds.
MIN_HISTORY_SHARE = 0.5
# An instrument must have been observed on this share of the days that its calendar has.
MIN_OBSERVED_SHARE = 0.5
# Beyond this share of the gross value left out, the rest says nothing of the whole.
MAX_EXCLUDED_SHARE = 0.1
CASH_PREFIX = "fiat:"


@dataclass(frozen=True)
class Instrument:
    """What calendars and scenarios need to know of an instrument.

    Unknown attributes are named as the buckets of marts.portfolio_allocation. `is_stablecoin`: its own category says
    so, or that of its economic asset.
    """

    instrument_id: str
    asset_class: str
    quote_currency: str
    chain: str
    protocol: str
    category: str
    canonical_instrument: str
    is_stablecoin: bool
    annualization_days: int
    max_price_age_days: int


@dataclass(frozen=True)
class Holdings:
    """Priced holdings of portfolios of one base currency, each instrument once a portfolio, in the order of its id.

    Attributes:
        portfolio_ids: (p,) sorted.
        base_currency: as in fiat:EUR.
        usd_rate: dollars for one unit of the base currency; None: unknown.
        instruments: (n,) sorted by id.
        offsets: (p + 1,) holdings of portfolio j are offsets[j]:offsets[j + 1].
        members: (k,) places in `instruments`.
        values: (k,) in base currency, negative for what is owed; never 0.
        unpriced: (p,) holdings beside these that have no price.
    """

    portfolio_ids: Sequence[str]
    base_currency: str
    usd_rate: float | None
    instruments: Sequence[Instrument]
    offsets: Integers
    members: Integers
    values: Floats
    unpriced: Integers

    @property
    def owner(self) -> Integers:
        """(k,) the portfolio of each holding."""
        return np.repeat(np.arange(len(self.portfolio_ids), dtype=np.int64), np.diff(self.offsets))

    def sums(self, numbers: Floats) -> Floats:
        """(p,) sums of (k,) numbers by portfolio; 0 for one without holdings."""
        total: Floats = np.bincount(self.owner, weights=numbers, minlength=len(self.portfolio_ids)).astype(np.float64)
        return total

    def chosen(self, portfolios: Integers) -> "Holdings":
        """The same for some of the portfolios, by place."""
        parts = [np.arange(self.offsets[j], self.offsets[j + 1]) for j in portfolios]
        places = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        return Holdings(
            portfolio_ids=[self.portfolio_ids[j] for j in portfolios],
            base_currency=self.base_currency,
            usd_rate=self.usd_rate,
            instruments=self.instruments,
            offsets=np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64),
            members=self.members[places],
            values=self.values[places],
            unpriced=self.unpriced[portfolios],
        )


@dataclass(frozen=True)
class Histories:
    """Daily returns of the instruments of `Holdings`, in its base currency.

    Attributes:
        first_day: day number of the first column.
        returns: (n, days) NaN: none.
        problems: (n,) why an instrument's history cannot be used at all (`no_history`, `stale`, `too_sparse`); empty:
            it can.
        is_base: (n,) the base currency itself, whose value never moves.
    """

    first_day: int
    returns: Floats
    problems: Sequence[str]
    is_base: Booleans
