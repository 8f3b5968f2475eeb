"""The rows of optimization_runs, optimization_inputs, optimization_checks, target_weights and efficient_frontier.

Belongs here: what of an answer stands in which column. Must not be here: SELECT statements (loading), the order of the
work (store), numerics.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING

import numpy as np

from assets.allocation.answers import Answer, Job
from assets.allocation.estimates import Exclusion
from assets.allocation.frontier import sharpe_ratios
from assets.allocation.optimiser import Figures
from assets.allocation.verify import binding

if TYPE_CHECKING:
    import polars

Row = tuple[object, ...]
Answered = Sequence[tuple[Job, Answer]]

TABLES: Mapping[str, tuple[str, ...]] = {
    "optimization_runs": (
        "run_id", "portfolio_id", "objective", "status", "solver", "fallback_reason", "kkt_residual",
        "expected_return", "volatility", "sharpe_ratio", "sharpe_low", "sharpe_high", "inputs_version",
        "observations", "duration_ms", "condition_number", "smallest_eigenvalue", "notes", "sharpe_interval",
        "selection", "selection_gap",
    ),
    "optimization_inputs": (
        "inputs_version", "base_currency", "annualization_days", "first_day", "last_day", "expected_returns",
        "covariance", "instruments", "observations", "condition_number", "smallest_eigenvalue", "missing_share",
        "is_repaired", "excluded",
    ),
    "optimization_checks": ("portfolio_id", "objective", "value", "reference", "shortfall", "is_agreed"),
    "target_weights": (
        "run_id", "portfolio_id", "instrument_id", "weight", "previous_weight", "lower", "upper", "is_binding",
        "weight_low", "weight_high",
    ),
    "efficient_frontier": ("run_id", "portfolio_id", "point", "expected_return", "volatility", "sharpe_ratio"),
    "rebalancing_suggestions": (
        "portfolio_id", "instrument_id", "action", "quantity", "value_usd", "current_weight", "target_weight",
        "estimated_cost_usd", "reason", "spread_cost_usd", "impact_cost_usd", "cost_method", "realized_gain_base",
        "short_gain_base", "long_gain_base", "estimated_tax_base", "expected_gain_usd", "cash_after_base",
    ),
}  # fmt: skip
# Above this a covariance is all but singular: weights hang on its last digits.
ILL_CONDITIONED = 1e10


def run_rows(answered: Answered, run_id: str, durations_ms: int) -> Iterable[Row]:
    """One row per optimisation; those of one call share its duration."""
    for job, answer in answered:
        outcome, inputs = answer.outcome, answer.inputs
        figures = outcome.figures or Figures(math.nan, math.nan, None, None, None)
        yield (
            own_run_id(run_id, job),
            job.portfolio_id,
            job.policy.objective,
            outcome.status,
            outcome.solver,
            outcome.reason,
            outcome.kkt_residual,
            _finite(figures.expected_return),
            _finite(figures.volatility),
            _finite(figures.sharpe_ratio),
            _finite(figures.sharpe_low),
            _finite(figures.sharpe_high),
            None if inputs is None else inputs.version,
            None if inputs is None else inputs.observations,
            durations_ms,
            None if inputs is None else _finite(inputs.condition_number),
            None if inputs is None else _finite(inputs.smallest_eigenvalue),
            "; ".join(notes(job, answer)) or None,
            None if figures.sharpe_low is None else answer.sharpe_interval,
            outcome.selection,
            _finite(outcome.selection_gap),
        )


def own_run_id(run_id: str, job: Job) -> str:
    """The id of one portfolio's optimisation in a run of the pipeline."""
    return f"{run_id}:{job.portfolio_id}"


def notes(job: Job, answer: Answer) -> list[str]:
    """What to know of an answer: what was left out, repaired or missed."""
    said = [*answer.outcome.notes]
    said += [f"{item.label} left out: {item.code} ({item.detail})" for item in _by_label(answer)]
    if job.is_rate_unknown:
        said.append("risk-free rate unknown: 0 used")
    inputs = answer.inputs
    if inputs is not None and inputs.is_repaired:
        said.append("covariance was not positive semidefinite: negative eigenvalues set to 0")
    if inputs is not None and inputs.condition_number > ILL_CONDITIONED:
        said.append(f"covariance is all but singular (condition {inputs.condition_number:.1e})")
    if job.policy.weight_intervals and answer.weight_interval is None and answer.outcome.weights is not None:
        said.append("weights without an interval: too few days, a fallback, or limits beyond the compiled solver's")
    if answer.frontier is not None and answer.frontier.note is not None:
        said.append(answer.frontier.note)
    return said


