"""How diversified each portfolio is: the ratio of its own weights, over the long window.

Belongs here: which pairs are correlated for whom. Must not be here: the ratio's formula (regimes), SQL.

A portfolio's ratio is of its own assets alone, so that nobody else's holdings move it. What many hold is correlated
once for all of them; one that holds something else beside has its own pairs.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assets.correlation.model import LONG_WINDOW, MISSING_CORRELATION, MISSING_PRICE, MOST_ASSETS, Levels
from assets.correlation.pairs import correlate
from assets.correlation.regimes import diversification_ratio


@dataclass(frozen=True)
class Diversified:
    """A portfolio's diversification ratio; None where undefined. `undefined_reason` also says what it lacks."""

    portfolio_id: str
    diversification_ratio: float | None
    undefined_reason: str | None


def diversified(
    weights: Mapping[str, Sequence[tuple[str, float]]],
    levels: Levels,
    common: Collection[str],
    unpriced: Collection[str] = (),
) -> Iterator[Diversified]:
    """The ratio of each portfolio, `missing_correlation` beyond `MOST_ASSETS` assets of its own.

    Args:
        weights: portfolio -> its assets at risk with their share of its value.
        levels: of all of them, and of `common`.
        common: assets that are correlated once for all.
        unpriced: portfolios that hold something without a price: their ratio is of the rest.
    """
    place = {label: row for row, label in enumerate(levels.labels)}
    shared = {label: row for row, label in enumerate(sorted(common))}
    window = correlate(_part(levels, [place[label] for label in shared]), LONG_WINDOW)
    for portfolio_id, held in weights.items():
        names, shares = [asset for asset, _ in held], np.array([weight for _, weight in held])
        if len(names) > MOST_ASSETS:  # pairs grow with the square
            yield Diversified(portfolio_id, None, _said(MISSING_CORRELATION, portfolio_id in unpriced))
            continue
        if all(name in shared for name in names):
            rows = [shared[name] for name in names]
            ratio, code = diversification_ratio(shares, window.volatilities[rows], window.matrix[np.ix_(rows, rows)])
        else:
            own = correlate(_part(levels, [place[name] for name in names]), LONG_WINDOW)
            ratio, code = diversification_ratio(shares, own.volatilities, own.matrix)
        yield Diversified(portfolio_id, ratio, _said(code, portfolio_id in unpriced))


def _said(code: str | None, lacks_prices: bool) -> str | None:
    pairs = ([f"diversification_ratio:{code}"] if code else []) + ([MISSING_PRICE] if lacks_prices else [])
    return ";".join(pairs) or None


def _part(levels: Levels, rows: Sequence[int]) -> Levels:
    chosen = np.array(rows, dtype=np.int64)
    return Levels(tuple(levels.labels[row] for row in rows), levels.values[chosen], levels.periods_per_year[chosen])
