"""One portfolio's suggestions from all that is known of it.

Belongs here: whose covariance is asked for, how lots answer for sales. Must not be here: SQL, arithmetic.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from assets.rebalancing.covariances import SharedCovariances
from assets.rebalancing.loading import OwnerRules, TradingInputs
from assets.rebalancing.model import Holding, Quote, Suggestion
from assets.rebalancing.suggesting import Market, suggest
from assets.rebalancing.taxes import SaleEffect, sale_effect


def rebalance(
    portfolio_id: str,
    holdings: Sequence[Holding],
    targets: Mapping[str, float],
    quotes: Mapping[str, Quote],
    band: float,
    inputs: TradingInputs,
    covariances: SharedCovariances,
    *,
    base_currency: str,
    left_out: Mapping[str, str] | None = None,
    needs_funding: bool = True,
) -> tuple[Suggestion, ...]:
    """Suggestions of one portfolio; arguments that are not explained are those of `suggest`.

    Where too few histories are usable, trades are not weighed against their cost. Sales are taxed as of the histories'
    last day.
    """
    rules = inputs.rules.get(portfolio_id, OwnerRules())
    lots = inputs.lots.get(portfolio_id, [])

    def sell(instrument_id: str, quantity: Decimal, price: Decimal) -> SaleEffect:
        return sale_effect(lots, instrument_id, quantity, price, rules.tax, covariances.histories.as_of_date)

    terms = inputs.fractional_terms if rules.has_fractions else inputs.terms
    names = {holding.instrument_id for holding in holdings if holding.quantity > 0} | {*targets}
    # lazily: most portfolios are inside their bands
    market = Market(terms, sell, lambda: covariances.of(names))
    return suggest(
        holdings, targets, quotes, band, base_currency=base_currency, left_out=left_out, needs_funding=needs_funding,
        market=market,
    )  # fmt: skip
