"""Mean-variance optima of many small portfolios, in loops that numba compiles (see assets.performance.compiled).

Belongs here: the quadratic solver, the search for a target volatility, the points of a frontier, the proof of each
answer. Must not be here: anything that numba does not compile, checks of the caller's arrays (optimum), what replaces
a refused answer.

Solver: the dual active-set method of Goldfarb and Idnani (1983, Mathematical Programming 27), for

    minimise x'Hx / 2   with   e'x = 1,   lower <= x <= upper,   least <= A x <= most.

It starts from x = 0, the minimum without limits, and adds the most violated limit until none is; a limit that cannot be
met, with all active ones in its way, proves that there are no such weights. With `is_ratio` every limit b becomes
b x sum(x) (Cornuejols and Tutuncu 2006, Optimization Methods in Finance, 8.2): then e is the excess return, and
x / sum(x) has the largest Sharpe ratio.

Where one limit asks more than in the last call, the method goes on from there: without that limit, the last solution is
what the method has reached while it adds it.

Limits have numbers: 0 is e'x = 1; then lower bounds, upper bounds, least and most of the rows.

Proof: the first-order conditions, evaluated on the covariance as given (not on the scaled or ridged one that was
solved), with the solver's multipliers of the rows only. Whoever found them, multipliers of the right sign that leave
no residual show an optimum: the problems are convex, the Sharpe ratio is pseudo-concave where it is positive.

Names: `inverse` (n, n) holds the transposed J of the paper: its rows are conjugate directions, and
inverse @ H @ inverse' = I.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MIN_VOLATILITY, MAX_SHARPE, EFFICIENT_RISK, EFFICIENT_RETURN = 0, 1, 2, 3

OPTIMAL, EMPTY, NOT_FINITE, NOT_POSITIVE, INFEASIBLE, NO_EXCESS_RETURN, ZERO_VOLATILITY = 0, 1, 2, 3, 4, 5, 6
TARGET_OUT_OF_REACH, UNSOLVED, UNPROVEN = 7, 8, 9

# all of these are for a covariance whose mean variance is 1, and returns of which the largest is 1
SINGULAR = 1e-11  # a pivot below this share of its variance; the ridge is then added
RIDGE = 1e-10  # changes a volatility by less than 1e-10 of itself, for weights that sum to 1
VIOLATION = 1e-12
DEPENDENT = 1e-20  # share of a limit's squared length that the active ones leave
FEASIBLE = 1e-12  # of sums of bounds
SNAP = 1e-10  # a weight this near its bound is on it
PROVEN = 1e-7  # KKT residual, relative
ROW_ACTIVE = 1e-9
SUM_LIMIT = 1e-9
NO_VARIANCE = 1e-12
TARGET_CLOSE = 1e-12  # of the variance
TARGET_MET = 1e-9  # of the variance, when proven
TARGET_ROUNDS = 100
SMALLEST_SPAN = 1e-9  # of returns, below which a frontier is one point


def solve_population(
    covariance: Floats,
    returns: Floats,
    offsets: Integers,
    members: Integers,
    lower: Floats,
    upper: Floats,
    rows: Floats,
    least: Floats,
    most: Floats,
    objective: int,
    risk_free: Floats,
    targets: Floats,
    kept: Floats,
    added: Floats,
    weights: Floats,
    values: Floats,
    residuals: Floats,
    statuses: Integers,
) -> None:
    """Fill `weights` (as `members`), `values`, `residuals` and `statuses` (portfolios,); NaN where not OPTIMAL.

    Args:
        covariance: (N, N) symmetric.
        returns: (N,) expected.
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions in the universe.
        lower: as members; upper too.
        upper: bounds of weights.
        rows: (G, N) group rows; least <= rows @ weights <= most, (G,) each.
        least: (G,), most too.
        most: (G,).
        objective: one of the four.
        risk_free: (portfolios,) for the Sharpe ratio.
        targets: (portfolios,) volatility or return; read by the two efficient objectives.
        kept: (portfolios,) the share of `covariance` in the portfolio's own.
        added: (portfolios,) what its own has more on the diagonal.
        weights: out.
        values: out: volatility, Sharpe ratio, return, volatility.
        residuals: out, KKT.
        statuses: out.
    """
    longest = 0
    for portfolio in range(len(offsets) - 1):
        longest = max(longest, offsets[portfolio + 1] - offsets[portfolio])
    groups = len(rows)
    count = groups + 1  # the last row is the expected return
    sub = np.empty((longest, longest))
    factor = np.empty((longest, longest))
    inverse = np.empty((longest, longest))
    triangle = np.empty((longest + 1, longest + 1))
    row = np.empty((count, longest))
    low, high = np.empty(count), np.empty(count)
    vectors = np.empty((10, longest + 1))
    active = np.empty((2, 1 + 2 * longest + 2 * count), dtype=np.int64)
    pressure = np.empty(count)
    for portfolio in range(len(offsets) - 1):
        begin, end = offsets[portfolio], offsets[portfolio + 1]
        size = end - begin
        for k in range(begin, end):
            weights[k] = math.nan
        values[portfolio] = math.nan
        residuals[portfolio] = math.nan
        statuses[portfolio] = EMPTY
        if size == 0:
            continue
        gather(covariance, returns, members[begin:end], rows, least, most, kept[portfolio], added[portfolio], sub, row,
               low, high)  # fmt: skip
        status = unfit(sub, size, lower[begin:end], upper[begin:end], row[groups], objective, targets[portfolio])
        scale = mean_variance(sub, size)
        if status == OPTIMAL and not factorise(sub, size, scale, triangle, factor):
            status = NOT_POSITIVE
        if status != OPTIMAL:
            statuses[portfolio] = status
            continue
        status, value, residual = solve_one(
            sub,
            size,
            scale,
            lower[begin:end],
            upper[begin:end],
            row,
            low,
            high,
            groups,
            objective,
            risk_free[portfolio],
            targets[portfolio],
            factor,
            inverse,
            triangle,
            vectors,
            active,
            pressure,
        )
        statuses[portfolio] = status
        residuals[portfolio] = residual
        if status == OPTIMAL:
            values[portfolio] = value
            for i in range(size):
                weights[begin + i] = vectors[0, i]


def fill_frontiers(
    covariance: Floats,
    returns: Floats,
    offsets: Integers,
    members: Integers,
    lower: Floats,
    upper: Floats,
    rows: Floats,
    least: Floats,
    most: Floats,
    kept: Floats,
    added: Floats,
    highest: Floats,
    shares: Floats,
    weights: Floats,
    expected: Floats,
    values: Floats,
    residuals: Floats,
    statuses: Integers,
    counts: Integers,
) -> None:
    """Fill the points of frontiers: the least volatility, then the least for each step towards the highest return.

    Each point goes on from the one before, whose active limits are nearly its own; where that has no proof, the point
    is solved from nothing.

    Args:
        covariance: to `added`: as in solve_population.
        returns: likewise.
        offsets: likewise.
        members: likewise.
        lower: likewise.
        upper: likewise.
        rows: likewise.
        least: likewise.
        most: likewise.
        kept: likewise.
        added: likewise.
        highest: (portfolios,) return; without a number there is one point.
        shares: (points,) of the span of returns at which the points lie, rising from 0.
        weights: out, (members, points), NaN where not OPTIMAL, as all that follow but `statuses`.
        expected: out, (portfolios, points) return.
        values: out, (portfolios, points) volatility.
        residuals: out, (portfolios,) KKT of the first point.
        statuses: out, (portfolios,) of the first point.
        counts: out, (portfolios,) points: 0 without a first one, 1 where the returns span nothing.
    """
    longest = 0
    for portfolio in range(len(offsets) - 1):
        longest = max(longest, offsets[portfolio + 1] - offsets[portfolio])
    groups = len(rows)
    sub, factor = np.empty((longest, longest)), np.empty((longest, longest))
    inverse, triangle = np.empty((longest, longest)), np.empty((longest + 1, longest + 1))
    row = np.empty((groups + 1, longest))
    low, high, pressure = np.empty(groups + 1), np.empty(groups + 1), np.empty(groups + 1)
    vectors = np.empty((10, longest + 1))
    active = np.empty((2, 1 + 2 * longest + 2 * (groups + 1)), dtype=np.int64)
    for portfolio in range(len(offsets) - 1):
        begin, end = offsets[portfolio], offsets[portfolio + 1]
        size = end - begin
        for point in range(len(shares)):
            for k in range(begin, end):
                weights[k, point] = math.nan
            expected[portfolio, point], values[portfolio, point] = math.nan, math.nan
        residuals[portfolio], statuses[portfolio], counts[portfolio] = math.nan, EMPTY, 0
        if size == 0:
            continue
        gather(covariance, returns, members[begin:end], rows, least, most, kept[portfolio], added[portfolio], sub, row,
               low, high)  # fmt: skip
        status = unfit(sub, size, lower[begin:end], upper[begin:end], row[groups], MIN_VOLATILITY, math.nan)
        scale = mean_variance(sub, size)
        if status == OPTIMAL and not factorise(sub, size, scale, triangle, factor):
            status = NOT_POSITIVE
        if status != OPTIMAL:
            statuses[portfolio] = status
            continue
        for i in range(size):
            vectors[1, i] = 1.0
        high[groups] = math.inf
        span, is_followed = 0.0, False
        for point in range(len(shares)):
            low[groups] = -math.inf if point == 0 else expected[portfolio, 0] + span * shares[point]
            status, value, residual = solve_point(
                sub, size, scale, lower[begin:end], upper[begin:end], row, low, high, groups, is_followed, factor,
                inverse, triangle, vectors, active, pressure,
            )  # fmt: skip
            is_followed = status == OPTIMAL
            if is_followed:
                expected[portfolio, point] = dot(row[groups], vectors[0], size)
                values[portfolio, point] = value
                for i in range(size):
                    weights[begin + i, point] = vectors[0, i]
            if point > 0:
                continue
            residuals[portfolio], statuses[portfolio] = residual, status
            span = highest[portfolio] - expected[portfolio, 0]
            if is_followed:
                counts[portfolio] = len(shares) if span > SMALLEST_SPAN else 1
            if counts[portfolio] <= 1:
                break


def solve_point(
    sub: Floats,
    size: int,
    scale: float,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    groups: int,
    is_followed: bool,
    factor: Floats,
    inverse: Floats,
    triangle: Floats,
    vectors: Floats,
    active: Integers,
    pressure: Floats,
) -> tuple[int, float, float]:
    """The least volatility with a return of low[groups]: (status, volatility, KKT residual), weights in vectors[0].

    With `is_followed` the arrays are as the last call left them, for the same portfolio and a lower return.
    """
    moved = 1 + 2 * size + groups
    is_ratio = size < 0  # False, but not a constant: see minimise
    status, value, residual = UNSOLVED, math.nan, math.nan
    for attempt in range(2):
        if attempt == 1 or not is_followed:
            moved = size - size  # 0, but not a constant
        status = minimise(
            size, vectors[1], is_ratio, lower, upper, row, low, high, groups + 1, moved, factor, inverse, triangle,
            vectors, active, pressure,
        )  # fmt: skip
        if status == OPTIMAL:
            status, value, residual = finish_volatility(
                sub, size, scale, lower, upper, row, low, high, groups + 1, vectors, pressure
            )
        if status == OPTIMAL or not is_followed:
            break
    return status, value, residual


def gather(
    covariance: Floats,
    returns: Floats,
    members: Integers,
    rows: Floats,
    least: Floats,
    most: Floats,
    kept: float,
    added: float,
    sub: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
) -> None:
    """Fill what is one portfolio's own: covariance, rows with the expected return as the last, their limits."""
    size, groups = len(members), len(rows)
    for g in range(groups):
        low[g] = least[g]
        high[g] = most[g]
        for i in range(size):
            row[g, i] = rows[g, members[i]]
    for i in range(size):
        row[groups, i] = returns[members[i]]
        for j in range(size):
            sub[i, j] = kept * covariance[members[i], members[j]]
        sub[i, i] += added


