"""Value at risk and expected shortfall of series of gains, by four methods, with intervals.

Belongs here: arithmetic on (portfolios, days) gains. Must not be here: how gains are made (returns), SQL.

A loss is positive: VaR is minus the (1 - confidence) quantile of the gains, and negative where even that is a gain.
Sources: Hyndman and Fan 1996 (type 7 quantiles), Jorion 2006 (the parametric and the historical method), Cornish and
Fisher 1938 with the shortfall of Boudt, Peterson and Croux 2008, and the binomial interval of a quantile
(David and Nagaraja 2003, 7.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from assets.risk.model import CONFIDENCES, Booleans, Floats, Integers

# of intervals, two-sided
COVERAGE = 0.95
# Monte Carlo: at 99 % the quantile's own error is about 2 % of itself
PATHS = 5000
# below it, a deviation is the rounding of its series
ZERO_DEVIATION = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A method's answer, (p,) each, losses positive; NaN: undefined.

    Attributes:
        var: value at risk.
        cvar: expected shortfall, the mean loss beyond it.
        low: lower end of the interval of `var`.
        high: upper end; NaN where it lies beyond the worst observation.
    """

    var: Floats
    cvar: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Moments:
    """Of (p, t) gains over the days that each portfolio has; NaN with fewer than two.

    Attributes:
        count: days.
        mean: a day.
        deviation: sample (n - 1), a day.
        skewness: third moment over the population deviation cubed; 0 without any deviation.
        excess: fourth moment over the population variance squared, less 3; likewise.
    """

    count: Integers
    mean: Floats
    deviation: Floats
    skewness: Floats
    excess: Floats


def moments(gains: Floats) -> Moments:
    """Moments of each row, over its finite entries."""
    known = np.isfinite(gains)
    count = known.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, gains, 0.0).sum(axis=1) / count
        off = np.where(known, gains - mean[:, None], 0.0)
        squared = off * off
        squares = squared.sum(axis=1)
        deviation = np.sqrt(squares / np.where(count > 1, count - 1, np.nan))
        variance = squares / count
        scale = np.abs(np.where(known, gains, 0.0)).max(axis=1, initial=0.0)
        is_flat = ~(deviation > ZERO_DEVIATION * np.maximum(scale, ZERO_DEVIATION))
        skewness = np.where(is_flat, 0.0, (squared * off).sum(axis=1) / count / variance**1.5)
        excess = np.where(is_flat, 0.0, (squared * squared).sum(axis=1) / count / variance**2 - 3.0)
    return Moments(count, mean, deviation, skewness, excess)


def historical(gains: Floats, confidence: float, horizon: int = 1) -> Estimate:
    """From (p, t) gains over `horizon` days each, overlapping.

    The shortfall is the mean of the floor((n - 1)(1 - confidence)) + 1 worst. The interval is the binomial one between
    order statistics, of n // horizon independent observations where they overlap.
    """
    ordered = np.sort(gains, axis=1)  # what is missing comes last
    return _ordered(ordered, np.isfinite(gains).sum(axis=1), confidence, horizon)


