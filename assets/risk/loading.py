"""What the measures of risk read: current holdings, histories of returns, episodes, the owner's scenarios.

Belongs here: SELECT statements and their layout in arrays. Must not be here: arithmetic on gains, writing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from assets.allocation.model import GROUP_DEFAULTS
from assets.performance.compute import day_number
from assets.performance.reading_reference import DayTable, read_day_table, read_returns
from assets.registry.groups import known_groups
from assets.risk.model import (
    LOOKBACK_DAYS,
    MIN_OBSERVED_SHARE,
    Floats,
    Histories,
    Holdings,
    Instrument,
)
from assets.risk.scenarios import Episode
from assets.warehouse.database import Connection, read_frame

DAYS_PER_YEAR = 365

_HOLDINGS = """
    select portfolios.base_currency, assets.portfolio_id, assets.instrument_id,
        sum(assets.value_base)::float8 as value,
        count(*) filter (where assets.value_base is null and assets.balance is distinct from 0) as unpriced
    from build.portfolio_assets as assets
    inner join intermediate.int_portfolios as portfolios using (portfolio_id)
    inner join intermediate.int_instruments as instruments using (instrument_id)
    where instruments.trust = 'trusted'
        and not exists (select 1 from ops.held_portfolios as held where held.portfolio_id = assets.portfolio_id)
    group by 1, 2, 3
"""
_HOLDING_SCHEMA: dict[str, type[pl.DataType]] = {
    "base_currency": pl.String, "portfolio_id": pl.String, "instrument_id": pl.String, "value": pl.Float64,
    "unpriced": pl.Int64,
}  # fmt: skip
_INSTRUMENTS = """
    select own.instrument_id, own.asset_class, own.quote_currency, own.chain, own.protocol, own.category,
        own.canonical_instrument,
        coalesce(own.category = 'stablecoin' or economic.category = 'stablecoin', false),
        own.annualization_days, own.max_price_age_days
    from intermediate.int_instruments as own
    left join intermediate.int_instruments as economic on own.canonical_instrument = economic.instrument_id
    where own.instrument_id = any(%s)
"""
# of a currency in another one: its rate is its price
_RATES = """
    select quote, currency, string_agg(int4send(fx_date - date '1970-01-01'), ''), string_agg(float8send(change), '')
    from (
        select quote, currency, fx_date,
            (rate / lag(rate) over (partition by quote, currency order by fx_date) - 1)::float8 as change
        from intermediate.int_fx_daily
        where currency in (select instrument_id from build.portfolio_assets)
    ) as rates
    where change is not null and fx_date between %s and %s
    group by quote, currency
"""
_OBSERVED = """
    select base_currency, instrument_id, min(day), max(day) filter (where is_observed),
        count(*) filter (where is_observed)
    from (
        select base_currency, instrument_id, valuation_date as day, is_observed
        from intermediate.int_instrument_returns where daily_return is not null
        union all
        select quote, currency, fx_date, age_days = 0 from intermediate.int_fx_daily
        where currency in (select instrument_id from build.portfolio_assets)
    ) as days
    where day between %s and %s
    group by base_currency, instrument_id
"""
# in the order of the days: the last bits of a sum must not hang on the plan
_EPISODES = """
    with asked as (
        select * from unnest(%s::text[], %s::date[], %s::date[]) as given (scenario, first_date, last_date))
    select asked.scenario, returns.base_currency, returns.instrument_id,
        exp(sum(ln(1 + returns.daily_return) order by returns.valuation_date)) - 1,
        count(*), count(*) filter (where returns.is_observed)
    from asked
    inner join intermediate.int_instrument_returns as returns
        on returns.valuation_date > asked.first_date and returns.valuation_date <= asked.last_date
    where returns.daily_return > -1
    group by 1, 2, 3
    union all
    select asked.scenario, later.quote, later.currency, (later.rate / before.rate - 1)::float8,
        asked.last_date - asked.first_date, asked.last_date - asked.first_date
    from asked
    inner join intermediate.int_fx_daily as later on later.fx_date = asked.last_date
    inner join intermediate.int_fx_daily as before
        on before.fx_date = asked.first_date and (before.currency, before.quote) = (later.currency, later.quote)
    where later.currency in (select instrument_id from build.portfolio_assets)
"""
# an application may write scenarios without the checks of scenarios.yaml
_GROUPS = """
    select protocol, category from registry.instruments
    union select protocol, category from intermediate.int_instruments