def input_rows(answered: Answered, base_currency: str, known: set[str]) -> Iterable[Row]:
    """One row per version of inputs that is not in `known`, which grows by them."""
    for _, answer in answered:
        inputs = answer.inputs
        if inputs is None or inputs.version in known:
            continue
        known.add(inputs.version)
        excluded = "; ".join(str(item) for item in _by_label(answer))
        yield (
            inputs.version,
            base_currency,
            inputs.frequency,
            _date(inputs.first_day),
            _date(inputs.last_day),
            inputs.policy.expected_returns,
            inputs.policy.covariance,
            ", ".join(inputs.labels),
            inputs.observations,
            _finite(inputs.condition_number),
            _finite(inputs.smallest_eigenvalue),
            inputs.missing_share,
            inputs.is_repaired,
            excluded or None,
        )


def check_rows(answered: Answered) -> Iterable[Row]:
    """One row per portfolio that PyPortfolioOpt solved again."""
    for job, answer in answered:
        check = answer.check
        if check is not None:
            yield (job.portfolio_id, check.objective, check.value, check.reference, check.shortfall, check.agrees)


def weight_frame(answered: Answered, run_id: str) -> "polars.DataFrame":
    """One row per instrument of every portfolio that has weights."""
    import polars

    found = [
        (job, answer.outcome.weights, answer.outcome.constraints, answer.weight_interval)
        for job, answer in answered
        if answer.outcome.weights is not None and answer.outcome.constraints is not None
    ]
    sizes = [len(weights) for _, weights, _, _ in found]
    labels = [label for _, _, limits, _ in found for label in limits.labels]
    previous = [
        weight
        for job, _, limits, _ in found
        for weight in (
            map(job.previous.get, limits.labels) if job.previous is not None else repeat(None, len(limits.labels))
        )
    ]
    weights = _joined([own for _, own, _, _ in found])
    lower = _joined([limits.lower for _, _, limits, _ in found])
    upper = _joined([limits.upper for _, _, limits, _ in found])
    intervals = np.full((len(weights), 2), np.nan)
    ends = np.cumsum(sizes)
    for end, size, (*_, interval) in zip(ends, sizes, found, strict=True):
        if interval is not None:
            intervals[end - size : end] = interval
    return polars.DataFrame(
        {
            **_keys([job for job, *_ in found], sizes, run_id),
            "instrument_id": polars.Series(labels, dtype=polars.String),
            "weight": weights,
            "previous_weight": polars.Series(previous, dtype=polars.Float64),
            "lower": lower,
            "upper": upper,
            "is_binding": binding(weights, lower, upper),
            "weight_low": polars.Series(intervals[:, 0], dtype=polars.Float64, nan_to_null=True),
            "weight_high": polars.Series(intervals[:, 1], dtype=polars.Float64, nan_to_null=True),
        }
    )


def frontier_frame(answered: Answered, run_id: str) -> "polars.DataFrame":
    """One row per point that has a proof."""
    import polars

    found = [(job, answer.frontier) for job, answer in answered if answer.frontier is not None]
    sizes = [len(frontier.numbers) for _, frontier in found]
    expected = _joined([frontier.expected_return for _, frontier in found])
    volatility = _joined([frontier.volatility for _, frontier in found])
    ratios = sharpe_ratios(expected, volatility, np.repeat([job.risk_free_rate for job, _ in found], sizes))
    return polars.DataFrame(
        {
            **_keys([job for job, _ in found], sizes, run_id),
            "point": _joined([frontier.numbers for _, frontier in found]).astype(np.int64),
            "expected_return": expected,
            "volatility": volatility,
            "sharpe_ratio": polars.Series(ratios, dtype=polars.Float64, nan_to_null=True),
        }
    )


def _keys(jobs: Sequence[Job], counts: Sequence[int], run_id: str) -> "dict[str, polars.Series]":
    """Columns run_id and portfolio_id, each job's as often as it has rows."""
    import polars

    places = np.repeat(np.arange(len(jobs)), counts)
    own = polars.Series([own_run_id(run_id, job) for job in jobs], dtype=polars.String)
    names = polars.Series([job.portfolio_id for job in jobs], dtype=polars.String)
    return {"run_id": own.gather(places), "portfolio_id": names.gather(places)}


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)


def _by_label(answer: Answer) -> list[Exclusion]:
    return sorted(answer.exclusions, key=lambda item: item.label)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


@lru_cache
def _date(day: np.datetime64) -> date:
    found: date = day.astype("datetime64[D]").astype(object)
    return found
