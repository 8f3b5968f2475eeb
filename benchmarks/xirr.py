"""How fast XIRR is against a loop over pyxirr: `python -m benchmarks.xirr [portfolios]`.

Belongs here: made flows, two timings, their ratio and the largest difference. pyxirr is a development dependency.
"""

import datetime
import itertools
import sys
import time

import numpy as np
import pyxirr

from assets.performance.xirr import Floats, Integers, xirr

EPOCH = datetime.date(2015, 1, 1)


def make_flows(portfolios: int, seed: int = 7) -> tuple[Floats, Integers, Integers]:
    """A deposit, up to 40 further flows (one in six a small withdrawal) over up to 10 years, and an end value."""
    generator = np.random.default_rng(seed)
    counts = generator.integers(2, 43, portfolios)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    days = generator.integers(1, 3650, offsets[-1])
    is_withdrawal = generator.random(offsets[-1]) < 1 / 6
    amounts = -generator.lognormal(6.0, 0.7, offsets[-1]) * np.where(is_withdrawal, -0.1, 1.0)
    first, last = offsets[:-1], offsets[1:] - 1
    amounts[first] = -np.abs(amounts[first]) * 5.0
    days[first], days[last] = 0, 3650
    days = days[np.lexsort((days, np.repeat(np.arange(portfolios), counts)))]  # as the daily table gives them
    amounts[last] = 0.0
    amounts[last] = -np.add.reduceat(amounts, first) * generator.lognormal(0.3, 0.5, portfolios)
    return amounts, days, offsets


def main() -> None:
    """Print both timings and the ratio."""
    portfolios = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    amounts, days, offsets = make_flows(portfolios)
    started = time.perf_counter()
    xirr(amounts, days, offsets)
    first_seconds = time.perf_counter() - started
    started = time.perf_counter()
    ours = xirr(amounts, days, offsets)
    our_seconds = time.perf_counter() - started
    started = time.perf_counter()
    calendar = [EPOCH + datetime.timedelta(day) for day in range(3651)]
    dates = [[calendar[day] for day in days[a:b]] for a, b in itertools.pairwise(offsets)]
    lists = [amounts[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    listing_seconds = time.perf_counter() - started
    started = time.perf_counter()
    theirs = np.array([pyxirr.xirr(d, a, silent=True) for d, a in zip(dates, lists, strict=True)], dtype=np.float64)
    loop_seconds = time.perf_counter() - started
    both = ~np.isnan(ours.rate) & ~np.isnan(theirs) & ~ours.has_several_roots
    print(f"{portfolios:,} portfolios, {len(amounts):,} flows")
    print(f"ours {our_seconds:.3f} s, loop over pyxirr {loop_seconds:.3f} s, ratio {loop_seconds / our_seconds:.2f}")
    print(f"first call of the process {first_seconds:.2f} s: imports numba, loads the compiled code or compiles it")
    print(f"making pyxirr's lists of dates and amounts took {listing_seconds:.2f} s more (not in the ratio)")
    print(f"largest difference {np.abs(ours.rate - theirs)[both].max():.1e} over {both.sum():,} with one root")
    print(f"without a rate: ours {np.isnan(ours.rate).sum():,}, pyxirr {np.isnan(theirs).sum():,}")


if __name__ == "__main__":
    main()
