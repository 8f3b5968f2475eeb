"""The optimisation of a run: reads what the scope needs, optimises and rebalances each portfolio, writes the results.

Belongs here: the order of the work and the rows of optimization_runs, target_weights, efficient_frontier and
rebalancing_suggestions. Must not be here: numerics, SELECT statements (loading).
"""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from assets.allocation.estimates import AlignedReturns, PriceSeries, align_returns, estimate
from assets.allocation.frontier import FrontierPoint, efficient_frontier
from assets.allocation.held import current_weights
from assets.allocation.loading import (
    Instrument,
    PortfolioTask,
    read_holdings,
    read_instruments,
    read_previous_weights,
    read_price_series,
    read_quotes,
    read_tasks,
)
from assets.allocation.model import AllocationError, AllocationPolicy, make_constraints
from assets.allocation.optimiser import Figures, Outcome, optimise
from assets.allocation.verify import binding
from assets.rebalancing.loading import TradingInputs, read_trading_inputs
from assets.rebalancing.model import CASH_PREFIX, Holding, Quote
from assets.rebalancing.rebalance import LOOKBACK_DAYS, rebalance
from assets.warehouse.database import Connection, copy_rows

Progress = Callable[[str], None]
Row = tuple[object, ...]

TABLES: Mapping[str, tuple[str, ...]] = {
    "optimization_runs": (
        "run_id", "portfolio_id", "objective", "status", "solver", "fallback_reason", "kkt_residual",
        "expected_return", "volatility", "sharpe_ratio", "sharpe_low", "sharpe_high", "inputs_version",
        "observations", "duration_ms", "condition_number", "smallest_eigenvalue", "notes",
        "selection", "selection_gap",
    ),
    "target_weights": (
        "run_id", "portfolio_id", "instrument_id", "weight", "previous_weight", "lower", "upper", "is_binding",
    ),
    "efficient_frontier": ("run_id", "portfolio_id", "point", "expected_return", "volatility", "sharpe_ratio"),
    "rebalancing_suggestions": (
        "portfolio_id", "instrument_id", "action", "quantity", "value_usd", "current_weight", "target_weight",
        "estimated_cost_usd", "reason", "spread_cost_usd", "impact_cost_usd", "cost_method", "realized_gain_base",
        "short_gain_base", "long_gain_base", "estimated_tax_base", "expected_gain_usd", "cash_after_base",
    ),
}  # fmt: skip
DEFAULT_BAND = 0.05
# Portfolios read at once: bounds the memory of price histories.
CHUNK = 200
# Above this a covariance is all but singular: weights hang on its last digits.
ILL_CONDITIONED = 1e10


@dataclass
class OptimisationSummary:
    """What was done: portfolios by status (optimal, fallback, failed, skipped), rows by table, and what to know."""

    statuses: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.statuses:
            return "no portfolio with a policy"
        counts = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        return f"{counts}; {self.rows.get('rebalancing_suggestions', 0)} rebalancing suggestions"


@dataclass(frozen=True)
class _Inputs:
    """What one chunk of portfolios of one base currency shares."""

    as_of_date: date
    run_id: str
    holdings: Mapping[str, list[Holding]]
    instruments: Mapping[str, Instrument]
    series: Mapping[str, PriceSeries]
    quotes: Mapping[str, Quote]
    previous: Mapping[str, Mapping[str, float]]
    trading: TradingInputs


