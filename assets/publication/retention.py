"""Which snapshots leave the published history for the Parquet archive.

Belongs here: how long snapshots are kept by type. Must not be here: how rows move (assets/warehouse/archive.py), which
rows readers see (the publication ends daily ones after two years itself).
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import sql

from assets.warehouse.archive import Dataset, Moved, move
from assets.warehouse.database import Connection, has_relation

KEPT_AUTO = timedelta(days=90)
KEPT_DAILY = timedelta(days=730)
SNAPSHOTS = Dataset(
    "snapshots",
    "history.portfolio_snapshots",
    ("portfolio_id", "snapshot_type", "snapshot_timestamp", "published_from"),
    "snapshot_type",
    "snapshot_timestamp",
)


def published_until(conn: Connection) -> datetime | None:
    """The moment that the last publication describes; None before the first one."""
    row = conn.execute("select cutoff_at from ops.published_inputs").fetchone()
    return row[0] if row else None


def archive_snapshots(conn: Connection, root: Path, now: datetime, **options: Any) -> Moved:
    """Move old snapshots into files, with every version that was published of them.

    Of type `auto` after 90 days; of `daily` after two years those versions that no reader sees any more. The caller
    holds the pipeline's lock: a publication writes the same rows.

    Args:
        conn: with autocommit, in UTC.
        root: HOLDFAST_HOME/archive.
        now: from which ages count: the clock, or an earlier moment that was published last.
        options: of `move`.
    """
    if not has_relation(conn, SNAPSHOTS.table):
        return Moved()
    old = sql.SQL(
        "select portfolio_id, snapshot_type, snapshot_timestamp, published_from from history.portfolio_snapshots"
        " where (snapshot_type = 'auto' and snapshot_timestamp < {auto})"
        " or (snapshot_type = 'daily' and published_to is not null and snapshot_timestamp < {daily})"
    ).format(auto=sql.Literal(now - KEPT_AUTO), daily=sql.Literal(now - KEPT_DAILY))
    return move(conn, root, SNAPSHOTS, old, beside=_count_rows, **options)


def _count_rows(conn: Connection, series: str, rows: int) -> None:
    """A publication counts the mart's rows by adding to the last one's figure: make it what readers now see."""
    last = conn.execute(
        "select publication_id, table_rows from ops.publications order by publication_id desc limit 1 for update"
    ).fetchone()
    gone = conn.execute("select count(*) from pg_temp.archive_going where published_to is null").fetchone()
    if last is None or gone is None or gone[0] == 0:
        return
    counts = json.loads(last[1])
    counts["portfolio_snapshots"] = counts.get("portfolio_snapshots", 0) - gone[0]
    conn.execute("update ops.publications set table_rows = %s where publication_id = %s", [json.dumps(counts), last[0]])
