"""Latest prices: everything that is followed is asked for at once, source by source, and lands.

Belongs here: the rounds from source to source. Must not be here: SQL (store.py, landing.py), history (worker.py).
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from assets.market import landing, store
from assets.market.model import FetchReport, MarketSource, Price, SourceSymbol
from assets.market.queue import Candidate, candidates
from assets.market.tracking import REFRESH_EVERY
from assets.market.working import Worked, defect, write_between_runs
from assets.warehouse.database import Connection

#: A schedule is never on time to the second.
_EARLY = timedelta(minutes=1)


class LatestPrices:
    """Asks for the newest prices of what is followed.

    Args:
        conn: in autocommit; written to in short transactions.
        sources: those that may be asked, entered by the caller.
        now: the wall clock, UTC.
        holds_pipeline: the caller's run alone writes; else runs are waited for before prices land.
        run_id: written beside batches and log rows.
    """

    def __init__(
        self,
        conn: Connection,
        sources: Mapping[str, MarketSource],
        now: Callable[[], datetime],
        *,
        holds_pipeline: bool = False,
        run_id: str | None = None,
    ) -> None:
        self._conn, self._sources, self._now = conn, sources, now
        self._holds_pipeline, self._run_id = holds_pipeline, run_id
        with conn.transaction():
            self._order = store.read_price_settings(conn).sources

    async def refresh(self, seconds: float) -> Worked:
        """Ask for the latest price of everything that is followed and due, in each one's own order of sources."""
        worked = Worked()
        with self._conn.transaction():
            due = store.read_refreshable(self._conn, self._now(), REFRESH_EVERY - _EARLY)
        if not due or seconds <= 0:
            return worked
        able = {
            one.instrument.id: candidates(one.instrument, self._sources, self._order, one.resolution, self._now())
            for one in due
        }
        try:
            async with asyncio.timeout(seconds):
                await self._refresh(able, worked)
        except TimeoutError:
            pass  # those that are left waited longest, and are first next time
        return worked

    async def _refresh(self, able: dict[str, list[Candidate]], worked: Worked) -> None:
        """Rounds: whom the first source could not price, or whose price is held, the next one is asked for."""
        while any(able.values()):
            turns: dict[str, dict[SourceSymbol, str]] = {}
            for instrument, sources in able.items():
                if sources:
                    turns.setdefault(sources[0].source, {})[sources[0].symbol] = instrument
            tasks = {
                asyncio.create_task(self._latest(self._sources[name], list(symbols))): name
                for name, symbols in turns.items()
            }
            try:
                for task in asyncio.as_completed(tasks):
                    name, prices, reports = await task
                    held = _keys(await self._land_prices(prices, reports, worked))
                    told = _keys((one.instrument_id, one.currency) for one in prices)
                    found = []
                    for symbol, instrument in turns[name].items():
                        key = (symbol.instrument_id, symbol.currency)
                        able[instrument] = [] if key in told - held else able[instrument][1:]
                        found += [instrument] if key in told else []
                    with self._conn.transaction():
                        store.note_refreshed(self._conn, found, self._now())
            finally:
                for task in tasks:
                    task.cancel()

    async def _latest(
        self, source: MarketSource, symbols: Sequence[SourceSymbol]
    ) -> tuple[str, tuple[Price, ...], tuple[FetchReport, ...]]:
        try:
            fetched = await source.latest(symbols)
        except Exception as error:
            return source.name, (), (defect(source.name, None, "latest", None, error),)
        return source.name, fetched.rows, fetched.reports or (fetched.report,)

    async def _land_prices(
        self, prices: Sequence[Price], reports: Sequence[FetchReport], worked: Worked
    ) -> set[tuple[str, str]]:
        """Land latest prices; returns instrument and currency of those that are held."""

        def write() -> tuple[landing.Landed, set[tuple[str, str]]]:
            landed = landing.land(self._conn, prices, (), self._now(), self._run_id)
            store.note_currencies(self._conn, {(one.instrument_id, one.currency) for one in prices})
            newest = max((one.priced_at for one in prices), default=None)
            store.log_fetches(self._conn, [(report, newest) for report in reports], self._run_id)
            return landed, store.held_of(self._conn, prices)

        landed, held = await write_between_runs(self._conn, write, holds_pipeline=self._holds_pipeline)
        worked.prices += len(prices)
        worked.rows += landed.changed
        worked.requests += sum(report.requests for report in reports)
        return held


def _keys(told: Iterable[tuple[str, str]]) -> set[tuple[str, str | None]]:
    """Instrument and currency, and the instrument alone: of some sources the answer tells the currency."""
    pairs = set(told)
    return {*pairs, *((instrument, None) for instrument, _ in pairs)}
