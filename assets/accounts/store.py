"""Accounts in the database: which are asked and from where on, what they said before, and what is landed.

Belongs here: the SQL of accounts, set by set. Must not be here: providers, what a row means.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from assets.accounts.model import AccountReport, AccountRequest, Credentials, Waiting
from assets.accounts.rows import Transactions, balances, batch, source_name, sources, transactions
from assets.network.permission import is_allowed
from assets.registry.landing import KindCounts, land_batches
from assets.registry.sources import Batch, Kind, Window
from assets.registry.transactions_csv import RAW_COLUMNS
from assets.warehouse.database import Connection, copy_rows

_KINDS: tuple[Kind, ...] = ("transactions", "balances")
_CONTENT = tuple(name for name in RAW_COLUMNS if name not in ("line", "transaction_id"))
_DECIMALS = frozenset({"quantity", "price", "amount", "fx_rate", "fee", "tax"})


@dataclass(frozen=True, slots=True)
class Permitted:
    """What may be asked: sources allowed (None = all), and the environment that holds the keys."""

    allowed: tuple[str, ...] | None
    environ: Mapping[str, str] = field(repr=False)

    def allows(self, source: str) -> bool:
        """Whether HOLDFAST_SOURCES names the source or leaves the choice open."""
        return is_allowed(source, self.allowed)


@dataclass(frozen=True, slots=True)
class Unasked:
    """An account that cannot be asked, and why; it keeps its last state."""

    portfolio_id: str
    account_id: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Which accounts are asked, and which should be and cannot."""

    requests: tuple[AccountRequest, ...] = ()
    unasked: tuple[Unasked, ...] = ()


@dataclass(slots=True)
class Landed:
    """What a landing did."""

    accounts: int = 0
    transactions: int = 0
    balances: int = 0
    waiting: int = 0
    failed: int = 0

    def __str__(self) -> str:
        said = f"{self.accounts} accounts, {self.transactions:,} new transactions, {self.balances:,} new balances"
        said += f", {self.waiting:,} records wait" if self.waiting else ""
        return said + (f", {self.failed} accounts with problems" if self.failed else "")


_ACCOUNTS = """
select accounts.portfolio_id, accounts.id, coalesce(accounts.exchange, accounts.broker), accounts.credentials_env
from registry.accounts
inner join registry.portfolios on accounts.portfolio_id = portfolios.id and portfolios.is_active
where accounts.is_active and accounts.kind in ('exchange', 'broker') and accounts.credentials_env is not null
order by 1, 2
"""


def plan(conn: Connection, permitted: Permitted) -> Plan:
    """Every account that may be asked, with where its last reading ended.

    An account without `credentials_env` is fed by files alone and not asked.
    """
    if permitted.allowed == ():
        return Plan()
    found = [row for row in conn.execute(_ACCOUNTS).fetchall() if permitted.allows(row[2])]
    if not found:
        return Plan()
    own, shares = _own_codes(conn)
    states = conn.execute("select portfolio_id, account_id, source, cursor from ops.account_states").fetchall()
    cursors = {(portfolio, account, source): cursor for portfolio, account, source, cursor in states}
    waiting: dict[tuple[str, str], list[Waiting]] = defaultdict(list)
    columns = "portfolio_id, account_id, stream, record_id, record, value, reason, remedy"
    for portfolio, account, *rest in conn.execute(f"select {columns} from ops.account_waiting".encode()).fetchall():
        waiting[portfolio, account].append(Waiting(*rest))
    requests, unasked = [], []
    for portfolio, account, source, variable in found:
        key, secret = (permitted.environ.get(f"{variable}_{part}", "").strip() for part in ("KEY", "SECRET"))
        if not key or not secret:
            missing = " and ".join(f"{variable}_{p}" for p, v in (("KEY", key), ("SECRET", secret)) if not v)
            unasked.append(Unasked(portfolio, account, source, f"{missing} not set: the account keeps its last state"))
            continue
        cursor = cursors.get((portfolio, account, source))
        requests.append(
            AccountRequest(
                portfolio, account, source, Credentials(variable, key, secret),
                cursor=cursor or {}, waiting=tuple(waiting[portfolio, account]) if cursor is not None else (),
                instruments={**own, **shares} if source == "alpaca" else own,
            )
        )  # fmt: skip
    return Plan(tuple(requests), tuple(unasked))


def _own_codes(conn: Connection) -> tuple[dict[str, str], dict[str, str]]:
    """Codes that instruments.csv declares: the base of each `ccxt_symbol`, and each `yfinance_symbol`."""
    rows = conn.execute("select instrument, ccxt_symbol, yfinance_symbol from registry.instruments").fetchall()
    coins = {symbol.partition("/")[0]: instrument for instrument, symbol, _ in rows if symbol}
    return coins, {symbol: instrument for instrument, _, symbol in rows if symbol and "=" not in symbol}