def unfit(sub: Floats, size: int, lower: Floats, upper: Floats, reward: Floats, objective: int, target: float) -> int:
    """Why there is nothing to solve: NOT_FINITE or INFEASIBLE; OPTIMAL where there is."""
    needs_target = objective in (EFFICIENT_RISK, EFFICIENT_RETURN)
    needs_returns = objective != MIN_VOLATILITY
    if not is_finite(sub, size, lower, upper, reward, needs_returns) or (needs_target and not math.isfinite(target)):
        return NOT_FINITE
    return OPTIMAL if bounds_fit(lower, upper, size) else INFEASIBLE


def solve_one(
    sub: Floats,
    size: int,
    scale: float,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    groups: int,
    objective: int,
    risk_free: float,
    target: float,
    factor: Floats,
    inverse: Floats,
    triangle: Floats,
    vectors: Floats,
    active: Integers,
    pressure: Floats,
) -> tuple[int, float, float]:
    """One portfolio: (status, value of the objective, KKT residual); the weights are in vectors[0].

    `factor` is of sub / scale (`factorise`).
    """
    equality, reward = vectors[1], row[groups]
    high[groups] = math.inf
    if objective == EFFICIENT_RISK:
        return solve_risk(
            sub, size, scale, lower, upper, row, low, high, groups, target, factor, inverse, triangle, vectors, active,
            pressure,
        )  # fmt: skip
    largest = 1.0
    if objective == MAX_SHARPE:
        largest = 0.0
        for i in range(size):
            equality[i] = reward[i] - risk_free
            largest = max(largest, abs(equality[i]))
        if best_return(equality, lower, upper, size, vectors[2]) <= FEASIBLE * largest:
            return NO_EXCESS_RETURN, math.nan, math.nan
    moved = size - size  # 0, but not a constant: see minimise
    # one place that calls the solver, twice at most: each more would be compiled once more
    for attempt in range(2):
        is_ratio = objective == MAX_SHARPE and attempt == 0
        for i in range(size):
            equality[i] = (reward[i] - risk_free) / largest if is_ratio else 1.0
        low[groups] = target if objective == EFFICIENT_RETURN and attempt == 0 else -math.inf
        state = minimise(
            size, equality, is_ratio, lower, upper, row, low, high, groups + 1, moved, factor, inverse, triangle,
            vectors, active, pressure,
        )  # fmt: skip
        if attempt == 0 and (state != INFEASIBLE or objective == MIN_VOLATILITY):
            break
        if attempt == 1 and state == OPTIMAL:  # there are weights, but not with such a return
            state = NO_EXCESS_RETURN if objective == MAX_SHARPE else TARGET_OUT_OF_REACH
    if state != OPTIMAL:
        return state, math.nan, math.nan
    if objective == MAX_SHARPE:
        return finish_sharpe(sub, size, scale, lower, upper, row, low, high, groups, risk_free, vectors, pressure)
    return finish_volatility(sub, size, scale, lower, upper, row, low, high, groups + 1, vectors, pressure)


