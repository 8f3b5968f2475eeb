"""What correlations and exposures are made of: what anybody holds, its prices, the factors, earlier readings.

Belongs here: SELECT statements and their rows as arrays. Must not be here: arithmetic, writing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np

from assets.allocation.estimates import PriceSeries
from assets.allocation.loading import read_instruments
from assets.allocation.price_histories import read_price_series
from assets.correlation.model import CURRENCY, LONG_WINDOW, MOST_ASSETS, Floats, Levels
from assets.warehouse.database import Connection, has_relation

#: Levels of a window begin at the close before its first return.
DAYS = LONG_WINDOW + 1

# What anybody holds now, as economic assets: a coin and its forms on chains are one. What is to stand still (money,
# stablecoins) has no risk of its own that a correlation would tell of. All portfolios count, whatever the run's scope.
_HELD = """
    with held as (
        select instruments.canonical_instrument as instrument_id,
            sum(abs(positions.quantity) * prices.price * case when prices.currency = %(money)s then 1 else fx.rate end)
                as value
        from intermediate.ledger_positions as positions
        inner join intermediate.int_portfolios as portfolios using (portfolio_id)
        inner join intermediate.int_instruments as instruments using (instrument_id)
        inner join intermediate.int_instruments as economic on economic.instrument_id = instruments.canonical_instrument
        left join intermediate.int_price_daily as prices
            on prices.instrument_id = instruments.pricing_instrument_id and prices.valuation_date = %(day)s
        left join intermediate.int_fx_daily as fx
            on fx.currency = prices.currency and fx.quote = %(money)s and fx.fx_date = %(day)s
        where positions.valid_to is null and positions.quantity <> 0 and instruments.trust = 'trusted'
            and instruments.asset_class not in ('fiat', 'rate') and instruments.category is distinct from 'stablecoin'
            and economic.category is distinct from 'stablecoin'
        group by instruments.canonical_instrument),
    largest as (
        select instrument_id from held order by value desc nulls last, instrument_id limit %(most)s)
    select largest.instrument_id, prices.priced_at
    from largest
    inner join intermediate.int_instruments as instruments using (instrument_id)
    left join intermediate.int_price_daily as prices
        on prices.instrument_id = instruments.pricing_instrument_id and prices.valuation_date = %(day)s
    order by largest.instrument_id
"""
# What the source of an asset's last price has said since, over what it said then: a quote in a token needs no rate. An
# asset whose last price came from its owner's file has none: what a file says is not beaten by a source.
_MOVES = """
    select instruments.instrument_id, since.priced_at, (since.close / told.close)::float8
    from intermediate.int_instruments as instruments
    inner join intermediate.int_price_daily as last
        on last.instrument_id = instruments.pricing_instrument_id and last.valuation_date = %(day)s
    cross join lateral (
        select bars.close, bars.currency from raw.bars
        where bars.instrument_id = last.instrument_id and bars.source = last.source and bars.status = 'accepted'
            and bars.priced_at = last.priced_at
        order by bars.resolution limit 1) as told
    cross join lateral (
        select bars.close, bars.priced_at from raw.bars
        where bars.instrument_id = last.instrument_id and bars.source = last.source and bars.status = 'accepted'
            and bars.currency = told.currency and bars.priced_at > last.priced_at
        order by bars.priced_at desc limit 1) as since
    where instruments.instrument_id = any(%(instruments)s) and told.close > 0 and since.close > 0
"""
_WEIGHTS = """
    select assets.portfolio_id, instruments.canonical_instrument, sum(assets.weight)
    from build.portfolio_assets as assets
    inner join intermediate.int_instruments as instruments using (instrument_id)
    inner join intermediate.int_instruments as economic on economic.instrument_id = instruments.canonical_instrument
    where assets.weight <> 0 and instruments.asset_class not in ('fiat', 'rate')
        and instruments.category is distinct from 'stablecoin' and economic.category is distinct from 'stablecoin'
    group by assets.portfolio_id, instruments.canonical_instrument
    order by assets.portfolio_id, instruments.canonical_instrument
"""


# What has no price has no weight either: the ratio is of the rest.
_UNPRICED = """
    select distinct assets.portfolio_id
    from build.portfolio_assets as assets
    inner join intermediate.int_instruments as instruments using (instrument_id)
    inner join intermediate.int_instruments as economic on economic.instrument_id = instruments.canonical_instrument
    where assets.weight is null and assets.balance <> 0 and instruments.trust = 'trusted'
        and instruments.asset_class not in ('fiat', 'rate')
        and instruments.category is distinct from 'stablecoin' and economic.category is distinct from 'stablecoin'
