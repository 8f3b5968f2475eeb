"""SQL of what is tracked, of the queue and of the fetch log.

Belongs here: registry.price_settings, registry.tracked_instruments, registry.backfill_jobs, ops.fetch_log. Must not be
here: prices themselves (landing.py), rules (tracking.py, queue.py). Leases and next tries are counted by the database's
clock, which all workers share; what is held and what has closed, by the clock that is passed in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from assets.market.model import FetchReport, Instrument, Resolution, Window
from assets.market.queue import Job, Status, Step
from assets.warehouse.database import LOCK_CLASS, PIPELINE_LOCK, Connection

#: A notification on this channel says that something arrived that is not tracked yet.
HOLDINGS_CHANNEL = "holdfast_holdings"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the owner wants stored, and whom first."""

    resolution: Resolution = Resolution.DAY
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tracked:
    """One instrument that is followed, as the database has it."""

    instrument: Instrument
    resolution: Resolution
    first_needed_at: datetime
    last_held_at: datetime
    asked_from: datetime | None = None
    asked_until: datetime | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is written; `error` and `error_kind` say why one fails at once."""

    instrument_id: str
    source: str | None
    resolution: Resolution
    window: Window
    status: Status
    error: str | None = None
    error_kind: str | None = None


@dataclass(frozen=True, slots=True)
class NeedCounts:
    """What a look at the holdings changed."""

    added: int
    resumed: int
    paused: int


def read_price_settings(conn: Connection) -> Settings:
    """The owner's, else the product's own."""
    row = conn.execute("select resolution, sources from registry.price_settings").fetchone()
    return Settings() if row is None else Settings(Resolution(row[0]), tuple(row[1]))


def is_anything_needed(conn: Connection) -> bool:
    """Whether an active portfolio is there at all."""
    return conn.execute("select from registry.portfolios where is_active limit 1").fetchone() is not None


_NEEDS = """
create temporary table needs on commit drop as
with
active as materialized (
    select id as portfolio_id, base_currency, benchmark, risk_free_rate from registry.portfolios where is_active
),
booked as materialized (
    select rows.portfolio_id, rows.instrument_id, rows.currency, rows.fee_currency,
        min(rows.executed_at) as first_at, max(rows.executed_at) as last_at
    from raw.transactions as rows
    inner join ops.input_files as files on rows.batch_id = files.batch_id
    inner join active on rows.portfolio_id = active.portfolio_id
    group by rows.portfolio_id, rows.instrument_id, rows.currency, rows.fee_currency
),
mentions as (
    select portfolio_id, instrument_id, first_at, last_at from booked
    union all
    select rows.portfolio_id, rows.instrument_id, min(rows.balance_at), max(rows.balance_at)
    from raw.balances as rows
    inner join ops.input_files as files on rows.batch_id = files.batch_id
    inner join active on rows.portfolio_id = active.portfolio_id
    group by rows.portfolio_id, rows.instrument_id
    {wallets}
),
-- the ledger knows what was sold; what it has not seen yet counts as held
open_positions as (
    select
        portfolio_id, instrument_id,
        bool_or(valid_to is null and quantity <> 0) as is_open,
        max(valid_to)::timestamp at time zone 'UTC' as closed_at
    from intermediate.ledger_positions
    group by portfolio_id, instrument_id
),
holdings as (
    select
        mentions.portfolio_id, mentions.instrument_id, min(mentions.first_at) as first_at,
        bool_or(
            coalesce(positions.is_open, true) or mentions.last_at >= positions.closed_at + interval '1 day'
        ) as is_held,
        max(positions.closed_at) as closed_at
    from mentions
    left join open_positions as positions using (portfolio_id, instrument_id)
    group by mentions.portfolio_id, mentions.instrument_id
),
-- a token that is redeemed for another asset has that asset's price
priced as (
    select
        coalesce(custom.canonical_instrument, {canonical} holdings.instrument_id) as instrument_id,
        min(holdings.first_at) as first_at, bool_or(holdings.is_held) as is_held, max(holdings.closed_at) as closed_at
    from holdings
    left join registry.instruments as custom on holdings.instrument_id = custom.instrument
    {known}
    group by 1
),
inception as (select portfolio_id, min(first_at) as first_at from mentions group by portfolio_id),
currencies as (
    select active.base_currency as instrument_id, min(inception.first_at) as first_at
    from active left join inception using (portfolio_id) group by active.base_currency
    union all
    select currency, min(first_at) from booked where currency is not null group by currency
    union all
    select fee_currency, min(first_at) from booked where fee_currency is not null group by fee_currency
    union all
    select instrument_id, min(first_at) from priced where instrument_id like 'fiat:%%' group by instrument_id
    union all
    select custom.quote_currency, min(priced.first_at)
    from priced inner join registry.instruments as custom on priced.instrument_id = custom.instrument
    where custom.quote_currency is not null group by custom.quote_currency
    union all
    -- a stablecoin in which a source quotes is no dollar: its own price is needed
    select currency, min(tracked.first_needed_at)
    from registry.tracked_instruments as tracked cross join lateral unnest(tracked.currencies) as own (currency)
    where tracked.is_active group by currency
    union all
    -- values are published in dollars too
    select 'fiat:USD', min(first_at) from inception
),
wanted as (
    select
        priced.instrument_id, 'held' as needed_for, priced.first_at, priced.is_held, priced.closed_at, 1 as preference
    from priced where priced.instrument_id not like 'fiat:%%'
    union all
    select active.benchmark, 'benchmark', min(inception.first_at), true, null, 2
    from active left join inception using (portfolio_id)
    where active.benchmark is not null group by active.benchmark
    union all
    select active.risk_free_rate, 'risk_free_rate', min(inception.first_at), true, null, 3
    from active left join inception using (portfolio_id)
    where active.risk_free_rate like '%%:%%' group by active.risk_free_rate
    union all
    select instrument_id, 'currency', min(first_at), true, null, 4
    from currencies
    where
        instrument_id not like 'fiat:%%'
        -- one currency alone needs no rate
        or (select count(distinct instrument_id) from currencies where instrument_id like 'fiat:%%') > 1
    group by instrument_id
)
select
    instrument_id,
    (array_agg(needed_for order by is_held desc, preference))[1] as needed_for,
    min(first_at) as first_at,
    bool_or(is_held) as is_held,
    max(closed_at) as closed_at
