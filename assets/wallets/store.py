"""Wallets in the database: what a read left, and the reviewed instruments.

Belongs here: SQL that writes. Must not be here: what is known before a read (known_state), rows of a report
(report_rows), calls (engine), the models that value it.

Landing is COPY into temporary tables and statements over sets, in one transaction of the caller's. A row is written
where the state of a cell differs from what was known, so the same read twice adds its chain's row alone. A failed cell
never touches the good amount. What was read at a block that is gone is undone before the new read is compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from assets.wallets.known_instruments import known_instruments
from assets.wallets.known_state import LAST_READS
from assets.wallets.model import ChainReport
from assets.wallets.planning import Plan
from assets.wallets.report_rows import cell_rows, component_rows, fact_rows, read_row
from assets.wallets.unread import note_unread
from assets.warehouse.database import Connection, copy_rows

#: Changed rows from which on tables are analysed: the models come before autovacuum does.
_ANALYSED_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Landed:
    """What a landing wrote: chains asked and read, rows by table."""

    chains: int
    chains_read: int
    balances: int
    positions: int

    def __str__(self) -> str:
        if not self.chains:
            return "no chain asked"
        return (
            f"{self.chains_read} of {self.chains} chains read, {self.balances:,} changed balances, "
            f"{self.positions:,} changed positions"
        )


_READ_COLUMNS = (
    "run_id", "chain", "turn", "asked_at", "block_number", "block_hash", "block_at", "counts_at", "endpoint", "tries",
    "seconds", "cells_ok", "cells_zero", "cells_failed", "cells_unsupported", "cells_quarantined", "positions",
    "is_reorganised", "failure", "problems",
)  # fmt: skip
_NEW_TABLES = """
create temporary table new_cells (
    chain text not null, wallet text not null, instrument_id text not null, status text not null,
    raw_amount numeric(78, 0), reason text, is_kept boolean not null default true
) on commit drop;
create temporary table new_facts (
    instrument_id text not null, chain text not null, address text, decimals integer, symbol text, name text,
    asset_type text, protocol text, category text, is_position boolean not null
) on commit drop;
create temporary table new_components (
    chain text not null, instrument_id text not null, component_id text not null, per_unit ops.amount not null
) on commit drop;
create temporary table new_reads on commit drop as
select read_id, chain, block_number, is_reorganised, failure is null as is_read
from raw.chain_reads where run_id = %(run)s and read_id > %(before)s
"""
# All reads at the block that was found gone; reads of earlier blocks were not looked at and still count.
_SUPERSEDE = """
update raw.chain_reads as gone
set superseded_by = found.read_id
from (
    select new_reads.read_id, new_reads.chain, last.block_hash
    from new_reads
    cross join lateral (
        select reads.block_hash from raw.chain_reads as reads
        where reads.chain = new_reads.chain and reads.failure is null and reads.superseded_by is null
            and reads.read_id < new_reads.read_id
        order by reads.read_id desc limit 1
    ) as last
    where new_reads.is_reorganised
) as found
where gone.chain = found.chain and gone.block_hash = found.block_hash and gone.superseded_by is null
    and gone.read_id < found.read_id
"""
_TOUCHED = """
create temporary table touched_cells on commit drop as
select distinct rows.chain, rows.wallet, rows.instrument_id
from raw.wallet_balances as rows
inner join raw.chain_reads as reads on rows.read_id = reads.read_id
inner join new_reads on reads.superseded_by = new_reads.read_id
"""
_UNDO = """
delete from ops.wallet_cells as cells using touched_cells as touched
where (cells.chain, cells.wallet, cells.instrument_id) = (touched.chain, touched.wallet, touched.instrument_id)
"""
_RESTORE = """
with
standing as (
    select rows.*
    from raw.wallet_balances as rows
    inner join touched_cells using (chain, wallet, instrument_id)
    inner join raw.chain_reads as reads on rows.read_id = reads.read_id and reads.superseded_by is null
)
insert into ops.wallet_cells (chain, wallet, instrument_id, raw_amount, good_read_id, status, reason, read_id)
select
    last.chain, last.wallet, last.instrument_id, good.raw_amount, good.read_id, last.status, last.reason, last.read_id
from (
    select distinct on (chain, wallet, instrument_id) * from standing
    order by chain, wallet, instrument_id, balance_id desc
) as last
left join (
    select distinct on (chain, wallet, instrument_id) * from standing where raw_amount is not null
    order by chain, wallet, instrument_id, balance_id desc
) as good using (chain, wallet, instrument_id)
"""
# What is held again, now that a block is gone that said otherwise, was perhaps not asked: nothing confirms it yet.
_NOT_ASKED = """
insert into new_cells (chain, wallet, instrument_id, status, reason)
select
    cells.chain, cells.wallet, cells.instrument_id, 'failed', 'not asked again since the block that changed it is gone'
