"""Results written while the next ones are computed: the server works on one core, this process on the other.

Belongs here: the order of the two. Must not be here: what is written, and by which statement (database).
"""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def write_meanwhile(items: Iterable[Item], write: Callable[[Item], None]) -> None:
    """Write each item in a thread of its own while the next one is made.

    One item is made and one written at a time, in order. An error of either ends both: nothing is written after it.

    Args:
        items: made as they are asked for; making them must not use the connection that `write` uses.
        write: never called twice at a time.
    """
    with ThreadPoolExecutor(1) as thread:
        writing: Future[None] | None = None
        for item in items:
            if writing is not None:
                writing.result()
            writing = thread.submit(write, item)
        if writing is not None:
            writing.result()
