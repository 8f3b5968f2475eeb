"""SQL of batches: each landing of prices or corporate actions is one for each source.

Belongs here: raw.batches as the market's landings write them. Must not be here: what is in a batch.
"""

from datetime import datetime

from assets.warehouse.database import Connection


def write_batch(
    conn: Connection, kind: str, source: str, digest: str, rows: int, counts_from: datetime, run_id: str | None
) -> int:
    """A batch of what differs; `counts_from` is the earliest instant that it changes."""
    row = conn.execute(
        "insert into raw.batches (kind, source, content_hash, row_count, status, run_id, counts_from)"
        " values (%s, %s, %s, %s, 'accepted', %s, %s) returning batch_id",
        [kind, source, digest, rows, run_id, counts_from],
    ).fetchone()
    return int(row[0]) if row else 0
