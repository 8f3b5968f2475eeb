"""What this room speaks of: windows, what is too little to say anything, regimes and their limits, and the rows.

Belongs here: constants with their reasons, plain types. Must not be here: arithmetic, SQL.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

#: Calendar days: a month shows the moment, a quarter the season, a year the long run that both are measured against.
WINDOWS = (30, 90, 365)
#: A month of returns says little of a slope: exposures are of the other two.
EXPOSURE_WINDOWS = (90, 365)
#: The window that diversification is read from and that breaches are measured against.
LONG_WINDOW = 365
#: Calendar days that one return may reach over: a weekend with the longest holidays, not a feed that had stopped.
LONGEST_GAP = 7
BUSINESS_DAYS_PER_YEAR = 252
DAYS_PER_YEAR = 365
#: The standard error of a correlation of 0 is 0.26 at 15 observations: below that even its sign is a guess.
FEWEST_OBSERVATIONS = 15
#: Deviations below it are rounding.
ZERO_DEVIATION = 1e-12
#: Pairs grow with the square: the 200 assets of largest value held make 19,900. A portfolio's own are bounded alike.
MOST_ASSETS = 200
#: Returns are in one currency for all: a pair has one correlation, whoever holds it.
CURRENCY = "fiat:USD"

#: Average correlation from which on a regime counts. Fixed, not a percentile of an own history: a regime then means the
#: same on the first day and for everybody; 0.5 and 0.75 are a quarter and more than half of the variance in common.
NORMAL_FROM, HIGH_FROM, CRISIS_FROM = 0.2, 0.5, 0.75
#: So much above the average of the long window, and what was diversified yesterday is not today.
BREACH_ABOVE_LONG_WINDOW = 0.25

TOO_FEW_OBSERVATIONS = "too_few_observations"
STANDS_STILL = "zero_deviation"
TOO_FEW_ASSETS = "fewer_than_2_assets"
NOT_LONG_ONLY = "not_long_only"
MISSING_CORRELATION = "missing_correlation"
NOT_SEMIDEFINITE = "not_positive_semidefinite"
#: Not why there is no ratio, but a warning beside one.
MISSING_PRICE = "coverage:missing_price"


def fewest_observations(window_days: int) -> int:
    """Half of the business days of the window, and never under `FEWEST_OBSERVATIONS`."""
    return max(FEWEST_OBSERVATIONS, round(window_days * BUSINESS_DAYS_PER_YEAR / DAYS_PER_YEAR / 2))


@dataclass(frozen=True)
class Levels:
    """Prices of assets on consecutive days, the last one that of the reading.

    Attributes:
        labels: (N,) instruments, sorted.
        values: (N, days) in `CURRENCY`, splits undone; NaN where none was seen that day.
        periods_per_year: (N,) trading days of each.
    """

    labels: tuple[str, ...]
    values: Floats
    periods_per_year: Integers


@dataclass(frozen=True)
class WindowCorrelations:
    """One window of all pairs of assets.

    Attributes:
        window_days: calendar days.
        matrix: (N, N) symmetric, 1 on the diagonal; NaN where undefined.
        volatilities: (N,) a year; NaN where an asset has too few returns of its own.
        observations: (N, N) returns that both have.
    """

    window_days: int
    matrix: Floats
    volatilities: Floats
    observations: Integers


@dataclass(frozen=True)
class Regime:
    """How much the assets of one window move as one; None where there is nothing to say, and `undefined_reason`."""

    window_days: int
    assets: int
    average_correlation: float | None
    first_eigenvalue_share: float | None
    diversification_ratio: float | None
    regime: str | None
    undefined_reason: str | None
