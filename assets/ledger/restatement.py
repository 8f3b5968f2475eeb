"""From which day on a portfolio's new ledger results differ from its old ones.

Belongs here: keeping the old results aside while new ones are written, comparing the two, and moving
`ops.run_scope.from_date` back to the first day that differs. Must not be here: which portfolios are run (the scope),
how results come about.

Days follow from positions and entries. Positions are compared as steps: an interval that is merely cut at a later day
is the same up to that day. Entries are compared as multisets, day by day.
"""

from assets.warehouse.database import Connection

_REMEMBER = """
create temp table ledger_old_{table} on commit drop as
select results.*
from intermediate.ledger_{table} as results
join ops.run_scope as scope using (portfolio_id)
where scope.runs_ledger and scope.from_date is not null
"""

# Rows that both sides have cancel each other out. What is left over of the positions names few places, and only their
# intervals become steps: from this day on, this state; what ends without a follower steps to nothing.
_LOWER = """
with part as (
    select portfolio_id from ops.run_scope where runs_ledger and from_date is not null
),
positions as materialized (
    select 1 as side, * from ledger_old_positions
    union all
    select -1, results.* from intermediate.ledger_positions as results join part using (portfolio_id)
),
left_over as (
    select portfolio_id, account_id, instrument_id
    from positions
    group by portfolio_id, account_id, instrument_id, valid_from, valid_to,
        quantity, quantity_at_cost_fx, cost_base, flow_basis
    having sum(side) <> 0
),
intervals as materialized (
    select positions.*, lead(valid_from) over (
        partition by side, portfolio_id, account_id, instrument_id order by valid_from
    ) as next_from
    from positions
    where (portfolio_id, account_id, instrument_id) in (select * from left_over)
),
steps as (
    select side, portfolio_id, account_id, instrument_id, valid_from as day,
        quantity, quantity_at_cost_fx, cost_base, flow_basis
    from intervals
    union all
    select side, portfolio_id, account_id, instrument_id, valid_to, null, null, null, null
    from intervals
    where valid_to is distinct from next_from and valid_to is not null
),
entries as (
    select 1 as side, * from ledger_old_entries
    union all
    select -1, results.* from intermediate.ledger_entries as results join part using (portfolio_id)
),
differing as (
    select portfolio_id, day
    from steps
    group by portfolio_id, account_id, instrument_id, day, quantity, quantity_at_cost_fx, cost_base, flow_basis
    having sum(side) <> 0
    union all
    select portfolio_id, entry_date
    from entries
    group by portfolio_id, account_id, instrument_id, transaction_id, entry_date, measure, amount_base
    having sum(side) <> 0
),
first_days as (
    select portfolio_id, min(day) as day from differing group by portfolio_id
)
update ops.run_scope as scope
set from_date = first_days.day
from first_days
where first_days.portfolio_id = scope.portfolio_id and first_days.day < scope.from_date
"""


def remember(conn: Connection) -> bool:
    """Keep aside the old results of the portfolios that are run for a part of their days.

    Args:
        conn: in the transaction in which the new results are written.

    Returns:
        whether there are such portfolios.
    """
    found = conn.execute("select from ops.run_scope where runs_ledger and from_date is not null limit 1").fetchone()
    if found is None:
        return False
    for table in ("positions", "entries"):
        conn.execute(_REMEMBER.format(table=table))
    return True


def lower_from_dates(conn: Connection) -> int:
    """Move `from_date` back where results before it have changed, and forget what `remember` kept.

    Args:
        conn: in the transaction of `remember`, after the new results are written.

    Returns:
        how many portfolios begin earlier than the scope said.
    """
    lowered = conn.execute(_LOWER).rowcount
    conn.execute("drop table ledger_old_positions, ledger_old_entries")
    return lowered