def _ordered(ordered: Floats, count: Integers, confidence: float, horizon: int) -> Estimate:
    rows, last = np.arange(len(ordered)), np.maximum(count - 1, 0)
    place = last * (1.0 - confidence)
    cut = place.astype(np.int64)
    at, after = ordered[rows, cut], ordered[rows, np.minimum(cut + 1, last)]
    worst = np.cumsum(ordered[:, : int(cut.max(initial=0)) + 1], axis=1)
    fewest, most = exceedances(count // horizon, 1.0 - confidence)
    low = -ordered[rows, np.minimum(most * horizon, last)]
    high = np.where(fewest > 0, -ordered[rows, np.maximum(fewest * horizon - 1, 0)], np.nan)
    return Estimate(-(at + (after - at) * (place - cut)), -worst[rows, cut] / (cut + 1), low, high)


def exceedances(count: Integers, tail: float) -> tuple[Integers, Integers]:
    """The binomial quantiles at both ends of `COVERAGE`: how many of `count` observations may lie in the tail."""
    from scipy.special import bdtr

    fewest, most = np.zeros(len(count), dtype=np.int64), np.zeros(len(count), dtype=np.int64)
    for number in np.unique(count):
        below = bdtr(np.arange(number + 1, dtype=np.float64), int(number), tail)
        ends = np.searchsorted(below, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
        fewest[count == number], most[count == number] = ends
    return fewest, most


def parametric(found: Moments, confidence: float, horizon: int = 1) -> Estimate:
    """Of a normal distribution: z sigma sqrt(h) - mu h; the interval is that of the deviation (chi-squared)."""
    from scipy.special import ndtri

    quantile = -float(ndtri(1.0 - confidence))
    density = np.exp(-(quantile**2) / 2) / np.sqrt(2 * np.pi)
    return _scaled(found, quantile, density / (1.0 - confidence), horizon)


def cornish_fisher(found: Moments, confidence: float, horizon: int = 1) -> Estimate:
    """Of a distribution with the series' skewness and kurtosis, by the expansion to the fourth moment.

    Over a horizon they shrink by sqrt(h) and h, as those of a sum of independent days do. NaN where the expansion is
    not monotone: its quantiles would cross, as they do with skewness or kurtosis far from a normal distribution's.
    """
    from scipy.special import ndtri

    tail = 1.0 - confidence
    z = float(ndtri(tail))
    skew, excess = found.skewness / np.sqrt(horizon), found.excess / horizon
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    # of a standard normal Z, given Z below z: the means of Z, Z^2, Z^3
    first, second, third = -density / tail, 1 - z * density / tail, -density * (z * z + 2) / tail
    adjusted = _expanded(z, z * z, z**3, skew, excess)
    mean = _expanded(first, second, third, skew, excess)
    is_monotone = _is_monotone(skew, excess)
    quantile = np.where(is_monotone, -adjusted, np.nan)
    return _scaled(found, quantile, np.where(is_monotone, -mean, np.nan), horizon)


def _expanded(first: float, second: float, third: float, skew: Floats, excess: Floats) -> Floats:
    return (
        first + (second - 1) * skew / 6 + (third - 3 * first) * excess / 24 - (2 * third - 5 * first) * skew * skew / 36
    )


def _is_monotone(skew: Floats, excess: Floats) -> Booleans:
    """Whether the expansion's slope a z^2 + b z + c is nowhere negative (Maillard 2012)."""
    a = excess / 8 - skew**2 / 6
    b = skew / 3
    c = 1 - excess / 8 + 5 * skew**2 / 36
    is_line: Booleans = (skew == 0) & (excess == 0)
    is_never_negative: Booleans = (a > 0) & (b * b <= 4 * a * c)
    return is_line | is_never_negative


def _scaled(found: Moments, quantile: Floats | float, shortfall: Floats | float, horizon: int) -> Estimate:
    drift, deviation = found.mean * horizon, found.deviation * np.sqrt(horizon)
    low, high = _deviation_interval(found.count)
    return Estimate(
        quantile * deviation - drift,
        shortfall * deviation - drift,
        quantile * deviation * low - drift,
        quantile * deviation * high - drift,
    )


def _deviation_interval(count: Integers) -> tuple[Floats, Floats]:
    """(p,) factors of the sample deviation of normal observations."""
    from scipy.special import chdtri

    freedom = np.where(count > 1, count - 1, np.nan)
    return (
        np.sqrt(freedom / chdtri(freedom, (1 - COVERAGE) / 2)),
        np.sqrt(freedom / chdtri(freedom, (1 + COVERAGE) / 2)),
    )


def draws(found: Moments, seeds: Sequence[int]) -> Floats:
    """(p, worst) the lowest of `PATHS` draws of mean 0 and deviation 1, in order, each portfolio's from its own seed.

    Of Student's t whose kurtosis is the series' own: 4 + 6 / excess degrees of freedom; of the normal distribution
    where the series has no heavier tails. Instruments that are jointly t give portfolios that are t, so that one draw
    for the portfolio is as good as one for each instrument. Only as many are made as a measure looks at: the lowest of
    n uniform numbers are partial sums of n + 1 exponential ones by their whole sum (Renyi 1953; Devroye 1986, V.3.2),
    of which those beyond them are one gamma number, and a quantile function keeps their order.
    """
    from scipy.special import ndtri, stdtrit

    worst = int(exceedances(np.array([PATHS]), 1.0 - min(CONFIDENCES))[1][0]) + 1
    uniform = np.empty((len(seeds), worst))
    for row, seed in enumerate(seeds):
        generator = np.random.Generator(np.random.PCG64(seed))
        np.cumsum(generator.standard_exponential(worst), out=uniform[row])
        uniform[row] /= uniform[row, -1] + generator.standard_gamma(PATHS + 1 - worst)
    is_heavy = found.excess > 0
    freedom = 4.0 + 6.0 / found.excess[is_heavy, None]
    values = np.empty_like(uniform)
    values[~is_heavy] = ndtri(uniform[~is_heavy])
    values[is_heavy] = stdtrit(freedom, uniform[is_heavy]) * np.sqrt((freedom - 2.0) / freedom)
    return values


def monte_carlo(ordered: Floats, found: Moments, confidence: float, horizon: int = 1) -> Estimate:
    """From `draws`: a path keeps its variance over the horizon. The interval is that of the simulation alone."""
    unit = _ordered(ordered, np.full(len(ordered), PATHS), confidence, 1)
    drift, deviation = found.mean * horizon, found.deviation * np.sqrt(horizon)
    return Estimate(*(value * deviation - drift for value in (unit.var, unit.cvar, unit.low, unit.high)))