def solve_risk(
    sub: Floats,
    size: int,
    scale: float,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    groups: int,
    target: float,
    factor: Floats,
    inverse: Floats,
    triangle: Floats,
    vectors: Floats,
    active: Integers,
    pressure: Floats,
) -> tuple[int, float, float]:
    """The largest return with a volatility of `target` at most: a search along the frontier by its return.

    The least variance is a convex function of the return asked for, and its slope is twice the multiplier of that
    return: Newton's steps from above never pass the target, and bisection takes over where they leave the bracket.
    """
    solution, equality, reward = vectors[0], vectors[1], row[groups]
    wanted = target * target / scale if target > 0.0 else 0.0
    for i in range(size):
        equality[i] = 1.0
    is_ratio, moved = size < 0, size - size  # False and 0, but not constants: see minimise
    below, above, asked = -math.inf, math.inf, -math.inf  # the first round asks for no return
    for rounds in range(TARGET_ROUNDS):
        low[groups] = asked
        state = minimise(
            size, equality, is_ratio, lower, upper, row, low, high, groups + 1, moved, factor, inverse, triangle,
            vectors, active, pressure,
        )  # fmt: skip
        if state != OPTIMAL and (state != INFEASIBLE or rounds == 0):
            return state, math.nan, math.nan
        step = math.nan
        if state == INFEASIBLE:
            above = asked
        else:
            settle(solution, lower, upper, size)
            variance = variance_of(sub, solution, size) / scale
            if rounds == 0:
                if variance > wanted * (1.0 + TARGET_CLOSE):
                    return TARGET_OUT_OF_REACH, math.nan, math.nan
                below = dot(reward, solution, size)
                above = best_return(reward, lower, upper, size, vectors[2])
                is_slack = variance_of(sub, vectors[2], size) / scale <= wanted
                if is_slack and keeps_rows(vectors[2], row, low, high, groups, size):
                    for i in range(size):  # the target is beyond the riskiest portfolio that anyone would want
                        solution[i] = vectors[2, i]
                    break
                asked = above - FEASIBLE * (1.0 + abs(above))
                continue
            if abs(variance - wanted) <= TARGET_CLOSE * wanted or above - below <= 1e-15 * (abs(above) + abs(below)):
                break
            if variance > wanted:
                above = asked
            else:
                below = asked
            if pressure[groups] > 0.0:
                step = asked - (variance - wanted) / (2.0 * pressure[groups])
        if rounds == TARGET_ROUNDS - 1:
            return UNSOLVED, math.nan, math.nan
        asked = step if below < step < above else 0.5 * (below + above)
    return finish_risk(sub, size, scale, wanted, lower, upper, row, low, high, groups, vectors, pressure)