from wanted
where
    instrument_id is not null
    -- what is the owner's own has a price elsewhere only where the owner says under which symbol
    and (
        instrument_id not like 'custom:%%'
        or exists (
            select from registry.instruments as custom
            where custom.instrument = wanted.instrument_id
                and coalesce(custom.ccxt_symbol, custom.yfinance_symbol) is not null
        )
    )
group by instrument_id
"""
# tables of wallets, where this database has them: balances, what receipts stand for, and reviewed tokens
_WALLETS = """
    union all
    select wallets.portfolio_id, parts.instrument_id, null::timestamptz, null::timestamptz
    from registry.portfolio_wallets as wallets
    inner join active on wallets.portfolio_id = active.portfolio_id
    inner join raw.wallet_balances as rows on wallets.chain_id = rows.chain and wallets.wallet_address = rows.wallet
    left join raw.wallet_positions as stands on rows.instrument_id = stands.instrument_id
    cross join lateral (values (rows.instrument_id), (stands.component_id)) as parts (instrument_id)
    where wallets.is_active and rows.raw_amount > 0 and parts.instrument_id is not null
    group by wallets.portfolio_id, parts.instrument_id
"""
_KNOWN = "left join ops.known_instruments as known on holdings.instrument_id = known.instrument_id"


def write_needs(
    conn: Connection, resolution: Resolution, now: datetime, lookback_from: datetime, pause_after: timedelta
) -> NeedCounts:
    """Set-based: what is needed is tracked, what was paused and is held again goes on, what is held no more pauses.

    Args:
        conn: in a transaction of the caller's.
        resolution: of instruments that are new.
        now: the clock, UTC.
        lookback_from: a history begins here at the latest.
        pause_after: how long after it was last held an instrument is still refreshed.
    """
    row = conn.execute(
        "select to_regclass('raw.wallet_balances') is not null, to_regclass('ops.known_instruments') is not null"
    ).fetchone()
    has_wallets, has_known = row if row else (False, False)
    conn.execute("drop table if exists pg_temp.needs")
    query = _NEEDS.format(
        wallets=_WALLETS if has_wallets else "",
        known=_KNOWN if has_known else "",
        canonical="known.canonical_instrument," if has_known else "",
    )
    conn.execute(query.replace("%%", "%").encode())
    parameters = {"resolution": resolution, "now": now, "from": lookback_from, "after": pause_after}
    added = conn.execute(
        """
        insert into registry.tracked_instruments as tracked
            (instrument_id, needed_for, resolution, first_needed_at, last_held_at, is_active, paused_at, next_job_at)
        select
            instrument_id, needed_for, %(resolution)s, least(first_at, %(from)s),
            case when is_held then %(now)s else coalesce(closed_at, first_at, %(now)s) end,
            is_held or closed_at > %(now)s - %(after)s,
            case when not (is_held or closed_at > %(now)s - %(after)s) then %(now)s end,
            %(now)s
        from pg_temp.needs
        on conflict (instrument_id) do nothing
        """,
        parameters,
    ).rowcount
    resumed = conn.execute(
        """
        with resumed as (
            update registry.tracked_instruments as tracked
            set is_active = true, paused_at = null, next_job_at = %(now)s
            from pg_temp.needs
            where tracked.instrument_id = needs.instrument_id and needs.is_held and not tracked.is_active
            returning tracked.instrument_id
        ),
        jobs as (
            update registry.backfill_jobs as jobs set status = 'queued', next_try_at = clock_timestamp()
            from resumed where jobs.instrument_id = resumed.instrument_id and jobs.status = 'paused'
        )
        select count(*) from resumed
        """,
        parameters,
    ).fetchone()
    conn.execute(
        """
        update registry.tracked_instruments as tracked
        set
            first_needed_at = least(tracked.first_needed_at, needs.first_at, %(from)s),
            last_held_at = case when needs.is_held then greatest(tracked.last_held_at, %(now)s)
                                else tracked.last_held_at end,
            needed_for = needs.needed_for
        from pg_temp.needs
        where tracked.instrument_id = needs.instrument_id and (
            tracked.first_needed_at > needs.first_at
            or (tracked.asked_from is null and tracked.first_needed_at > %(from)s)
            or tracked.needed_for <> needs.needed_for
            or (needs.is_held and tracked.last_held_at < %(now)s)
        )
        """,
        parameters,
    )
    # a job that fills history from when it was held goes on; one that only follows the market stops
    paused = conn.execute(
        """
        with paused as (
            update registry.tracked_instruments as tracked set is_active = false, paused_at = %(now)s
            where tracked.is_active and tracked.last_held_at < %(now)s - %(after)s
            returning tracked.instrument_id, tracked.last_held_at
        ),
        jobs as (
            update registry.backfill_jobs as jobs set status = 'paused'
            from paused
            where jobs.instrument_id = paused.instrument_id and jobs.status = 'queued'
                and jobs.page_cursor >= paused.last_held_at
        )
        select count(*) from paused
        """,
        parameters,
    ).fetchone()
    return NeedCounts(added, resumed[0] if resumed else 0, paused[0] if paused else 0)


_INSTRUMENT = (
    "custom.asset_class, custom.quote_currency, custom.chain, custom.address,"
    " custom.canonical_instrument, custom.yfinance_symbol, custom.ccxt_symbol"
)


def read_due(conn: Connection, now: datetime, no_source: str) -> list[Tracked]:
    """Instruments without an open job of whose history something may be missing.

    Args:
        conn: any.
        now: the clock, UTC.
        no_source: the kind of error that is looked at again each time: it costs no request.
    """
    rows = conn.execute(
        f"""
        select
            tracked.instrument_id, tracked.resolution, tracked.first_needed_at, tracked.last_held_at,
            tracked.asked_from, tracked.asked_until, tracked.is_active, {_INSTRUMENT}
        from registry.tracked_instruments as tracked
        left join registry.instruments as custom on tracked.instrument_id = custom.instrument
        left join lateral (
            select jobs.status, jobs.error_kind from registry.backfill_jobs as jobs
            where jobs.instrument_id = tracked.instrument_id order by jobs.id desc limit 1
        ) as last on true
        where
            (last.status is null or last.status in ('done', 'failed'))
            and (
                (tracked.is_active and tracked.next_job_at <= %(now)s)
                or (tracked.next_job_at <= %(now)s and tracked.asked_from is null)
                or tracked.first_needed_at < tracked.asked_from
                or (last.status = 'failed' and last.error_kind = %(no_source)s)
            )
        order by tracked.instrument_id
        """.encode(),
        {"now": now, "no_source": no_source},
    )
    return [_tracked(row) for row in rows]


def _tracked(row: Sequence[Any]) -> Tracked:
    return Tracked(
        Instrument(row[0], *row[7:14]), Resolution(row[1]), row[2], row[3], row[4], row[5], row[6]
    )  # fmt: skip


def write_jobs(conn: Connection, jobs: Sequence[NewJob], now: datetime, retry_at: datetime) -> int:
    """Queue jobs; one that nobody can serve is written as failed, in place of the one that said so before."""
    if not jobs:
        return 0
    failed = [job.instrument_id for job in jobs if job.status is Status.FAILED]
    conn.execute(
        "delete from registry.backfill_jobs where instrument_id = any(%s) and status = 'failed' and source is null",
        [[job.instrument_id for job in jobs]],
    )
    conn.execute(
        "update registry.tracked_instruments set next_job_at = %s where instrument_id = any(%s)", [retry_at, failed]
    )
    return conn.execute(
        """
        insert into registry.backfill_jobs
            (instrument_id, source, resolution, window_start, window_end, page_cursor, status, error, error_kind,
             finished_at)
        select
            instrument_id, source, resolution, window_start, window_end, window_start, status, error, error_kind,
            case when status = 'failed' then %s::timestamptz end
        from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[],
                    %s::text[])
            as new (instrument_id, source, resolution, window_start, window_end, status, error, error_kind)
        on conflict (instrument_id) where status in ('queued', 'running', 'paused') do nothing
        """,
        [
            now,
            [job.instrument_id for job in jobs],
            [job.source for job in jobs],
            [job.resolution for job in jobs],
            [job.window.start for job in jobs],
            [job.window.end for job in jobs],
            [job.status for job in jobs],
            [job.error for job in jobs],
            [job.error_kind for job in jobs],
        ],
    ).rowcount


def release_unreachable(conn: Connection, sources: Sequence[str]) -> None:
    """End queued jobs of sources that may be asked no more; what they landed stays, the rest is queued anew."""
    conn.execute(
        """
        with ended as (
            update registry.backfill_jobs
            set status = 'failed', finished_at = clock_timestamp(), error_kind = 'not_allowed',
                error = source || ' may not be asked any more (HOLDFAST_SOURCES)'
            where status = 'queued' and source <> all(%s)
            returning instrument_id, window_start, page_cursor
        )
        update registry.tracked_instruments as tracked
        set
            asked_from = case when ended.window_start <= coalesce(tracked.asked_until, ended.window_start)
                then coalesce(tracked.asked_from, ended.window_start) else tracked.asked_from end,
            asked_until = case when ended.window_start <= coalesce(tracked.asked_until, ended.window_start)
                then greatest(tracked.asked_until, ended.page_cursor) else tracked.asked_until end
        from ended where tracked.instrument_id = ended.instrument_id and ended.page_cursor > ended.window_start
        """,
        [list(sources)],
    )


def delete_finished(conn: Connection, before: datetime) -> int:
    """Delete jobs that ended, and log rows that were written, before then; returns how many jobs."""
    conn.execute("delete from ops.fetch_log where fetched_at < %s", [before])
    return conn.execute("delete from registry.backfill_jobs where finished_at < %s", [before]).rowcount


def may_land(conn: Connection) -> bool:
    """Whether no run holds the pipeline; if so none begins to write before the caller's transaction has ended."""
    row = conn.execute(
        "select pg_try_advisory_xact_lock_shared(%s, %s)", [LOCK_CLASS, PIPELINE_LOCK]
    ).fetchone()  # fmt: skip
    return bool(row and row[0])


