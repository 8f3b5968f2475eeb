"""Made-up inputs of the ledger, in the tables that its store reads.

Belongs here: shapes of `intermediate.int_*`, seeded rows in them. Not here: running and measuring (ledger).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

from assets.warehouse.database import Connection

TRANSACTIONS_EACH = 20
INSTRUMENTS = 50
HELD = 12
LAST_DAY = date(2024, 12, 31)
DAYS = 365
_START = LAST_DAY - timedelta(days=DAYS - 1)

_TABLES = """
create schema if not exists intermediate;
create unlogged table intermediate.int_instruments (instrument_id text, quote_currency text, canonical_instrument text,
    decimals integer, pricing_instrument_id text);
create unlogged table intermediate.int_portfolios (portfolio_id text, user_id text, base_currency text,
    cost_basis text, lot_scope text, cash_mode text, allow_short boolean);
create unlogged table intermediate.int_balances (portfolio_id text, account_id text, instrument_id text,
    balance_at timestamptz, is_date_only boolean, balance_date date, quantity ops.amount, cost_base ops.amount,
    batch_id bigint, line integer);
create unlogged table intermediate.int_price_points (instrument_id text, priced_at timestamptz, price ops.amount,
    currency text);
create unlogged table intermediate.int_fx_points (currency text, quote text, rated_at timestamptz, rate ops.amount);
create temp table made (portfolio_id text, executed_at timestamptz, type text, instrument_id text, quantity numeric,
    price numeric, currency text, fee numeric);
"""
# as the models make them: in the order of time, an index on the portfolio
_ORDERED = """
create unlogged table intermediate.int_all_transactions as
select row_number() over (order by executed_at, portfolio_id) as sequence,
    md5(portfolio_id || executed_at || row_number() over ()) as transaction_id, portfolio_id,
    'main'::text as account_id, executed_at, false as is_date_only, (executed_at at time zone 'UTC')::date as
    executed_date, type, instrument_id, quantity::ops.amount, price::ops.amount, null::ops.amount as amount, currency,
    null::ops.amount as fx_rate, null::text as cash_account, fee::ops.amount,
    case when fee is not null then currency end as fee_currency, null::ops.amount as tax, null::text as group_id,
    1::bigint as batch_id
from made order by 1;
create index on intermediate.int_all_transactions (portfolio_id);
create view intermediate.int_transactions as
select t.* from intermediate.int_all_transactions t join ops.run_scope s using (portfolio_id) where s.runs_ledger;
insert into intermediate.int_portfolios
select distinct portfolio_id, 'u' || portfolio_id, 'fiat:EUR', (array['FIFO', 'LIFO', 'HIFO', 'ACB'])[1 +
    (hashtext(portfolio_id) & 3)], 'account', 'ledger', false from made;
insert into ops.run_scope (portfolio_id, fingerprint) select portfolio_id, '' from intermediate.int_portfolios;
analyze;
drop table made;
"""


def load(conn: Connection, transactions: int, rng: random.Random) -> None:
    """Fill a migrated database: 20 transactions for each portfolio, 50 instruments in two currencies, daily prices."""
    conn.execute(_TABLES)
    names = [(f"equity:S{number}", f"fiat:{('EUR', 'USD')[number % 2]}") for number in range(INSTRUMENTS)]
    _copy(conn, "int_instruments", ((name, money, name, None, name) for name, money in names))
    currencies = ("fiat:EUR", "fiat:USD")
    _copy(conn, "int_instruments", ((money, money, money, None, money) for money in currencies))
    days = [_START + timedelta(days=number) for number in range(DAYS)]
    prices = {(name, day): rng.randint(1000, 9000) / 100 for name, _ in names for day in days}
    points = ((name, f"{day} 23:59:59Z", prices[name, day], money) for name, money in names for day in days)
    _copy(conn, "int_price_points", points)
    _copy(conn, "int_fx_points", (("fiat:USD", "fiat:EUR", day, rng.randint(80, 99) / 100) for day in days))
    rows = (
        row
        for number in range(transactions // TRANSACTIONS_EACH)
        for row in _portfolio(f"p{number}", names, prices, rng)
    )
    _copy(conn, "pg_temp.made", rows)
    conn.execute(_ORDERED)
    conn.commit()


def _portfolio(
    name: str, instruments: list[tuple[str, str]], prices: dict[tuple[str, date], float], rng: random.Random
) -> Iterator[tuple[object, ...]]:
    """A deposit in each currency, then purchases, sales of what is there, dividends and rewards over a year."""
    for money in ("fiat:EUR", "fiat:USD"):
        yield name, f"{_START} 08:00Z", "DEPOSIT", money, 1_000_000, None, None, None
    chosen = rng.sample(instruments, HELD)
    held: defaultdict[str, int] = defaultdict(int)
    for second in sorted(rng.choices(range(9 * 3600, DAYS * 86400), k=TRANSACTIONS_EACH - 2)):
        day = _START + timedelta(days=second // 86400)
        at = f"{day} {second % 86400 // 3600:02d}:{second % 3600 // 60:02d}:{second % 60:02d}Z"
        instrument, money = rng.choice(chosen)
        choice = rng.random() if held[instrument] else 1.0
        price = prices[instrument, day]
        if choice < 0.4:
            quantity = rng.randint(1, held[instrument])
            held[instrument] -= quantity
            yield name, at, "SELL", instrument, quantity, price, money, 1
        elif choice < 0.55:
            yield name, at, "DIVIDEND", instrument, rng.randint(100, 5000) / 100, None, money, None
        elif choice < 0.6:
            held[instrument] += 1
            yield name, at, "STAKING_REWARD", instrument, 1, None, None, None
        else:
            quantity = rng.randint(1, 40)
            held[instrument] += quantity
            yield name, at, "BUY", instrument, quantity, price, money, 1


def _copy(conn: Connection, table: str, rows: Iterator[tuple[object, ...]]) -> None:
    name = table if "." in table else f"intermediate.{table}"
    with conn.cursor() as cursor, cursor.copy(f"copy {name} from stdin") as copy:
        for row in rows:
            copy.write_row(row)
