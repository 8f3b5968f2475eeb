"""A long piece of work in parts, halved where a server finds a part too big.

Belongs here: which parts are asked, and which stayed unread. Must not be here: what is asked.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from assets.network.errors import Failure, Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unread:
    """Numbers from `first` to `last`, both included, of which nothing is known, and why."""

    first: int
    last: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class Parts(Generic[T]):
    """What was read, in order, and what was not; together they cover all that was asked, each number once."""

    found: tuple[T, ...]
    unread: tuple[Unread, ...]


async def in_parts(
    first: int, last: int, width: int, ask: Callable[[int, int], Awaitable[list[T] | Failure]]
) -> Parts[T]:
    """Ask for all numbers from `first` to `last`, both included, in order.

    A part that is too big is asked in halves; one number that is too big alone stays unread. Any other failure has had
    its tries at all servers, so everything from there on stays unread and is not asked.

    Args:
        first: a number.
        last: below `first`: there is nothing to ask.
        width: how many numbers a part has at most.
        ask: reads one part.
    """
    found: list[T] = []
    unread: list[Unread] = []
    # the part that is asked next is the last of the list
    waiting = [(start, min(start + width - 1, last)) for start in range(first, last + 1, width)][::-1]
    while waiting:
        start, end = waiting.pop()
        told = await ask(start, end)
        if not isinstance(told, Failure):
            found += told
        elif told.kind is not Kind.TOO_BIG:
            unread.append(Unread(start, last, told))
            break
        elif start < end:
            middle = (start + end) // 2
            waiting += [(middle + 1, end), (start, middle)]
        else:
            unread.append(Unread(start, end, told))
    return Parts(tuple(found), tuple(unread))
