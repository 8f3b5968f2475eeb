"""The accepted state of the database as an inputs folder, from which another Holdfast computes the same.

Belongs here: which rows count, their CSV files, the folder and its check. Must not be here: portfolios.yaml
(portfolios_document), results (they are computed again), exports for other products.

A transaction without an external_id is known by its file, its content and how many equal ones came before it. So each
file keeps its path, its rows and their order, and each transaction keeps its id; `Exported.renamed` counts those that
do not (a quantity once written as 1e-9 is written out in full).
"""

import secrets
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from psycopg import sql

from assets.registry.folder import INSTRUMENTS_FILE, read_inputs
from assets.registry.instruments_csv import INSTRUMENT_COLUMNS
from assets.registry.portfolios_document import portfolios_yaml, risk_scores_yaml, scenarios_yaml
from assets.registry.portfolios_yaml import FILE as PORTFOLIOS_FILE
from assets.registry.risk_scores_yaml import FILE as RISK_SCORES_FILE
from assets.registry.scenarios_yaml import FILE as SCENARIOS_FILE
from assets.warehouse.database import Connection

_MOMENT = (
    "case when is_date_only then to_char({0}, 'YYYY-MM-DD') else to_char({0}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') end"
)


class ExportError(ValueError):
    """The export cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class _Kind:
    """How rows of one kind become files.

    Attributes:
        key: of several rows with one key one counts, as in the staging models: the newest batch's.
        columns: SQL by the column's name in the file.
        instruments: columns of instrument ids.
        is_of_portfolio: whether a row belongs to one portfolio; else to all who share the database.
    """

    key: str
    columns: dict[str, str]
    instruments: tuple[str, ...]
    is_of_portfolio: bool


_KINDS = {
    "transactions": _Kind(
        "transaction_id",
        {
            "portfolio": "portfolio_id", "account": "account_id", "executed_at": _MOMENT.format("executed_at"),
            "type": "type", "instrument": "instrument_id", "quantity": "quantity", "price": "price",
            "amount": "amount", "currency": "currency", "fx_rate": "fx_rate", "cash_account": "cash_account",
            "fee": "fee", "fee_currency": "fee_currency", "tax": "tax", "group_id": "group_id",
            "external_id": "external_id", "note": "note",
        },
        ("instrument_id", "currency", "fee_currency"),
        is_of_portfolio=True,
    ),
    "prices": _Kind(
        "instrument_id, priced_at, currency",
        {
            "instrument": "instrument_id", "priced_at": _MOMENT.format("priced_at"), "price": "price",
            "currency": "currency", "open": "open", "high": "high", "low": "low", "volume": "volume",
            "source": "source",
        },
        ("instrument_id", "currency"),
        is_of_portfolio=False,
    ),
    "balances": _Kind(
        "portfolio_id, account_id, instrument_id, balance_at",
        {
            "portfolio": "portfolio_id", "account": "account_id", "instrument": "instrument_id",
            "balance_at": _MOMENT.format("balance_at"), "quantity": "quantity", "cost_base": "cost_base",
        },
        ("instrument_id",),
        is_of_portfolio=True,
    ),
    "corporate_actions": _Kind(
        "instrument_id, ex_date, kind",
        {
            "instrument": "instrument_id", "ex_date": "ex_date", "kind": "kind", "ratio": "ratio",
            "amount": "amount", "currency": "currency", "pay_date": "pay_date",
        },
        ("instrument_id", "currency"),
        is_of_portfolio=False,
    ),
}  # fmt: skip


@dataclass
class Exported:
    """What was written.

    Attributes:
        portfolios: how many.
        rows: by kind.
        renamed: transactions that get another id when the folder is read.
        quarantined: price rows that were set aside and stay out.
    """

    portfolios: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    renamed: int = 0
    quarantined: int = 0


def export_inputs(connection: Connection, folder: Path, portfolios: Sequence[str], now: datetime) -> Exported:
    """Write an inputs folder: the documents, instruments.csv, and file by file the rows that count.

    The folder appears whole, after it was read back through the rules of every inputs folder, or not at all. Rows of
    files that the newest run has not read are not in the database, and so not in the export.

    Args:
        connection: in no transaction of the caller's; one of its own reads a single state.
        folder: must not exist, or be empty.
        portfolios: ids; none = all active ones. With ids, what is shared (prices, corporate actions, instruments) is
            written whole but for custom: instruments that these portfolios do not use.
        now: the clock, with a zone.

    Raises:
        ExportError: the folder has something in it, or a portfolio is not in the database.
        InputProblems: the registry holds what no inputs folder may hold.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ExportError(f"{folder} is there already and not empty; name a new folder, nothing is overwritten")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        with connection.transaction():
            connection.execute("set transaction isolation level repeatable read")
            exported, ids = _write(connection, temporary, _chosen(connection, portfolios), is_all=not portfolios)
        inputs = read_inputs(temporary, now)
        frames = [batch.rows for batch in inputs.batches if batch.kind == "transactions"]
        exported.renamed = len(ids - {name for frame in frames for name in frame["transaction_id"]})
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return exported


