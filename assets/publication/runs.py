"""The life of a run: its window, what it works on, whether there is anything to do, and how it ended.

Belongs here: ops.runs, ops.current_run, ops.run_scope. Not here: what is read (registry), what is computed, what is
published (publish).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from assets.warehouse.database import Connection

_ONE_TICK = timedelta(microseconds=1)
#: Sources that only know the present are asked when the as-of is younger than this.
PRESENT = timedelta(minutes=10)


class AsOfError(ValueError):
    """The as-of cannot be read; the message says what was expected."""


@dataclass(frozen=True)
class Window:
    """Which moment a run describes.

    Attributes:
        as_of: the moment asked for.
        cutoff_at: last instant that counts; midnight exactly closes the day before.
        is_given: False when the as-of is simply now.
    """

    as_of: datetime
    cutoff_at: datetime
    is_given: bool

    def is_present(self, now: datetime) -> bool:
        """Whether what a source says at `now` describes this moment."""
        return not self.is_given or now - self.as_of < PRESENT

    @property
    def as_of_date(self) -> date:
        """The last day that the run describes."""
        return self.cutoff_at.date()


def read_window(text: str | None, now: datetime) -> Window:
    """Read an as-of: ISO 8601, UTC if no offset; a bare date means its end; None means now.

    Raises:
        AsOfError: It is no date or time, or it lies in the future.
    """
    if not text:
        as_of = now.replace(microsecond=0)
        return Window(as_of, _cutoff(as_of), is_given=False)
    try:
        if len(text) == len("2021-03-31"):
            as_of = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
        else:
            read = datetime.fromisoformat(text)
            as_of = (read.replace(tzinfo=UTC) if read.tzinfo is None else read).astimezone(UTC)
    except ValueError:
        raise AsOfError(f"--as-of {text!r} is no date or time; expected 2021-03-31 or 2021-03-31T18:00:00Z") from None
    if as_of > now + timedelta(days=1):
        raise AsOfError(f"--as-of {text} lies in the future; nothing is known of it yet")
    return Window(as_of, _cutoff(as_of), is_given=True)


def _cutoff(as_of: datetime) -> datetime:
    return as_of - _ONE_TICK if as_of.time() == time() else as_of


def start(conn: Connection, run_id: str, inputs: str | None, window: Window) -> None:
    """Make this run the current one and end what a crash left behind, in the caller's transaction.

    Only the holder of the pipeline's lock may call it: then every other run that says `running` is dead.
    """
    conn.execute(
        "update ops.runs set status = 'failed', finished_at = now() where status = 'running' and run_id <> %s", [run_id]
    )
    conn.execute(
        "insert into ops.runs (run_id, inputs_path, as_of, cutoff_at, as_of_date, is_as_of_given)"
        " values (%s, %s, %s, %s, %s, %s)"
        " on conflict (run_id) do update set status = 'running', started_at = now(), finished_at = null",
        [run_id, inputs, window.as_of, window.cutoff_at, window.as_of_date, window.is_given],
    )
    conn.execute(
        "insert into ops.current_run (run_id) values (%s)"
        " on conflict (singleton) do update set run_id = excluded.run_id",
        [run_id],
    )
    # snapshots asked for that no publication has shown yet; one of an unknown portfolio waits until there is such a one
    conn.execute(
        "update registry.snapshot_requests set run_id = %s where published_at is null"
        " and portfolio_id in (select id from registry.portfolios where is_active)",
        [run_id],
    )
    conn.execute("truncate ops.run_scope")
    conn.execute("truncate ops.held_portfolios")
    conn.execute("delete from quality.check_results where run_id = %s", [run_id])
    # a row each, and autovacuum comes for none: unanalysed they are planned as thousands, what joins both as millions
    conn.execute("analyze ops.current_run, ops.published_inputs")


def fingerprint(conn: Connection, inputs_fingerprint: str, window: Window) -> str:
    """One hash of everything that a run's result follows from: inputs, registry, window and the product's own code."""
    registry = conn.execute(
        """
        select md5(concat_ws('#',
            (select string_agg(to_jsonb(p)::text, ',' order by p.id) from (
                select id, user_id, name, base_currency, cost_basis, lot_scope, cash, allow_short, benchmark,
                       risk_free_rate, tax_rate_short, tax_rate_long, is_active from registry.portfolios) as p),
            (select string_agg(a::text, ',' order by a.portfolio_id, a.id) from registry.accounts as a),
            (select string_agg(t::text, ',' order by t.portfolio_id, t.instrument) from registry.targets as t),
            (select string_agg(p::text, ',' order by p.portfolio_id) from registry.policies as p),
            (select string_agg(l::text, ',' order by l.portfolio_id, l.metric) from registry.limits as l),
            (select string_agg(s::text, ',' order by s.scenario_id) from registry.scenarios as s),
            (select string_agg(r::text, ',' order by r.dimension, r.bucket) from registry.risk_scores as r)))
        """
    ).fetchone()
    # without a given as-of, the run of the same hour over the same inputs has nothing new to say
    moment = window.cutoff_at if window.is_given else window.cutoff_at.replace(minute=0, second=0, microsecond=0)
    parts = [inputs_fingerprint, str(registry), moment.isoformat(), engine_version()]
    return hashlib.sha256("#".join(parts).encode()).hexdigest()


def with_live(conn: Connection, run_id: str) -> str:
    """The run's fingerprint with what live sources said up to its cut-off, written beside the run.

    One that begins or ceases to answer is a difference; another reading of the same state is none.

    Args:
        conn: in a transaction of the caller's.
        run_id: the run, whose fingerprint is that of everything else.
    """
    row = conn.execute("select inputs_fingerprint from ops.runs where run_id = %s", [run_id]).fetchone()
    states = [
        conn.execute(state, {"run": run_id}).fetchone() for state in (_ACCOUNT_STATE, _WALLET_STATE, _MARKET_STATE)
    ]
    whole = hashlib.sha256(f"{row}#{states}".encode()).hexdigest()
    conn.execute("update ops.runs set inputs_fingerprint = %s where run_id = %s", [whole, run_id])
    return whole


_ACCOUNT_STATE = """
select
    count(*), sum(files.batch_id), (select count(*) from ops.account_waiting),
    (select md5(string_agg(concat_ws('/', portfolio_id, account_id, outcome, failure), ','
     order by portfolio_id, account_id)) from ops.account_states)
from ops.input_files as files inner join ops.account_batches as own on files.batch_id = own.batch_id
"""

_WALLET_STATE = """
with
known as (
    select coalesce(max(reads.read_id), 0) as read_id
    from raw.chain_reads as reads inner join ops.runs on runs.run_id = %(run)s and reads.counts_at <= runs.cutoff_at
)
select
    (select rows.balance_id from raw.wallet_balances as rows cross join known
     where rows.read_id <= known.read_id order by rows.balance_id desc limit 1),
    (select max(rows.read_id) from raw.wallet_positions as rows cross join known where rows.read_id <= known.read_id),
    (select count(*) from raw.chain_reads as reads where reads.superseded_by is not null),
    -- the transactions that logs gave: a batch of another content has another number
    (select concat_ws('/', count(*), sum(files.batch_id)) from ops.input_files as files
     inner join raw.batches on files.batch_id = batches.batch_id and batches.source = 'chains'),
    (select md5(string_agg(asked.chain_id || (last.failure is null), ',' order by asked.chain_id))
     from (select distinct chain_id from registry.portfolio_wallets where is_active) as asked
     cross join known
     cross join lateral (
         select reads.failure from raw.chain_reads as reads
         where reads.chain = asked.chain_id and reads.read_id <= known.read_id order by reads.read_id desc limit 1
     ) as last),
    (select md5(string_agg(wallets::text, ',' order by wallets.id)) from (
         select id, portfolio_id, account_id, wallet_address, chain_id from registry.portfolio_wallets where is_active
     ) as wallets)
"""

_MARKET_STATE = """
select max(batches.batch_id), (select own::text from registry.price_settings as own)
from raw.batches inner join ops.runs on runs.run_id = %(run)s and batches.counts_from <= runs.cutoff_at
"""


def move_to(conn: Connection, run_id: str, now: datetime) -> Window:
    """Let a run that describes the present describe this moment: sources were asked after it had begun.

    An as-of that was given stays.

    Returns:
        the window as it is now.
    """
    as_of = now.replace(microsecond=0) + timedelta(seconds=1) if now.microsecond else now
    conn.execute(
        "update ops.runs set as_of = %s, cutoff_at = %s, as_of_date = %s where run_id = %s and not is_as_of_given",
        [as_of, _cutoff(as_of), _cutoff(as_of).date(), run_id],
    )
    return window_of(conn, run_id)


def window_of(conn: Connection, run_id: str) -> Window:
    """The window of a run that has begun."""
    row = conn.execute("select as_of, cutoff_at, is_as_of_given from ops.runs where run_id = %s", [run_id]).fetchone()
    if row is None:
        raise LookupError(f"run {run_id} has not begun")
    return Window(row[0], row[1], row[2])


def request_snapshots(conn: Connection, portfolios: Sequence[str] | None) -> list[str]:
    """Ask for a manual snapshot of portfolios, or of all active ones; the next run takes it.

    Returns:
        those that are no active portfolio; then nothing is asked for.
    """
    active = {row[0] for row in conn.execute("select id from registry.portfolios where is_active")}
    unknown = sorted(set(portfolios or ()) - active)
    if not unknown:
        conn.execute(
            "insert into registry.snapshot_requests (portfolio_id) select unnest(%s::text[])",
            [sorted(set(portfolios) if portfolios is not None else active)],
        )
    return unknown


def newest_request(conn: Connection) -> int | None:
    """The newest request that no publication has answered; None when nobody waits."""
    row = conn.execute(
        "select max(request_id) from registry.snapshot_requests where published_at is null"
        " and portfolio_id in (select id from registry.portfolios where is_active)"
    ).fetchone()
    return row[0] if row else None


def fulfil_requests(conn: Connection, run_id: str) -> int:
    """Note the snapshots that this run publishes; a held portfolio's goes on waiting."""
    return conn.execute(
        "update registry.snapshot_requests set published_at = clock_timestamp() where run_id = %s"
        " and published_at is null and portfolio_id not in (select portfolio_id from ops.held_portfolios)",
        [run_id],
    ).rowcount


def is_running(conn: Connection, run_id: str) -> bool:
    """Whether this run has begun and is the one that holds the pipeline."""
    row = conn.execute(
        "select from ops.current_run inner join ops.runs using (run_id) where run_id = %s and status = 'running'",
        [run_id],
    ).fetchone()
    return row is not None


def is_published(conn: Connection, run_fingerprint: str) -> bool:
    """Whether what readers see was made from exactly this, and nobody waits for a snapshot."""
    waiting = conn.execute(
        "select exists (select from registry.snapshot_requests inner join ops.current_run using (run_id)"
        " where snapshot_requests.published_at is null)"
    ).fetchone()
    if waiting == (True,):
        return False
    row = conn.execute(
        "select inputs_fingerprint from ops.runs where status in ('published', 'unchanged')"
        " order by finished_at desc limit 1"
    ).fetchone()
    return row is not None and row[0] == run_fingerprint


def choose_scope(conn: Connection) -> int:
    """Fill ops.run_scope with the portfolios whose numbers may differ, and from which day on; returns how many.

    The whole history is computed where settings or the product's own code differ, where the as-of went back, and where
    the ledger's stored results are not those of the last publication. Otherwise the first day that may differ is the
    month of the earliest changed price, or the day after the last published one; the ledger lowers it further when its
    results differ on an earlier day. It runs where a transaction, a balance or a past price differs, where a holding
    had no price yet (its first price makes a flow), and after a moment within a day.

    A portfolio with a difference, or gone, or gone to another user, takes all portfolios of its user along: they are
    compared with each other.
    Its ledger takes along those that have legs of transfers, for only by these do lots go from one portfolio to
    another. Legs of any transfer count, also of one inside the portfolio: what was its other side may be gone.
    """
    conn.execute("truncate ops.run_scope")
    chosen = conn.execute(_CHOOSE_SCOPE, {"engine": engine_version()[:12]}).rowcount
    # freshly filled: without statistics each join with it is planned for the wrong size
    conn.execute("analyze ops.run_scope")
    return chosen


_CHOOSE_SCOPE = """
with
run as (select runs.cutoff_at, runs.as_of_date from ops.current_run inner join ops.runs using (run_id)),
compared as (
    select
        prints.portfolio_id, prints.user_id, prints.changed_from, prints.has_transfers,
        prints.settings || %(engine)s as fingerprint,
        known.fingerprint is not distinct from prints.settings || %(engine)s
            and run.cutoff_at >= published.cutoff_at
            and done.portfolio_id is not null as continues,
        known.events is distinct from prints.events as has_new_events,
        known.analysis is distinct from prints.analysis or run.cutoff_at is distinct from published.cutoff_at
            as has_new_analysis,
        -- the last published day is computed again unless it was closed
        (published.cutoff_at + interval '1 microsecond')::date as next_date,
        run.as_of_date,
        -- a bare date is valued at the close of its day, which was still to come
        coalesce(last_day.incomplete_reason like '%%missing%%', false)
            or (published.cutoff_at + interval '1 microsecond')::time <> '00:00' as was_open
    from intermediate.int_portfolio_fingerprints as prints
    cross join run
    left join ops.published_inputs as published on true
    left join ops.portfolio_fingerprints as known on prints.portfolio_id = known.portfolio_id
    left join intermediate.ledger_done as done on prints.portfolio_id = done.portfolio_id
    -- one day of each portfolio by the index; a join of the two goes through all days ever published
    left join lateral (
        select days.incomplete_reason
        from history.portfolio_daily as days
        where days.portfolio_id = prints.portfolio_id and days.valuation_date = published.as_of_date
            and days.published_to is null
        limit 1
    ) as last_day on true
),
judged as (
    select
        compared.*,
        not continues or has_new_events or has_new_analysis or changed_from is not null as differs,
        not continues or has_new_events or changed_from is not null or was_open as wants_ledger
    from compared
),
found as (
    select user_id, differs, wants_ledger from judged
    union all
    -- gone since, for ever or to another user: one less to be compared with, or to have sent a transfer
    select published.user_id, true, true
    from history.portfolios as published
    left join intermediate.int_portfolio_fingerprints as prints on published.portfolio_id = prints.portfolio_id
    where published.published_to is null and published.is_active
        and published.user_id is distinct from prints.user_id
),
users as (
    select user_id, bool_or(wants_ledger) as wants_ledger from found group by user_id having bool_or(differs)
)
insert into ops.run_scope (portfolio_id, fingerprint, from_date, runs_ledger)
select
    judged.portfolio_id,
    judged.fingerprint,
    case when judged.continues then least(judged.changed_from, judged.next_date, judged.as_of_date) end,
    judged.wants_ledger or (judged.has_transfers and users.wants_ledger)
from judged
inner join users on judged.user_id = users.user_id
"""


def finish(conn: Connection, run_id: str, status: str, summary: dict[str, Any]) -> None:
    """Write down how a run ended."""
    conn.execute(
        "update ops.runs set status = %s, summary = %s, finished_at = now() where run_id = %s",
        [status, json.dumps(summary, default=str), run_id],
    )


@lru_cache(maxsize=1)
def engine_version() -> str:
    """Hash of the product's own code: another engine may give other numbers, so it computes everything again."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for folder in ("assets", "dbt_project/models", "dbt_project/macros", "quality"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".yml", ".csv"} and not path.stem.endswith("_unit_tests"):
                digest.update(path.read_bytes())
    return digest.hexdigest()


def settle(conn: Connection, run_id: str) -> None:
    """Give a run that did not reach its end its status: `held` where a gate said so, else `failed`."""
    conn.execute(
        """
        update ops.runs set finished_at = now(), status = case
            when exists (
                select 1 from quality.check_results as results
                where results.run_id = runs.run_id and not results.passed
                  and results.severity = 'error' and results.reach = 'run')
            then 'held' else 'failed' end
        where run_id = %s and status = 'running'
        """,
        [run_id],
    )
