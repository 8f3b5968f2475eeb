"""How long one optimisation takes with reading and writing, and which part of it how long.

`OPENBLAS_NUM_THREADS=1 python -m benchmarks.optimisation_of_one [times] [size] [objective] [target]`

Belongs here: the clock around a run of one portfolio, and around the parts of that run. Not here: other populations and
the floors (optimiser).
"""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from assets.allocation import batch, engine, store
from assets.performance import compiled
from benchmarks._optimisation_stored import one_large

PARTS = [
    (store, "read_price_series", "price histories"),
    (store, "read_trading_inputs", "terms of trade"),
    (store, "read_quotes", "quotes"),
    (engine.Histories, "universe", "usable histories"),
    (engine.Histories, "panel", "aligned returns"),
    (engine, "Estimated", "estimates"),
    (batch, "trace_frontiers", "frontier"),
    (batch, "solve_population", "objective, unless it is where the frontier begins"),
    (batch.Batch, "_checked", "second solution by PyPortfolioOpt"),
    (engine, "sharpe_deviations", "bootstrap of the Sharpe ratio"),
    (store, "rebalance", "suggestions"),
    (store, "copy_rows", "rows written"),
    (store, "copy_frame", "weights and frontier written"),
]


def timed(function: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The function, which adds what each call took."""

    def call(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            seconds.append(time.perf_counter() - started)

    return call


def main(times: int = 100, size: int = 200, objective: str = "min_volatility", target: float | None = None) -> None:
    """Print the whole and its parts."""
    compiled.WORTH_COMPILING = 0
    taken: dict[str, list[float]] = defaultdict(list)
    for owner, name, part in PARTS:
        setattr(owner, name, timed(getattr(owner, name), taken[part]))
    load = os.getloadavg()[0]
    seconds = one_large(size, times, objective, target)
    print(
        f"{objective} of {size}, read, solved, solved again, written, committed, {times} times; load {load:.1f}: "
        f"median {np.median(seconds) * 1e3:.0f} ms, p99 {np.quantile(seconds, 0.99) * 1e3:.0f} ms"
    )
    for part, calls in sorted(taken.items(), key=lambda item: -sum(item[1])):
        # the first runs, which compile, stand apart
        each = len(calls) // (times + 3)
        if each:
            print(f"  {each * np.median(calls) * 1e3:6.1f} ms  {part}")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(*map(int, given[:2]), *given[2:3], *map(float, given[3:4]))  # type: ignore[arg-type]
