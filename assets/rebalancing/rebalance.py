"""One portfolio's suggestions from all that is known of it.

Belongs here: which covariance trades are weighed with, how lots answer for sales. Must not be here: SQL, arithmetic.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import partial

from assets.allocation.estimates import PriceSeries, align_returns, estimate
from assets.allocation.model import AllocationError
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
    series: Mapping[str, PriceSeries],
    as_of_date: date,
    *,
    left_out: Mapping[str, str] | None = None,
    needs_funding: bool = True,
) -> tuple[Suggestion, ...]:
    """Suggestions of one portfolio; arguments that are not explained are those of `suggest`.

    `series` are by instrument, of at least `LOOKBACK_DAYS`, in base currency. Where too few are usable, trades are not
    weighed against their cost. Sales are taxed as of `as_of_date`.
    """
    rules = inputs.rules.get(portfolio_id, OwnerRules())
    lots = inputs.lots.get(portfolio_id, [])

    def sell(instrument_id: str, quantity: Decimal, price: Decimal) -> SaleEffect:
        return sale_effect(lots, instrument_id, quantity, price, rules.tax, as_of_date)

    terms = inputs.fractional_terms if rules.has_fractions else inputs.terms
    names = {holding.instrument_id for holding in holdings if holding.quantity > 0} | {*targets}
    propose = partial(suggest, holdings, targets, quotes, band, left_out=left_out, needs_funding=needs_funding)
    # most portfolios are inside their bands: no covariance is estimated for them
    unweighed = propose()
    if all(row.action == "hold" for row in unweighed):
        return unweighed
    return propose(market=Market(terms, sell, _covariance(sorted(names), series, as_of_date)))


def _covariance(names: Sequence[str], series: Mapping[str, PriceSeries], as_of_date: date) -> Covariance | None:
    known = [series[name] for name in names if name in series and not name.startswith(CASH_PREFIX)]
    try:
        estimates = estimate(align_returns(known, as_of_date, LOOKBACK_DAYS), "mean", "ledoit_wolf")
    except AllocationError:
        return None
    return Covariance(estimates.labels, estimates.covariance)
