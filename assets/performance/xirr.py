"""Internal rate of return of dated flows (XIRR) for many portfolios at once.

Belongs here: arrays in, rates out. Must not be here: the search itself (xirr_kernel), how flows are made of values and
deposits (compute), text of reasons beyond the codes, SQL.

Method. With T the days from the first to the last flow and t_i = d_i / T in [0, 1], the growth u over the whole span
(1 + r = exp(365 u / T)) solves P(u) = N(u), the discounted sums of what was received and of what was paid. The
function h(u) = ln P - ln N is nearly linear with a slope in [-1, 1], so Newton steps inside a bracket that always
holds a sign change converge in a handful of rounds, and bisection takes over where they do not. It works on
u in [-600, 600], which covers every rate in (-1, inf) that a float can hold.

Whether the root is the only one: when the discounted running balance never changes sign before the end (a pure
investment), the root is unique (Soper 1959). Otherwise the whole line is scanned for all roots.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.performance import reasons, xirr_kernel
from assets.performance.compiled import kernel
from assets.performance.reasons import Codes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SEVERAL_ROOTS = "several_roots"
SCAN_HALF = 200
#: points at which all roots are looked for, dense around 0
GRID = np.sinh(np.arcsinh(xirr_kernel.SPAN_LIMIT) * np.arange(-SCAN_HALF, SCAN_HALF + 1) / SCAN_HALF)

_CODES = np.array(["", "", "", ""], dtype="U32")
_CODES[xirr_kernel.DEFINED] = reasons.DEFINED
_CODES[xirr_kernel.NO_SIGN_CHANGE] = reasons.NO_SIGN_CHANGE
_CODES[xirr_kernel.NO_ROOT] = reasons.NO_ROOT
_CODES[xirr_kernel.MISSING_VALUE] = reasons.MISSING_VALUE


# About how often a search goes over its flows; counted once, those of 10,000 portfolios seemed too few to compile for.
ROUNDS = 10


@dataclass(frozen=True)
class Rates:
    """XIRR of many portfolios.

    Attributes:
        rate: (portfolios,) per year, a fraction; NaN where undefined.
        code: (portfolios,) `DEFINED`, `no_sign_change`, `no_root` or `missing_value`.
        has_several_roots: (portfolios,) the rate is one of several that balance the flows.
    """

    rate: Floats
    code: Codes
    has_several_roots: NDArray[np.bool_]


def xirr(amounts: Floats, days: Integers, offsets: Integers) -> Rates:
    """Rates r with sum amount_i / (1 + r)^(d_i / 365) = 0, actual/365 fixed from each portfolio's earliest flow.

    Args:
        amounts: (flows,) from the owner's side: paid in < 0, received > 0. A NaN makes its portfolio undefined.
        days: (flows,) any day numbers, in any order; flows of one day are netted.
        offsets: (portfolios + 1,) flows of portfolio j are offsets[j]:offsets[j + 1].

    Returns:
        One rate per portfolio. Of several roots the one nearest the annualised Modified Dietz rate.
    """
    count = len(offsets) - 1
    amounts, days = _by_day(amounts, days, offsets)
    longest = int(np.diff(offsets).max(initial=0)) + 1
    net, positions, terms = np.empty(longest), np.empty(longest), np.empty(longest)
    # no sign change of h is counted twice, so there are at most two roots to a point of the grid
    heights, roots = np.empty(len(GRID)), np.empty(2 * len(GRID))
    rates, several = np.empty(count), np.empty(count, dtype=np.bool_)
    states = np.empty(count, dtype=np.int64)
    solve = kernel(xirr_kernel.solve, len(amounts) * ROUNDS)
    solve(amounts, days, offsets, GRID, net, positions, terms, heights, roots, rates, states, several)
    return Rates(rates, _CODES[states], several)


def _by_day(amounts: Floats, days: Integers, offsets: Integers) -> tuple[Floats, Integers]:
    """Sorted by day within each portfolio; the daily table comes sorted, and looking costs less than sorting."""
    is_later = np.diff(days) >= 0
    borders = offsets[1:-1]
    is_later[borders[(borders > 0) & (borders < len(days))] - 1] = True
    if is_later.all():
        return amounts, days
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((days, owner))
    return amounts[order], days[order]