def finish_volatility(
    sub: Floats,
    size: int,
    scale: float,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    count: int,
    vectors: Floats,
    pressure: Floats,
) -> tuple[int, float, float]:
    """Prove a least volatility; the gradient is that of the volatility, as in assets.allocation.verify."""
    weights, gradient = vectors[0], vectors[2]
    settle(weights, lower, upper, size)
    variance = max(variance_of(sub, weights, size), 0.0)
    deviation = math.sqrt(variance)
    # next to a volatility of zero its gradient is the direction of rounding: the variance's stands for it
    has_variance = variance > NO_VARIANCE * scale
    divisor = deviation if has_variance else math.sqrt(scale)
    norm = 0.0
    for i in range(size):
        gradient[i] = dot(sub[i], weights, size) / divisor
        norm += gradient[i] * gradient[i]
    if not has_variance:
        norm = scale
    residual = kkt_residual(
        gradient, math.sqrt(norm), weights, lower, upper, row, low, high, count, scale / divisor, pressure, size
    )
    status = OPTIMAL if residual <= PROVEN else UNPROVEN
    return status, deviation, residual


def finish_sharpe(
    sub: Floats,
    size: int,
    scale: float,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    groups: int,
    risk_free: float,
    vectors: Floats,
    pressure: Floats,
) -> tuple[int, float, float]:
    """Prove a largest Sharpe ratio. The gradient is risk - reward, two terms that cancel; reward is the scale.

    With y the solver's x and S its sum, y's multipliers m are those of w = y / S times S^2 volatility^3.
    """
    weights, gradient, reward = vectors[0], vectors[2], row[groups]
    total = 0.0
    for i in range(size):
        total += weights[i]
    if not total > 0.0:
        return UNPROVEN, math.nan, math.nan
    for i in range(size):
        weights[i] /= total
    settle(weights, lower, upper, size)
    variance = variance_of(sub, weights, size)
    if not variance > NO_VARIANCE * scale:
        return ZERO_VOLATILITY, math.nan, math.nan
    deviation = math.sqrt(variance)
    excess = 0.0
    for i in range(size):
        excess += (reward[i] - risk_free) * weights[i]
    norm = 0.0
    for i in range(size):
        gain = (reward[i] - risk_free) / deviation
        norm += gain * gain
        gradient[i] = excess * dot(sub[i], weights, size) / (variance * deviation) - gain
    # excess x total is the unit in which the returns were solved
    factor = scale * excess / (total * variance * deviation)
    residual = kkt_residual(
        gradient, math.sqrt(norm), weights, lower, upper, row, low, high, groups, factor, pressure, size
    )
    status = OPTIMAL if residual <= PROVEN else UNPROVEN
    return status, excess / deviation, residual