@dataclass(frozen=True)
class _Result:
    """One portfolio's optimisation, its rows' worth."""

    outcome: Outcome
    frontier: tuple[FrontierPoint, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    aligned: AlignedReturns | None = None
    duration_ms: int = 0


def run_optimisation(
    connection: Connection, as_of_date: date, run_id: str, progress: Progress | None = None
) -> OptimisationSummary:
    """Optimise and rebalance the scope's portfolios that no gate holds, in the caller's transaction.

    The four tables in `intermediate` are emptied first. One portfolio that cannot be optimised is a row of status
    failed or skipped with its reason, never an error. A rerun over the same data gives the same weights.

    Args:
        connection: the caller commits.
        as_of_date: the day that the run describes.
        run_id: of the pipeline; an optimisation's own is `run_id:portfolio_id`.
        progress: told one line per chunk.
    """
    rows: dict[str, list[Row]] = {table: [] for table in TABLES}
    summary = OptimisationSummary()
    tasks = read_tasks(connection, as_of_date)
    for done, chunk in _chunks(tasks):
        inputs = _read(connection, chunk, as_of_date, run_id)
        for task in chunk:
            _work(task, inputs, rows, summary)
        if progress is not None:
            progress(f"{done} of {len(tasks)} portfolios optimised or rebalanced")
    connection.execute("truncate " + ", ".join(f"intermediate.{table}" for table in TABLES))
    for table, columns in TABLES.items():
        summary.rows[table] = copy_rows(connection, f"intermediate.{table}", columns, rows[table])
    return summary


def _chunks(tasks: list[PortfolioTask]) -> Iterator[tuple[int, list[PortfolioTask]]]:
    done = 0
    for currency in sorted({task.base_currency for task in tasks}):
        alike = [task for task in tasks if task.base_currency == currency]
        for start in range(0, len(alike), CHUNK):
            chunk = alike[start : start + CHUNK]
            done += len(chunk)
            yield done, chunk


def _read(connection: Connection, chunk: list[PortfolioTask], as_of_date: date, run_id: str) -> _Inputs:
    currency = chunk[0].base_currency
    ids = [task.portfolio_id for task in chunk]
    holdings = read_holdings(connection, ids)
    candidates = {
        name for task in chunk if task.policy for name in _universe(task.policy, holdings.get(task.portfolio_id, []))
    }
    tradable = {holding.instrument_id for found in holdings.values() for holding in found}
    tradable |= {name for task in chunk for name in task.targets} | candidates
    instruments = read_instruments(connection, {name for name in tradable if not name.startswith(CASH_PREFIX)})
    lookback = max([LOOKBACK_DAYS, *(task.policy.lookback_days for task in chunk if task.policy)])
    series = read_price_series(connection, instruments, currency, as_of_date, lookback) if instruments else {}
    quotes = read_quotes(connection, tradable, currency, as_of_date)
    previous = read_previous_weights(connection, ids)
    trading = read_trading_inputs(connection, ids, tradable, as_of_date)
    return _Inputs(as_of_date, run_id, holdings, instruments, series, quotes, previous, trading)


def _universe(policy: AllocationPolicy, holdings: Sequence[Holding]) -> list[str]:
    """Candidates: what is held (cash and borrowed positions are not), or the policy's list without cash."""
    held = {holding.instrument_id for holding in holdings if holding.quantity > 0}
    names = held if policy.is_held_universe else set(policy.universe)
    return sorted(name for name in names if not name.startswith(CASH_PREFIX))


def _work(task: PortfolioTask, inputs: _Inputs, rows: dict[str, list[Row]], summary: OptimisationSummary) -> None:
    holdings = inputs.holdings.get(task.portfolio_id, [])
    targets: Mapping[str, float] = task.targets
    left_out: Mapping[str, str] = {}
    band = DEFAULT_BAND
    if task.policy is not None:
        result = _optimised(task, task.policy, inputs, holdings)
        outcome = result.outcome
        summary.statuses[outcome.status] = summary.statuses.get(outcome.status, 0) + 1
        said = "; ".join(filter(None, [outcome.reason, *outcome.notes]))
        if said:
            summary.notes[task.portfolio_id] = said
        _append(task, task.policy, result, inputs, rows)
        band = task.policy.rebalance_band
        left_out = result.left_out
        targets = {}
        if outcome.weights is not None and outcome.constraints is not None:
            targets = dict(zip(outcome.constraints.labels, outcome.weights.tolist(), strict=True))
    if targets:
        suggestions = rebalance(
            task.portfolio_id, holdings, targets, inputs.quotes, band, inputs.trading, inputs.series,
            inputs.as_of_date, left_out=left_out, needs_funding=not task.is_cash_implicit,
        )  # fmt: skip
        rows["rebalancing_suggestions"] += [
            (task.portfolio_id, *(getattr(row, name) for name in TABLES["rebalancing_suggestions"][1:]))
            for row in suggestions
        ]


def _optimised(task: PortfolioTask, policy: AllocationPolicy, inputs: _Inputs, holdings: Sequence[Holding]) -> _Result:
    started = time.perf_counter()
    candidates = _universe(policy, holdings)
    if not candidates:
        return _Result(Outcome("skipped", "nothing to allocate: the universe holds no asset but cash"))
    series = [inputs.series[name] for name in candidates if name in inputs.series]
    unpriced = {name: "no_history (no price in the window)" for name in candidates if name not in inputs.series}
    rate = task.risk_free_rate or 0.0
    aligned: AlignedReturns | None = None
    frontier: tuple[FrontierPoint, ...] = ()
    left_out: dict[str, str] = dict(unpriced)
    try:
        aligned = align_returns(series, inputs.as_of_date, policy.lookback_days)
        left_out |= {item.label: f"{item.code} ({item.detail})" for item in aligned.exclusions}
        estimates = estimate(aligned, policy.expected_returns, policy.covariance, rate)
        attributes = {name: inputs.instruments[name].attributes for name in aligned.labels}
        constraints = make_constraints(policy, aligned.labels, attributes)
        previous = inputs.previous.get(task.portfolio_id)
        outcome = optimise(policy, estimates, constraints, rate, previous, current_weights(holdings, left_out))
        if outcome.estimates is not None and outcome.constraints is not None:
            frontier = efficient_frontier(outcome.estimates, outcome.constraints, rate)
    except AllocationError as error:
        outcome = Outcome("failed", str(error))
    held = {holding.instrument_id for holding in holdings}
    notes = [*outcome.notes, *(f"{name} left out: {reason}" for name, reason in sorted(left_out.items()))]
    if task.risk_free_rate is None:
        notes.append("risk-free rate unknown: 0 used")
    if outcome.estimates is not None and outcome.estimates.is_repaired:
        notes.append("covariance was not positive semidefinite: negative eigenvalues set to 0")
    if outcome.estimates is not None and outcome.estimates.condition_number > ILL_CONDITIONED:
        notes.append(f"covariance is all but singular (condition {outcome.estimates.condition_number:.1e})")
    return _Result(
        outcome=replace(outcome, notes=tuple(notes)),
        frontier=frontier,
        left_out={name: reason for name, reason in left_out.items() if name in held},
        aligned=aligned,
        duration_ms=round(1000 * (time.perf_counter() - started)),
    )


def _append(
    task: PortfolioTask, policy: AllocationPolicy, result: _Result, inputs: _Inputs, rows: dict[str, list[Row]]
) -> None:
    outcome = result.outcome
    own_run_id = f"{inputs.run_id}:{task.portfolio_id}"
    figures = outcome.figures or Figures(math.nan, math.nan, None, None, None)
    rows["optimization_runs"].append(
        (
            own_run_id,
            task.portfolio_id,
            policy.objective,
            outcome.status,
            outcome.solver,
            outcome.reason,
            outcome.kkt_residual,
            _finite(figures.expected_return),
            _finite(figures.volatility),
            _finite(figures.sharpe_ratio),
            _finite(figures.sharpe_low),
            _finite(figures.sharpe_high),
            _inputs_version(policy, task.risk_free_rate, result.aligned),
            None if result.aligned is None else len(result.aligned.returns),
            result.duration_ms,
            None if outcome.estimates is None else _finite(outcome.estimates.condition_number),
            None if outcome.estimates is None else _finite(outcome.estimates.smallest_eigenvalue),
            "; ".join(outcome.notes) or None,
            outcome.selection,
            _finite(outcome.selection_gap),
        )
    )
    rows["efficient_frontier"] += [
        (own_run_id, task.portfolio_id, at.point, at.expected_return, at.volatility, _finite(at.sharpe_ratio))
        for at in result.frontier
    ]
    if outcome.weights is None or outcome.constraints is None:
        return
    limits = outcome.constraints
    previous = inputs.previous.get(task.portfolio_id, {})
    is_binding = binding(outcome.weights, limits)
    rows["target_weights"] += [
        (
            own_run_id,
            task.portfolio_id,
            label,
            float(outcome.weights[i]),
            previous.get(label),
            float(limits.lower[i]),
            float(limits.upper[i]),
            bool(is_binding[i]),
        )
        for i, label in enumerate(limits.labels)
    ]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _inputs_version(policy: AllocationPolicy, rate: float | None, aligned: AlignedReturns | None) -> str:
    """What the weights were made from: the same policy, rate and returns give the same 16 hex digits."""
    digest = hashlib.sha256(repr((policy, rate)).encode())
    if aligned is not None:
        digest.update(repr((aligned.labels, aligned.frequency)).encode())
        digest.update(aligned.dates.astype("datetime64[D]").astype("int64").tobytes())
        digest.update(aligned.returns.tobytes())
    return digest.hexdigest()[:16]
