"""Candle pagination: which bars to expect, in which pieces to ask for them, and what of an answer may stay.

Belongs here: arithmetic on the grid of a market that never closes. Must not be here: requests, which bars count.
Libraries page by what came (`paginate=True` of ccxt stops after ten calls and returns 10,000 of 35,040 candles without
a word); here the grid says what must come, so whatever is missing is known and told. Nothing is ever filled in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Protocol, TypeVar

from assets.market.model import Resolution, Window

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Dated(Protocol):
    """A row that opens at an instant."""

    @property
    def opened_at(self) -> datetime:
        """When it opened, UTC."""


B = TypeVar("B", bound=Dated)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one exchange gives.

    Attributes:
        bars_per_request: most bars in one answer.
        bars_kept: it has only the newest so many bars of a resolution, whatever is asked for; None = all.
    """

    bars_per_request: int
    bars_kept: int | None = None

    def __post_init__(self) -> None:
        if self.bars_per_request < 1 or (self.bars_kept is not None and self.bars_kept < 1):
            raise ValueError(f"{self}: expected at least one bar")


@dataclass(frozen=True, slots=True)
class Plan:
    """A window as pages.

    Attributes:
        pages: oldest first, on the grid, at most `bars_per_request` bars each; no two overlap.
        out_of_reach: the part of the window that the exchange no longer has.
        bars: how many bars all pages expect.
    """

    pages: tuple[Window, ...]
    out_of_reach: Window | None
    bars: int


@dataclass(frozen=True)  # with slots, `Assembled[Bar](…)` fails in Python 3.11
class Assembled(Generic[B]):
    """What stays of an answer: ascending, one bar an instant, on the grid, within the page, closed.

    Attributes:
        duplicates: rows that repeated an instant; the last one stayed.
        contradictions: those of them with other numbers than the one before.
    """

    bars: tuple[B, ...]
    gaps: tuple[Window, ...]
    duplicates: int
    contradictions: int
    still_open: int
    outside: int


def floor_to(at: datetime, step: timedelta) -> datetime:
    """The last grid point that is not after `at`."""
    return at - (at - _EPOCH) % step


def ceil_to(at: datetime, step: timedelta) -> datetime:
    """The first grid point that is not before `at`."""
    return at + (_EPOCH - at) % step


def plan(window: Window, resolution: Resolution, limits: Limits, now: datetime) -> Plan:
    """Cut a window into pages; the bar that is open at `now` and later ones are not expected.

    Args:
        window: any instants; bars count that open within and are closed at `now`.
        resolution: length of a bar.
        limits: of the exchange.
        now: the clock, UTC.
    """
    step = resolution.step
    start, end = ceil_to(window.start, step), min(ceil_to(window.end, step), floor_to(now, step))
    oldest = keeps_since(resolution, limits, now)
    out_of_reach = None
    if oldest is not None and start < oldest:
        out_of_reach = Window(start, max(min(oldest, end), start))
        start = oldest
    if start >= end:
        return Plan((), out_of_reach, 0)
    stride = limits.bars_per_request * step
    count = -((start - end) // stride)
    pages = tuple(Window(start + i * stride, min(start + (i + 1) * stride, end)) for i in range(count))
    return Plan(pages, out_of_reach, Window(start, end).bars(resolution))


def keeps_since(resolution: Resolution, limits: Limits, now: datetime) -> datetime | None:
    """The oldest opening that an exchange still has; the open bar is one of those it keeps. None = it keeps all."""
    if limits.bars_kept is None:
        return None
    return floor_to(now, resolution.step) - (limits.bars_kept - 1) * resolution.step


def assemble(rows: Iterable[B], page: Window, resolution: Resolution, now: datetime) -> "Assembled[B]":
    """Hold an answer against its page.

    Args:
        rows: as they came, in any order.
        page: on the grid.
        resolution: length of a bar.
        now: the earlier of our clock and the server's: a bar that ends later is not closed, and is a gap where the page
            has it, so that it is asked for again.
    """
    step = resolution.step
    by_opening: dict[datetime, B] = {}
    doubtful: set[datetime] = set()
    duplicates = contradictions = still_open = outside = 0
    for row in rows:
        opened_at = row.opened_at
        if opened_at + step > now:
            still_open += 1
        elif opened_at not in page or (opened_at - _EPOCH) % step:
            outside += 1
        else:
            earlier = by_opening.get(opened_at)
            duplicates += earlier is not None
            if earlier is not None and earlier != row:
                contradictions += 1
                doubtful.add(opened_at)
            by_opening[opened_at] = row
    # one answer that tells a closed bar in two ways tells neither: a gap, so it is asked for once more
    bars = tuple(by_opening[opened_at] for opened_at in sorted(by_opening.keys() - doubtful))
    return Assembled(bars, gaps(bars, page, step), duplicates, contradictions, still_open, outside)


def gaps(bars: Sequence[Dated], window: Window, step: timedelta) -> tuple[Window, ...]:
    """The stretches of the grid without a bar, joined; `bars` ascending, on the grid and within the window."""
    found, expected = [], window.start
    for bar in bars:
        if bar.opened_at > expected:
            found.append(Window(expected, bar.opened_at))
        expected = bar.opened_at + step
    if expected < window.end:
        found.append(Window(expected, window.end))
    return tuple(found)


def joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Windows in order, those that touch as one: the gaps of neighbouring pages."""
    made: list[Window] = []
    for window in sorted(windows):
        if made and made[-1].end >= window.start:
            made[-1] = Window(made[-1].start, max(made[-1].end, window.end))
        else:
            made.append(window)
    return tuple(made)