from ops.wallet_cells as cells
inner join touched_cells using (chain, wallet, instrument_id)
left join raw.token_facts as facts on cells.instrument_id = facts.instrument_id
where cells.raw_amount <> 0 and facts.is_position is not true
    and cells.chain in (select new_reads.chain from new_reads where new_reads.is_read)
    and not exists (
        select from new_cells as new
        where (new.chain, new.wallet, new.instrument_id) = (cells.chain, cells.wallet, cells.instrument_id))
"""
_FACTS = """
insert into raw.token_facts as known
    (instrument_id, chain, address, decimals, symbol, name, asset_type, protocol, category, is_position, read_id)
select distinct on (instrument_id)
    new_facts.instrument_id, new_facts.chain, new_facts.address, new_facts.decimals, new_facts.symbol, new_facts.name,
    new_facts.asset_type, new_facts.protocol, new_facts.category, new_facts.is_position, new_reads.read_id
from new_facts inner join new_reads on new_facts.chain = new_reads.chain
order by new_facts.instrument_id, new_facts.is_position desc
on conflict (instrument_id) do update
set decimals = coalesce(excluded.decimals, known.decimals), symbol = coalesce(excluded.symbol, known.symbol),
    name = coalesce(excluded.name, known.name), asset_type = coalesce(excluded.asset_type, known.asset_type),
    protocol = coalesce(excluded.protocol, known.protocol), category = coalesce(excluded.category, known.category),
    is_position = known.is_position or excluded.is_position, read_id = excluded.read_id
where (known.decimals, known.symbol, known.name, known.asset_type, known.protocol, known.category, known.is_position)
    is distinct from (
        coalesce(excluded.decimals, known.decimals), coalesce(excluded.symbol, known.symbol),
        coalesce(excluded.name, known.name), coalesce(excluded.asset_type, known.asset_type),
        coalesce(excluded.protocol, known.protocol), coalesce(excluded.category, known.category),
        known.is_position or excluded.is_position)
"""
# A position that is not reported any more is gone, unless a reader of that chain had a problem.
_ABSENT_POSITIONS = """
insert into new_cells (chain, wallet, instrument_id, status, raw_amount, reason)
select
    cells.chain, cells.wallet, cells.instrument_id,
    case when asked.has_problems then 'failed' else 'zero' end,
    case when not asked.has_problems then 0 end,
    case when asked.has_problems then 'a reader of positions had a problem' end
from ops.wallet_cells as cells
inner join raw.token_facts as facts on cells.instrument_id = facts.instrument_id and facts.is_position
inner join unnest(%s::text[], %s::text[], %s::boolean[]) as asked (chain, wallet, has_problems)
    on cells.chain = asked.chain and cells.wallet = asked.wallet
where cells.raw_amount <> 0
    and not exists (
        select from new_cells as new
        where (new.chain, new.wallet, new.instrument_id) = (cells.chain, cells.wallet, cells.instrument_id))
"""
_CHANGED = """
create temporary table changed_cells on commit drop as
select new.chain, new.wallet, new.instrument_id, new.status, new.raw_amount, new.reason, new_reads.read_id,
    new_reads.block_number, coalesce(facts.decimals, natives.decimals) as decimals
from new_cells as new
inner join new_reads on new.chain = new_reads.chain
left join ops.wallet_cells as cells
    on new.chain = cells.chain and new.wallet = cells.wallet and new.instrument_id = cells.instrument_id
left join raw.token_facts as facts on new.instrument_id = facts.instrument_id
left join ops.known_instruments as natives on new.instrument_id = natives.instrument_id
where (cells.status is null and (new.status = 'ok' or new.is_kept)) or cells.status <> new.status
    or (new.raw_amount is not null and new.raw_amount is distinct from cells.raw_amount)
"""
_APPEND = """
insert into raw.wallet_balances
    (read_id, chain, wallet, instrument_id, status, raw_amount, decimals, block_number, reason)
select read_id, chain, wallet, instrument_id, status, raw_amount, decimals, block_number, reason
from changed_cells
order by chain, wallet, instrument_id
"""
_UPDATE_CELLS = """
insert into ops.wallet_cells as cells
    (chain, wallet, instrument_id, raw_amount, good_read_id, status, reason, read_id)
select
    chain, wallet, instrument_id, raw_amount, case when raw_amount is not null then read_id end, status, reason, read_id
from changed_cells
on conflict (chain, wallet, instrument_id) do update
set raw_amount = coalesce(excluded.raw_amount, cells.raw_amount),
    good_read_id = coalesce(excluded.good_read_id, cells.good_read_id),
    status = excluded.status, reason = excluded.reason, read_id = excluded.read_id
