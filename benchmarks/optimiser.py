"""How fast populations are optimised and measured, on one core.

`OPENBLAS_NUM_THREADS=1 python -m benchmarks.optimiser [portfolios] [sample for PyPortfolioOpt] [stored portfolios]`

Belongs here: a made universe of 500 assets, portfolios drawn from it, our times beside those of PyPortfolioOpt, pandas
and empyrical's formulas on a sample of the same portfolios, scaled up and said so; then the product's own path with
reading and writing in a database of its own (_optimisation_stored), against floors. The first part is processor time of
one process, the second the clock, with the processor time of the process beside it.
"""

import itertools
import os
import sys
import time
import warnings
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from assets.allocation.answers import Job
from assets.allocation.engine import answer
from assets.allocation.estimates import PriceSeries
from assets.allocation.inputs import Histories
from assets.allocation.model import AllocationPolicy
from assets.allocation.population.correlation import correlation_matrix, rolling_correlations
from assets.allocation.population.hierarchy import hierarchical_risk_parity
from assets.allocation.population.optimum import solve_population
from assets.allocation.population.risk import measure_population, measure_series
from assets.performance import compiled
from benchmarks._optimisation_stored import one_large, whole_population

UNIVERSE, DAYS, CAP, RISK_FREE = 500, 504, 0.3, 0.02
PRECISE = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}


def timed(work: Callable[[], Any], times: int = 3) -> tuple[float, Any]:
    """Least processor time of some calls after one that compiles, and the result."""
    result = work()
    seconds = []
    for _ in range(times):
        started = time.process_time()
        result = work()
        seconds.append(time.process_time() - started)
    return min(seconds), result


def sampled(work: Callable[[int], Any], count: int) -> tuple[float, list[Any]]:
    """Processor time of one of `count` calls, after one for warmth, and the results."""
    work(0)
    started = time.process_time()
    results = [work(number) for number in range(count)]
    return (time.process_time() - started) / count, results