def finish_risk(
    sub: Floats,
    size: int,
    scale: float,
    wanted: float,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    groups: int,
    vectors: Floats,
    pressure: Floats,
) -> tuple[int, float, float]:
    """Prove a largest return: the gradient is that of -return; the limit on the variance may be slack."""
    weights, gradient, reward = vectors[0], vectors[2], row[groups]
    variance = variance_of(sub, weights, size) / scale
    risk = 0.0
    if pressure[groups] > 0.0 and abs(variance - wanted) <= TARGET_MET * wanted:
        risk = 1.0 / pressure[groups]
    norm = 0.0
    for i in range(size):
        gradient[i] = risk * dot(sub[i], weights, size) / scale - reward[i]
        norm += reward[i] * reward[i]
    residual = kkt_residual(
        gradient, math.sqrt(norm), weights, lower, upper, row, low, high, groups, risk, pressure, size
    )
    is_kept = variance <= wanted * (1.0 + TARGET_MET)
    status = OPTIMAL if residual <= PROVEN and is_kept else UNPROVEN
    return status, dot(reward, weights, size), residual


def kkt_residual(
    gradient: Floats,
    norm: float,
    weights: Floats,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    count: int,
    factor: float,
    pressure: Floats,
    size: int,
) -> float:
    """Share of the gradient that no multipliers explain; infinity where a limit is broken, 0 for no gradient.

    `pressure` x `factor` are the rows' multipliers, positive at `low`; they count only at rows that are active.
    `gradient` becomes the reduced gradient.
    """
    total = 0.0
    for i in range(size):
        if not lower[i] <= weights[i] <= upper[i]:
            return math.inf
        total += weights[i]
    if not abs(total - 1.0) <= SUM_LIMIT:
        return math.inf
    for k in range(count):
        if math.isinf(low[k]) and math.isinf(high[k]):
            continue
        held, length = 0.0, 0.0
        for i in range(size):
            held += row[k, i] * weights[i]
            length = max(length, abs(row[k, i]))
        room = ROW_ACTIVE * max(length, 1e-300)
        if not low[k] - room <= held <= high[k] + room:
            return math.inf
        force = pressure[k] * factor
        if (force > 0.0 and held - low[k] > room) or (force < 0.0 and high[k] - held > room):
            force = 0.0
        if force != 0.0:
            for i in range(size):
                gradient[i] -= force * row[k, i]
    if norm == 0.0:
        return 0.0
    # the sum's multiplier: the free weights' mean; with none, between what upper and lower bounds allow
    free, middle, floor, ceiling = 0, 0.0, -math.inf, math.inf
    for i in range(size):
        is_low, is_high = weights[i] <= lower[i], weights[i] >= upper[i]
        if is_low and is_high:
            continue
        if is_low:
            ceiling = min(ceiling, gradient[i])
        elif is_high:
            floor = max(floor, gradient[i])
        else:
            free += 1
            middle += gradient[i]
    if free > 0:
        middle /= free
    elif math.isfinite(floor) and math.isfinite(ceiling):
        middle = 0.5 * (floor + ceiling)
    elif math.isfinite(floor):
        middle = floor
    elif math.isfinite(ceiling):
        middle = ceiling
    left = 0.0
    for i in range(size):
        excess = gradient[i] - middle
        is_low, is_high = weights[i] <= lower[i], weights[i] >= upper[i]
        if (is_low and excess > 0.0) or (is_high and excess < 0.0) or (is_low and is_high):
            continue
        left += excess * excess
    return math.sqrt(left) / norm


def keeps_rows(weights: Floats, row: Floats, low: Floats, high: Floats, count: int, size: int) -> bool:
    """Whether the weights are within the limits of the rows."""
    for k in range(count):  # noqa: SIM110 (numba compiles no generator)
        if not low[k] <= dot(row[k], weights, size) <= high[k]:
            return False
    return True