def _chosen(connection: Connection, portfolios: Sequence[str]) -> list[str]:
    active = [row[0] for row in connection.execute("select id from registry.portfolios where is_active order by id")]
    unknown = sorted(set(portfolios) - set(active))
    if unknown:
        raise ExportError(f"no active portfolio {', '.join(unknown)} in this database; `holdfast status` lists them")
    if not active:
        raise ExportError("this database has no active portfolio: holdfast run --inputs DIR first")
    return [name for name in active if name in portfolios] if portfolios else active


def _write(
    connection: Connection, folder: Path, portfolios: Sequence[str], *, is_all: bool
) -> tuple[Exported, set[str]]:
    folder.mkdir()
    (folder / PORTFOLIOS_FILE).write_text(portfolios_yaml(connection, portfolios), encoding="utf-8")
    for name, text in ((SCENARIOS_FILE, scenarios_yaml(connection)), (RISK_SCORES_FILE, risk_scores_yaml(connection))):
        if text is not None:
            (folder / name).write_text(text, encoding="utf-8")
    exported = Exported(len(portfolios))
    for name, kind in _KINDS.items():
        _stage(connection, name, kind, portfolios)
    custom = None if is_all else _custom_instruments(connection, portfolios)
    for name, kind in _KINDS.items():
        exported.rows[name] = _write_files(connection, folder, name, kind, custom)
    _write_instruments(connection, folder / INSTRUMENTS_FILE, custom)
    ids = {row[0] for row in connection.execute("select transaction_id from pg_temp.export_transactions")}
    aside = connection.execute(
        "select count(*) from quality.quarantined_rows inner join ops.input_files using (batch_id)"
    ).fetchone()
    exported.quarantined = aside[0] if aside else 0
    return exported, ids


def _stage(connection: Connection, name: str, kind: _Kind, portfolios: Sequence[str]) -> None:
    """The rows that count, as `pg_temp.export_<kind>` with the path of their file."""
    # transactions of other sources are the owner's as well; other observations of theirs can be asked for again
    other = "'transactions/' || replace(b.source, ':', '-') || '-' || b.batch_id || '.csv'"
    path = f"case when b.source = 'file' then f.path else {other} end"
    statement = sql.SQL(
        "create temporary table {stage} on commit drop as select distinct on ({key}) r.*, {path} as path"
        " from {raw} as r inner join ops.input_files as f using (batch_id)"
        " inner join raw.batches as b using (batch_id) where ({any_source} or b.source = 'file')"
        " and ({shared} or to_jsonb(r) ->> 'portfolio_id' = any({portfolios}))"
        " order by {key}, r.batch_id desc, r.line {order}"
    ).format(
        stage=sql.Identifier(f"export_{name}"),
        key=sql.SQL(kind.key),
        path=sql.SQL(path),
        raw=sql.Identifier("raw", name),
        any_source=sql.Literal(name == "transactions"),
        shared=sql.Literal(not kind.is_of_portfolio),
        portfolios=sql.Literal(list(portfolios)),
        order=sql.SQL("asc" if name == "transactions" else "desc"),
    )
    connection.execute(statement)


