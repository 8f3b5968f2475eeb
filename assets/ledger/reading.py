"""What the ledger is given: reads `intermediate.int_*` into its records.

Belongs here: the queries, the split of a large population into parts. Must not be here: writing, any rule of the
ledger.

Transactions are streamed user by user through a server-side cursor, so that memory holds the prices, the portfolios
and one user, however many there are.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assets.ledger.model import Balance, Instrument, Portfolio, Transaction
from assets.ledger.price_book import PriceBook
from assets.warehouse.database import Connection

# Few enough that the processor's cache and the garbage collector have little to go through; 20,000 cost 3 % more.
FETCH_ROWS = 5_000

_TRANSACTIONS = """
select t.sequence, t.transaction_id, t.portfolio_id, t.account_id, t.executed_at, t.is_date_only,
    t.executed_date, t.type, t.instrument_id, t.quantity, t.price, t.amount, t.currency, t.fx_rate, t.cash_account,
    t.fee, t.fee_currency, t.tax, t.group_id
from intermediate.int_transactions t
join intermediate.int_portfolios p using (portfolio_id)
where {part}
order by p.user_id collate "C", t.sequence
"""
_BALANCES = """
select p.user_id, b.portfolio_id, b.account_id, b.instrument_id, b.balance_at, b.is_date_only, b.balance_date,
    b.quantity, b.cost_base
from intermediate.int_balances b
join intermediate.int_portfolios p using (portfolio_id)
join ops.run_scope s using (portfolio_id)
where s.runs_ledger and {part}
order by b.balance_at, b.batch_id, b.line
"""
_PORTFOLIOS = """
select portfolio_id, user_id, base_currency, cost_basis, lot_scope, cash_mode, allow_short,
    array(select id from registry.accounts a where a.portfolio_id = p.portfolio_id and a.is_active and a.margin)
from intermediate.int_portfolios p join ops.run_scope s using (portfolio_id)
where s.runs_ledger and {part}
order by user_id, portfolio_id
"""
# The prices of what nobody in scope touches are not read.
_PRICES = """
with named as (
    select distinct instrument_id, currency, fee_currency from intermediate.int_transactions
),
touched as (
    select instrument_id from named
    union select currency from named
    union select fee_currency from named
    union select instrument_id from intermediate.int_balances
),
linked as (
    select instrument_id from touched
    union
    select unnest(array[i.canonical_instrument, i.pricing_instrument_id])
    from intermediate.int_instruments i join touched using (instrument_id)
),
quoted as (
    select instrument_id from linked
    union
    select i.quote_currency from intermediate.int_instruments i join linked using (instrument_id)
)
select p.instrument_id, p.priced_at, p.price, p.currency
from intermediate.int_price_points p
join quoted using (instrument_id)
where p.instrument_id not like 'rate:%'
order by p.instrument_id, p.priced_at
"""


@dataclass(frozen=True)
class Part:
    """Some of the users: one of `parts` shares of about equal size, the same share whoever asks."""

    number: int = 0
    parts: int = 1

    def restrict(self, query: str) -> str:
        """Put the condition in the place of {part}, for portfolios called p."""
        if self.parts == 1:
            return query.format(part="true")
        return query.format(part=f"(hashtext(p.user_id) & 1048575) % {self.parts} = {self.number}")


ALL = Part()


def load_price_book(conn: Connection) -> PriceBook:
    """Prices and rates of everything the scope touches."""
    instruments = conn.execute(
        "select instrument_id, quote_currency, canonical_instrument, decimals, pricing_instrument_id"
        " from intermediate.int_instruments"
    )
    hubs = [row[0] for row in conn.execute("select distinct base_currency from intermediate.int_portfolios")]
    # a price in a token comes here converted (int_price_points); where it could not be, no side values the position
    book = PriceBook((Instrument(*row) for row in instruments), hubs, with_token_quotes=False)
    for instrument, at, price, currency in _stream(conn, _PRICES):
        book.add_price(instrument, at, price, currency)
    rates = "select currency, quote, rated_at, rate from intermediate.int_fx_points order by currency, quote, rated_at"
    for currency, quote, at, rate in _stream(conn, rates):
        book.add_rate(currency, quote, at, rate)
    return book


def load_portfolios(conn: Connection, part: Part = ALL) -> dict[str, list[Portfolio]]:
    """The portfolios whose ledger runs, by user."""
    by_user: dict[str, list[Portfolio]] = defaultdict(list)
    for row in conn.execute(part.restrict(_PORTFOLIOS)):
        portfolio = Portfolio(*row)
        by_user[portfolio.user_id].append(portfolio)
    return by_user


def load_balances(conn: Connection, part: Part = ALL) -> dict[str, list[Balance]]:
    """Their dated balances, by user, in order of time."""
    by_user: dict[str, list[Balance]] = defaultdict(list)
    for user_id, *row in _stream(conn, part.restrict(_BALANCES)):
        by_user[user_id].append(Balance(*row))
    return by_user


def by_user(
    conn: Connection, portfolios: Mapping[str, Sequence[Portfolio]], part: Part = ALL
) -> Iterator[tuple[str, list[Transaction]]]:
    """Each user once, with all of its transactions; users without any come last."""
    owners = {portfolio.portfolio_id: user_id for user_id, own in portfolios.items() for portfolio in own}
    seen: set[str] = set()
    current, collected = "", list[Transaction]()
    for row in _stream(conn, part.restrict(_TRANSACTIONS)):
        transaction = Transaction(*row)
        owner = owners[transaction.portfolio_id]
        if owner != current:
            if collected:
                yield current, collected
            current, collected = owner, []
            seen.add(current)
        collected.append(transaction)
    if collected:
        yield current, collected
    for user_id in portfolios:
        if user_id not in seen:
            yield user_id, []


def _stream(conn: Connection, query: str) -> Iterator[tuple[Any, ...]]:
    # a million transactions are sorted in memory; for the transaction of the caller only
    conn.execute("select set_config('work_mem', '256MB', true)")
    with conn.cursor(name="ledger_input") as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(FETCH_ROWS):
            yield from rows
