"""Bars out of dated single prices, for services that have no candles.

Belongs here: which point closes which bar. Must not be here: requests.
A price at the end of a step is that step's close; open, high and low are unknown and stay empty.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from assets.market.candles import assemble, floor_to
from assets.market.model import Bar, Fetched, FetchReport, Outcome, Resolution, SourceSymbol, Window


def bars_of_points(
    points: Iterable[tuple[datetime, Decimal]],
    symbol: SourceSymbol,
    resolution: Resolution,
    page: Window,
    tolerance: timedelta,
    now: datetime,
    report: FetchReport,
) -> Fetched[Bar]:
    """The bars of a page.

    Args:
        points: instants and prices, in any order.
        symbol: of which they are.
        resolution: of the bars.
        page: on the grid.
        tolerance: how far a point may be from the end of a step to be its close; others are left out, and counted.
        now: the clock, UTC.
        report: to be completed.
    """
    rows, astray = [], 0
    for at, price in points:
        end = floor_to(at + resolution.step / 2, resolution.step)
        if abs(at - end) > tolerance:
            astray += 1
        else:
            opened_at = end - resolution.step
            rows.append(
                Bar(
                    symbol.instrument_id, opened_at, resolution, None, None, None, price, None,
                    symbol.currency or "", symbol.source, at,
                )
            )  # fmt: skip
    kept = assemble(rows, page, resolution, now)
    report = replace(
        report,
        outcome=Outcome.COMPLETE if not kept.gaps else Outcome.GAPS if kept.bars else Outcome.EMPTY,
        rows=len(kept.bars),
        gaps=kept.gaps,
        duplicates_dropped=kept.duplicates,
        contradictions=kept.contradictions,
        open_dropped=kept.still_open,
        outside_dropped=kept.outside + astray,
    )
    return Fetched(kept.bars, report)
