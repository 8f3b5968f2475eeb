"""Internal rate of return of dated flows (XIRR) for many portfolios at once. Pure numpy.

Belongs here: finding the rates. Must not be here: how flows are made of values and deposits (compute), text of reasons
beyond the codes, SQL (`assets/publication/performance_between.sql` holds the same method for one portfolio).

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

from assets.performance import reasons
from assets.performance.reasons import Codes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

SEVERAL_ROOTS = "several_roots"
DAYS_PER_YEAR = 365.0
SPAN_LIMIT = 600.0  # |u|: exp(-600) x any amount is still a normal float
EXPONENT_LIMIT = 700.0  # exp(709) overflows
NEGLIGIBLE = 1e-12  # a net flow this much smaller than the largest is what rounding left of 0.1 + 0.2 - 0.3
STEP_TOLERANCE = 1e-14
VALUE_TOLERANCE = 1e-15
MAX_ROUNDS = 120
LEAST_RATE = -1.0 + 2.0**-53
SCAN_HALF = 200
BALANCE_TOLERANCE = 1e-14  # of the terms summed so far
TOUCHING = 1e-12  # a minimum of |h| this small counts as a double root


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


@dataclass(frozen=True)
class _Flows:
    """Netted flows, positions scaled to [0, 1]; flow k belongs to portfolio owner[k]; starts[j] begins portfolio j."""

    amounts: Floats
    positions: Floats
    owner: Integers
    starts: Integers

    def take(self, portfolios: Integers) -> "_Flows":
        """The flows of these portfolios, renumbered from 0."""
        ends = np.append(self.starts[1:], len(self.amounts))
        counts = (ends - self.starts)[portfolios]
        starts = np.cumsum(counts) - counts
        index = np.repeat(self.starts[portfolios] - starts, counts) + np.arange(counts.sum())
        owner = np.repeat(np.arange(len(portfolios)), counts)
        return _Flows(self.amounts[index], self.positions[index], owner, starts)


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
    rate = np.full(count, np.nan)
    code = np.full(count, reasons.NO_SIGN_CHANGE, dtype="U32")
    several = np.zeros(count, dtype=np.bool_)
    owner = np.repeat(np.arange(count), np.diff(offsets))
    unknown = np.unique(owner[np.isnan(amounts)])
    code[unknown] = reasons.MISSING_VALUE
    net, day, owner = _net_by_day(amounts, days, owner, ~np.isin(owner, unknown))
    if len(net) == 0:
        return Rates(rate, code, several)
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    portfolios = owner[starts]
    is_mixed = (np.maximum.reduceat(net, starts) > 0) & (np.minimum.reduceat(net, starts) < 0)
    ends = np.append(starts[1:], len(net)) - 1
    first, spans = day[starts], np.maximum(day[ends] - day[starts], 1)
    group = np.repeat(np.arange(len(starts)), ends - starts + 1)
    positions = (day - first[group]) / spans[group]
    solvable = np.flatnonzero(is_mixed)
    flows = _Flows(net, positions, group, starts).take(solvable)
    where, scale = portfolios[solvable], DAYS_PER_YEAR / spans[solvable]
    rate[where], several[where] = _solve(flows, scale)
    code[where] = np.where(np.isnan(rate[where]), reasons.NO_ROOT, reasons.DEFINED)
    return Rates(rate, code, several)


def _net_by_day(
    amounts: Floats, days: Integers, owner: Integers, keep: NDArray[np.bool_]
) -> tuple[Floats, Integers, Integers]:
    amounts, days, owner = amounts[keep], days[keep], owner[keep]
    if len(amounts) == 0:
        return amounts, days, owner
    same_owner = np.diff(owner) == 0
    if (np.diff(days)[same_owner] < 0).any():  # sorting costs as much as solving; the daily table comes sorted
        order = np.lexsort((days, owner))
        amounts, days, owner = amounts[order], days[order], owner[order]
    is_new = (np.diff(owner, prepend=-1) != 0) | (np.diff(days, prepend=days[0] - 1) != 0)
    starts = np.flatnonzero(is_new)
    net, days, owner = np.add.reduceat(amounts, starts), days[starts], owner[starts]
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    largest = np.maximum.reduceat(np.abs(net), first)
    counts = np.diff(np.append(first, len(net)))
    counts_for_something = np.abs(net) > NEGLIGIBLE * np.repeat(largest, counts)
    return net[counts_for_something], days[counts_for_something], owner[counts_for_something]


def _solve(flows: _Flows, scale: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Rates (NaN: no root) and whether there are several, of flows of both signs; scale = 365 / span."""
    count = len(scale)
    growth = np.full(count, np.nan)
    several = np.zeros(count, dtype=np.bool_)
    if count == 0:
        return growth, several
    low, high = np.full(count, -SPAN_LIMIT), np.full(count, SPAN_LIMIT)
    at_low, at_high = _log_ratio(flows, low)[0], _log_ratio(flows, high)[0]
    bracketed = np.flatnonzero(at_low * at_high < 0)
    growth[bracketed] = _bracketed_roots(flows.take(bracketed), low[bracketed], high[bracketed], at_low[bracketed])
    is_settled = np.zeros(count, dtype=np.bool_)
    is_settled[bracketed] = _is_pure(flows.take(bracketed), growth[bracketed])
    for portfolio in np.flatnonzero(~is_settled):
        one = flows.take(np.array([portfolio]))
        roots = [root for root in _all_roots(one) if root * scale[portfolio] <= EXPONENT_LIMIT]
        growth[portfolio] = np.nan
        if roots:
            rates = [_rate(np.float64(root), scale[portfolio]) for root in roots]
            reference = _annualized_modified_dietz(one, float(scale[portfolio]))
            growth[portfolio] = roots[int(np.argmin([abs(rate - reference) for rate in rates]))]
            several[portfolio] = len(roots) > 1
    exponent = growth * scale
    with np.errstate(over="ignore", invalid="ignore"):
        rate = np.where(exponent > EXPONENT_LIMIT, np.nan, _rate(growth, scale))
    return rate, several