def is_finite(sub: Floats, size: int, lower: Floats, upper: Floats, reward: Floats, needs_returns: bool) -> bool:
    """Whether all numbers that the objective reads are."""
    for i in range(size):
        if not (math.isfinite(lower[i]) and math.isfinite(upper[i])):
            return False
        if needs_returns and not math.isfinite(reward[i]):
            return False
        for j in range(size):
            if not math.isfinite(sub[i, j]):
                return False
    return True


def bounds_fit(lower: Floats, upper: Floats, size: int) -> bool:
    """Whether weights between the bounds can sum to 1."""
    floor, ceiling = 0.0, 0.0
    for i in range(size):
        if lower[i] > upper[i]:
            return False
        floor += lower[i]
        ceiling += upper[i]
    return floor <= 1.0 + FEASIBLE and ceiling >= 1.0 - FEASIBLE


def best_return(reward: Floats, lower: Floats, upper: Floats, size: int, weights: Floats) -> float:
    """The largest reward'w between the bounds, and its `weights`: the best ones are filled first."""
    left, total = 1.0, 0.0
    for i in range(size):
        left -= lower[i]
        total += lower[i] * reward[i]
        weights[i] = lower[i]
    while left > 0.0:
        best = -1
        for i in range(size):
            if weights[i] < upper[i] and (best < 0 or reward[i] > reward[best]):
                best = i
        if best < 0:
            break
        taken = upper[best] - lower[best]
        weights[best] = upper[best]
        if taken > left:
            taken = left
            weights[best] = lower[best] + left
        total += taken * reward[best]
        left -= taken
        if weights[best] < upper[best]:
            break
    return total


def fill_best_returns(
    returns: Floats, offsets: Integers, members: Integers, lower: Floats, upper: Floats, best: Floats
) -> None:
    """Fill `best` (portfolios,) with the largest return between the bounds (as members)."""
    for portfolio in range(len(offsets) - 1):
        begin, end = offsets[portfolio], offsets[portfolio + 1]
        own = returns[members[begin:end]]
        best[portfolio] = best_return(own, lower[begin:end], upper[begin:end], end - begin, np.empty(end - begin))


def mean_variance(sub: Floats, size: int) -> float:
    """Mean of the diagonal; 1 where all are 0."""
    total = 0.0
    for i in range(size):
        total += sub[i, i]
    return total / size if total > 0.0 else 1.0


def factorise(sub: Floats, size: int, scale: float, triangle: Floats, factor: Floats) -> bool:
    """Fill `factor` with the inverse of the Cholesky factor of sub / scale, with a ridge where that is singular.

    False where an eigenvalue is negative by more than the ridge. `triangle` is scratch.
    """
    if cholesky(sub, size, scale, 0.0, triangle) or cholesky(sub, size, scale, RIDGE, triangle):
        for i in range(size):
            for j in range(size):
                factor[i, j] = 0.0
            for k in range(i):
                for j in range(k + 1):
                    factor[i, j] += triangle[k, i] * factor[k, j]
            for j in range(i):
                factor[i, j] = -factor[i, j] / triangle[i, i]
            factor[i, i] = 1.0 / triangle[i, i]
        return True
    return False


def cholesky(sub: Floats, size: int, scale: float, ridge: float, triangle: Floats) -> bool:
    """Fill the upper `triangle` with L', LL' = sub / scale + ridge I; False where a pivot is too small to trust.

    A row's products go off all later rows at once: sums that wait for each of their terms take twice as long.
    """
    for i in range(size):
        for j in range(i, size):
            triangle[i, j] = sub[i, j] / scale
        triangle[i, i] += ridge
    for k in range(size):
        if not triangle[k, k] > max(SINGULAR * (sub[k, k] / scale), 0.1 * ridge):
            return False
        triangle[k, k] = math.sqrt(triangle[k, k])
        for j in range(k + 1, size):
            triangle[k, j] /= triangle[k, k]
        for i in range(k + 1, size):
            for j in range(i, size):
                triangle[i, j] -= triangle[k, i] * triangle[k, j]
    return True


def settle(weights: Floats, lower: Floats, upper: Floats, size: int) -> None:
    """Take rounding out: weights next to a bound go on it, what is then missing to 1 goes to those between theirs.

    More than rounding is not repaired: the proof has to see it.
    """
    total, free = 0.0, 0
    for i in range(size):
        if weights[i] - lower[i] < SNAP and weights[i] - lower[i] > -SNAP:
            weights[i] = lower[i]
        elif upper[i] - weights[i] < SNAP and upper[i] - weights[i] > -SNAP:
            weights[i] = upper[i]
        else:
            free += 1
        total += weights[i]
    if free == 0 or not abs(1.0 - total) <= SNAP * size:
        return
    for i in range(size):
        if lower[i] < weights[i] < upper[i]:
            weights[i] = min(max(weights[i] + (1.0 - total) / free, lower[i]), upper[i])


