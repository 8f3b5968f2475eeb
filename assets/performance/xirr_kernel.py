"""Internal rates of return, portfolio by portfolio, in loops that numba compiles (see compiled).

Belongs here: netting of flows, the search for roots, the choice among several. Must not be here: anything that numba
does not compile, allocation of arrays (xirr). `assets/publication/reading/20_performance_between.sql` holds the same
method for one portfolio; the equivalence test compares them.

Names: `net`, `positions`, `terms` are scratch arrays of which the first `count` elements are the portfolio's netted
flows, their places between first (0) and last flow (1), and their discounted values at the growth evaluated last.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

DEFINED, NO_SIGN_CHANGE, NO_ROOT, MISSING_VALUE = 0, 1, 2, 3

DAYS_PER_YEAR = 365.0
SPAN_LIMIT = 600.0  # |u|: exp(-600) x any amount is still a normal float
TRUSTED_SPAN = 599.0  # beyond it, the search may have ended at the limit of its bracket instead of at a root
EXPONENT_LIMIT = 700.0  # exp(709) overflows
NEGLIGIBLE = 1e-12  # a net flow this much smaller than the largest is what rounding left of 0.1 + 0.2 - 0.3
STEP_TOLERANCE = 1e-14
VALUE_TOLERANCE = 1e-15
MAX_ROUNDS = 120
LEAST_RATE = -1.0 + 2.0**-53
BALANCE_TOLERANCE = 1e-14  # of the terms summed so far
TOUCHING = 1e-12  # a minimum of |h| this small counts as a double root
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
GOLDEN_ROUNDS = 60


def solve(
    amounts: Floats,
    days: Integers,
    offsets: Integers,
    grid: Floats,
    net: Floats,
    positions: Floats,
    terms: Floats,
    heights: Floats,
    roots: Floats,
    rates: Floats,
    states: Integers,
    are_several: Booleans,
) -> None:
    """Fill `rates`, `states` and `are_several` (portfolios,) from flows sorted by day within each portfolio."""
    for portfolio in range(len(offsets) - 1):
        rates[portfolio] = math.nan
        are_several[portfolio] = False
        count, span = net_by_day(amounts, days, offsets[portfolio], offsets[portfolio + 1], net, positions)
        if count < 0:
            states[portfolio] = MISSING_VALUE
            continue
        sign_changes = count_sign_changes(net, count)
        if sign_changes == 0:
            states[portfolio] = NO_SIGN_CHANGE
            continue
        scale = DAYS_PER_YEAR / span
        growth = math.nan
        if (net[0] > 0.0) != (net[count - 1] > 0.0):
            growth = root_between(net, positions, count, -SPAN_LIMIT, SPAN_LIMIT, net[count - 1] > 0.0, terms)
            is_only = sign_changes == 1 or is_pure(terms, count, growth > 0.0)
            if abs(growth) > TRUSTED_SPAN or not is_only:
                growth = math.nan
        if math.isnan(growth):
            found = all_roots(net, positions, count, grid, terms, heights, roots)
            growth, several = nearest_root(net, positions, count, roots, found, scale)
            are_several[portfolio] = several
        if math.isnan(growth) or growth * scale > EXPONENT_LIMIT:
            states[portfolio] = NO_ROOT
        else:
            states[portfolio] = DEFINED
            rates[portfolio] = rate_of(growth, scale)


def net_by_day(
    amounts: Floats, days: Integers, begin: int, end: int, net: Floats, positions: Floats
) -> tuple[int, float]:
    """Net the flows of each day and leave out what is negligible: (count, days from first to last); -1: a NaN."""
    count = 0
    for k in range(begin, end):
        if math.isnan(amounts[k]):
            return -1, 1.0
        if k > begin and days[k] == days[k - 1]:
            net[count - 1] += amounts[k]
        else:
            net[count] = amounts[k]
            positions[count] = days[k]
            count += 1
    largest = 0.0
    for k in range(count):
        largest = max(largest, abs(net[k]))
    kept = 0
    for k in range(count):
        if abs(net[k]) > NEGLIGIBLE * largest:
            net[kept] = net[k]
            positions[kept] = positions[k]
            kept += 1
    if kept == 0:
        return 0, 1.0
    first = positions[0]
    span = max(positions[kept - 1] - first, 1.0)
    for k in range(kept):
        positions[k] = (positions[k] - first) / span
    return kept, span


def count_sign_changes(net: Floats, count: int) -> int:
    """How often the flows turn; with one turn the root is the only one (Descartes' rule of signs)."""
    changes = 0
    for k in range(1, count):
        if (net[k] > 0.0) != (net[k - 1] > 0.0):
            changes += 1
    return changes


def log_ratio(net: Floats, positions: Floats, count: int, growth: float, terms: Floats) -> tuple[float, float]:
    """h(u) = ln(discounted receipts) - ln(discounted payments) and its slope; `terms` are left discounted."""
    received = paid = received_moment = paid_moment = 0.0
    for k in range(count):
        term = net[k]
        if growth != 0.0:
            term *= math.exp(-growth * positions[k])
        terms[k] = term
        if term > 0.0:
            received += term
            received_moment += term * positions[k]
        else:
            paid -= term
            paid_moment -= term * positions[k]
    return math.log(received) - math.log(paid), paid_moment / paid - received_moment / received


def root_between(
    net: Floats, positions: Floats, count: int, low: float, high: float, is_positive_at_low: bool, terms: Floats
) -> float:
    """The root in a bracket that holds a sign change: Newton steps that stay inside and halve |h|, else bisection."""
    growth = 0.0 if low < 0.0 < high else (low + high) / 2.0
    previous = math.inf
    for _ in range(MAX_ROUNDS):
        value, slope = log_ratio(net, positions, count, growth, terms)
        if (value > 0.0) == is_positive_at_low and value != 0.0:
            low = growth
        else:
            high = growth
        size = abs(value)
        following = (low + high) / 2.0
        is_fast = size <= 0.5 * previous
        is_near = False
        if slope != 0.0:
            step = value / slope
            is_near = abs(step) <= STEP_TOLERANCE * max(1.0, abs(growth))
            if is_fast and low < growth - step < high:
                following = growth - step
        is_narrow = high - low <= STEP_TOLERANCE * abs(growth)
        if size <= VALUE_TOLERANCE or is_near or following == growth or is_narrow:
            break
        growth = following
        previous = size if is_fast else math.inf
    return growth


def is_pure(terms: Floats, count: int, is_backward: bool) -> bool:
    """Whether the discounted running balance keeps one sign before the last flow: then the root is the only one.

    Summed from the small end: at a high rate the late terms are tiny and would drown in the sum of the early ones.
    """
    balance = noise = 0.0
    is_never_positive = is_never_negative = True
    for k in range(count - 1):
        term = terms[count - 1 - k] if is_backward else terms[k]
        balance += term
        noise += BALANCE_TOLERANCE * abs(term)
        is_never_positive = is_never_positive and balance <= noise
        is_never_negative = is_never_negative and balance >= -noise
    return is_never_positive or is_never_negative


def all_roots(
    net: Floats, positions: Floats, count: int, grid: Floats, terms: Floats, heights: Floats, roots: Floats
) -> int:
    """How many roots `roots` now holds: sign changes of h on the grid, and local minima of |h| between its points."""
    for k in range(len(grid)):
        heights[k] = log_ratio(net, positions, count, grid[k], terms)[0]
    found = 0
    for k in range(len(grid)):
        here = heights[k]
        if here == 0.0:
            roots[found] = grid[k]
            found += 1
        if k == len(grid) - 1 or here == 0.0:
            continue
        if here * heights[k + 1] < 0.0:
            roots[found] = root_between(net, positions, count, grid[k], grid[k + 1], here > 0.0, terms)
            found += 1
        if k == 0:
            continue
        is_between_alike = here * heights[k - 1] > 0.0 and here * heights[k + 1] > 0.0
        if is_between_alike and abs(here) <= abs(heights[k - 1]) and abs(here) <= abs(heights[k + 1]):
            found = roots_at_minimum(net, positions, count, grid[k - 1], grid[k + 1], here > 0.0, terms, roots, found)
    return found


def roots_at_minimum(
    net: Floats,
    positions: Floats,
    count: int,
    low: float,
    high: float,
    is_positive: bool,
    terms: Floats,
    roots: Floats,
    found: int,
) -> int:
    """Adds the roots near a local minimum of |h|: two when it crosses zero between grid points, one when it touches."""
    sign = 1.0 if is_positive else -1.0
    left, right = low, high
    for _ in range(GOLDEN_ROUNDS):
        inner_left = right - GOLDEN * (right - left)
        inner_right = left + GOLDEN * (right - left)
        at_left = sign * log_ratio(net, positions, count, inner_left, terms)[0]
        at_right = sign * log_ratio(net, positions, count, inner_right, terms)[0]
        if at_left < 0.0 or at_right < 0.0:
            crossing = inner_left if at_left <= at_right else inner_right
            roots[found] = root_between(net, positions, count, low, crossing, is_positive, terms)
            roots[found + 1] = root_between(net, positions, count, crossing, high, not is_positive, terms)
            return found + 2
        if at_left < at_right:
            right = inner_right
        else:
            left = inner_left
    middle = (left + right) / 2.0
    if abs(log_ratio(net, positions, count, middle, terms)[0]) <= TOUCHING:
        roots[found] = middle
        found += 1
    return found


def nearest_root(
    net: Floats, positions: Floats, count: int, roots: Floats, found: int, scale: float
) -> tuple[float, bool]:
    """(the root whose rate is nearest the annualised Modified Dietz rate or NaN, whether there are several)."""
    reference = annualized_modified_dietz(net, positions, count, scale)
    chosen, least, candidates = math.nan, math.inf, 0
    for k in range(found):
        if roots[k] * scale > EXPONENT_LIMIT:
            continue
        candidates += 1
        distance = abs(rate_of(roots[k], scale) - reference)
        if distance < least or (distance == least and roots[k] < chosen):
            chosen, least = roots[k], distance
    return chosen, candidates > 1


def annualized_modified_dietz(net: Floats, positions: Floats, count: int, scale: float) -> float:
    """(1 + R)^(365 / span) - 1 of the flows' Modified Dietz return R; 0 where it has no positive capital."""
    capital = gain = 0.0
    for k in range(count):
        capital -= net[k] * (1.0 - positions[k])
        gain += net[k]
    if capital <= 0.0:
        return 0.0
    wealth = 1.0 + gain / capital
    if wealth <= 0.0:
        return -1.0
    return math.expm1(min(math.log(wealth) * scale, EXPONENT_LIMIT))


def rate_of(growth: float, scale: float) -> float:
    """Growth over the span -> rate per year, above -1."""
    return max(math.expm1(growth * scale), LEAST_RATE)
