"""Suggestions of many portfolios from all that is known of them.

Belongs here: whose covariance is asked for, how lots answer for sales. Must not be here: SQL, arithmetic.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from assets.rebalancing.covariances import SharedCovariances
from assets.rebalancing.drifting import Position, position
from assets.rebalancing.loading import OwnerRules, TradingInputs
from assets.rebalancing.model import Covariance, Holding, Quote, Suggestion
from assets.rebalancing.suggesting import Market, settled
from assets.rebalancing.taxes import SaleEffect, sale_effect

# Portfolios whose covariances are made at once, and stay in memory until their trades are weighed.
_TOGETHER = 500
_NO_RULES = OwnerRules()


class Case(NamedTuple):
    """A portfolio to rebalance; what is not explained is as in `position`."""

    portfolio_id: str
    holdings: Sequence[Holding]
    targets: Mapping[str, float]
    band: float
    left_out: Mapping[str, str]
    needs_funding: bool


def rebalance(
    cases: Sequence[Case],
    quotes: Mapping[str, Quote],
    inputs: TradingInputs,
    covariances: SharedCovariances,
    base_currency: str,
) -> Iterator[tuple[str, Suggestion]]:
    """Suggestions with their portfolio, in the order of `cases`, all of which are valued in `base_currency`.

    Where too few histories are usable, trades are not weighed against their cost. Sales are taxed as of the histories'
    last day.
    """
    as_of_date = covariances.histories.as_of_date
    for begin in range(0, len(cases), _TOGETHER):
        together = cases[begin : begin + _TOGETHER]
        found = [(case, one) for case in together if (one := _position(case, quotes)) is not None]
        # most portfolios are inside their bands
        drifting = [case for case, one in found if one.drifts]
        each = covariances.of_each([_names(case) for case in drifting])
        known = dict(zip([case.portfolio_id for case in drifting], each, strict=True))
        for case, one in found:
            market = _market(case.portfolio_id, inputs, known.get(case.portfolio_id), as_of_date)
            for row in settled(one, quotes, market, base_currency):
                yield case.portfolio_id, row


def _position(case: Case, quotes: Mapping[str, Quote]) -> Position | None:
    return position(
        case.holdings, case.targets, quotes, case.band, left_out=case.left_out, needs_funding=case.needs_funding
    )


def _names(case: Case) -> set[str]:
    return {holding.instrument_id for holding in case.holdings if holding.quantity > 0} | {*case.targets}


def _market(portfolio_id: str, inputs: TradingInputs, covariance: Covariance | None, as_of_date: date) -> Market:
    rules = inputs.rules.get(portfolio_id, _NO_RULES)
    lots = inputs.lots.get(portfolio_id)
    terms = inputs.fractional_terms if rules.has_fractions else inputs.terms
    if not lots:
        return Market(terms, covariance=lambda: covariance)

    def sell(instrument_id: str, quantity: Decimal, price: Decimal) -> SaleEffect:
        return sale_effect(lots, instrument_id, quantity, price, rules.tax, as_of_date)

    return Market(terms, sell, lambda: covariance)