def _rate(growth: Floats | np.float64, scale: Floats | np.float64) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.maximum(np.expm1(growth * scale), LEAST_RATE)


def _log_ratio(flows: _Flows, growth: Floats) -> tuple[Floats, Floats]:
    """h(u) and its slope per portfolio."""
    discounted = flows.amounts * np.exp(-growth[flows.owner] * flows.positions)
    received, paid = np.maximum(discounted, 0.0), np.maximum(-discounted, 0.0)
    sums = [np.add.reduceat(part, flows.starts) for part in (received, paid)]
    moments = [np.add.reduceat(part * flows.positions, flows.starts) for part in (received, paid)]
    return np.log(sums[0]) - np.log(sums[1]), moments[1] / sums[1] - moments[0] / sums[0]


def _bracketed_roots(flows: _Flows, low: Floats, high: Floats, at_low: Floats) -> Floats:
    """Roots in brackets that hold a sign change: Newton steps that stay inside and halve |h|, else bisection."""
    growth = np.clip(np.zeros_like(low), low, high)
    growth = np.where((growth == low) | (growth == high), (low + high) / 2.0, growth)
    sign_low = np.sign(at_low)
    low, high = low.copy(), high.copy()
    previous = np.full(len(low), np.inf)
    active = np.arange(len(low))
    part = flows
    for _ in range(MAX_ROUNDS):
        if len(active) == 0:
            break
        here = growth[active]
        value, slope = _log_ratio(part, here)
        is_left = np.sign(value) == sign_low[active]
        low[active] = np.where(is_left, here, low[active])
        high[active] = np.where(is_left, high[active], here)
        with np.errstate(divide="ignore", invalid="ignore"):
            step = value / slope
        newton = here - step
        is_inside = (newton > low[active]) & (newton < high[active])
        is_fast = np.abs(value) <= 0.5 * previous[active]
        near = np.abs(step) <= STEP_TOLERANCE * np.maximum(1.0, np.abs(here))
        is_done = (np.abs(value) <= VALUE_TOLERANCE) | near
        middle = (low[active] + high[active]) / 2.0
        following = np.where(is_inside & is_fast, newton, middle)
        is_done |= (following == here) | (high[active] - low[active] <= STEP_TOLERANCE * np.abs(here))
        growth[active] = np.where(is_done, here, following)
        previous[active] = np.where(is_fast, np.abs(value), np.inf)
        if is_done.any():
            active = active[~is_done]
            part = flows.take(active)
    return growth


