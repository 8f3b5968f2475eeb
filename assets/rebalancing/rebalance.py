"""One portfolio's suggestions from all that is known of it.

Belongs here: which covariance trades are weighed with, how lots answer for sales. Must not be here: SQL, arithmetic.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from assets.allocation.inputs import Histories
from assets.allocation.model import AllocationError
from assets.allocation.population import moments
from assets.rebalancing.loading import OwnerRules, TradingInputs
from assets.rebalancing.model import CASH_PREFIX, Covariance, Holding, Quote, Suggestion
from assets.rebalancing.suggesting import Market, suggest
from assets.rebalancing.taxes import SaleEffect, sale_effect

#: History behind the covariance, for every portfolio alike; shrunk after Ledoit and Wolf.
LOOKBACK_DAYS = 365


def rebalance(
    portfolio_id: str,
    holdings: Sequence[Holding],
    targets: Mapping[str, float],
    quotes: Mapping[str, Quote],
    band: float,
    inputs: TradingInputs,
    histories: Histories,
    *,
    left_out: Mapping[str, str] | None = None,
    needs_funding: bool = True,
) -> tuple[Suggestion, ...]:
    """Suggestions of one portfolio; arguments that are not explained are those of `suggest`.

    `histories` are of at least `LOOKBACK_DAYS`, in base currency. Where too few are usable, trades are not weighed
    against their cost. Sales are taxed as of their last day.
    """
    rules = inputs.rules.get(portfolio_id, OwnerRules())
    lots = inputs.lots.get(portfolio_id, [])

    def sell(instrument_id: str, quantity: Decimal, price: Decimal) -> SaleEffect:
        return sale_effect(lots, instrument_id, quantity, price, rules.tax, histories.as_of_date)

    terms = inputs.fractional_terms if rules.has_fractions else inputs.terms
    names = {holding.instrument_id for holding in holdings if holding.quantity > 0} | {*targets}
    # lazily: most portfolios are inside their bands
    market = Market(terms, sell, lambda: _covariance(sorted(names), histories))
    return suggest(
        holdings, targets, quotes, band, left_out=left_out, needs_funding=needs_funding, market=market
    )  # fmt: skip


def _covariance(names: Sequence[str], histories: Histories) -> Covariance | None:
    try:
        universe = histories.universe([name for name in names if not name.startswith(CASH_PREFIX)], LOOKBACK_DAYS)
        panel = histories.panel([universe])
    except AllocationError:
        return None
    count = len(universe.labels)
    found = moments.covariances(panel.by_asset, "ledoit_wolf")
    kept, added = moments.shrink_population(found, np.array([0, count]), np.arange(count))
    matrix = (kept[0] * found.matrix + added[0] * np.eye(count)) * panel.aligned.frequency
    return Covariance(universe.labels, matrix) if np.isfinite(matrix).all() else None