"""
# The components of a receipt are one set: a difference in any writes all of them anew.
_COMPONENTS = """
with
latest as (
    select known.* from raw.wallet_positions as known
    inner join (
        select positions.instrument_id, max(positions.read_id) as read_id
        from raw.wallet_positions as positions
        inner join raw.chain_reads as reads on positions.read_id = reads.read_id and reads.superseded_by is null
        where positions.instrument_id in (select instrument_id from new_components)
        group by positions.instrument_id
    ) as newest using (instrument_id, read_id)
),
differing as (
    select coalesce(new.instrument_id, latest.instrument_id) as instrument_id
    from new_components as new
    full outer join latest using (instrument_id, component_id)
    where new.per_unit is distinct from latest.per_unit
)
insert into raw.wallet_positions (read_id, chain, instrument_id, component_id, per_unit)
select new_reads.read_id, new.chain, new.instrument_id, new.component_id, new.per_unit
from new_components as new
inner join new_reads on new.chain = new_reads.chain
where new.instrument_id in (select instrument_id from differing)
"""


def land(conn: Connection, run_id: str, cutoff_at: datetime, plan: Plan, reports: Sequence[ChainReport]) -> Landed:
    """Land what chains said, in the caller's transaction.

    Args:
        conn: in a transaction of the caller's.
        run_id: the run.
        cutoff_at: the run's last instant that counts: what it asked counts for it, also where a chain's clock is ahead.
        plan: what was asked, for what is kept of zeros and failures.
        reports: at most one of each chain.
    """
    if not reports:
        return Landed(0, 0, 0, 0)
    row = conn.execute("select coalesce(max(read_id), 0) from raw.chain_reads").fetchone()
    before = row[0] if row else 0
    turns = {chain: turn for chain, turn, *_ in conn.execute(LAST_READS, [[report.chain for report in reports]])}
    rows = (read_row(report, run_id, cutoff_at, turns.get(report.chain, 0)) for report in reports)
    copy_rows(conn, "raw.chain_reads", _READ_COLUMNS, rows)
    for statement in _NEW_TABLES.split(";"):
        conn.execute(statement, {"run": run_id, "before": before} if "%(run)s" in statement else None)
    if any(report.is_reorganised for report in reports):
        conn.execute(_SUPERSEDE)
        conn.execute(_TOUCHED)
        conn.execute(_UNDO)
        conn.execute(_RESTORE)
    read = [report for report in reports if report.block is not None and report.failure is None]
    copy_rows(conn, "pg_temp.new_cells", _columns(conn, "new_cells"), cell_rows(read, plan))
    copy_rows(conn, "pg_temp.new_facts", _columns(conn, "new_facts"), fact_rows(read))
    copy_rows(conn, "pg_temp.new_components", _columns(conn, "new_components"), component_rows(read))
    for table in ("new_reads", "new_cells", "new_facts", "new_components"):
        conn.execute(f"analyze pg_temp.{table}")
    if any(report.is_reorganised for report in reports):
        conn.execute(_NOT_ASKED)
        conn.execute("drop table pg_temp.touched_cells")
    conn.execute(_FACTS)
    problems = {report.chain: bool(report.problems) for report in read}
    asked = [(r.chain, w) for r in plan.requests if r.chain in problems for w in r.positions_of]
    note_unread(conn, read)
    conn.execute(_ABSENT_POSITIONS, [[c for c, _ in asked], [w for _, w in asked], [problems[c] for c, _ in asked]])
    conn.execute(_CHANGED)
    balances = conn.execute(_APPEND).rowcount
    conn.execute(_UPDATE_CELLS)
    positions = conn.execute(_COMPONENTS).rowcount
    if balances > _ANALYSED_ROWS:
        conn.execute("analyze raw.wallet_balances, ops.wallet_cells")
    conn.execute("analyze raw.chain_reads, raw.token_facts, raw.wallet_positions")
    for table in ("new_reads", "new_cells", "new_facts", "new_components", "changed_cells"):
        conn.execute(f"drop table pg_temp.{table}")
    return Landed(len(reports), len(read), balances, positions)


def _columns(conn: Connection, table: str) -> list[str]:
    found = conn.execute(f"select * from pg_temp.{table} limit 0").description
    return [column.name for column in found or ()]


def write_known_instruments(conn: Connection) -> int:
    """Make ops.known_instruments say what the reviewed files say; returns the rows that differed."""
    conn.execute("create temporary table new_known (like ops.known_instruments) on commit drop")
    copy_rows(conn, "pg_temp.new_known", _columns(conn, "new_known"), known_instruments())
    changed = conn.execute(
        "delete from ops.known_instruments as known where not exists"
        " (select from new_known as new where new is not distinct from known)"
    ).rowcount
    changed += conn.execute("insert into ops.known_instruments table new_known on conflict do nothing").rowcount
    conn.execute("drop table pg_temp.new_known")
    if changed:
        conn.execute("analyze ops.known_instruments")
    return changed
