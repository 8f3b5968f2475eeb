"""What a trade costs: half the spread, and the price that it moves.

Belongs here: the reviewed spreads by class, the spread that daily bars show, the law of impact. Must not be here: where
bars come from, commissions (a broker's own matter).

Impact is the square-root law: b x sigma x sqrt(quantity / daily volume), a fraction of the value. Its form and b near 1
hold over markets and decades: Toth, Lemperiere, Deremble, de Lataillade, Kockelkoren, Bouchaud, "Anomalous price impact
and the critical nature of liquidity in financial markets", Physical Review X 1 (2011).
"""

import math
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assets.rebalancing.model import Terms

#: Spread by class, a fraction of the price. Assumptions, reviewed 2026-11, on the dear side of what is liquid: a trade
#: that pays at them pays. `token`: both ways through a pool with a fee of 0.3 % (Uniswap v2, the common tier of v3).
DEFAULT_SPREADS = {
    "crypto": 0.0010, "token": 0.0060, "equity": 0.0010, "etf": 0.0005, "commodity": 0.0010, "bond": 0.0020,
}  # fmt: skip
IMPACT_FACTOR = 1.0
#: Days of bars that a measure is made of, and the fewest that make one.
WINDOW_DAYS, MIN_DAYS = 60, 30
# a mean of products this many standard errors above 0 is a spread, not noise
_SIGNIFICANT = 2.0

FloatArray = NDArray[np.float64]


class Cost(NamedTuple):
    """Of one trade, as fractions of its value; None: unknown. `method` says what each is made of."""

    spread: float | None
    impact: float | None
    method: str

    @property
    def total(self) -> float | None:
        """Spread and impact; the spread alone where no volume is stored; None without a spread."""
        return None if self.spread is None else self.spread + (self.impact or 0.0)


def trading_cost(quantity: Decimal, terms: Terms) -> Cost:
    """Cost of trading `quantity` units at once."""
    spread = None if terms.spread is None else terms.spread / 2
    said = "unknown" if spread is None else "measured" if terms.is_spread_measured else "class default"
    if not terms.daily_volume or terms.daily_volatility is None:
        return Cost(spread, None, f"spread {said}; impact unknown: no volume")
    impact = IMPACT_FACTOR * terms.daily_volatility * math.sqrt(float(quantity) / terms.daily_volume)
    return Cost(spread, impact, f"spread {said}; impact square root")


def spread_of_bars(high: FloatArray, low: FloatArray, close: FloatArray) -> float | None:
    """The spread that daily bars show, a fraction of the price.

    s^2 = 4 E[(c_t - m_t)(c_t - m_t+1)] with c the log close and m the middle of log high and log low: Abdi and Ranaldo,
    "A Simple Estimation of Bid-Ask Spreads from Daily Close, High, and Low Prices", Review of Financial Studies 30
    (2017), equation 11. Of liquid assets the products are noise around 0: then there is no measure.

    Args:
        high: (t,) of days in order, > 0, no NaN.
        low: the same.
        close: the same.

    Returns:
        None for fewer than `MIN_DAYS` days, and where the mean is not two standard errors above 0.
    """
    if len(close) < MIN_DAYS:
        return None
    middle = (np.log(high) + np.log(low)) / 2
    logs = np.log(close)
    products = (logs[:-1] - middle[:-1]) * (logs[:-1] - middle[1:])
    mean, error = float(products.mean()), float(products.std(ddof=1)) / math.sqrt(len(products))
    return 2 * math.sqrt(mean) if mean > 0 and mean > _SIGNIFICANT * error else None
