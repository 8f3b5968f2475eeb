"""Parts of a run side by side: one is read and one written while a third is computed: server and process share cores.

Belongs here: the order of the three. Must not be here: what is read or written, and by which statement (database).
"""

from collections.abc import Callable, Generator, Iterable
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


def made_ahead(items: Iterable[Item]) -> Generator[Item, None, None]:
    """The same items in the same order, each made in a thread of its own while the one before is in use.

    Args:
        items: one is made at a time, and one at most waits; making them must not use a connection that their user does.

    Returns:
        to be closed before what making them needs: it waits for the one that is being made.
    """
    items = iter(items)
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item
