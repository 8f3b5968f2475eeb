"""The reason codes of the risk tables: why a figure is NULL, or an instrument left out.

Belongs here: the one list of codes and how pairs become text. Must not be here: arithmetic that decides a code.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

ALL = "all"
NO_PRICED_HOLDING = "no_priced_holding"
EXCLUDED_SHARE = "excluded_share"
TOO_FEW_OBSERVATIONS = "too_few_observations"
NOT_MONOTONE = "not_monotone"
BEYOND_WORST = "beyond_worst_observation"
MISSING_FX = "missing_fx"
NO_VALUE = "no_value"
NO_LOSS = "no_loss"
NO_HISTORY = "no_history"
STALE = "stale"
TOO_SPARSE = "too_sparse"
TOO_SHORT = "too_short"
DURATION_UNKNOWN = "duration_unknown"
UNKNOWN_GROUP = "unknown_group"

MEANINGS: Mapping[str, str] = {
    NO_PRICED_HOLDING: "nothing that is held has a price",
    EXCLUDED_SHARE: "more than 10 % of the gross value has no history that can be used",
    TOO_FEW_OBSERVATIONS: "fewer than 1 / (1 - confidence) returns of the whole portfolio",
    NOT_MONOTONE: "skewness and kurtosis are beyond what the Cornish-Fisher expansion can follow: its quantiles cross",
    BEYOND_WORST: "the interval reaches beyond the worst loss that was seen",
    MISSING_FX: "no exchange rate from the base currency to USD",
    NO_VALUE: "the net value is zero or negative: a share of it means nothing",
    NO_LOSS: "VaR is zero or negative: a share of it means nothing",
    NO_HISTORY: "no price in the period, or not on all its days",
    STALE: "the last observed price is older than its limit",
    TOO_SPARSE: "observed on fewer than half of the days of its calendar",
    TOO_SHORT: "less than half of the history of the portfolio's longest",
    DURATION_UNKNOWN: "what a bond loses hangs on its duration, which is not known",
    UNKNOWN_GROUP: "a shock names a chain, protocol or category that no instrument has: what it means is not known",
}


def pair(metric: str, code: str) -> str:
    """One `metric:code` pair; the code must be one of `MEANINGS`."""
    if code not in MEANINGS:
        raise KeyError(f"reason code {code!r} of {metric} is not in the documented list (assets/risk/reasons.py)")
    return f"{metric}:{code}"


def texts(rows: int, *columns: Mapping[int, str]) -> list[str | None]:
    """(rows,) pairs joined by `;`; None where no column has one.

    Args:
        rows: how many.
        columns: row -> pair each, of the rows where there is something to say: most have nothing.
    """
    found: list[str | None] = [None] * rows
    for column in columns:
        for row, told in column.items():
            before = found[row]
            found[row] = told if before is None else f"{before};{told}"
    return found


def marked(metric: str, codes: NDArray[np.str_]) -> dict[int, str]:
    """Row -> pair of its code, of those that have one."""
    rows = np.flatnonzero(codes != "")
    return {row: pair(metric, code) for row, code in zip(rows.tolist(), codes[rows].tolist(), strict=True)}


def where(chosen: NDArray[np.bool_], metric: str, code: str) -> dict[int, str]:
    """Row -> one pair, of those `chosen`."""
    return dict.fromkeys(np.flatnonzero(chosen).tolist(), pair(metric, code))
