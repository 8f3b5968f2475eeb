"""The two ways to run a kernel, plain and compiled: the same bits, and no need for a place to write to."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from assets.performance import compiled, xirr_kernel
from assets.performance.xirr import Rates, xirr

PLAIN, COMPILED = 10**9, 0


def made_flows(portfolios: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flows of any sign and size on any day: one root, none and several are all among them."""
    generator = np.random.default_rng(11)
    counts = generator.integers(0, 30, portfolios)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    amounts = generator.normal(-0.3, 1.0, offsets[-1]) * generator.lognormal(4, 2, offsets[-1])
    return amounts, generator.integers(0, 4000, offsets[-1]), offsets


def rates(monkeypatch: pytest.MonkeyPatch, worth_compiling: int) -> Rates:
    monkeypatch.setattr(compiled, "WORTH_COMPILING", worth_compiling)
    return xirr(*made_flows(400))


def test_compiled_and_plain_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A portfolio computed among few and again among many must not publish "changes"."""
    plain, fast = rates(monkeypatch, PLAIN), rates(monkeypatch, COMPILED)
    assert np.array_equal(plain.rate, fast.rate, equal_nan=True)
    assert plain.code.tolist() == fast.code.tolist()
    assert plain.has_several_roots.tolist() == fast.has_several_roots.tolist()
    assert {"", "no_root", "no_sign_change"} <= set(plain.code.tolist())
    assert plain.has_several_roots.any()


def test_small_numbers_are_not_compiled_until_they_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_steps_asked", Counter())
    assert compiled.kernel(xirr_kernel.solve, compiled.WORTH_COMPILING - 1) is xirr_kernel.solve
    assert compiled.kernel(xirr_kernel.solve, 1) is not xirr_kernel.solve


def test_importing_the_numerics_does_not_import_numba() -> None:
    program = "import sys, assets.performance.compute; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_a_place_to_write_it_compiles_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in an installation that belongs to another user, in an account without a home."""
    import numba.core.caching

    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    monkeypatch.setenv("NUMBA_CACHE_DIR", os.fspath(blocked))
    jitted = compiled._jit(xirr_kernel.rate_of)
    assert jitted(0.1, 2.0) == xirr_kernel.rate_of(0.1, 2.0)
