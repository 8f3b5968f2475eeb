"""Chainlink price feeds, read on chain through the wallet engine.

Belongs here: the three calls of a feed and when its answer may be believed (docs.chain.link, "Data Feeds API
Reference"). Must not be here: nodes and requests (the `calls` that are given), addresses (data/chainlink_feeds.csv).
An address in a list proves nothing: before its first price each feed must say on chain that it is the pair that the
list says. Decimals come from the chain too.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

from assets.market.model import (
    Action,
    Bar,
    Fetched,
    FetchReport,
    Instrument,
    Outcome,
    Price,
    Resolution,
    SourceSymbol,
    Window,
    failed,
    utc,
)
from assets.market.sources.answers import joined_parts
from assets.market.symbols import Feed, feeds
from assets.network.errors import Failure, Kind

#: chain slug, contracts with their call data → what each returned, all at one block, or why there is nothing
Calls = Callable[[str, Sequence[tuple[str, bytes]]], Awaitable[Sequence[bytes | Failure]]]

_LATEST_ROUND_DATA, _GET_ROUND_DATA = bytes.fromhex("feaf968c"), bytes.fromhex("9a6fc8d5")
_DECIMALS, _DESCRIPTION = bytes.fromhex("313ce567"), bytes.fromhex("7284e416")
_WORD = 32
_MOST_DECIMALS = 36
_AHEAD = timedelta(minutes=15)


class ChainlinkSource:
    """Reviewed feeds.

    Args:
        calls: reads contracts.
        now: the wall clock, UTC.
        known: feeds by instrument; default: the reviewed list.
    """

    name = "chainlink"
    asset_classes = frozenset({"crypto", "token"})

    def __init__(self, calls: Calls, now: Callable[[], datetime], known: dict[str, Feed] | None = None) -> None:
        self._calls, self._now = calls, now
        self._feeds = feeds() if known is None else known
        self._decimals: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        return None

    def symbol_of(self, instrument: Instrument) -> SourceSymbol | None:
        """See `MarketSource`."""
        feed = self._feeds.get(instrument.id)
        return None if feed is None else SourceSymbol(self.name, instrument.id, feed.description, feed.currency)

    def keeps_since(self, resolution: Resolution, now: datetime) -> datetime | None:
        """See `MarketSource`. No bars."""
        return now

    def pages(self, symbol: SourceSymbol, resolution: Resolution, window: Window, now: datetime) -> tuple[Window, ...]:
        """None: a feed has rounds at moments of its own, no bars; `price_of_round` reads one of them."""
        return ()

    async def bars(self, symbol: SourceSymbol, resolution: Resolution, page: Window) -> Fetched[Bar]:
        """None. No request."""
        asked = f"bars {resolution}"
        return Fetched((), FetchReport(self.name, symbol.instrument_id, asked, page, 0, Outcome.EMPTY, gaps=(page,)))

    async def latest(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        """See `MarketSource`. A price older than its feed promises to be is a fault, not a price."""
        by_chain: dict[str, list[Feed]] = {}
        for symbol in symbols:
            feed = self._feeds[symbol.instrument_id]
            by_chain.setdefault(feed.chain, []).append(feed)
        parts: list[Fetched[Price]] = []
        for chain, known in by_chain.items():
            answers = await self._rounds(chain, [(feed, _LATEST_ROUND_DATA) for feed in known])
            for place, (feed, answer) in enumerate(zip(known, answers, strict=True)):
                parts.append(self._fetched(feed, answer, 0 if place else 1))
        return joined_parts(self.name, "latest", parts)

    def _fetched(self, feed: Feed, answer: Price | Failure, requests: int) -> Fetched[Price]:
        if isinstance(answer, Price) and self._now() - answer.priced_at > timedelta(seconds=feed.max_age_seconds):
            answer = Failure.of(Kind.MALFORMED, f"a price older than {feed.max_age_seconds} seconds")
        report = FetchReport(self.name, feed.instrument_id, "latest", None, requests, Outcome.FAILED)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        return Fetched((answer,), replace(report, outcome=Outcome.COMPLETE, rows=1))

    async def price_of_round(self, symbol: SourceSymbol, round_id: int) -> Price | Failure:
        """The price of one round, as it stood: `priced_at` is when the round was answered."""
        feed = self._feeds[symbol.instrument_id]
        [answer] = await self._rounds(feed.chain, [(feed, _GET_ROUND_DATA + round_id.to_bytes(_WORD))])
        return answer

    async def actions(self, symbol: SourceSymbol, window: Window) -> Fetched[Action]:
        """None: coins have no corporate actions here. No request."""
        return Fetched((), FetchReport(self.name, symbol.instrument_id, "actions", window, 0, Outcome.EMPTY))

    async def _rounds(self, chain: str, asked: Sequence[tuple[Feed, bytes]]) -> list[Price | Failure]:
        """Rounds of feeds of one chain; a feed is asked who it is until it has said so."""
        new = [feed for feed, _ in asked if feed.address not in self._decimals]
        questions = [(feed.address, data) for feed, data in asked]
        questions += [(feed.address, data) for feed in new for data in (_DESCRIPTION, _DECIMALS)]
        told = await self._calls(chain, questions)
        of_new = iter(told[len(asked) :])
        doubts: dict[str, Failure] = {}
        for feed in new:
            decimals = _proven_decimals(feed, next(of_new), next(of_new))
            if isinstance(decimals, Failure):
                doubts[feed.address] = decimals
            else:
                self._decimals[feed.address] = decimals
        return [
            doubts.get(feed.address) or self._price(feed, returned)
            for (feed, _), returned in zip(asked, told, strict=False)
        ]

    def _price(self, feed: Feed, returned: bytes | Failure) -> Price | Failure:
        if isinstance(returned, Failure):
            return returned
        if len(returned) != 5 * _WORD:
            return Failure.of(Kind.MALFORMED, "no round data")
        round_id, answer, _, updated, answered_in = (
            int.from_bytes(returned[i * _WORD : (i + 1) * _WORD], signed=i == 1) for i in range(5)
        )
        if updated == 0 or answered_in < round_id:
            return Failure.of(Kind.MALFORMED, "a round without an answer")
        if answer <= 0:
            return Failure.of(Kind.MALFORMED, "a price that is not above 0")
        if updated > self._now().timestamp() + _AHEAD.total_seconds():
            return Failure.of(Kind.MALFORMED, "a price of a time that has not come")
        return Price(
            feed.instrument_id,
            utc(updated),
            Decimal(answer).scaleb(-self._decimals[feed.address]),
            feed.currency,
            self.name,
        )


def _proven_decimals(feed: Feed, description: bytes | Failure, decimals: bytes | Failure) -> int | Failure:
    """Decimals of a contract that says that it is the feed."""
    if isinstance(description, Failure):
        return description
    if _text(description) != feed.description:
        return Failure.of(Kind.PERMANENT, "the contract does not say that it is this feed")
    if isinstance(decimals, Failure):
        return decimals
    if len(decimals) != _WORD or int.from_bytes(decimals) > _MOST_DECIMALS:
        return Failure.of(Kind.MALFORMED, "no decimals")
    return int.from_bytes(decimals)


def _text(returned: bytes) -> str | None:
    """One ABI string."""
    if len(returned) < 2 * _WORD or int.from_bytes(returned[:_WORD]) != _WORD:
        return None
    size = int.from_bytes(returned[_WORD : 2 * _WORD])
    if 2 * _WORD + size > len(returned):
        return None
    return returned[2 * _WORD : 2 * _WORD + size].decode("utf-8", "replace")
