"""The ledger's results in the database.

Belongs here: replacing the rows of the portfolios that are run in `intermediate.ledger_*`, in one transaction. Must
not be here: reading (reading), processing (slices, workers), the comparison of old and new results (restatement).

Results stay from run to run: `ops.run_scope.runs_ledger` says whose are made again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from assets.ledger.restatement import lower_from_dates, remember
from assets.ledger.slices import TABLES, LedgerSummary, process_part
from assets.ledger.workers import process_in_parts
from assets.warehouse.database import Connection

# From here on two processes are worth their start and their own copy of the prices.
TRANSACTIONS_FOR_PROCESSES = 100_000
PROCESSES = 2

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

# No key among them: what keeps rows apart is not taken away.
_INDEXES = """
select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
from pg_index i join pg_class t on t.oid = i.indrelid
where t.relnamespace = 'intermediate'::regnamespace and t.relname = any(%s) and not i.indisunique
order by 1
"""


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
        is_empty = _remove_old(conn)
        parts = _processes(conn)
        if is_empty and parts > 1:
            with _indexed_afterwards(conn):
                summary = _fill(conn, parts)
        else:
            summary = _fill(conn, parts)
        if has_old:
            summary.restated = lower_from_dates(conn)
    return summary


def _remove_old(conn: Connection) -> bool:
    """Delete the rows of the portfolios that are run or gone; a publication marks as done what it has taken over.

    Returns:
        whether the tables are empty now.
    """
    conn.execute(_REPLACED)
    conn.execute("analyze ledger_replaced")
    conn.execute(
        "delete from intermediate.ledger_done using ledger_replaced r where r.portfolio_id = ledger_done.portfolio_id"
    )
    row = conn.execute(_KEEPS_NOTHING).fetchone()
    is_empty = row is not None and bool(row[0])
    if is_empty:
        conn.execute("truncate " + ", ".join(f"intermediate.ledger_{table}" for table in TABLES))
    else:
        for table in TABLES:
            conn.execute(
                f"delete from intermediate.ledger_{table} results using ledger_replaced r"
                " where r.portfolio_id = results.portfolio_id"
            )
    conn.execute("drop table ledger_replaced")
    return is_empty


@contextmanager
def _indexed_afterwards(conn: Connection) -> Iterator[None]:
    """Take the indexes off the empty tables and make them again over all rows.

    Row by row an index costs a third of a table's COPY, made at once half of that, and on both cores.
    """
    indexes = conn.execute(_INDEXES, [[f"ledger_{table}" for table in TABLES]]).fetchall()
    for name, _ in indexes:
        conn.execute(f"drop index {name}")
    yield
    for _, definition in indexes:
        conn.execute(definition)


def _fill(conn: Connection, parts: int) -> LedgerSummary:
    def write(table: str, text: bytes) -> None:
        columns = ", ".join(TABLES[table][0]._fields)
        with conn.cursor() as cursor, cursor.copy(f"copy intermediate.ledger_{table} ({columns}) from stdin") as copy:
            copy.write(text)

    return process_part(conn, write) if parts == 1 else process_in_parts(conn, write, parts)


def _processes(conn: Connection) -> int:
    if (os.cpu_count() or 1) < PROCESSES:
        return 1
    # no further than needed: nothing else is done meanwhile
    row = conn.execute(
        "select count(*) from (select from intermediate.int_transactions limit %s) as asked",
        [TRANSACTIONS_FOR_PROCESSES],
    ).fetchone()
    return PROCESSES if row == (TRANSACTIONS_FOR_PROCESSES,) else 1
