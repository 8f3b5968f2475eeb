"""A whole window of one symbol: its pages, and its gaps asked for once more.

Belongs here: joining pages. Must not be here: leases and retries later (queue.py), requests (sources/).
A candle can be missing because nobody traded or because one answer was short: the second look tells them apart. It is
one request a symbol, so n bars never cost more than ceil(n / limit) + 1.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

from assets.market.candles import joined
from assets.market.model import Bar, Fetched, FetchReport, MarketSource, Outcome, Resolution, SourceSymbol, Window


async def collect(
    source: MarketSource,
    symbol: SourceSymbol,
    resolution: Resolution,
    window: Window,
    now: Callable[[], datetime],
) -> Fetched[Bar]:
    """All bars of a window that the source has; `reports` has one for each page, the second look last.

    Gaps that remain were seen twice, or lie further apart than one page reaches.
    """
    pages = source.pages(symbol, resolution, window, now())
    parts = list(await asyncio.gather(*(source.bars(symbol, resolution, page) for page in pages)))
    missing = joined(gap for part in parts for gap in part.report.gaps)
    if missing and any(part.rows for part in parts):
        around = Window(missing[0].start, missing[-1].end)
        (again, *_) = source.pages(symbol, resolution, around, now()) or (None,)
        if again is not None:
            parts.append(await source.bars(symbol, resolution, again))
    return _joined(source.name, symbol, resolution, window, len(pages), parts)


def _joined(
    source: str,
    symbol: SourceSymbol,
    resolution: Resolution,
    window: Window,
    pages: int,
    parts: list[Fetched[Bar]],
) -> Fetched[Bar]:
    bars = {bar.opened_at: bar for part in reversed(parts) for bar in part.rows}
    reports = tuple(part.report for part in parts)
    answered = [report.is_answered for report in reports[:pages]]
    gaps = tuple(
        gap for report in reports[:pages] for whole in report.gaps for gap in _without(whole, bars, resolution)
    )
    if not all(answered):
        outcome = Outcome.PARTIAL if any(answered) else Outcome.FAILED
    else:
        outcome = Outcome.EMPTY if not bars else Outcome.GAPS if gaps else Outcome.COMPLETE
    report = FetchReport(
        source,
        symbol.instrument_id,
        f"bars {resolution}",
        window,
        sum(one.requests for one in reports),
        outcome,
        rows=len(bars),
        cache_hits=sum(one.cache_hits for one in reports),
        failure=next((one.failure for one in reports if not one.is_answered), None)
        or next((one.failure for one in reports if one.failure is not None), None),
        gaps=joined(gaps),
        duplicates_dropped=sum(one.duplicates_dropped for one in reports),
        contradictions=sum(one.contradictions for one in reports),
        open_dropped=sum(one.open_dropped for one in reports),
        outside_dropped=sum(one.outside_dropped for one in reports[:pages]),
        clock_skew_seconds=next((one.clock_skew_seconds for one in reports if one.clock_skew_seconds), None),
    )
    return Fetched(tuple(bars[at] for at in sorted(bars)), report, reports)


def _without(gap: Window, bars: dict[datetime, Bar], resolution: Resolution) -> list[Window]:
    """What is left of a gap once the second look is in."""
    left, at = [], gap.start
    while at < gap.end:
        if at not in bars:
            left.append(Window(at, at + resolution.step))
        at += resolution.step
    return left
