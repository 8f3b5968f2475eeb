"""The ledger's way in and out of the database.

Belongs here: reading `intermediate.int_*`, processing every user whose ledger the scope runs, replacing the rows of
their portfolios in `intermediate.ledger_*`. Must not be here: any rule of the ledger, the comparison of old and new
results (restatement).

Results stay from run to run: `ops.run_scope.runs_ledger` says whose are made again. Transactions are streamed user by
user through a server-side cursor, and results are flushed in slices, so that memory holds the prices, the portfolios
and one slice, however many users there are.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from assets.ledger.books import Books
from assets.ledger.engine import process_user
from assets.ledger.model import (
    Balance,
    DisposalRow,
    EntryRow,
    FlowRow,
    IncomeRow,
    Instrument,
    IssueRow,
    LotRow,
    Portfolio,
    PositionRow,
    ReconciliationRow,
    Transaction,
    TransactionRow,
)
from assets.ledger.price_book import PriceBook
from assets.ledger.restatement import lower_from_dates, remember
from assets.warehouse.database import Connection, copy_rows

# Table `intermediate.ledger_<name>`, its columns in the order of the row's fields, and where the books keep the rows.
TABLES: dict[str, tuple[Sequence[str], str]] = {
    "positions": (PositionRow._fields, "positions_rows"),
    "entries": (EntryRow._fields, "entries"),
    "flows": (FlowRow._fields, "flows"),
    "lots": (LotRow._fields, "lots"),
    "disposals": (DisposalRow._fields, "disposals"),
    "income": (IncomeRow._fields, "incomes"),
    "transactions": (TransactionRow._fields, "transactions"),
    "issues": (IssueRow._fields, "issues"),
    "reconciliation": (ReconciliationRow._fields, "reconciliation"),
}
FLUSH_ROWS = 200_000
FETCH_ROWS = 20_000

_TRANSACTIONS = """
select u.user_id, t.sequence, t.transaction_id, t.portfolio_id, t.account_id, t.executed_at, t.is_date_only,
    t.executed_date, t.type, t.instrument_id, t.quantity, t.price, t.amount, t.currency, t.fx_rate, t.cash_account,
    t.fee, t.fee_currency, t.tax, t.group_id, t.batch_id
from intermediate.int_transactions t
join intermediate.int_portfolios u using (portfolio_id)
order by u.user_id, t.sequence
"""
_BALANCES = """
select p.user_id, b.portfolio_id, b.account_id, b.instrument_id, b.balance_at, b.is_date_only, b.balance_date,
    b.quantity, b.cost_base
from intermediate.int_balances b
join intermediate.int_portfolios p using (portfolio_id)
join ops.run_scope s using (portfolio_id)
where s.runs_ledger
order by b.balance_at, b.batch_id, b.line
"""
_PORTFOLIOS = """
select portfolio_id, user_id, base_currency, cost_basis, lot_scope, cash_mode, allow_short
from intermediate.int_portfolios join ops.run_scope using (portfolio_id)
where runs_ledger
order by user_id, portfolio_id
"""
# Portfolios whose rows go: those that are run, and those that are no longer active.
_REPLACED = """
create temp table ledger_replaced on commit drop as
select portfolio_id from ops.run_scope where runs_ledger
union
(
    (
        select portfolio_id from intermediate.ledger_done
        union
        select id from registry.portfolios where not is_active
    )
    except
    select portfolio_id from intermediate.int_portfolios
)
"""
_KEEPS_NOTHING = """
select not exists (
    select portfolio_id from intermediate.int_portfolios
    except
    select portfolio_id from ledger_replaced)
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


@dataclass
class LedgerSummary:
    """What a run of the ledger did.

    Attributes:
        portfolios: processed.
        transactions: processed.
        rows: written, by table (without the prefix `ledger_`).
        held: portfolios with an issue of severity `hold`.
        issues: number of issues by code.
        restated: portfolios of which days before the scope's `from_date` have changed.
    """

    portfolios: int = 0
    transactions: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    held: set[str] = field(default_factory=set)
    issues: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    restated: int = 0

    def __str__(self) -> str:
        """One line for people."""
        issues = ", ".join(f"{count} {code}" for code, count in sorted(self.issues.items())) or "none"
        return (
            f"{self.transactions} transactions of {self.portfolios} portfolios, "
            f"{self.rows['lots']} open lots, {self.rows['disposals']} disposals, issues: {issues}"
        )


