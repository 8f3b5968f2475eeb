"""Reading and writing beside making: the order, and what an error of either leaves undone."""

from collections.abc import Iterator
from threading import Barrier, get_ident

import pytest

from assets.warehouse.writing import made_ahead, write_meanwhile

WAIT = 10.0


def test_one_is_written_while_the_next_is_made() -> None:
    both, written = Barrier(2), []

    def items() -> Iterator[int]:
        yield 0
        both.wait(WAIT)  # until the first is being written
        yield 1

    def write(item: int) -> None:
        if item == 0:
            both.wait(WAIT)
        written.append((item, get_ident()))

    write_meanwhile(items(), write)
    assert [item for item, _ in written] == [0, 1]
    assert {thread for _, thread in written} & {get_ident()} == set()


def test_nothing_is_written_after_an_error_of_either() -> None:
    written: list[int] = []

    def fails_at_two() -> Iterator[int]:
        yield from (0, 1)
        raise ValueError("cannot be made")

    with pytest.raises(ValueError, match="cannot be made"):
        write_meanwhile(fails_at_two(), written.append)
    assert written == [0, 1]

    def refuse(item: int) -> None:
        written.append(item)
        raise OSError("cannot be written")

    with pytest.raises(OSError, match="cannot be written"):
        write_meanwhile(iter(range(10, 20)), refuse)
    assert written == [0, 1, 10]


def test_nothing_is_made_of_nothing() -> None:
    write_meanwhile([], pytest.fail)


def test_the_next_is_made_while_one_is_in_use() -> None:
    both, made_in = Barrier(2), set()

    def items() -> Iterator[int]:
        made_in.add(get_ident())
        yield 0
        both.wait(WAIT)  # until the first is in use
        yield 1

    found = made_ahead(items())
    assert next(found) == 0
    both.wait(WAIT)
    assert list(found) == [1]
    assert made_in & {get_ident()} == set()


def test_an_error_of_the_next_comes_after_the_one_before() -> None:
    def fails_at_one() -> Iterator[int]:
        yield 0
        raise ValueError("cannot be read")

    found = made_ahead(fails_at_one())
    assert next(found) == 0
    with pytest.raises(ValueError, match="cannot be read"):
        next(found)


def test_nothing_more_is_made_than_one_ahead() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(5):
            made.append(number)
            yield number

    found = made_ahead(items())
    assert next(found) == 0
    found.close()
    assert made == [0, 1]
