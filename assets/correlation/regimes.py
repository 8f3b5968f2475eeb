"""How much assets move as one: average correlation, share of the first eigenvalue, diversification, and the regime.

Belongs here: from a matrix of correlations to a few numbers and their limits. Must not be here: how the matrix comes
about (pairs), earlier readings (store), SQL.
"""

import numpy as np

from assets.correlation.model import (
    BREACH_ABOVE_LONG_WINDOW,
    CRISIS_FROM,
    HIGH_FROM,
    LONG_WINDOW,
    MISSING_CORRELATION,
    NORMAL_FROM,
    NOT_LONG_ONLY,
    NOT_SEMIDEFINITE,
    TOO_FEW_ASSETS,
    Booleans,
    Floats,
    Regime,
    WindowCorrelations,
)


def read_regime(correlations: WindowCorrelations) -> Regime:
    """The regime of one window, of the assets all of whose pairs are defined.

    The share of the first eigenvalue is that of the largest one in the number of assets: 1 / N where nothing moves
    together, 1 where everything does. The diversification ratio is of equal weights.
    """
    kept = complete(correlations.matrix)
    count = int(kept.sum())
    if count < 2:
        said = f"average_correlation:{TOO_FEW_ASSETS}"
        return Regime(correlations.window_days, count, None, None, None, None, said)
    matrix = correlations.matrix[np.ix_(kept, kept)]
    average = float((matrix.sum() - count) / (count * (count - 1)))
    largest = float(np.linalg.eigvalsh(matrix)[-1]) / count
    ratio, code = diversification_ratio(np.full(count, 1.0 / count), correlations.volatilities[kept], matrix)
    reason = None if code is None else f"diversification_ratio:{code}"
    # pairs over other days each need not make a semidefinite matrix: its largest eigenvalue may exceed N by rounding
    return Regime(correlations.window_days, count, average, min(largest, 1.0), ratio, name_of(average), reason)


def complete(matrix: Floats) -> Booleans:
    """(N,) assets all of whose correlations with each other are defined.

    Those with the most undefined pairs go first, among equals the last one: what has just begun, or stands still.
    """
    is_undefined = np.isnan(matrix)
    kept = ~np.diag(is_undefined)
    while True:
        missing = np.where(kept, (is_undefined & kept).sum(axis=1), 0)
        worst = int(missing.max(initial=0))
        if worst == 0:
            return kept
        kept[np.flatnonzero(missing == worst)[-1]] = False


def name_of(average_correlation: float) -> str:
    """low, normal, high or crisis."""
    if average_correlation >= CRISIS_FROM:
        return "crisis"
    if average_correlation >= HIGH_FROM:
        return "high"
    return "normal" if average_correlation >= NORMAL_FROM else "low"


def is_breached(regime: Regime, long_run: Regime) -> bool:
    """Whether the assets move as one: a crisis, or `BREACH_ABOVE_LONG_WINDOW` above their own average of the year."""
    if regime.average_correlation is None:
        return False
    if regime.regime == "crisis":
        return True
    if regime.window_days == LONG_WINDOW or long_run.average_correlation is None:
        return False
    return regime.average_correlation - long_run.average_correlation >= BREACH_ABOVE_LONG_WINDOW


def diversification_ratio(
    weights: Floats, volatilities: Floats, matrix: Floats
) -> tuple[float, None] | tuple[None, str]:
    """Weighted mean of the volatilities over that of the whole (Choueifaty and Coignard, 2008), or why there is none.

    1 where everything moves as one, the root of N for N unrelated assets at equal risk. It is defined for weights from
    0 upward alone.

    Args:
        weights: (N,), any scale.
        volatilities: (N,), NaN: unknown.
        matrix: (N, N) correlations, NaN: unknown.
    """
    if (weights < 0).any():
        return None, NOT_LONG_ONLY
    if np.isnan(volatilities).any() or np.isnan(matrix).any():
        return None, MISSING_CORRELATION
    risks = weights * volatilities
    variance = float(risks @ matrix @ risks)
    # of an exact matrix the variance cannot be below that of its largest diversification; rounding apart, none is at 0
    if not variance > 1e-12 * float(risks.sum()) ** 2:
        return None, NOT_SEMIDEFINITE
    return float(risks.sum() / np.sqrt(variance)), None