def claim(
    conn: Connection, worker: str, source: str, limit: int, lease: timedelta, instruments: Sequence[str] | None = None
) -> list[tuple[Job, Instrument]]:
    """Take jobs that are due, and those whose worker's lease has ended; nobody else gets them meanwhile.

    Args:
        conn: in a transaction of the caller's, to be committed before the source is asked.
        worker: the claimant's name.
        source: who would be asked.
        limit: at most so many.
        lease: until when they are the claimant's.
        instruments: only theirs; None = all.
    """
    rows = conn.execute(
        f"""
        with due as (
            select id from registry.backfill_jobs
            where
                source = %(source)s
                and ((status = 'queued' and next_try_at <= clock_timestamp())
                    or (status = 'running' and leased_until < clock_timestamp()))
                and (%(instruments)s::text[] is null or instrument_id = any(%(instruments)s))
            order by next_try_at, id
            limit %(limit)s
            for update skip locked
        ),
        claimed as (
            update registry.backfill_jobs as jobs
            set status = 'running', worker = %(worker)s, leased_until = clock_timestamp() + %(lease)s,
                attempts = jobs.attempts + 1
            from due where jobs.id = due.id
            returning jobs.*
        )
        select
            jobs.id, jobs.instrument_id, jobs.source, jobs.resolution, jobs.window_start, jobs.window_end,
            jobs.page_cursor, jobs.attempts, jobs.given_up, jobs.empty_at, jobs.look_again_until, {_INSTRUMENT}
        from claimed as jobs left join registry.instruments as custom on jobs.instrument_id = custom.instrument
        order by jobs.next_try_at, jobs.id
        """.encode(),
        {"source": source, "worker": worker, "limit": limit, "lease": lease,
         "instruments": None if instruments is None else list(instruments)},
    )  # fmt: skip
    return [
        (
            Job(
                row[0], row[1], row[2], Resolution(row[3]), Window(row[4], row[5]), row[6], row[7], tuple(row[8]),
                tuple(row[9]), row[10],
            ),
            Instrument(row[1], *row[11:18]),
        )
        for row in rows
    ]  # fmt: skip