"""


@dataclass(frozen=True)
class Reference:
    """What portfolios of every base currency share.

    Attributes:
        as_of_date: last day that counts.
        returns: daily returns of instruments.
        rates: daily changes of currencies.
        observed: (base currency, instrument) -> first day, last observed day, observed days of the window.
        episodes: (scenario, base currency, instrument) -> change, days with a return, observed days.
        scenarios: of the owner: id, name, shocks.
        groups: chains, protocols and categories that an instrument can have, by dimension.
    """

    as_of_date: date
    returns: DayTable
    rates: DayTable
    observed: Mapping[tuple[str, str], tuple[date, date | None, int]]
    episodes: Mapping[tuple[str, str, str], tuple[float, int, int]]
    scenarios: Sequence[tuple[str, str, Sequence[Mapping[str, Any]]]]
    groups: Mapping[str, tuple[str, ...]]


def read_reference(conn: Connection, as_of_date: date, episodes: Sequence[Episode]) -> Reference:
    """Histories of the last `LOOKBACK_DAYS`, episodes and scenarios."""
    first_date = as_of_date - timedelta(days=LOOKBACK_DAYS)
    observed = conn.execute(_OBSERVED, [first_date, as_of_date]).fetchall()
    past = conn.execute(
        _EPISODES,
        [
            [one.scenario for one in episodes],
            [one.first_date for one in episodes],
            [one.last_date for one in episodes],
        ],
    ).fetchall()
    scenarios = conn.execute("select scenario_id, name, shocks from registry.scenarios order by scenario_id").fetchall()
    return Reference(
        as_of_date=as_of_date,
        returns=read_returns(conn, first_date, as_of_date),
        rates=read_day_table(conn, _RATES, first_date, as_of_date),
        observed={(row[0], row[1]): (row[2], row[3], row[4]) for row in observed},
        episodes={(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in past},
        scenarios=[(row[0], row[1], row[2]) for row in scenarios],
        groups=known_groups(read_frame(conn, _GROUPS, [], {"protocol": pl.String, "category": pl.String})),
    )


def read_holdings(conn: Connection, as_of_date: date) -> list[Holdings]:
    """Holdings of the scope's portfolios that no gate holds, by base currency; accounts are added up."""
    frame = read_frame(conn, _HOLDINGS, [], _HOLDING_SCHEMA).sort("base_currency", "portfolio_id", "instrument_id")
    instruments = _instruments(conn, frame["instrument_id"].unique().to_list())
    rates = conn.execute(
        "select currency, rate::float8 from intermediate.int_fx_daily where quote = 'fiat:USD' and fx_date = %s",
        [as_of_date],
    ).fetchall()
    usd = {**dict(rates), "fiat:USD": 1.0}
    return [
        _laid_out(part, str(base), usd.get(str(base)), instruments)
        for (base,), part in frame.group_by(["base_currency"], maintain_order=True)
    ]


def _instruments(conn: Connection, instrument_ids: list[str]) -> dict[str, Instrument]:
    found = {}
    for name, asset_class, quote, chain, protocol, category, canonical, is_stable, days, age in conn.execute(
        _INSTRUMENTS, [instrument_ids]
    ):
        found[name] = Instrument(
            instrument_id=name,
            asset_class=asset_class,
            quote_currency=quote,
            chain=chain or GROUP_DEFAULTS["chain"],
            protocol=protocol or GROUP_DEFAULTS["protocol"],
            category=category or GROUP_DEFAULTS["category"],
            canonical_instrument=canonical,
            is_stablecoin=is_stable,
            annualization_days=days,
            max_price_age_days=age,
        )
    return found


def _laid_out(
    frame: pl.DataFrame, base_currency: str, usd_rate: float | None, instruments: Mapping[str, Instrument]
) -> Holdings:
    portfolio_ids = frame["portfolio_id"].unique(maintain_order=True).to_list()
    place = {portfolio_id: row for row, portfolio_id in enumerate(portfolio_ids)}
    priced = frame.filter(pl.col("value").is_not_null() & (pl.col("value") != 0))
    names = sorted(priced["instrument_id"].unique().to_list())
    columns = {name: column for column, name in enumerate(names)}
    owners = np.array([place[name] for name in priced["portfolio_id"].to_list()], dtype=np.int64)
    unpriced = dict(frame.group_by("portfolio_id").agg(pl.col("unpriced").sum()).iter_rows())
    return Holdings(
        portfolio_ids=portfolio_ids,
        base_currency=base_currency,
        usd_rate=usd_rate,
        instruments=[instruments[name] for name in names],
        offsets=np.searchsorted(owners, np.arange(len(portfolio_ids) + 1)).astype(np.int64),
        members=np.array([columns[name] for name in priced["instrument_id"].to_list()], dtype=np.int64),
        values=np.ascontiguousarray(priced["value"].to_numpy()),
        unpriced=np.array([unpriced[name] for name in portfolio_ids], dtype=np.int64),
    )


def histories(holdings: Holdings, reference: Reference) -> Histories:
    """The returns of the instruments held, with why one cannot be used."""
    base, names = holdings.base_currency, [item.instrument_id for item in holdings.instruments]
    days = day_number(reference.as_of_date) - reference.returns.first_day + 1
    returns = np.full((len(names), days), np.nan)
    for place, name in enumerate(names):
        for table in (reference.returns, reference.rates):
            if (base, name) in table.rows:
                returns[place] = table.values[table.rows[base, name]]
    return Histories(
        first_day=reference.returns.first_day,
        returns=returns,
        problems=[
            "" if item.instrument_id == base else _problem(item, reference.observed.get((base, item.instrument_id)),
                                                           reference.as_of_date)
            for item in holdings.instruments
        ],
        is_base=np.array([name == base for name in names], dtype=bool),
    )  # fmt: skip


def _problem(instrument: Instrument, observed: tuple[date, date | None, int] | None, as_of_date: date) -> str:
    if observed is None or observed[1] is None:
        return "no_history"
    first, count = observed[0], observed[2]
    if (as_of_date - observed[1]).days > instrument.max_price_age_days:
        return "stale"
    return "" if _is_dense(instrument, count, (as_of_date - first).days + 1) else "too_sparse"


def _is_dense(instrument: Instrument, observed: int, days: int) -> bool:
    return observed >= MIN_OBSERVED_SHARE * days * instrument.annualization_days / DAYS_PER_YEAR


def episode_changes(holdings: Holdings, reference: Reference, episode: Episode) -> Floats:
    """(n,) change of each instrument over an episode; NaN where a day of it has no price, or too few were observed."""
    base, days = holdings.base_currency, (episode.last_date - episode.first_date).days
    values = np.full(len(holdings.instruments), np.nan)
    for place, item in enumerate(holdings.instruments):
        if item.instrument_id == base:
            values[place] = 0.0
            continue
        change, counted, observed = reference.episodes.get((episode.scenario, base, item.instrument_id), (0.0, 0, 0))
        if counted == days and _is_dense(item, observed, days):
            values[place] = change
    return values
