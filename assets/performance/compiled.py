"""Runs loops over numbers as they stand, or compiled by numba where there are enough of them to be worth it.

Belongs here: when and how a kernel module is compiled. Must not be here: any loop itself.

A kernel module (`*_kernel.py`) holds nothing but constants and plain functions of numbers and arrays, in the part of
Python that numba compiles. One source, two ways to run it: importing numba takes 0.6 s, loading compiled code from its
cache 0.1 s, and compiling it on a machine's first large run some seconds, while the handful of portfolios of a small
run are through in milliseconds without. Both ways give the same bits (tests/unit/performance/test_compiled.py).

All functions that call each other must stand in one file: numba's cache knows of changes in that file alone.
"""

import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any, TypeVar

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

# steps of a loop that the interpreter takes in about the time of importing numba, at 3 microseconds each
WORTH_COMPILING = 200_000
_steps_asked: Counter[str] = Counter()


def kernel(function: Kernel, steps: int) -> Kernel:
    """The function itself for a small number of loop steps, else its compiled form.

    Steps add up over the calls: much work that comes in small parts is much work.

    Args:
        function: of a kernel module.
        steps: how many elements its loops go over.
    """
    _steps_asked[function.__module__] += steps
    if _steps_asked[function.__module__] < WORTH_COMPILING:
        return function
    compiled: Kernel = compiled_functions(function.__module__)[function.__name__]
    return compiled


@cache
def compiled_functions(module: str) -> dict[str, Any]:
    """The module's names, its functions replaced by numba's, which call each other; each is compiled when called."""
    source = vars(sys.modules[module])
    names = dict(source)
    for name, function in source.items():
        if isinstance(function, FunctionType) and function.__module__ == module:
            # a copy sees the compiled ones where the function itself sees the plain ones
            copy = FunctionType(function.__code__, names, name, function.__defaults__)
            copy.__module__, copy.__qualname__ = module, name
            names[name] = _jit(copy)
    return names


def _jit(function: FunctionType) -> Any:
    import numba

    try:
        # others may read and write meanwhile
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither __pycache__ nor the user's cache folder can be written: compile in each process
        return numba.njit(nogil=True)(function)
