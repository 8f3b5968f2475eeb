"""What rebalancing reads from the database, in sets: terms of trade, the owners' tax rules, open lots.

Belongs here: SELECT statements and their rows as plain types. Must not be here: arithmetic, writing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from assets.rebalancing.costs import DEFAULT_SPREADS, WINDOW_DAYS, spread_of_bars
from assets.rebalancing.model import Terms
from assets.rebalancing.taxes import OpenLot, TaxRules
from assets.warehouse.database import Connection

# https://docs.alpaca.markets/docs/fractional-trading: up to nine places
_FRACTION = Decimal("1e-9")
_FRACTIONAL_BROKERS = ("alpaca",)
_WHOLE_CLASSES = ("equity", "etf")
_DIVISIBLE_CLASSES = ("crypto", "token")


@dataclass(frozen=True)
class OwnerRules:
    """How a portfolio is taxed, and whether a broker of its sells parts of shares."""

    tax: TaxRules = field(default_factory=TaxRules)
    has_fractions: bool = False


@dataclass(frozen=True)
class TradingInputs:
    """What some portfolios share, and what is each one's own.

    Attributes:
        terms: by instrument, where shares trade whole.
        fractional_terms: the same where a broker sells parts of shares.
    """

    terms: Mapping[str, Terms]
    fractional_terms: Mapping[str, Terms]
    rules: Mapping[str, OwnerRules]
    lots: Mapping[str, list[OpenLot]]


def read_trading_inputs(
    connection: Connection, portfolio_ids: list[str], instrument_ids: Iterable[str], as_of_date: date
) -> TradingInputs:
    """All that suggestions for these portfolios need beside holdings, targets, prices and covariance."""
    rules = _rules(connection, portfolio_ids)
    measured = _measured(connection, sorted(instrument_ids), as_of_date)
    terms, fractional = {}, {}
    for name, (own, declared_lot, asset_class, decimals) in measured.items():
        lot = declared_lot or _default_lot(asset_class, decimals)
        terms[name] = replace(own, lot=lot)
        is_divided = declared_lot is None and asset_class in _WHOLE_CLASSES
        fractional[name] = replace(own, lot=_FRACTION if is_divided else lot)
    return TradingInputs(terms, fractional, rules, _lots(connection, portfolio_ids))


def _default_lot(asset_class: str, decimals: int | None) -> Decimal | None:
    if asset_class in _WHOLE_CLASSES:
        return Decimal(1)
    if asset_class in _DIVISIBLE_CLASSES and decimals is not None:
        return Decimal(1).scaleb(-decimals)
    return None


def _rules(connection: Connection, portfolio_ids: list[str]) -> dict[str, OwnerRules]:
    rows = connection.execute(
        """
        select portfolios.id, portfolios.cost_basis, portfolios.lot_scope, portfolios.tax_rate_short,
            portfolios.tax_rate_long,
            exists (
                select from registry.accounts
                where accounts.portfolio_id = portfolios.id and accounts.is_active
                    and accounts.broker = any(%s)
            )
        from registry.portfolios where portfolios.id = any(%s)
        """,
        [list(_FRACTIONAL_BROKERS), portfolio_ids],
    ).fetchall()
    return {row[0]: OwnerRules(TaxRules(row[1], row[2], row[3], row[4]), row[5]) for row in rows}


def _measured(
    connection: Connection, instrument_ids: list[str], as_of_date: date
) -> dict[str, tuple[Terms, Decimal | None, str, int | None]]:
    """Terms without a lot, the owner's lot, class and decimals, by instrument.

    Bars are of one source and currency, that with most days, of days before the as-of day and since the last split. The
    volume of coins that Yahoo tells is money, not units: it does not count.
    """
    rows = connection.execute(
        """
        with series as (
            select bars.instrument_id, bars.source, bars.currency, count(*) as days,
                array_agg(bars.high::float8 order by bars.opened_at) as highs,
                array_agg(bars.low::float8 order by bars.opened_at) as lows,
                array_agg(bars.close::float8 order by bars.opened_at) as closes,
                avg(bars.volume)::float8 as volume
            from raw.bars
            where bars.instrument_id in (
                    select pricing_instrument_id from intermediate.int_instruments
                    where instrument_id = any(%(instruments)s)
                )
                and bars.resolution = '1d' and bars.status = 'accepted'
                and bars.opened_at >= %(first)s and bars.opened_at < %(day)s
                and bars.high >= bars.low and bars.low > 0 and bars.close > 0
                and not exists (
                    select from intermediate.int_splits as splits
                    where splits.instrument_id = bars.instrument_id and splits.ex_date > bars.opened_at::date
                        and splits.ex_date <= %(day)s
                )
            group by bars.instrument_id, bars.source, bars.currency
        ),
        chosen as (
            select distinct on (instrument_id) * from series
            order by instrument_id, days desc, volume desc nulls last, source, currency
        )
        select instruments.instrument_id, instruments.asset_class, instruments.decimals, declared.lot_size,
            chosen.highs, chosen.lows, chosen.closes,
            case when chosen.source = 'yahoo' and instruments.asset_class = any(%(divisible)s) then null
                else chosen.volume end
        from intermediate.int_instruments as instruments
        left join registry.instruments as declared on declared.instrument = instruments.instrument_id
        left join chosen on chosen.instrument_id = instruments.pricing_instrument_id
        where instruments.instrument_id = any(%(instruments)s)
        """,
        {
            "instruments": instrument_ids,
            "first": as_of_date - timedelta(days=WINDOW_DAYS),
            "day": as_of_date,
            "divisible": list(_DIVISIBLE_CLASSES),
        },
    ).fetchall()
    found = {}
    for name, asset_class, decimals, lot, highs, lows, closes, volume in rows:
        measured = volatility = None
        if closes is not None and len(closes) > 2:
            measured = spread_of_bars(np.array(highs), np.array(lows), np.array(closes))
            volatility = float(np.std(np.diff(np.log(closes)), ddof=1))
        spread = DEFAULT_SPREADS.get(asset_class) if measured is None else measured
        terms = Terms(None, spread, measured is not None, volatility, volume or None)
        found[name] = (terms, lot, asset_class, decimals)
    return found


def _lots(connection: Connection, portfolio_ids: list[str]) -> dict[str, list[OpenLot]]:
    rows = connection.execute(
        """
        select lots.portfolio_id, lots.account_id, lots.instrument_id, instruments.canonical_instrument, lots.lot_id,
            lots.acquired_at, lots.quantity, lots.cost_base, lots.is_missing_acquisition
        from intermediate.ledger_lots as lots
        inner join intermediate.int_instruments as instruments on lots.instrument_id = instruments.instrument_id
        where lots.portfolio_id = any(%s) and lots.quantity > 0 and lots.lot_id not like 'short-%%'
        order by lots.portfolio_id, lots.acquired_at, lots.lot_id, lots.account_id
        """,
        [portfolio_ids],
    ).fetchall()
    lots: dict[str, list[OpenLot]] = defaultdict(list)
    for portfolio_id, *rest in rows:
        lots[portfolio_id].append(OpenLot(*rest))
    return lots