def renew(conn: Connection, worker: str, jobs: Iterable[int], lease: timedelta) -> None:
    """Lengthen the leases of jobs that the worker still has."""
    conn.execute(
        "update registry.backfill_jobs set leased_until = clock_timestamp() + %s"
        " where id = any(%s) and worker = %s and status = 'running'",
        [lease, list(jobs), worker],
    )


def release(conn: Connection, worker: str) -> None:
    """Give back what the worker has, as if it had never been claimed: it ends before it was answered."""
    conn.execute(
        "update registry.backfill_jobs set status = 'queued', worker = null, leased_until = null,"
        " attempts = greatest(attempts - 1, 0) where worker = %s and status = 'running'",
        [worker],
    )


def advance(conn: Connection, worker: str, steps: Sequence[tuple[Job, Step, int]], retry_at: datetime) -> set[int]:
    """Move jobs on, in the transaction that lands their pages.

    Args:
        conn: in that transaction.
        worker: who claimed them.
        steps: job, what becomes of it, and how many rows its page brought.
        retry_at: when an instrument whose job failed is looked at again.

    Returns:
        The jobs that were still the worker's. What others brought must not be landed: their lease has ended, and
        another worker has the page.
    """
    rows = conn.execute(
        """
        with steps as (
            select * from unnest(
                %(id)s::bigint[], %(status)s::text[], %(source)s::text[], %(cursor)s::timestamptz[],
                %(attempts)s::int[], %(delay)s::float8[], %(again)s::timestamptz[], %(error)s::text[], %(kind)s::text[],
                %(given_up)s::text[], %(empty_at)s::text[], %(rows)s::int[]
            ) as new (id, status, source, page_cursor, attempts, delay, again, error, kind, given_up, empty_at, landed)
        ),
        moved as (
            update registry.backfill_jobs as jobs
            set status = steps.status, source = coalesce(steps.source, jobs.source), page_cursor = steps.page_cursor,
                attempts = steps.attempts, next_try_at = clock_timestamp() + make_interval(secs => steps.delay),
                look_again_until = steps.again, error = steps.error, error_kind = steps.kind,
                given_up = string_to_array(steps.given_up, ' '), empty_at = string_to_array(steps.empty_at, ' '),
                landed_rows = jobs.landed_rows + steps.landed, worker = null, leased_until = null,
                finished_at = case when steps.status in ('done', 'failed') then clock_timestamp() end
            from steps
            where jobs.id = steps.id and jobs.worker = %(worker)s and jobs.status = 'running'
            returning jobs.id, jobs.instrument_id, jobs.status, jobs.window_start, jobs.page_cursor, jobs.resolution
        ),
        -- what has been asked for without a hole; a failed job's part counts where it joins the rest
        ended as (
            update registry.tracked_instruments as tracked
            set
                asked_from = case when moved.status = 'done' or joins.here
                    then least(tracked.asked_from, moved.window_start) else tracked.asked_from end,
                asked_until = case when moved.status = 'done' or joins.here
                    then greatest(tracked.asked_until, moved.page_cursor) else tracked.asked_until end,
                next_job_at = case
                    when moved.status = 'failed' then %(retry_at)s
                    else greatest(tracked.asked_until, moved.page_cursor) + case moved.resolution
                        when '1m' then interval '1 minute' when '5m' then interval '5 minutes'
                        when '15m' then interval '15 minutes' when '1h' then interval '1 hour'
                        else interval '1 day' end
                end
            from moved
            cross join lateral (
                select moved.page_cursor > moved.window_start and exists (
                    select from registry.tracked_instruments as own
                    where own.instrument_id = moved.instrument_id
                        and (own.asked_until is null
                            or (moved.window_start >= own.asked_from and moved.window_start <= own.asked_until))
                ) as here
            ) as joins
            where tracked.instrument_id = moved.instrument_id and moved.status in ('done', 'failed')
        )
        select id from moved
        """,
        {
            "worker": worker,
            "retry_at": retry_at,
            "id": [job.id for job, _, _ in steps],
            "status": [step.status for _, step, _ in steps],
            "source": [step.source for _, step, _ in steps],
            "cursor": [step.cursor for _, step, _ in steps],
            "attempts": [step.attempts for _, step, _ in steps],
            "delay": [step.delay_seconds for _, step, _ in steps],
            "again": [step.look_again_until for _, step, _ in steps],
            "error": [step.error for _, step, _ in steps],
            "kind": [step.error_kind for _, step, _ in steps],
            "given_up": [" ".join(step.given_up) for _, step, _ in steps],
            "empty_at": [" ".join(step.empty_at) for _, step, _ in steps],
            "rows": [rows for _, _, rows in steps],
        },
    ).fetchall()
    return {row[0] for row in rows}