def land(conn: Connection, run_id: str, cutoff_at: datetime, asked: Plan, reports: Sequence[AccountReport]) -> Landed:
    """Write what accounts said that differs from what is known, where their next readings go on, and what waits.

    Args:
        conn: in a transaction of the caller's.
        run_id: written beside new batches.
        cutoff_at: last instant of the run; balances observed since count as of it.
        asked: what was planned.
        reports: of the planned requests.
    """
    cash = dict(conn.execute("select id, cash from registry.portfolios").fetchall())
    landed = Landed(len(reports))
    batches, owners = defaultdict[str, list[Batch]](list), dict[str, tuple[str, str]]()
    read = [transactions(report, cash.get(report.portfolio_id, "ledger")) for report in reports]
    known, last = _known(conn, reports, read), _last_balances(conn, reports)
    for report, rows in zip(reports, read, strict=True):
        account = report.portfolio_id, report.account_id
        at = report.observed_at or cutoff_at
        report.waiting.extend(rows.refused)
        new = None if rows.frame is None else _without_known(rows.frame, known, source_name(report.source))
        observed = balances(report, min(at, cutoff_at), last.get(account, {}))
        for kind, frame in zip(_KINDS, (new, observed), strict=True):
            if frame is not None and frame.height:
                one = batch(kind, report, at, frame)
                batches[report.source].append(one)
                owners[one.path] = account
        landed.transactions += 0 if new is None else new.height
        landed.balances += 0 if observed is None else observed.height
        landed.waiting += len(report.waiting)
        landed.failed += report.outcome != "ok"
    _land_batches(conn, run_id, batches, owners)
    _write_states(conn, asked, reports, cutoff_at)
    retract_and_admit(conn)
    return landed


_Known = dict[tuple[str, str], tuple[Any, ...]]


def _known(conn: Connection, reports: Sequence[AccountReport], read: Sequence[Transactions]) -> _Known:
    """(source, transaction) → content as the newest batch of an account has it, for the rows just read."""
    ids = [one for rows in read if rows.frame is not None for one in rows.frame["transaction_id"]]
    rows = conn.execute(
        f"""
        select distinct on (batches.source, rows.transaction_id)
            batches.source, rows.transaction_id, {", ".join(f"rows.{name}" for name in _CONTENT)}
        from unnest(%s::text[], %s::text[]) as asked (portfolio_id, account_id)
        inner join ops.account_batches as own
            on asked.portfolio_id = own.portfolio_id and asked.account_id = own.account_id
        inner join raw.batches on own.batch_id = batches.batch_id
        inner join raw.transactions as rows on own.batch_id = rows.batch_id
        where rows.transaction_id = any(%s)
        order by batches.source, rows.transaction_id, rows.batch_id desc
        """.encode(),
        [[report.portfolio_id for report in reports], [report.account_id for report in reports], ids],
    ).fetchall()
    return {(row[0], row[1]): tuple(map(_comparable, _CONTENT, row[2:])) for row in rows}


def _without_known(frame: pl.DataFrame, known: _Known, source: str) -> pl.DataFrame:
    """Rows that are new, or say something else than before."""
    is_new = [
        known.get((source, row["transaction_id"])) != tuple(_comparable(name, row[name]) for name in _CONTENT)
        for row in frame.iter_rows(named=True)
    ]
    return frame.filter(pl.Series(is_new, dtype=pl.Boolean))


def _comparable(name: str, value: Any) -> Any:
    return Decimal(value) if name in _DECIMALS and value is not None else value


def _last_balances(conn: Connection, reports: Sequence[AccountReport]) -> dict[tuple[str, str], dict[str, str]]:
    asked = [[report.portfolio_id for report in reports], [report.account_id for report in reports],
             [source_name(report.source) for report in reports]]  # fmt: skip
    rows = conn.execute(
        """
        select distinct on (rows.portfolio_id, rows.account_id, rows.instrument_id)
            rows.portfolio_id, rows.account_id, rows.instrument_id, trim_scale(rows.quantity)::text
        from unnest(%s::text[], %s::text[], %s::text[]) as asked (portfolio_id, account_id, source)
        inner join ops.account_batches as own
            on asked.portfolio_id = own.portfolio_id and asked.account_id = own.account_id
        inner join raw.batches on own.batch_id = batches.batch_id and asked.source = batches.source
        inner join raw.balances as rows on own.batch_id = rows.batch_id
        order by rows.portfolio_id, rows.account_id, rows.instrument_id, rows.balance_at desc, rows.batch_id desc
        """,
        asked,
    ).fetchall()
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for portfolio, account, instrument, quantity in rows:
        found[portfolio, account][instrument] = quantity
    return found


def _land_batches(
    conn: Connection, run_id: str, batches: Mapping[str, list[Batch]], owners: Mapping[str, tuple[str, str]]
) -> None:
    counts: dict[Kind, KindCounts] = {kind: KindCounts() for kind in _KINDS}
    for source in sources(batches):
        landed = land_batches(conn, source, Window(), run_id, counts)
        rows = [(batch_id, *owners[path]) for (_, path), batch_id in landed.current.items()]
        conn.execute(
            "insert into ops.account_batches (batch_id, portfolio_id, account_id)"
            " select * from unnest(%s::bigint[], %s::text[], %s::text[]) on conflict do nothing",
            [list(column) for column in zip(*rows, strict=True)],
        )


