"""Pages and gaps on the grid."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.market.candles import Limits, assemble, joined, keeps_since, plan
from assets.market.model import Resolution, Window

NOW = datetime(2026, 11, 20, 15, 7, tzinfo=UTC)
QUARTER = Resolution.MINUTES_15


@dataclass(frozen=True)
class Row:
    opened_at: datetime
    close: int = 1


def _at(minutes: int) -> datetime:
    return datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=minutes)


def test_a_year_of_quarter_hours():
    year = Window(NOW - timedelta(days=365), NOW)
    made = plan(year, QUARTER, Limits(1_000), NOW)
    assert made.bars == 35_039  # from 15:15 a year ago to 14:45 today: the bar of 15:00 is open
    assert len(made.pages) == 36
    assert made.pages[0].start == datetime(2025, 11, 20, 15, 15, tzinfo=UTC)
    assert made.pages[-1].end == datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
    assert plan(Window(year.start - timedelta(minutes=8), year.end), QUARTER, Limits(1_000), NOW).bars == 35_040


@given(
    start=st.integers(-5_000, 5_000),
    length=st.integers(0, 5_000),
    limit=st.integers(1, 50),
    kept=st.none() | st.integers(1, 100),
    resolution=st.sampled_from([Resolution.MINUTE, QUARTER, Resolution.HOUR]),
)
def test_pages_are_the_closed_part_of_the_window_once(start, length, limit, kept, resolution):
    window = Window(_at(start), _at(start + length))
    made = plan(window, resolution, Limits(limit, kept), NOW)
    opened = [page.start + i * resolution.step for page in made.pages for i in range(page.bars(resolution))]
    oldest = keeps_since(resolution, Limits(limit, kept), NOW) or window.start
    step = int(resolution.step.total_seconds())
    first = -(-int(window.start.timestamp()) // step) * step
    expected = [
        at
        for at in (datetime.fromtimestamp(one, UTC) for one in range(first, int(window.end.timestamp()), step))
        if at >= oldest and at + resolution.step <= NOW
    ]
    assert opened == expected
    assert all(page.bars(resolution) <= limit for page in made.pages)
    assert len(made.pages) == -(-made.bars // limit)


def test_what_the_exchange_no_longer_has_is_told():
    made = plan(Window(NOW - timedelta(days=365), NOW), QUARTER, Limits(720, bars_kept=720), NOW)
    assert made.bars == 719
    assert made.out_of_reach == Window(datetime(2025, 11, 20, 15, 15, tzinfo=UTC), made.pages[0].start)
    assert len(made.pages) == 1


def test_an_answer_is_held_against_its_page():
    page = Window(_at(0), _at(90))
    rows = [
        Row(_at(75)),
        Row(_at(0)),
        Row(_at(30)),
        Row(_at(30)),
        Row(_at(0), 2),
        Row(_at(7)),
        Row(_at(105)),
        Row(_at(-15)),
    ]
    kept = assemble(rows, page, QUARTER, NOW)
    assert [row.opened_at for row in kept.bars] == [_at(30), _at(75)]  # told in two ways: neither
    assert kept.gaps == (Window(_at(0), _at(30)), Window(_at(45), _at(75)))
    assert (kept.duplicates, kept.contradictions, kept.outside, kept.still_open) == (2, 1, 3, 0)


def test_an_open_bar_is_dropped_and_its_place_is_a_gap():
    kept = assemble([Row(_at(0)), Row(_at(15))], Window(_at(0), _at(30)), QUARTER, _at(29))
    assert [row.opened_at for row in kept.bars] == [_at(0)]
    assert kept.still_open == 1
    assert kept.gaps == (Window(_at(15), _at(30)),)
    assert assemble([Row(_at(15))], Window(_at(15), _at(30)), QUARTER, _at(30)).still_open == 0


@given(st.sets(st.integers(0, 40)))
def test_bars_and_gaps_make_the_page(present):
    page = Window(_at(0), _at(41 * 15))
    kept = assemble([Row(_at(15 * one)) for one in present], page, QUARTER, NOW)
    missing = {gap.start + i * QUARTER.step for gap in kept.gaps for i in range(gap.bars(QUARTER))}
    assert missing == {_at(15 * one) for one in range(41)} - {row.opened_at for row in kept.bars}
    assert joined(kept.gaps) == kept.gaps  # already as long as can be


def test_gaps_of_neighbouring_pages_are_one():
    assert joined([Window(_at(15), _at(30)), Window(_at(0), _at(15)), Window(_at(60), _at(75))]) == (
        Window(_at(0), _at(30)),
        Window(_at(60), _at(75)),
    )


def test_what_cannot_be_a_window_or_a_limit():
    with pytest.raises(ValueError, match="not after the end"):
        Window(_at(1), _at(0))
    with pytest.raises(ValueError, match="offset"):
        Window(datetime(2026, 1, 1), _at(0))  # noqa: DTZ001
    with pytest.raises(ValueError, match="at least one bar"):
        Limits(0)
