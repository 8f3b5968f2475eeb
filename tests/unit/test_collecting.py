"""The collector while much is made."""

import gc
import weakref
from contextlib import suppress

from assets.collecting import collecting_by_hand, collecting_by_itself, collecting_what_is_new


class Circle:
    def __init__(self) -> None:
        self.own = self


def test_only_what_was_made_inside_is_looked_at_and_only_when_asked() -> None:
    gc.collect()  # the next by itself is far away
    before = weakref.ref(Circle())
    with collecting_what_is_new(), collecting_by_hand():
        assert not gc.isenabled()
        inside = weakref.ref(Circle())
        gc.collect()
        assert (before() is not None, inside()) == (True, None)
    gc.collect()
    assert (before(), gc.isenabled()) == (None, True)


def test_it_is_put_back_after_an_error_and_stays_off_where_it_was_off() -> None:
    with suppress(ZeroDivisionError), collecting_by_hand():
        assert 1 / 0
    assert gc.isenabled()
    gc.disable()
    try:
        with collecting_by_hand():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_part_of_what_is_collected_by_hand_is_left_to_the_collector() -> None:
    with collecting_by_hand():
        with suppress(ZeroDivisionError), collecting_by_itself():
            assert gc.isenabled()
            assert 1 / 0
        assert not gc.isenabled()
    with collecting_by_itself():
        pass
    assert gc.isenabled()