def retract_and_admit(conn: Connection) -> None:
    """Let the batches of active accounts count, all of them, and those of no others.

    An account that vanished from the registry, or changed its exchange, takes its rows along; back again, they count.
    """
    conn.execute(
        """
        with counting as (
            select own.batch_id
            from ops.account_batches as own
            inner join raw.batches on own.batch_id = batches.batch_id
            inner join registry.accounts
                on own.portfolio_id = accounts.portfolio_id and own.account_id = accounts.id and accounts.is_active
                    and batches.source = 'account:' || coalesce(accounts.exchange, accounts.broker)
            where batches.status = 'accepted'
        ),
        retracted as (
            delete from ops.input_files as files using ops.account_batches as own
            where files.batch_id = own.batch_id and own.batch_id not in (select batch_id from counting)
        )
        insert into ops.input_files (path, kind, batch_id)
        select batches.path, batches.kind, batches.batch_id
        from counting inner join raw.batches on counting.batch_id = batches.batch_id
        on conflict do nothing
        """
    )


def _write_states(conn: Connection, asked: Plan, reports: Sequence[AccountReport], now: datetime) -> None:
    rows: list[tuple[object, ...]] = [
        (report.portfolio_id, report.account_id, report.source, json.dumps(report.cursor), report.outcome,
         report.failure, report.requests, report.observed_at or now, report.outcome == "ok")
        for report in reports
    ]  # fmt: skip
    rows += [
        (one.portfolio_id, one.account_id, one.source, None, "no_credentials", one.reason, 0, now, False)
        for one in asked.unasked
    ]
    with conn.cursor() as cursor:
        cursor.executemany(_WRITE_STATE, rows)
    told = [report for report in reports if report.outcome in ("ok", "partial")]
    conn.execute(
        "delete from ops.account_waiting as waiting using unnest(%s::text[], %s::text[], %s::text[], %s::text[])"
        " as told (portfolio_id, account_id, source, kept)"
        " where waiting.portfolio_id = told.portfolio_id and waiting.account_id = told.account_id"
        " and waiting.stream || '/' || waiting.record_id <> all (told.kept::text[])",
        [
            [report.portfolio_id for report in told],
            [report.account_id for report in told],
            [report.source for report in told],
            [_array(f"{w.stream}/{w.record_id}" for w in report.waiting) for report in told],
        ],
    )
    copies = [
        (r.portfolio_id, r.account_id, w.stream, w.record_id, json.dumps(w.record), w.value, w.reason, w.remedy)
        for r in told
        for w in r.waiting
    ]
    columns = ("portfolio_id", "account_id", "stream", "record_id", "record", "value", "reason", "remedy")
    conn.execute("create temporary table new_waiting (like ops.account_waiting including defaults) on commit drop")
    copy_rows(conn, "new_waiting", columns, copies)
    conn.execute(
        """
        insert into ops.account_waiting as waiting select * from new_waiting
        on conflict (portfolio_id, account_id, stream, record_id) do update
        set record = excluded.record, value = excluded.value, reason = excluded.reason, remedy = excluded.remedy
        """
    )
    conn.execute("drop table new_waiting")


_WRITE_STATE = """
insert into ops.account_states as states
    (portfolio_id, account_id, source, cursor, outcome, failure, requests, asked_at, last_success_at)
select portfolio_id, account_id, source, coalesce(cursor::jsonb, '{}'), outcome, failure, requests, asked_at,
    case when is_success then asked_at end
from (values (%s, %s, %s, %s::text, %s, %s, %s::integer, %s::timestamptz, %s::boolean)) as new
    (portfolio_id, account_id, source, cursor, outcome, failure, requests, asked_at, is_success)
on conflict (portfolio_id, account_id) do update set
    -- an account that could not be asked keeps its place; one of another exchange begins anew
    cursor = case
        when excluded.outcome in ('failed', 'no_credentials', 'not_supported') and excluded.source = states.source
            then states.cursor
        else excluded.cursor
    end,
    source = excluded.source, outcome = excluded.outcome, failure = excluded.failure,
    requests = excluded.requests, asked_at = excluded.asked_at,
    last_success_at = case
        when excluded.source = states.source then coalesce(excluded.last_success_at, states.last_success_at)
        else excluded.last_success_at
    end
"""


def _array(values: Any) -> str:
    quoted = (value.replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def broker_states(conn: Connection) -> dict[tuple[str, str], str]:
    """What each broker's account was like at its last reading, for noticing changes."""
    rows = conn.execute(
        "select portfolio_id, account_id, cursor ->> 'state' from ops.account_states where cursor ? 'state'"
    ).fetchall()
    return {(portfolio, account): state for portfolio, account, state in rows}
