"""The price histories that estimates are made from, read in sets: closes in a base currency, splits undone.

Belongs here: SELECT statements for prices, rates and splits, and the series they make. Must not be here: whether a
series may be used (estimates), any other reading (loading).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assets.allocation.estimates import PriceSeries
from assets.allocation.loading import Instrument
from assets.allocation.model import FloatArray
from assets.warehouse.database import Connection

Splits = Mapping[str, Sequence[tuple[date, float]]]
#: rates by currency, one for each day from the first of the window on; NaN: unknown
Rates = Mapping[str, FloatArray]


def read_price_series(
    connection: Connection,
    instruments: Mapping[str, Instrument],
    base_currency: str,
    as_of_date: date,
    lookback_days: int,
) -> dict[str, PriceSeries]:
    """Observed closes of the last `lookback_days` in the base currency, splits undone; without any: missing.

    Prices of an instance (a token on a chain) are those of its economic asset where it has none of its own.
    """
    first = as_of_date - timedelta(days=lookback_days)
    # Each history is one run along the index of prices, and comes as two texts of numbers: of 200 instruments, joining
    # and sorting their rows took 100 ms, this takes 35. `currencies` is null where all closes are in the base currency.
    rows = (
        connection.cursor(binary=True)
        .execute(
            """
        select instruments.instrument_id, series.days, series.prices, series.currencies
        from intermediate.int_instruments as instruments
        cross join lateral (
            select
                string_agg(int4send(day), '') as days,
                string_agg(float8send(price), '') as prices,
                case when count(foreign_currency) > 0 then array_agg(foreign_currency) end as currencies
            from (
                select
                    valuation_date - date '1970-01-01' as day,
                    coalesce(price, 'NaN')::float8 as price,
                    nullif(currency, %(base)s) as foreign_currency
                from intermediate.int_price_daily as prices
                where prices.instrument_id = instruments.pricing_instrument_id and prices.is_observed
                    and prices.valuation_date between %(first)s and %(last)s
                order by valuation_date
            ) as observed
        ) as series
        where instruments.instrument_id = any(%(instruments)s) and series.days is not null
        """,
            {"base": base_currency, "first": first, "last": as_of_date, "instruments": sorted(instruments)},
        )
        .fetchall()
    )
    splits = _splits(connection, sorted(instruments))
    currencies = {currency for *_, found in rows for currency in found or () if currency is not None}
    rates = _rates(connection, currencies, base_currency, first, as_of_date)
    start = np.datetime64(first, "D")
    return {row[0]: _series(row, instruments[row[0]], splits.get(row[0], ()), rates, start) for row in rows}


def _splits(connection: Connection, instrument_ids: list[str]) -> Splits:
    rows = connection.execute(
        """
        select distinct on (instruments.instrument_id, splits.ex_date)
            instruments.instrument_id, splits.ex_date, splits.ratio::float8
        from intermediate.int_instruments as instruments
        inner join intermediate.int_splits as splits
            on splits.instrument_id in (instruments.instrument_id, instruments.pricing_instrument_id)
        where instruments.instrument_id = any(%s)
        order by instruments.instrument_id, splits.ex_date, splits.instrument_id = instruments.instrument_id desc
        """,
        [instrument_ids],
    ).fetchall()
    splits: dict[str, list[tuple[date, float]]] = defaultdict(list)
    for instrument_id, ex_date, ratio in rows:
        splits[instrument_id].append((ex_date, ratio))
    return splits


def _rates(connection: Connection, currencies: Iterable[str], base_currency: str, first: date, last: date) -> Rates:
    wanted = sorted(currencies)
    rates = {currency: np.full((last - first).days + 1, np.nan) for currency in wanted}
    if not wanted:
        return rates
    rows = connection.execute(
        "select currency, fx_date - %(first)s, rate::float8 from intermediate.int_fx_daily"
        " where quote = %(base)s and currency = any(%(wanted)s) and fx_date between %(first)s and %(last)s",
        {"base": base_currency, "wanted": wanted, "first": first, "last": last},
    ).fetchall()
    for currency, day, rate in rows:
        rates[currency][day] = np.nan if rate is None else rate
    return rates


def _series(
    row: Sequence[Any],
    instrument: Instrument,
    splits: Sequence[tuple[date, float]],
    rates: Rates,
    start: np.datetime64,
) -> PriceSeries:
    label, days, prices, currencies = row
    dates = np.frombuffer(days, ">i4").astype("datetime64[D]")  # as PostgreSQL sends numbers
    quoted = np.frombuffer(prices, ">f8").astype(np.float64)
    based = (
        quoted.copy() if currencies is None else quoted * _rates_of(currencies, (dates - start).astype(np.int64), rates)
    )
    for ex_date, ratio in splits:
        # from its ex-date on, one old unit is `ratio` new ones
        quoted[dates >= np.datetime64(ex_date, "D")] *= ratio
        based[dates >= np.datetime64(ex_date, "D")] *= ratio
    return PriceSeries(label, dates, based, quoted, instrument.annualization_days, instrument.max_price_age_days)


def _rates_of(currencies: Sequence[str | None], places: NDArray[np.int64], rates: Rates) -> FloatArray:
    """The rate of each price: 1 where it has no foreign currency."""
    each = np.array(currencies, dtype=object)
    found = np.ones(len(each))
    for currency in set(currencies) - {None}:
        own = each == currency
        found[own] = rates[str(currency)][places[own]]
    return found