def next_try_in(conn: Connection, sources: Sequence[str]) -> float | None:
    """Seconds until the next job of these sources can be claimed; None: there is none."""
    row = conn.execute(
        "select extract(epoch from min(case status when 'queued' then next_try_at else leased_until end)"
        " - clock_timestamp())::float8 from registry.backfill_jobs"
        " where status in ('queued', 'running') and source = any(%s)",
        [list(sources)],
    ).fetchone()
    return None if row is None or row[0] is None else max(row[0], 0.0)


def is_work_waiting(conn: Connection) -> bool:
    """Whether something arrived that is not tracked, or a job is due: what a sensor asks."""
    row = conn.execute(
        """
        select
            exists (
                select from registry.backfill_jobs
                where (status = 'queued' and next_try_at <= clock_timestamp())
                    or (status = 'running' and leased_until < clock_timestamp()))
            or exists (
                select from (
                    select rows.instrument_id from raw.transactions as rows
                    inner join ops.input_files as files on rows.batch_id = files.batch_id
                    union
                    select rows.instrument_id from raw.balances as rows
                    inner join ops.input_files as files on rows.batch_id = files.batch_id
                ) as held
                where held.instrument_id not like 'fiat:%' and held.instrument_id not like 'custom:%'
                    and not exists (
                        select from registry.tracked_instruments as tracked
                        where tracked.instrument_id = held.instrument_id))
        """
    ).fetchone()
    return bool(row and row[0])


