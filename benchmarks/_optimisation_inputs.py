"""Made-up inputs of the optimisation, in the tables that its store reads.

Belongs here: shapes of the tables that dbt builds, seeded rows in them, portfolios with policies. Not here: running and
measuring (optimiser).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from assets.warehouse.database import Connection, copy_rows

AS_OF = date(2024, 6, 30)
DAYS = 366
_TABLES = """
create unlogged table intermediate.int_instruments (instrument_id text primary key, asset_class text, chain text,
    protocol text, category text, annualization_days integer, max_price_age_days integer, pricing_instrument_id text,
    trust text not null default 'trusted', canonical_instrument text, decimals integer);
create unlogged table intermediate.int_price_daily (instrument_id text, valuation_date date, price numeric,
    currency text, priced_at timestamptz, age_days integer, is_observed boolean);
create unlogged table intermediate.int_fx_daily (currency text, quote text, fx_date date, rate numeric);
create unlogged table intermediate.int_splits (instrument_id text, ex_date date, ratio numeric);
create unlogged table build.portfolio_assets (portfolio_id text, account_id text, instrument_id text, balance numeric,
    price_base numeric, price_usd numeric, value_base numeric, value_usd numeric, weight double precision);
create unlogged table build.portfolio_daily (portfolio_id text, valuation_date date, risk_free_rate double precision);
"""
_PORTFOLIOS = """
insert into registry.users (user_id) select 'u' || n from generate_series(1, %(count)s) as n;
insert into registry.portfolios (id, user_id, name, base_currency, risk_free_rate)
select 'p' || n, 'u' || n, 'p' || n, 'USD', '0.02' from generate_series(1, %(count)s) as n;
insert into registry.policies (portfolio_id, objective, universe, max_weight, covariance)
select 'p' || n, %(objective)s, '{held}', %(cap)s, 'ledoit_wolf' from generate_series(1, %(count)s) as n;
insert into ops.run_scope (portfolio_id, fingerprint) select 'p' || n, '' from generate_series(1, %(count)s) as n;
"""


def load_market(connection: Connection, instruments: int, rng: np.random.Generator) -> None:
    """A factor market of `instruments` in dollars, daily for a year."""
    for statement in filter(str.strip, _TABLES.split(";")):
        connection.execute(statement.encode())
    market = rng.normal(0.0004, 0.008, (DAYS, 3)) @ rng.normal(0.5, 0.3, (3, instruments))
    prices = 100 * np.cumprod(1 + market + rng.normal(0.0002, 0.012, (DAYS, instruments)), axis=0)
    copy_rows(
        connection,
        "intermediate.int_instruments",
        ("instrument_id", "asset_class", "annualization_days", "max_price_age_days", "pricing_instrument_id"),
        ((name, "crypto", 365, 2, name) for name in map(instrument, range(instruments))),
    )
    copy_rows(
        connection,
        "intermediate.int_price_daily",
        ("instrument_id", "valuation_date", "price", "currency", "age_days", "is_observed"),
        (
            (
                instrument(place),
                AS_OF - timedelta(days=DAYS - 1 - day),
                repr(float(prices[day, place])),
                "fiat:USD",
                0,
                True,
            )
            for place in range(instruments)
            for day in range(DAYS)
        ),
    )


def load_portfolios(
    connection: Connection, sizes: np.ndarray, instruments: int, rng: np.random.Generator, objective: str, cap: float
) -> None:
    """One portfolio of a user of its own for each size, holding so many of the instruments."""
    parameters = {"count": len(sizes), "objective": objective, "cap": cap}
    for statement in filter(str.strip, _PORTFOLIOS.split(";")):
        connection.execute(statement.encode(), parameters)
    copy_rows(
        connection,
        "build.portfolio_assets",
        ("portfolio_id", "account_id", "instrument_id", "balance", "value_base", "value_usd"),
        (
            (f"p{number}", "main", instrument(place), 1, 100, 100)
            for number, size in enumerate(sizes.tolist(), start=1)
            for place in rng.choice(instruments, size, replace=False).tolist()
        ),
    )
    connection.execute("create index on build.portfolio_assets (portfolio_id)")
    connection.execute("create index on intermediate.int_price_daily (instrument_id, valuation_date)")
    connection.execute("analyze")


def instrument(place: int) -> str:
    """Id of an instrument."""
    return f"crypto:C{place:04d}"