def make_universe(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Daily returns of a factor model, their covariance a year, expected returns a year."""
    factors = rng.normal(0.0, 0.01, (DAYS, 5)) @ rng.normal(0.5, 0.4, (5, UNIVERSE))
    returns = factors + rng.normal(0.0003, 0.015, (DAYS, UNIVERSE))
    covariance = np.cov(returns.T) * 252
    return returns, (covariance + covariance.T) / 2, rng.normal(0.08, 0.06, UNIVERSE)


def optima(
    objective: str, covariance: np.ndarray, mean: np.ndarray, offsets: np.ndarray, members: np.ndarray, sample: int
) -> tuple[str, np.ndarray]:
    """The line of an objective, and our weights."""
    from pypfopt import EfficientFrontier

    portfolios = len(offsets) - 1
    ours, found = timed(
        lambda: solve_population(covariance, mean, offsets, members, objective, upper=CAP, risk_free_rate=RISK_FREE)
    )

    def theirs(number: int, options: dict[str, Any] | None = None) -> float:
        own = members[offsets[number] : offsets[number + 1]]
        model = EfficientFrontier(
            mean[own], covariance[np.ix_(own, own)], weight_bounds=(0, CAP), solver="CLARABEL", solver_options=options
        )
        if objective == "max_sharpe":
            model.max_sharpe(risk_free_rate=RISK_FREE)
            return float(model.portfolio_performance(risk_free_rate=RISK_FREE)[2])
        model.min_volatility()
        return float(model.portfolio_performance()[1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        each, _ = sampled(theirs, sample)
        values = np.array([theirs(number, PRECISE) for number in range(sample)])
    solved = int((found.status == "optimal").sum())
    difference = np.abs(values - found.value[:sample]).max()
    text = (
        f"{objective}: {ours:.3f} s for {portfolios:,} ({ours / portfolios * 1e6:.1f} µs each), PyPortfolioOpt "
        f"{each * 1e3:.2f} ms each of {sample}, scaled {each * portfolios:.0f} s: "
        f"{each * portfolios / ours:,.0f} times; objective differs by {difference:.0e}; "
        f"{solved:,} proven, largest residual {np.nanmax(found.kkt_residual):.0e}"
    )
    return text, found.weights


def parity(covariance: np.ndarray, rng: np.random.Generator, sample: int) -> str:
    """The line of HRP, n = 50."""
    from pypfopt import HRPOpt

    count, size = 200, 50
    members = np.concatenate([rng.choice(UNIVERSE, size, replace=False) for _ in range(count)])
    offsets = np.arange(count + 1) * size
    ours, found = timed(lambda: hierarchical_risk_parity(covariance, offsets, members))
    frames = [pd.DataFrame(covariance[np.ix_(own, own)]) for own in members.reshape(count, size)[:sample]]
    each, theirs = sampled(lambda number: HRPOpt(cov_matrix=frames[number]).optimize(), len(frames))
    weights = np.array([[row[place] for place in range(size)] for row in theirs])
    difference = np.abs(weights.ravel() - found.weights[: weights.size]).max()
    return (
        f"HRP, n = 50: {ours / count * 1e6:.0f} µs, PyPortfolioOpt {each * 1e3:.1f} ms: "
        f"{each * count / ours:,.0f} times; "
        f"weights differ by {difference:.0e}"
    )


def empyrical_measures(returns: np.ndarray, cutoff: float = 0.05) -> list[float]:
    """empyrical's formulas for one portfolio, in bare numpy: without its checks and frames, which take longer still."""
    downside = np.sqrt(np.mean(np.square(np.clip(returns, -np.inf, 0)))) * np.sqrt(252)
    cumulative = np.concatenate([[100.0], 100.0 * np.cumprod(1 + returns)])
    peak = np.maximum.accumulate(cumulative)
    index = int((len(returns) - 1) * cutoff)
    deviation = np.std(returns, ddof=1)
    return [
        deviation * np.sqrt(252),
        np.mean(returns) / deviation * np.sqrt(252),
        np.mean(returns) * 252 / downside,
        np.min((cumulative - peak) / peak),
        np.percentile(returns, 100 * cutoff),
        np.mean(np.partition(returns, index)[: index + 1]),
    ]


def measures(
    returns: np.ndarray, offsets: np.ndarray, members: np.ndarray, weights: np.ndarray, sample: int
) -> list[str]:
    """The lines of the risk measures, of given returns and from weights."""
    portfolios = len(offsets) - 1
    series = np.array(
        [weights[a:b] @ returns[:, members[a:b]].T for a, b in itertools.pairwise(offsets[: 10 * sample + 1])]
    )
    ours, found = timed(lambda: measure_series(series))
    each, theirs = sampled(lambda number: empyrical_measures(series[number]), len(series))
    table = np.column_stack([getattr(found, name) for name in found.__dataclass_fields__])
    fused, _ = timed(lambda: measure_population(returns, offsets, members, weights))
    return [
        f"risk measures of {DAYS} days: {ours / len(series) * 1e6:.1f} µs a portfolio, empyrical's formulas in numpy "
        f"{each * 1e6:.0f} µs: {each * len(series) / ours:.0f} times; "
        f"differ by {np.abs(table - np.array(theirs)).max():.0e}",
        f"the same from weights, returns of the portfolio included: {fused / portfolios * 1e6:.1f} µs a portfolio",
    ]


def correlations(returns: np.ndarray) -> list[str]:
    """The lines of the rolling correlations and of the matrix."""
    first = np.arange(100)
    ours, found = timed(lambda: rolling_correlations(returns, first, first + 1, 60))
    frame = pd.DataFrame(returns)
    each, theirs = sampled(lambda number: frame[number].rolling(60).corr(frame[number + 1]), len(first))
    difference = np.nanmax(np.abs(found - np.array(theirs)))
    whole, _ = timed(lambda: correlation_matrix(returns[-252:]))
    longer, _ = timed(lambda: correlation_matrix(returns))
    return [
        f"rolling correlation, 60 of {DAYS} days: {ours / len(first) * 1e6:.0f} µs a pair, pandas {each * 1e6:.0f} µs: "
        f"{each * len(first) / ours:.1f} times; differs by {difference:.0e}",
        f"500 x 500 correlations: {whole * 1e3:.1f} ms of 252 days, {longer * 1e3:.1f} ms of {DAYS}",
    ]


def strategies(rng: np.random.Generator, count: int = 50) -> float:
    """Seconds from prices of `count` strategies to proven weights, frontier and intervals; the best of some."""
    last = np.datetime64(date(2024, 6, 30), "D")
    dates = np.arange(last - np.timedelta64(365, "D"), last + np.timedelta64(1, "D"), dtype="datetime64[D]")
    steps = rng.normal(0.0004, 0.006, (len(dates), 1)) + rng.normal(0.0002, 0.01, (len(dates), count))
    prices = 100 * np.cumprod(1 + steps, axis=0)
    names = [f"custom:strategy-{number:03d}" for number in range(count)]
    series = {
        name: PriceSeries(name, dates, prices[:, place].copy(), prices[:, place].copy(), 365, 5)
        for place, name in enumerate(names)
    }
    job = Job("p", "u", AllocationPolicy("max_sharpe", max_weight=0.5, min_assets=5), tuple(names), RISK_FREE)
    seconds, found = timed(lambda: answer([job], Histories(date(2024, 6, 30), series), {}, frozenset()), 10)
    assert found["p"].outcome.status == "optimal"
    return seconds


def stored(portfolios: int, rng: np.random.Generator) -> list[str]:
    """The table of what is held against the floors."""
    large = one_large()
    clock, worked, said = whole_population(portfolios)
    return [
        "| work | floor | stretch | measured |",
        "| --- | --- | --- | --- |",
        f"| 50 strategies, with estimation | 1 s | 50 ms | {strategies(rng) * 1e3:.0f} ms |",
        f"| one optimisation with read and write, n = 200, p99 of {len(large)} | 200 ms | 50 ms | "
        f"{np.quantile(large, 0.99) * 1e3:.0f} ms (median {np.median(large) * 1e3:.0f} ms) |",
        f"| {portfolios:,} portfolios, min volatility and five measures, read and write | 60 s for 125,000 | 15 s | "
        f"{clock:.1f} s, of which this process worked {worked:.1f} s: {said} |",
    ]


def main(portfolios: int = 10_000, sample: int = 100, with_database: int = 125_000) -> None:
    """Print a line for each kind of work."""
    compiled.WORTH_COMPILING = 0  # else the smaller ones would be timed uncompiled
    rng = np.random.default_rng(1)
    returns, covariance, mean = make_universe(rng)
    sizes = rng.integers(6, 15, portfolios)
    offsets = np.concatenate([[0], sizes.cumsum()])
    members = np.concatenate([rng.choice(UNIVERSE, size, replace=False) for size in sizes])
    print(f"{portfolios:,} portfolios of 6 to 14 of {UNIVERSE} assets, cap {CAP:.0%}; load {os.getloadavg()[0]:.1f}")
    text, weights = optima("min_volatility", covariance, mean, offsets, members, sample)
    print(text)
    print(optima("max_sharpe", covariance, mean, offsets, members, sample)[0])
    print(parity(covariance, rng, min(sample, 20)))
    print(*measures(returns, offsets, members, weights, sample), *correlations(returns), sep="\n")
    print(*stored(with_database, rng), sep="\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