def minimise(
    size: int,
    equality: Floats,
    is_ratio: bool,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    count: int,
    moved: int,
    factor: Floats,
    inverse: Floats,
    triangle: Floats,
    vectors: Floats,
    active: Integers,
    pressure: Floats,
) -> int:
    """Goldfarb and Idnani's method: OPTIMAL, INFEASIBLE or UNSOLVED; the solution is in vectors[0].

    Args:
        size: number of weights.
        equality: (size,) e of e'x = 1.
        is_ratio: limits are multiples of sum(x).
        lower: (size,), upper too.
        upper: (size,).
        row: rows of further limits, of which the first `count` are read.
        low: least of each row, -infinity for none.
        high: most of each row.
        count: rows.
        moved: the number of the row's limit that asks more than in the last call, which found an optimum of the same
            problem otherwise: its active limits are gone on from. 0: begin without any.
        factor: from factorise.
        inverse: scratch (size, size).
        triangle: scratch (size + 1, size + 1).
        vectors: scratch (10, size + 1); 0 is the solution, which the caller may settle, 1 may be `equality`.
        active: scratch (2, 1 + 2 size + 2 rows).
        pressure: out, multipliers of the rows, positive at `low`, negative at `high`.
    """
    solution, lengths, step, sums = vectors[9], vectors[3], vectors[4], vectors[5]
    slopes, forces, normal = vectors[6], vectors[7], vectors[8]
    listed, marks = active[0], active[1]
    limits = 1 + 2 * size + 2 * count
    for k in range(count):
        pressure[k] = 0.0
    # not a constant 0: for those numba compiles the functions below a second time
    held, chosen, gap, force = moved - moved, moved, -1.0, 0.0
    if moved > 0:
        for k in range(limits):
            held += marks[k]
        if marks[moved] == 1:
            # it is added once more, with the force that it has: all others keep theirs
            place = held - 1
            while listed[place] != moved:
                place -= 1
            force, marks[moved] = forces[place], 0
            remove(place, held, size, inverse, sums, triangle, listed, forces)
            held -= 1
        gap = min(dot(row[moved - 1 - 2 * size], solution, size) - low[moved - 1 - 2 * size], 0.0)
    else:
        for k in range(limits):
            marks[k] = 0
        for k in range(size):
            solution[k] = 0.0
            sums[k] = 0.0
            for i in range(size):
                inverse[k, i] = factor[k, i]
                sums[k] += factor[k, i]
    for _ in range(50 + 20 * limits):
        while True:
            fill_lengths(
                chosen, size, equality, is_ratio, lower, upper, row, low, high, count, inverse, sums, normal, lengths
            )
            whole, rest = 0.0, 0.0
            for k in range(size):
                whole += lengths[k] * lengths[k]
                if k >= held:
                    rest += lengths[k] * lengths[k]
            for k in range(held - 1, -1, -1):
                value = lengths[k]
                for j in range(k + 1, held):
                    value -= triangle[k, j] * slopes[j]
                slopes[k] = value / triangle[k, k]
            # how far until the multiplier of an active limit is used up; the equality (number 0) may not leave
            partial, leaving = math.inf, -1
            for k in range(held):
                if listed[k] != 0 and slopes[k] > 0.0 and forces[k] / slopes[k] < partial:
                    partial, leaving = forces[k] / slopes[k], k
            is_dependent = held >= size or rest <= DEPENDENT * whole
            full = math.inf if is_dependent else -gap / rest
            if is_dependent and leaving < 0:
                return INFEASIBLE
            stride = min(partial, full)
            if not is_dependent:
                for i in range(size):
                    step[i] = 0.0
                for k in range(held, size):
                    for i in range(size):
                        step[i] += lengths[k] * inverse[k, i]
                for i in range(size):
                    solution[i] += stride * step[i]
                gap += stride * rest
            for k in range(held):
                forces[k] -= stride * slopes[k]
            force += stride
            if full <= partial:
                append(held, size, lengths, inverse, sums, triangle)
                listed[held], forces[held], marks[chosen] = chosen, force, 1
                held += 1
                break
            marks[listed[leaving]] = 0
            remove(leaving, held, size, inverse, sums, triangle, listed, forces)
            held -= 1
        force = 0.0
        chosen, gap = most_violated(size, is_ratio, lower, upper, row, low, high, count, solution, marks)
        if chosen < 0:
            for i in range(size):
                vectors[0, i] = solution[i]
            for k in range(held):
                number = listed[k] - 1 - 2 * size
                if number >= count:
                    pressure[number - count] -= forces[k]
                elif number >= 0:
                    pressure[number] += forces[k]
            return OPTIMAL
    return UNSOLVED


