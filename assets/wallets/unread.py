"""Balances that are still to be read: those that time or servers did not give, and those of tokens that a log told of.

Belongs here: the SQL of ops.wallet_unread. Must not be here: in which order they are asked (planning), what was read
(store).

Without it a chain that takes more time than it has would lose the same cells in every read. What is on the list is
asked first, the oldest first, and leaves it as soon as a read says anything of it. Until then nothing is known: no row
of a balance is written, least of all a zero.
"""

from collections.abc import Collection, Sequence

from assets.wallets.identity import instrument_id
from assets.wallets.model import Asset, ChainReport
from assets.wallets.report_rows import unread_rows
from assets.warehouse.database import Connection, copy_rows

_COLUMNS = ("chain", "wallet", "instrument_id", "since")
_ANSWERED = """
delete from ops.wallet_unread as unread
where unread.chain = any(%s)
    and not exists (
        select from new_unread as new
        where (new.chain, new.wallet, new.instrument_id) = (unread.chain, unread.wallet, unread.instrument_id))
"""


def note_unread(conn: Connection, read: Sequence[ChainReport]) -> None:
    """Keep what chains that answered did not tell, since when, and forget what they told.

    Args:
        conn: in a transaction of the caller's.
        read: reports with a block and without a failure of the chain as a whole: such a one is asked again as it was.
    """
    conn.execute("create temporary table new_unread (like ops.wallet_unread) on commit drop")
    copy_rows(conn, "pg_temp.new_unread", _COLUMNS, unread_rows(read))
    conn.execute("analyze pg_temp.new_unread")
    conn.execute(_ANSWERED, [[report.chain for report in read]])
    _add(conn)


def note_received(conn: Connection, received: Collection[tuple[str, Asset]], since: object) -> None:
    """Ask in the next read for tokens that wallets received, unless they are asked for as held."""
    conn.execute("create temporary table new_unread (like ops.wallet_unread) on commit drop")
    rows = ((asset.chain, wallet, instrument_id(asset), since) for wallet, asset in received)
    copy_rows(conn, "pg_temp.new_unread", _COLUMNS, rows)
    conn.execute(
        "delete from new_unread as new using ops.wallet_cells as cells"
        " where (new.chain, new.wallet, new.instrument_id) = (cells.chain, cells.wallet, cells.instrument_id)"
        " and cells.raw_amount <> 0"
    )
    _add(conn)


def _add(conn: Connection) -> None:
    conn.execute("insert into ops.wallet_unread select * from new_unread on conflict do nothing")
    conn.execute("drop table pg_temp.new_unread")