def read_refreshable(conn: Connection, now: datetime, every: timedelta) -> list[Tracked]:
    """Active instruments whose latest price is due, those that waited longest first."""
    rows = conn.execute(
        f"""
        select
            tracked.instrument_id, tracked.resolution, tracked.first_needed_at, tracked.last_held_at,
            tracked.asked_from, tracked.asked_until, tracked.is_active, {_INSTRUMENT}
        from registry.tracked_instruments as tracked
        left join registry.instruments as custom on tracked.instrument_id = custom.instrument
        where
            tracked.is_active and (tracked.refreshed_at is null or tracked.refreshed_at <= %s)
            -- of what no source has ever known the price is not asked for every quarter of an hour
            and (tracked.asked_until is not null or not exists (
                select from registry.backfill_jobs as jobs
                where jobs.instrument_id = tracked.instrument_id and jobs.status = 'failed'))
        order by tracked.refreshed_at nulls first, tracked.instrument_id
        """.encode(),
        [now - every],
    )
    return [_tracked(row) for row in rows]


def note_refreshed(conn: Connection, instruments: Sequence[str], now: datetime) -> None:
    """Remember that these were asked for their latest price and had one."""
    conn.execute(
        "update registry.tracked_instruments set refreshed_at = %s where instrument_id = any(%s)",
        [now, list(instruments)],
    )


