"""Ranges in parts: whatever a server finds too big, nothing is missed and nothing is told twice."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from assets.network.errors import Failure, Kind
from assets.wallets.splitting import Parts, in_parts


@given(
    first=st.integers(0, 50),
    size=st.integers(0, 120),
    width=st.integers(1, 130),
    most=st.integers(1, 40),
    weights=st.dictionaries(st.integers(0, 170), st.integers(0, 60), max_size=12),
    broken_at=st.none() | st.integers(0, 170),
)
def test_every_number_is_read_once_or_named(
    first: int, size: int, width: int, most: int, weights: dict[int, int], broken_at: int | None
) -> None:
    last = first + size - 1

    async def ask(start: int, end: int) -> list[int] | Failure:
        assert first <= start <= end <= last
        assert end - start < width
        numbers = range(start, end + 1)
        if broken_at in numbers:
            return Failure.of(Kind.SERVER)
        weight = sum(weights.get(number, 1) for number in numbers)
        return Failure.of(Kind.TOO_BIG) if weight > most else list(numbers)

    parts = asyncio.run(in_parts(first, last, width, ask))
    named = [number for part in parts.unread for number in range(part.first, part.last + 1)]
    assert sorted([*parts.found, *named]) == list(range(first, last + 1))
    assert list(parts.found) == sorted(parts.found)
    too_heavy = [number for number in range(first, last + 1) if weights.get(number, 1) > most]
    ends = [part.first for part in parts.unread if part.failure.kind is Kind.SERVER]
    end = ends[0] if ends else last + 1
    assert [number for number in named if number < end] == [number for number in too_heavy if number < end]


def test_nothing_is_asked_of_an_empty_range() -> None:
    async def ask(start: int, end: int) -> list[int] | Failure:
        raise AssertionError

    assert asyncio.run(in_parts(5, 4, 10, ask)) == Parts((), ())
