"""Accounts of exchanges and brokers, all at once; a dead one costs itself alone.

Belongs here: which reader a source has, and that every account gives a report. Must not be here: what providers say.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from assets.accounts import alpaca, any_exchange, binance, coinbase, kraken
from assets.accounts.clients import REQUEST_SECONDS, UnknownSourceError, alpaca_client, exchange_client
from assets.accounts.model import AccountReport, AccountRequest
from assets.accounts.reading import Reading
from assets.accounts.retrying import AskError, LastAnswer, Retrying, Sleep
from assets.network.budget import Deadline, Hosts
from assets.network.errors import classify

BROKERS = frozenset({"alpaca"})
_OWN_READERS: Mapping[str, Callable[[Reading, binance.Ask], Awaitable[None]]] = {
    "binance": binance.read, "kraken": kraken.read, "coinbase": coinbase.read,
}  # fmt: skip
#: A first reading of a long history may be cut off by it; it goes on from there at the next run.
ACCOUNT_SECONDS = 300.0
_AT_ONCE = 50
# all accounts of one provider together; ccxt keeps the pace of each besides
_REQUESTS_PER_SECOND = 10.0


class Accounts:
    """How accounts are asked.

    Args:
        endpoints: source → scheme and host instead of the provider's own.
        utc_now: the wall clock.
        account_seconds: each account's whole time; request_seconds: one request's.
        is_throttled: keep each provider's pace, as one must with real ones.
        sleep, chance: passed on to the retries.
    """

    def __init__(
        self, endpoints: Mapping[str, str], utc_now: Callable[[], datetime] = lambda: datetime.now(UTC), *,
        account_seconds: float = ACCOUNT_SECONDS, request_seconds: float = REQUEST_SECONDS, is_throttled: bool = True,
        sleep: Sleep = asyncio.sleep, chance: random.Random | None = None,
    ) -> None:  # fmt: skip
        self._endpoints, self._utc_now = endpoints, utc_now
        self._account_seconds, self._request_seconds = account_seconds, request_seconds
        self._is_throttled, self._sleep, self._chance = is_throttled, sleep, chance
        self._hosts = Hosts(time.monotonic, _REQUESTS_PER_SECOND if is_throttled else 1e6)

    async def read_all(self, requests: Sequence[AccountRequest]) -> list[AccountReport]:
        """Every account's report, in the order of the requests; raises nothing for an account that fails."""
        turn = asyncio.Semaphore(_AT_ONCE)

        async def read(request: AccountRequest) -> AccountReport:
            async with turn:
                return await self.read(request)

        return await asyncio.gather(*(read(request) for request in requests))

    async def read(self, request: AccountRequest) -> AccountReport:
        """One account's report."""
        reading, asking, last = Reading(request, self._utc_now()), None, LastAnswer()
        try:
            asking = self._asking(request, last)
            if request.source in BROKERS:
                await alpaca.read(reading, self._alpaca_ask(request, asking, last))
            else:
                await self._read_exchange(reading, asking, last)
        except UnknownSourceError as error:
            reading.report.outcome, reading.report.failure = "not_supported", str(error)
        except Exception as error:  # a mistake of ours or of a library costs this account, never the run
            reading.report.outcome = "failed"
            reading.report.failure = f"{type(error).__name__}: {classify(error).message}"
        reading.report.observed_at = reading.now
        outcome = reading.report.outcome
        return reading.finish(asking.requests if asking else 0) if outcome == "ok" else reading.report

    async def changed(
        self, requests: Sequence[AccountRequest], known: Mapping[tuple[str, str], str]
    ) -> dict[tuple[str, str], str]:
        """Brokers' accounts whose state differs from the known one, with the new state; cheap, three requests each.

        Args:
            requests: accounts of brokers.
            known: (portfolio, account) → state at the last reading.
        """
        states = await asyncio.gather(*(self.state(request) for request in requests))
        accounts = [(request.portfolio_id, request.account_id) for request in requests]
        return {
            account: state
            for account, state in zip(accounts, states, strict=True)
            if state is not None and known.get(account) != state
        }

    async def state(self, request: AccountRequest) -> str | None:
        """A broker's short state, for noticing changes; None where it cannot be told now."""
        last = LastAnswer()
        try:
            return await alpaca.state(self._alpaca_ask(request, self._asking(request, last), last))
        except AskError:
            return None

    def _asking(self, request: AccountRequest, last: LastAnswer) -> Retrying:
        deadline, host = Deadline(time.monotonic, self._account_seconds), self._hosts.of(request.source)
        return Retrying(deadline, host, last, self._sleep, self._chance)

    async def _read_exchange(self, reading: Reading, asking: Retrying, last: LastAnswer) -> None:
        source = reading.request.source
        client = exchange_client(
            source, reading.request.credentials, self._endpoints.get(source), last,
            request_seconds=self._request_seconds, is_throttled=self._is_throttled,
        )  # fmt: skip

        async def ask(method: str, *arguments: Any) -> Any:
            return await asking(lambda: getattr(client, method)(*arguments))

        try:
            if source == "binance":
                # Binance refuses a time stamp that is a second ahead of its own clock; without the answer, ours serves
                await reading.stream("clock", _clock(ask))
                reading.report.problems.clear()
            reader = _OWN_READERS.get(source)
            await (reader(reading, ask) if reader else any_exchange.read(reading, ask, client))
        finally:
            await client.close()

    def _alpaca_ask(self, request: AccountRequest, asking: Retrying, last: LastAnswer) -> alpaca.Ask:
        client = alpaca_client(
            request.credentials, self._endpoints.get(request.source), last, request_seconds=self._request_seconds
        )

        async def ask(path: str, parameters: dict[str, Any]) -> Any:
            return await asking(lambda: asyncio.to_thread(client.get, path, parameters))

        return ask


async def _clock(ask: Callable[..., Awaitable[Any]]) -> None:
    await ask("load_time_difference")