def note_currencies(conn: Connection, found: Iterable[tuple[str, str]]) -> None:
    """Remember in which currencies prices of an instrument came: those are needed too."""
    pairs = sorted(set(found))
    conn.execute(
        """
        update registry.tracked_instruments as tracked set currencies = tracked.currencies || new.currencies
        from (
            select instrument_id, array_agg(currency order by currency) as currencies
            from unnest(%s::text[], %s::text[]) as pairs (instrument_id, currency)
            where not exists (
                select from registry.tracked_instruments as own
                where own.instrument_id = pairs.instrument_id and pairs.currency = any(own.currencies))
            group by instrument_id
        ) as new
        where tracked.instrument_id = new.instrument_id
        """,
        [[one for one, _ in pairs], [currency for _, currency in pairs]],
    )


def log_fetches(conn: Connection, reports: Sequence[tuple[FetchReport, datetime | None]], run_id: str | None) -> None:
    """Write what questions cost: report, and the newest instant that it brought."""
    with conn.cursor() as cursor, cursor.copy(
        "copy ops.fetch_log (source, instrument_id, asked, window_start, window_end, requests, cache_hits, outcome,"
        " row_count, newest_at, gaps, duplicates_dropped, contradictions, open_dropped, outside_dropped,"
        " clock_skew_seconds, failure_kind, failure, run_id) from stdin"
    ) as copy:  # fmt: skip
        for report, newest in reports:
            window, failure = report.window, report.failure
            gaps = ",".join(f"[{gap.start.isoformat()},{gap.end.isoformat()})" for gap in report.gaps)
            copy.write_row(
                (
                    report.source, report.instrument_id, report.asked, window.start if window else None,
                    window.end if window else None, report.requests, report.cache_hits, report.outcome, report.rows,
                    newest, f"{{{gaps}}}" if gaps else None, report.duplicates_dropped, report.contradictions,
                    report.open_dropped, report.outside_dropped, report.clock_skew_seconds,
                    failure.kind if failure else None, failure.message if failure else None, run_id,
                )
            )  # fmt: skip