def run_ledger(conn: Connection) -> LedgerSummary:
    """Process the portfolios of the scope whose ledger is to run and replace their rows, in the caller's transaction.

    The rows of all other active portfolios stay as they are. Where the scope asks for a part of the days, `from_date`
    moves back to the first day on which old and new results differ.

    Args:
        conn: a connection whose time zone is UTC (`assets.warehouse.database.connect`); it is committed
            here only in autocommit mode.

    Returns:
        counts; the issues themselves are in `intermediate.ledger_issues`.
    """
    with conn.transaction():
        has_old = remember(conn)
        _remove_old(conn)
        summary = _process(conn)
        if has_old:
            summary.restated = lower_from_dates(conn)
    return summary


def _remove_old(conn: Connection) -> None:
    """Delete the rows of the portfolios that are run or gone; a publication marks as done what it has taken over."""
    conn.execute(_REPLACED)
    conn.execute("analyze ledger_replaced")
    conn.execute(
        "delete from intermediate.ledger_done using ledger_replaced r where r.portfolio_id = ledger_done.portfolio_id"
    )
    row = conn.execute(_KEEPS_NOTHING).fetchone()
    if row is not None and row[0]:
        conn.execute("truncate " + ", ".join(f"intermediate.ledger_{table}" for table in TABLES))
    else:
        for table in TABLES:
            conn.execute(
                f"delete from intermediate.ledger_{table} results using ledger_replaced r"
                " where r.portfolio_id = results.portfolio_id"
            )
    conn.execute("drop table ledger_replaced")


def _process(conn: Connection) -> LedgerSummary:
    summary = LedgerSummary()
    portfolios = _load_portfolios(conn)
    if not portfolios:
        return summary
    prices = load_price_book(conn)
    balances = _load_balances(conn)
    waiting: list[Books] = []
    rows = 0
    for user_id, transactions in _by_user(conn, portfolios):
        summary.transactions += len(transactions)
        for books in process_user(portfolios[user_id], transactions, balances.get(user_id, []), prices):
            waiting.append(books)
            rows += len(books.entries) + len(books.transactions) + len(books.positions_rows)
        if rows >= FLUSH_ROWS:
            _flush(conn, waiting, summary)
            rows = 0
    _flush(conn, waiting, summary)
    return summary


def load_price_book(conn: Connection) -> PriceBook:
    """Prices and rates of everything the scope touches."""
    instruments = conn.execute(
        "select instrument_id, quote_currency, canonical_instrument, decimals, pricing_instrument_id"
        " from intermediate.int_instruments"
    )
    hubs = [row[0] for row in conn.execute("select distinct base_currency from intermediate.int_portfolios")]
    # the daily valuation in SQL crosses fiat money only, so a price in a token does not value a position there either
    book = PriceBook((Instrument(*row) for row in instruments), hubs, with_token_quotes=False)
    for instrument, at, price, currency in _stream(conn, _PRICES):
        book.add_price(instrument, at, price, currency)
    rates = "select currency, quote, rated_at, rate from intermediate.int_fx_points order by currency, quote, rated_at"
    for currency, quote, at, rate in _stream(conn, rates):
        book.add_rate(currency, quote, at, rate)
    return book


def _load_portfolios(conn: Connection) -> dict[str, list[Portfolio]]:
    by_user: dict[str, list[Portfolio]] = defaultdict(list)
    for row in conn.execute(_PORTFOLIOS):
        portfolio = Portfolio(*row)
        by_user[portfolio.user_id].append(portfolio)
    return by_user


def _load_balances(conn: Connection) -> dict[str, list[Balance]]:
    by_user: dict[str, list[Balance]] = defaultdict(list)
    for user_id, *row in _stream(conn, _BALANCES):
        by_user[user_id].append(Balance(*row))
    return by_user


def _by_user(conn: Connection, portfolios: dict[str, list[Portfolio]]) -> Iterator[tuple[str, list[Transaction]]]:
    """Each user once, with all of its transactions; users without any come last."""
    seen: set[str] = set()
    current, collected = "", list[Transaction]()
    for row in _stream(conn, _TRANSACTIONS):
        if row[0] != current:
            if collected:
                yield current, collected
            current, collected = row[0], []
            seen.add(current)
        collected.append(Transaction(*row[1:]))
    if collected:
        yield current, collected
    for user_id in portfolios:
        if user_id not in seen:
            yield user_id, []


def _stream(conn: Connection, query: str) -> Iterator[tuple[Any, ...]]:
    with conn.cursor(name="ledger_input") as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(query)
        yield from cursor


def _flush(conn: Connection, waiting: list[Books], summary: LedgerSummary) -> None:
    for table, (columns, attribute) in TABLES.items():
        rows = (row for books in waiting for row in getattr(books, attribute))
        summary.rows[table] += copy_rows(conn, f"intermediate.ledger_{table}", columns, rows)
    for books in waiting:
        summary.portfolios += 1
        for issue in books.issues:
            summary.issues[issue.code] += 1
            if issue.severity == "hold":
                summary.held.add(books.portfolio_id)
    waiting.clear()
