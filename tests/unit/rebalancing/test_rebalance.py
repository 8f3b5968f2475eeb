"""Suggestions of several portfolios at once."""

from datetime import date
from decimal import Decimal

from assets.allocation.inputs import Histories
from assets.rebalancing.covariances import SharedCovariances
from assets.rebalancing.loading import OwnerRules, TradingInputs
from assets.rebalancing.model import Holding, Quote, Terms
from assets.rebalancing.rebalance import Case, rebalance

LOT = {"equity:X": Terms(lot=Decimal(1)), "equity:Y": Terms(lot=Decimal(1))}
FRACTION = {"equity:X": Terms(lot=Decimal("0.5")), "equity:Y": Terms(lot=Decimal("0.5"))}
QUOTES = {"equity:X": Quote(Decimal(40), Decimal(40)), "equity:Y": Quote(Decimal(50), Decimal(50))}


def case(portfolio_id: str, x: str, y: str) -> Case:
    holdings = [Holding("equity:X", Decimal(x) / 40, Decimal(x)), Holding("equity:Y", Decimal(y) / 50, Decimal(y))]
    return Case(portfolio_id, holdings, {"equity:X": 0.5, "equity:Y": 0.5}, 0.05, {}, True)


def test_each_portfolio_has_its_own_rows_and_lots_and_one_inside_its_band_has_none() -> None:
    rules = {"fine": OwnerRules(has_fractions=True)}
    rows = rebalance(
        [case("fine", "600", "400"), case("level", "500", "500"), case("whole", "600", "400")],
        QUOTES,
        TradingInputs(LOT, FRACTION, rules, {}),
        SharedCovariances(Histories(date(2024, 6, 30), {})),
        "fiat:EUR",
    )
    assert [(portfolio_id, row.instrument_id, row.action, row.quantity) for portfolio_id, row in rows] == [
        ("fine", "equity:X", "sell", Decimal("2.5")),
        ("fine", "equity:Y", "buy", Decimal("2.0")),
        ("whole", "equity:X", "sell", Decimal(2)),
        ("whole", "equity:Y", "buy", Decimal(1)),
    ]