def most_violated(
    size: int,
    is_ratio: bool,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    count: int,
    solution: Floats,
    marks: Integers,
) -> tuple[int, float]:
    """The limit that is broken most for its length, and by how much (< 0); -1 where none is."""
    total = 0.0
    for i in range(size):
        total += solution[i]
    unit = total if is_ratio else 1.0
    chosen, gap = -1, 0.0
    worst = -VIOLATION * max(abs(unit), 1.0)
    for i in range(size):
        below = solution[i] - lower[i] * unit
        if below < worst and marks[1 + i] == 0:
            chosen, gap, worst = 1 + i, below, below
        above = upper[i] * unit - solution[i]
        if above < worst and marks[1 + size + i] == 0:
            chosen, gap, worst = 1 + size + i, above, above
    for k in range(count):
        if math.isinf(low[k]) and math.isinf(high[k]):
            continue
        held, length = 0.0, 1e-300
        for i in range(size):
            held += row[k, i] * solution[i]
            length = max(length, abs(row[k, i]))
        below = held - low[k] * unit
        if math.isfinite(low[k]) and below / length < worst and marks[1 + 2 * size + k] == 0:
            chosen, gap, worst = 1 + 2 * size + k, below, below / length
        above = high[k] * unit - held
        if math.isfinite(high[k]) and above / length < worst and marks[1 + 2 * size + count + k] == 0:
            chosen, gap, worst = 1 + 2 * size + count + k, above, above / length
    return chosen, gap


def fill_lengths(
    chosen: int,
    size: int,
    equality: Floats,
    is_ratio: bool,
    lower: Floats,
    upper: Floats,
    row: Floats,
    low: Floats,
    high: Floats,
    count: int,
    inverse: Floats,
    sums: Floats,
    normal: Floats,
    lengths: Floats,
) -> None:
    """Fill `lengths` with inverse @ the normal of the chosen limit; a bound's normal is never written out."""
    if 1 <= chosen <= 2 * size:
        i = (chosen - 1) % size
        is_upper = chosen > size
        sign = -1.0 if is_upper else 1.0
        bound = 0.0
        if is_ratio:
            bound = upper[i] if is_upper else lower[i]
        for k in range(size):
            lengths[k] = sign * (inverse[k, i] - bound * sums[k])
        return
    if chosen == 0:
        for i in range(size):
            normal[i] = equality[i]
    else:
        k = chosen - 1 - 2 * size
        is_upper = k >= count
        if is_upper:
            k -= count
        sign = -1.0 if is_upper else 1.0
        bound = 0.0
        if is_ratio:
            bound = high[k] if is_upper else low[k]
        for i in range(size):
            normal[i] = sign * (row[k, i] - bound)
    for k in range(size):
        lengths[k] = dot(inverse[k], normal, size)


def append(held: int, size: int, lengths: Floats, inverse: Floats, sums: Floats, triangle: Floats) -> None:
    """Turn the free directions so that one of them is the new limit's; that becomes the last active one."""
    for k in range(size - 1, held, -1):
        if lengths[k] != 0.0:
            length = math.sqrt(lengths[k - 1] * lengths[k - 1] + lengths[k] * lengths[k])
            turn(k - 1, lengths[k - 1] / length, lengths[k] / length, size, inverse, sums)
            lengths[k - 1] = length
    for k in range(held + 1):
        triangle[k, held] = lengths[k]


def remove(
    leaving: int,
    held: int,
    size: int,
    inverse: Floats,
    sums: Floats,
    triangle: Floats,
    listed: Integers,
    forces: Floats,
) -> None:
    """Take an active limit out and turn the directions after it so that the triangle is one again."""
    for j in range(leaving, held - 1):
        listed[j], forces[j] = listed[j + 1], forces[j + 1]
        for k in range(j + 2):
            triangle[k, j] = triangle[k, j + 1]
    for k in range(leaving, held - 1):
        first, second = triangle[k, k], triangle[k + 1, k]
        if second == 0.0:
            continue
        length = math.sqrt(first * first + second * second)
        cosine, sine = first / length, second / length
        for j in range(k, held - 1):
            upper, lower = triangle[k, j], triangle[k + 1, j]
            triangle[k, j] = cosine * upper + sine * lower
            triangle[k + 1, j] = cosine * lower - sine * upper
        turn(k, cosine, sine, size, inverse, sums)


def turn(k: int, cosine: float, sine: float, size: int, inverse: Floats, sums: Floats) -> None:
    """Rotate directions k and k + 1."""
    for i in range(size):
        first, second = inverse[k, i], inverse[k + 1, i]
        inverse[k, i] = cosine * first + sine * second
        inverse[k + 1, i] = cosine * second - sine * first
    first, second = sums[k], sums[k + 1]
    sums[k] = cosine * first + sine * second
    sums[k + 1] = cosine * second - sine * first


def dot(left: Floats, right: Floats, size: int) -> float:
    """Sum of products, first to last."""
    total = 0.0
    for i in range(size):
        total += left[i] * right[i]
    return total


def variance_of(sub: Floats, weights: Floats, size: int) -> float:
    """The variance w'Cw."""
    total = 0.0
    for i in range(size):
        if weights[i] != 0.0:
            total += weights[i] * dot(sub[i], weights, size)
    return total