def _is_pure(flows: _Flows, growth: Floats) -> NDArray[np.bool_]:
    """Whether the discounted running balance keeps one sign before the last flow: then the root is the only one."""
    if len(growth) == 0:
        return np.zeros(0, dtype=np.bool_)
    discounted = flows.amounts * np.exp(-growth[flows.owner] * flows.positions)
    counts = np.diff(np.append(flows.starts, len(discounted)))
    width = np.ceil(np.log2(counts)).astype(np.int64)
    is_pure = np.zeros(len(growth), dtype=np.bool_)
    for power in np.unique(width):
        portfolios = np.flatnonzero(width == power)
        columns = np.arange(counts[portfolios].max())
        # from the small end: at a high rate the late terms are tiny and would drown in the sum of the early ones
        is_backward = growth[portfolios] > 0.0
        last = flows.starts[portfolios] + counts[portfolios] - 1
        index = np.where(is_backward[:, None], last[:, None] - columns, flows.starts[portfolios][:, None] + columns)
        is_inner = columns < counts[portfolios][:, None] - 1
        terms = np.where(is_inner, discounted[np.clip(index, 0, len(discounted) - 1)], 0.0)
        balance = np.cumsum(terms, axis=1)
        noise = BALANCE_TOLERANCE * np.cumsum(np.abs(terms), axis=1)
        is_pure[portfolios] = (balance <= noise).all(axis=1) | (balance >= -noise).all(axis=1)
    return is_pure


def _all_roots(flow: _Flows) -> list[float]:
    """All roots u of one portfolio, ascending: sign changes on a grid that is fine around 0, and its local minima."""
    steps = np.arange(-SCAN_HALF, SCAN_HALF + 1)
    grid = np.sinh(np.arcsinh(SPAN_LIMIT) * steps / SCAN_HALF)
    values = _values(flow, grid)
    signs = np.sign(values)
    roots = [float(u) for u in grid[values == 0.0]]
    for left in np.flatnonzero(signs[:-1] * signs[1:] < 0):
        roots.append(_root_between(flow, grid[left], grid[left + 1]))
    sizes = np.abs(values)
    is_low = (sizes[1:-1] <= sizes[:-2]) & (sizes[1:-1] <= sizes[2:]) & (signs[1:-1] != 0)
    same = (signs[1:-1] == signs[:-2]) & (signs[1:-1] == signs[2:])
    for middle in np.flatnonzero(is_low & same) + 1:
        roots.extend(_roots_at_minimum(flow, grid[middle - 1], grid[middle + 1], signs[middle]))
    return sorted(roots)


def _values(flow: _Flows, growth: Floats) -> Floats:
    discounted = flow.amounts * np.exp(-growth[:, None] * flow.positions)
    received = np.maximum(discounted, 0.0).sum(axis=1)
    return np.asarray(np.log(received) - np.log(np.maximum(-discounted, 0.0).sum(axis=1)))


def _root_between(flow: _Flows, low: float, high: float) -> float:
    lows = np.array([low])
    return float(_bracketed_roots(flow, lows, np.array([high]), _log_ratio(flow, lows)[0])[0])


def _roots_at_minimum(flow: _Flows, low: float, high: float, sign: float) -> list[float]:
    """Roots near a local minimum of |h|: two when it crosses zero between grid points, one when it touches."""
    golden = (np.sqrt(5.0) - 1.0) / 2.0
    left, right = low, high
    for _ in range(60):
        inner = np.array([right - golden * (right - left), left + golden * (right - left)])
        values = sign * _values(flow, inner)
        if (values < 0.0).any():
            crossing = float(inner[int(np.argmin(values))])
            return [_root_between(flow, low, crossing), _root_between(flow, crossing, high)]
        left, right = (left, inner[1]) if values[0] < values[1] else (inner[0], right)
    middle = (left + right) / 2.0
    return [float(middle)] if abs(float(_values(flow, np.array([middle]))[0])) <= TOUCHING else []


def _annualized_modified_dietz(flow: _Flows, scale: float) -> float:
    """(1 + R)^(365 / span) - 1 of the flows' Modified Dietz return R; 0 where it has no positive capital."""
    capital = float(-(flow.amounts * (1.0 - flow.positions)).sum())
    if capital <= 0.0:
        return 0.0
    wealth = 1.0 + float(flow.amounts.sum()) / capital
    if wealth <= 0.0:
        return -1.0
    return float(np.expm1(min(np.log(wealth) * scale, EXPONENT_LIMIT)))