"""


@dataclass(frozen=True)
class Factors:
    """The factors that have prices, with their levels in one base currency.

    Attributes:
        instruments: factor -> instrument, in the order of `levels`.
        levels: (factors, DAYS); NaN: not seen that day.
    """

    instruments: Mapping[str, str]
    levels: Floats


def read_universe(connection: Connection, as_of_date: date) -> tuple[list[str], datetime | None]:
    """Economic assets that anybody holds, the largest `MOST_ASSETS` by value, and the moment of their newest price."""
    rows = connection.execute(_HELD, {"money": CURRENCY, "day": as_of_date, "most": MOST_ASSETS}).fetchall()
    return [row[0] for row in rows], max((row[1] for row in rows if row[1] is not None), default=None)


def read_levels(connection: Connection, instrument_ids: Sequence[str], last_date: date) -> Levels:
    """Their prices of the `DAYS` days that end with `last_date`; an asset without any has a row of NaN."""
    instruments = read_instruments(connection, instrument_ids)
    labels = tuple(sorted(instruments))
    series = read_price_series(connection, instruments, CURRENCY, last_date, LONG_WINDOW) if labels else {}
    periods = np.array([instruments[label].annualization_days for label in labels], dtype=np.int64)
    return Levels(labels, _laid_out([series.get(label) for label in labels], last_date), periods)


def read_moves(
    connection: Connection, instrument_ids: Sequence[str], last_date: date
) -> dict[str, tuple[datetime, float]]:
    """Asset -> moment of its newest price since the one that counts on `last_date`, and its ratio to that."""
    rows = connection.execute(_MOVES, {"instruments": list(instrument_ids), "day": last_date}).fetchall()
    return {row[0]: (row[1], row[2]) for row in rows}


def read_last_run_date(connection: Connection) -> date | None:
    """The day up to which the tables of the last run reach; None while a run is changing them, and before the first."""
    if not has_relation(connection, "intermediate.int_price_daily"):
        return None
    row = connection.execute(
        "select runs.as_of_date from ops.current_run inner join ops.runs using (run_id)"
        " where runs.status in ('published', 'unchanged')"
    ).fetchone()
    return None if row is None else row[0]


def read_factors(connection: Connection, base_currency: str, last_date: date) -> Factors:
    """Of each factor the first instrument of the reviewed list that has a price in that currency in the `DAYS` days."""
    rows = connection.execute(
        "select factor, instrument_id from intermediate.int_factors order by factor, preference"
    ).fetchall()
    instruments = read_instruments(connection, [row[1] for row in rows])
    series = read_price_series(connection, instruments, base_currency, last_date, LONG_WINDOW) if instruments else {}
    chosen: dict[str, str] = {}
    for factor, instrument_id in rows:
        if instrument_id in series and np.isfinite(series[instrument_id].prices).any():
            chosen.setdefault(factor, instrument_id)
    return Factors(chosen, _laid_out([series[name] for name in chosen.values()], last_date))


def _laid_out(series: Sequence[PriceSeries | None], last_date: date) -> Floats:
    first = np.datetime64(last_date, "D") - np.timedelta64(LONG_WINDOW, "D")
    levels = np.full((len(series), DAYS), np.nan)
    for row, item in enumerate(series):
        if item is not None:
            levels[row, (item.dates - first).astype(np.int64)] = np.where(item.prices > 0, item.prices, np.nan)
    return levels


def read_base_currencies(connection: Connection) -> dict[str, list[str]]:
    """Base currency -> portfolios of the run's scope, in order."""
    rows = connection.execute(
        "select base_currency, portfolio_id from intermediate.int_portfolios"
        " inner join ops.run_scope using (portfolio_id) order by base_currency, portfolio_id"
    ).fetchall()
    return _grouped(rows)


def read_weights(connection: Connection) -> dict[str, list[tuple[str, float]]]:
    """Portfolio of the run's scope -> its economic assets at risk with their share of its value."""
    return _grouped((portfolio, (asset, weight)) for portfolio, asset, weight in connection.execute(_WEIGHTS))


def read_unpriced(connection: Connection) -> set[str]:
    """Portfolios of the run's scope that hold something at risk without a price."""
    return {row[0] for row in connection.execute(_UNPRICED)}


def read_previous_regimes(connection: Connection, as_of: datetime) -> dict[int, str]:
    """Window -> regime of the last reading before `as_of` that had one."""
    rows = connection.execute(
        "select distinct on (window_days) window_days, regime from ops.correlation_readings"
        " where as_of < %s and regime is not null order by window_days, as_of desc",
        [as_of],
    ).fetchall()
    return dict(rows)


def _grouped(pairs: Any) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups
