"""What runs work with: the warehouse (a database held by one run at a time) and the voice that tells of progress.

Belongs here: resources, handed in by definitions. Not here: what the assets do with them.
"""

import asyncio
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import dagster as dg

from assets.accounts.model import AccountReport, AccountRequest
from assets.accounts.store import Permitted
from assets.allocation.shards import Shards
from assets.market.refreshing import Access, Refreshed, bring_up_to_date
from assets.market.store import is_anything_needed
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure
from assets.network.permission import is_allowed
from assets.publication import runs
from assets.publication.mart_specs import MartSpec, read_specs
from assets.publication.tables import ensure_marts
from assets.wallets.log_reader import LogReport, LogRequest
from assets.wallets.model import ChainReport, ChainRequest
from assets.wallets.positions.declared import Declared
from assets.warehouse import dbt
from assets.warehouse.database import Connection, PipelineLock, connect, pipeline_lock
from assets.warehouse.migrate import migrate
from assets.warehouse.roles import ensure_reader_role
from orchestration.embedded_postgres import database_url, reader_password
from orchestration.settings import Settings, load_settings
from quality.results import CheckResult, record

#: Set by the command line when a person watches.
PROGRESS_VARIABLE = "HOLDFAST_PROGRESS"
_LOCK_WAIT_SECONDS = 60
#: What a run, and what job market_refresh, spend on prices; what is left is worked off the next time.
MARKET_SECONDS_OF_RUN, MARKET_SECONDS = 120.0, 600.0


class Warehouse:
    """One run's way to the database: it alone writes while it holds the pipeline's lock."""

    def __init__(self, url: str, lock: PipelineLock, default_inputs: str | None) -> None:
        self.url = url
        self.default_inputs = default_inputs
        self._lock = lock

    def connect(self) -> Connection:
        """A connection in a transaction; leaving its `with` block commits."""
        return connect(self.url)

    def as_of_date(self, conn: Connection) -> date:
        """The last day that the run describes."""
        row = conn.execute("select as_of_date from ops.runs inner join ops.current_run using (run_id)").fetchone()
        if row is None:
            raise dg.Failure("no run has begun: materialise the inputs first (job daily_portfolio does)")
        return row[0]  # type: ignore[no-any-return]

    def assert_still_alone(self) -> None:
        """Raise unless this run still holds the pipeline; asked right before publishing."""
        self._lock.assert_held()

    def mart_specs(self) -> Sequence[MartSpec]:
        """The marts as the dbt project describes them."""
        return self._specs

    @cached_property
    def _specs(self) -> list[MartSpec]:
        return read_specs(dbt.prepare())

    def record_dbt_tests(self, run_id: str, tests: Sequence[dbt.NodeResult]) -> None:
        """Write dbt's test results beside the gates'; a failed one holds the run."""
        results = [
            CheckResult(
                check_name=f"dbt_{test.name}",
                reach="run",
                severity="error",
                passed=test.status in {"pass", "warn"},
                failed_rows=test.failures or 0,
                threshold="0 rows",
                next_step="Report it: a model broke its own contract.",
                first_offenders=(test.message,) if test.status not in {"pass", "warn"} else (),
            )
            for test in tests
        ]
        with self.connect() as conn:
            record(conn, run_id, results)


@dg.resource(description="The database, migrated and held by this run alone.")
@contextmanager
def warehouse_resource(context: dg.InitResourceContext) -> Iterator[Warehouse]:
    """Find or start the database, take the pipeline's lock, migrate, and keep the lock until the run has ended."""
    settings = load_settings()
    url = database_url(settings)
    run_id = context.run.run_id if context.run else "unknown"
    with pipeline_lock(url, run_id, wait_seconds=_LOCK_WAIT_SECONDS) as lock:
        prepare_database(url, None if settings.database_url else reader_password(settings.home))
        try:
            yield Warehouse(url, lock, str(settings.inputs) if settings.inputs else None)
        finally:
            with connect(url) as conn:
                runs.settle(conn, run_id)


def prepare_database(url: str, password: str | None) -> str | None:
    """Migrate, make sure of every mart's table and view, and of the readers' role.

    Returns:
        What a person should know, such as a role that could not be made; None: nothing.
    """
    with connect(url, autocommit=True) as conn:
        migrate(conn)
    with connect(url) as conn:
        ensure_marts(conn, read_specs(dbt.prepare()))
    with connect(url) as conn:
        return ensure_reader_role(conn, password).message


class Chains:
    """The chains as a run may ask them: whether at all, and all at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def is_allowed(self) -> bool:
        """Whether HOLDFAST_SOURCES lets chains be asked."""
        return is_allowed("chains", self._settings.sources)

    def read(self, requests: Sequence[ChainRequest], declared: Mapping[str, Sequence[Declared]]) -> list[ChainReport]:
        """Ask them; a chain that fails says so in its report.

        Args:
            requests: one for each chain.
            declared: by chain, what owners declared: positions are read of it too.
        """
        from assets.wallets.engine import read
        from assets.wallets.other_readers import other_readers
        from assets.wallets.positions.readers import position_readers

        settings = self._settings
        return read(
            requests,
            self._endpoints(request.chain for request in requests),
            max_head_age_seconds=settings.max_head_age_seconds,
            position_readers=lambda slug: position_readers(slug, declared.get(slug, ())),
            other_readers=other_readers(settings.max_head_age_seconds),
        )

    def read_logs(self, requests: Sequence[LogRequest]) -> list[LogReport]:
        """Ask them for the logs of wallets; a chain that gives none says so in its report."""
        from assets.wallets.log_reader import read_logs

        return read_logs(requests, self._endpoints(request.chain for request in requests))

    async def call(self, slug: str, asked: Sequence[tuple[str, bytes]]) -> Sequence[bytes | Failure]:
        """Read contracts of an EVM chain at one block, beside whatever else the event loop does."""
        from assets.wallets.codec import Call
        from assets.wallets.contract_calls import read_contracts

        calls = {slug: [Call(address, data) for address, data in asked]}
        age = self._settings.max_head_age_seconds
        found = await asyncio.to_thread(read_contracts, calls, self._endpoints([slug]), max_head_age_seconds=age)
        return found[slug]

    def _endpoints(self, slugs: Iterable[str]) -> dict[str, tuple[Endpoint, ...]]:
        from assets.registry.other_chains import known_chain
        from assets.wallets.endpoints import chain_endpoints

        settings = self._settings
        return {
            slug: chain_endpoints(
                known_chain(slug),
                settings.rpc_endpoints,
                is_public_asked=settings.is_rpc_public,
                instead=settings.endpoints,
            )
            for slug in slugs
        }


@dg.resource(description="The chains of the wallets, asked over their endpoints.")
def chains_resource(context: dg.InitResourceContext) -> Chains:
    """Own and public endpoints as the environment names them."""
    return Chains(load_settings())


@dg.resource(description="Where portfolios are optimised: here, in processes, or on Dask.")
def shards_resource(context: dg.InitResourceContext) -> Shards:
    """As HOLDFAST_WORKERS says."""
    settings = load_settings()
    return Shards(settings.workers, settings.dask)


class LiveAccounts:
    """Accounts at exchanges and brokers as a run may ask them: which at all, and all at once."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self.permitted = Permitted(settings.sources, environ)
        self._endpoints = settings.endpoints

    def read(self, requests: Sequence[AccountRequest]) -> list[AccountReport]:
        """Ask them; one that fails says so in its report."""
        from assets.accounts.exchanges import Accounts

        return asyncio.run(Accounts(self._endpoints).read_all(requests))


@dg.resource(description="Accounts at exchanges and brokers, asked with the keys in the environment.")
def accounts_resource(context: dg.InitResourceContext) -> LiveAccounts:
    """Sources, endpoints and keys as the environment names them."""
    return LiveAccounts(load_settings(), os.environ)


def market_access(settings: Settings) -> Access:
    """What of prices may be asked, contracts through the endpoints of the chains."""
    return Access(settings.sources, settings.endpoints, Chains(settings).call)


class Market:
    """The sources of prices as a run may ask them. Needs no pipeline lock: prices land between runs, or within one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._access = market_access(settings)

    @cached_property
    def _url(self) -> str:
        return database_url(self._settings)

    def connect(self) -> Connection:
        """A connection in a transaction; leaving its `with` block commits."""
        return connect(self._url)

    def is_asked(self, conn: Connection) -> bool:
        """Whether HOLDFAST_SOURCES lets a source of prices be asked, and there is a portfolio to ask for."""
        return self._access.is_any and is_anything_needed(conn)

    def bring_up_to_date(
        self, run_id: str, *, horizon: datetime | None, is_present: bool, holds_pipeline: bool
    ) -> Refreshed:
        """Track and fetch; a run waits for less than a job that does nothing else."""
        with connect(self._url, autocommit=True) as conn:
            return bring_up_to_date(
                conn,
                self._access,
                lambda: datetime.now(UTC),
                MARKET_SECONDS_OF_RUN if holds_pipeline else MARKET_SECONDS,
                horizon=horizon,
                is_present=is_present,
                holds_pipeline=holds_pipeline,
                run_id=run_id,
            )


@dg.resource(description="The sources of prices, asked within the budgets of their hosts.")
def market_resource(context: dg.InitResourceContext) -> Market:
    """HOLDFAST_SOURCES and HOLDFAST_ENDPOINT_<SOURCE> as the environment has them."""
    return Market(load_settings())


class Progress:
    """Tells a watching person what happens; silent in services."""

    def __init__(self, *, is_watched: bool, log: Any = None) -> None:
        self._is_watched = is_watched
        self._log = log
        self._began = time.monotonic()

    def say(self, stage: str, text: str) -> None:
        """One line: seconds since the run began, the stage, and what it found."""
        if self._log is not None:
            self._log.info(f"{stage}: {text}")
        if self._is_watched:
            print(f"  {time.monotonic() - self._began:6.1f} s  {stage:<13} {text}", file=sys.stderr, flush=True)


@dg.resource(description="Progress for a watching person.")
def progress_resource(context: dg.InitResourceContext) -> Progress:
    """Speaks on standard error when the command line asked for it."""
    return Progress(is_watched=os.environ.get(PROGRESS_VARIABLE) == "1", log=context.log)
