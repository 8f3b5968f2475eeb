"""SQL of corporate actions: what sources tell of splits and dividends is compared with what is known and lands.

Belongs here: raw.source_actions and its batches. Must not be here: prices (landing.py), which action counts (dbt).
"""

import hashlib
from collections.abc import Sequence

from assets.market.batches import write_batch
from assets.market.model import Action
from assets.warehouse.database import Connection, copy_rows


def land_actions(conn: Connection, actions: Sequence[Action], run_id: str | None) -> int:
    """Upsert splits and dividends; returns how many differed. One that a source takes back stays: it may be a gap."""
    if not actions:
        return 0
    columns = "instrument_id, source, kind, ex_date, ratio, amount, currency"
    conn.execute(
        "create temporary table if not exists incoming_actions (like raw.source_actions) on commit delete rows"
    )
    conn.execute("alter table pg_temp.incoming_actions alter batch_id drop not null, alter seen_at drop not null")
    copy_rows(
        conn,
        "pg_temp.incoming_actions",
        columns.split(", "),
        (
            (one.instrument_id, one.source, one.kind, one.ex_date, one.ratio, one.amount, one.currency)
            for one in {(one.instrument_id, one.source, one.kind, one.ex_date): one for one in actions}.values()
        ),
    )
    conn.execute(
        """
        delete from pg_temp.incoming_actions as incoming using raw.source_actions as known
        where
            (incoming.instrument_id, incoming.source, incoming.kind, incoming.ex_date)
            = (known.instrument_id, known.source, known.kind, known.ex_date)
            and (incoming.ratio, incoming.amount, incoming.currency)
            is not distinct from (known.ratio, known.amount, known.currency)
        """
    )
    changed = 0
    for source, first, count in conn.execute(
        "select source, min(ex_date)::timestamp at time zone 'UTC', count(*) from pg_temp.incoming_actions"
        " group by source"
    ).fetchall():
        digest = hashlib.md5(repr(sorted(map(repr, actions))).encode(), usedforsecurity=False).hexdigest()
        batch = write_batch(conn, "source_actions", source, digest, count, first, run_id)
        changed += conn.execute(
            f"""
            insert into raw.source_actions ({columns}, batch_id)
            select {columns}, %s from pg_temp.incoming_actions where source = %s
            on conflict (instrument_id, source, kind, ex_date) do update
            set ratio = excluded.ratio, amount = excluded.amount, currency = excluded.currency,
                batch_id = excluded.batch_id, seen_at = now()
            """.encode(),
            [batch, source],
        ).rowcount
    return changed