def _custom_instruments(connection: Connection, portfolios: Sequence[str]) -> set[str]:
    """custom: instruments that the portfolios use, with what these are quoted in and stand for."""
    rows = connection.execute(
        """
        select unnest(array[instrument_id, currency, fee_currency]) from pg_temp.export_transactions
        union select instrument_id from pg_temp.export_balances
        union select instrument from registry.targets where portfolio_id = any(%(ids)s)
        union select benchmark from registry.portfolios where id = any(%(ids)s)
        union select unnest(universe) from registry.policies where portfolio_id = any(%(ids)s)
        union select unnest(array[v ->> 'instrument', v ->> 'over'])
            from registry.policies, jsonb_array_elements(views) as v where portfolio_id = any(%(ids)s)
        """,
        {"ids": list(portfolios)},
    )
    used = {row[0] for row in rows if row[0]}
    links = {
        name: set(others)
        for name, *others in connection.execute(
            "select instrument, quote_currency, canonical_instrument from registry.instruments"
        )
    }
    links_of_prices = connection.execute(
        "select distinct instrument_id, currency from pg_temp.export_prices where currency like 'custom:%'"
    )
    for name, currency in links_of_prices:
        links.setdefault(name, set()).add(currency)
    waiting = list(used)
    while waiting:
        found = {other for other in links.get(waiting.pop(), ()) if other} - used
        used |= found
        waiting += found
    return {name for name in used if name.startswith("custom:")}


def _write_files(connection: Connection, folder: Path, name: str, kind: _Kind, custom: Collection[str] | None) -> int:
    stage = sql.Identifier("pg_temp", f"export_{name}")
    allowed: sql.Composable = sql.SQL("true")
    if custom is not None:
        tests = [
            sql.SQL("coalesce({0} not like 'custom:%' or {0} = any({1}::text[]), true)").format(
                sql.Identifier(column), sql.Literal(list(custom))
            )
            for column in kind.instruments
        ]
        allowed = sql.SQL(" and ").join(tests)
    columns = sql.SQL(", ").join(
        sql.SQL("{} as {}").format(sql.SQL(expression), sql.Identifier(column))
        for column, expression in kind.columns.items()
    )
    paths = connection.execute(
        sql.SQL("select path, count(*) from {} where {} group by path order by path").format(stage, allowed)
    ).fetchall()
    for path, _ in paths:
        query = sql.SQL(
            "copy (select {columns} from {stage} where path = {path} and {allowed} order by line)"
            " to stdout (format csv, header)"
        ).format(columns=columns, stage=stage, path=sql.Literal(path), allowed=allowed)
        _copy(connection, query, folder / path)
    return sum(count for _, count in paths)


def _write_instruments(connection: Connection, path: Path, custom: Collection[str] | None) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, INSTRUMENT_COLUMNS.all))
    allowed: sql.Composable = sql.SQL("true")
    if custom is not None:
        allowed = sql.SQL("(instrument not like 'custom:%' or instrument = any({}::text[]))").format(
            sql.Literal(list(custom))
        )
    query = sql.SQL(
        "copy (select {} from registry.instruments where {} order by instrument) to stdout (format csv, header)"
    ).format(names, allowed)
    _copy(connection, query, path)


def _copy(connection: Connection, query: sql.Composed, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, connection.cursor() as cursor, cursor.copy(query) as copy:
        for data in copy:
            file.write(data)
