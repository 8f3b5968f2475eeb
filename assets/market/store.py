"""SQL of what is tracked, of the owner's settings, and of the fetch log.

Belongs here: registry.price_settings, registry.tracked_instruments but for what is needed (needs.py), ops.fetch_log,
and whether there is anything to do at all. Must not be here: prices (landing.py), what becomes of a job (jobs.py),
rules (tracking.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from assets.market.model import FetchReport, Instrument, Price, Resolution
from assets.warehouse.database import Connection, has_relation

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


def read_price_settings(conn: Connection) -> Settings:
    """The owner's, else the product's own."""
    row = conn.execute("select resolution, sources from registry.price_settings").fetchone()
    return Settings() if row is None else Settings(Resolution(row[0]), tuple(row[1]))


def is_ready(conn: Connection) -> bool:
    """Whether the database has been migrated this far: a service may look before its first run."""
    return has_relation(conn, "registry.backfill_jobs")


def is_anything_needed(conn: Connection) -> bool:
    """Whether an active portfolio is there at all."""
    return conn.execute("select from registry.portfolios where is_active limit 1").fetchone() is not None


def is_work_waiting(conn: Connection) -> bool:
    """Whether holdings came that nobody has looked at, or a job is due: what a sensor asks."""
    row = conn.execute(
        """
        select
            exists (
                select from registry.backfill_jobs
                where (status = 'queued' and next_try_at <= clock_timestamp())
                    or (status = 'running' and leased_until < clock_timestamp()))
            or exists (
                select from raw.batches
                where kind in ('transactions', 'balances')
                    and batch_id > coalesce((select looked_batch_id from ops.market_state), 0))
            or exists (
                select from raw.wallet_balances
                where raw_amount > 0
                    and balance_id > coalesce((select looked_balance_id from ops.market_state), 0))
        """
    ).fetchone()
    return bool(row and row[0])


#: What a source needs to know of an instrument, from registry.instruments as `custom`.
INSTRUMENT = (
    "custom.asset_class, custom.quote_currency, custom.chain, custom.address,"
    " custom.canonical_instrument, custom.yfinance_symbol, custom.ccxt_symbol"
)


# what `_tracked` reads
_TRACKED = f"""select
            tracked.instrument_id, tracked.resolution, tracked.first_needed_at, tracked.last_held_at,
            tracked.asked_from, tracked.asked_until, tracked.is_active, {INSTRUMENT}
        from registry.tracked_instruments as tracked
        left join registry.instruments as custom on tracked.instrument_id = custom.instrument"""
_LAST_JOB = """left join lateral (
            select jobs.status, jobs.error, jobs.error_kind from registry.backfill_jobs as jobs
            where jobs.instrument_id = tracked.instrument_id and not jobs.is_second_look
            order by jobs.id desc limit 1
        ) as last on true"""


def read_due(conn: Connection, now: datetime, no_source: str) -> list[Tracked]:
    """Instruments without an open job of whose history something may be missing.

    Args:
        conn: any.
        now: the clock, UTC.
        no_source: the kind of error that is looked at again each time: it costs no request.
    """
    rows = conn.execute(
        f"""
        {_TRACKED}
        {_LAST_JOB}
        where
            not exists (
                select from registry.backfill_jobs as jobs
                where jobs.instrument_id = tracked.instrument_id and jobs.status in ('queued', 'running', 'paused'))
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


def read_known(conn: Connection) -> list[tuple[Instrument, str | None, str | None, str | None, bool]]:
    """Followed and declared instruments: name, `active` or `paused`, why the last job failed, whether declared."""
    rows = conn.execute(
        f"""
        select
            coalesce(tracked.instrument_id, custom.instrument), {INSTRUMENT}, custom.name,
            case when tracked.is_active then 'active' when not tracked.is_active then 'paused' end,
            case when last.status = 'failed' then last.error end, custom.instrument is not null
        from registry.tracked_instruments as tracked
        full join registry.instruments as custom on tracked.instrument_id = custom.instrument
        {_LAST_JOB}
        """.encode()
    )
    return [(Instrument(*row[:8]), row[8], row[9], row[10], row[11]) for row in rows]


def read_refreshable(conn: Connection, now: datetime, every: timedelta) -> list[Tracked]:
    """Active instruments whose latest price is due, those that waited longest first."""
    rows = conn.execute(
        f"""
        {_TRACKED}
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


def held_of(conn: Connection, prices: Sequence[Price]) -> set[tuple[str, str]]:
    """Instrument and currency of those of these latest prices that are held."""
    rows = conn.execute(
        """
        select distinct bars.instrument_id, bars.currency
        from unnest(%s::text[], %s::text[], %s::timestamptz[]) as told (instrument_id, source, priced_at)
        inner join raw.bars as bars
            on told.instrument_id = bars.instrument_id and told.source = bars.source
                and told.priced_at = bars.opened_at and bars.resolution = 'tick' and bars.status = 'held'
        """,
        [[one.instrument_id for one in prices], [one.source for one in prices], [one.priced_at for one in prices]],
    )
    return {(row[0], row[1]) for row in rows}


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
