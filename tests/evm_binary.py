"""The program anvil for tests: in a cache of their own, and a skip with the reason where it cannot be had.

The cache is HOLDFAST_TEST_CACHE, else a folder of the user's own cache.
"""

import os
from functools import cache
from pathlib import Path

import pytest

from assets.wallets.demo.node_program import NotAvailableError, find_anvil


def anvil() -> Path:
    """The program; a test that needs it is skipped where it cannot be had, and fails there when CI is set."""
    try:
        return _find()
    except NotAvailableError as error:
        reason = f"no EVM node: {error}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def cache_folder() -> Path:
    """Where tests keep the program."""
    given = os.environ.get("HOLDFAST_TEST_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast-tests"


def _find() -> Path:
    found = _find_once()
    if isinstance(found, NotAvailableError):
        raise found
    return found


@cache
def _find_once() -> Path | NotAvailableError:
    """Without a network npm tries for a minute: once in a session is enough."""
    try:
        return find_anvil(cache_folder())
    except NotAvailableError as error:
        return error
