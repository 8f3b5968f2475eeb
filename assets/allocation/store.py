"""The optimisation of a run: reads what the scope needs, optimises and rebalances each portfolio, writes the results.

Belongs here: the order of the work. Must not be here: numerics, SELECT statements (loading), which column holds
what (rows).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from assets.allocation.answers import Answer, Job
from assets.allocation.engine import sample_of
from assets.allocation.estimates import PriceSeries
from assets.allocation.forms import counted_as, merged, names_of_held, relabelled
from assets.allocation.inputs import Histories
from assets.allocation.loading import (
    Instrument,
    PortfolioTask,
    carry_inputs,
    read_economic,
    read_holdings,
    read_instruments,
    read_previous_weights,
    read_quotes,
    read_tasks,
)
from assets.allocation.model import AllocationPolicy
from assets.allocation.optimiser import Outcome
from assets.allocation.price_histories import read_price_series
from assets.allocation.rows import (
    TABLES,
    Answered,
    Row,
    check_rows,
    frontier_frame,
    input_rows,
    notes,
    run_rows,
    weight_frame,
)
from assets.allocation.shards import Shards, answer_in_shards
from assets.collecting import collecting_by_hand, collecting_what_is_new
from assets.rebalancing.covariances import LOOKBACK_DAYS, SharedCovariances
from assets.rebalancing.loading import TradingInputs, read_trading_inputs
from assets.rebalancing.model import CASH_PREFIX, Holding, Quote
from assets.rebalancing.rebalance import Case, rebalance
from assets.warehouse.database import Connection, copy_frame, copy_rows

Progress = Callable[[str], None]

DEFAULT_BAND = 0.05
# Portfolios at once: bounds the memory of holdings and rows; the histories of a currency stay for all of them.
CHUNK = 5_000
NOTHING_TO_ALLOCATE = "nothing to allocate: the universe holds no asset but cash"


@dataclass
class OptimisationSummary:
    """What was done: portfolios by status (optimal, fallback, failed, skipped), rows by table, and what to know."""

    statuses: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    notes: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.statuses:
            return "no portfolio with a policy"
        counts = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        return f"{counts}; {self.rows.get('rebalancing_suggestions', 0)} rebalancing suggestions"


class _Currency:
    """What the portfolios of one base currency share: instruments and histories, read once each."""

    def __init__(self, base_currency: str, as_of_date: date, lookback_days: int) -> None:
        self.base_currency, self.as_of_date, self.lookback_days = base_currency, as_of_date, lookback_days
        self.instruments: dict[str, Instrument] = {}
        self.series: dict[str, PriceSeries] = {}
        self._asked: set[str] = set()
        self.histories = Histories(as_of_date, self.series)
        self.covariances = SharedCovariances(self.histories)

    def read(self, connection: Connection, names: set[str]) -> None:
        """Make sure of the histories of `names`."""
        new = names - self._asked
        if not new:
            return
        self._asked |= new
        found = read_instruments(connection, new)
        self.instruments |= found
        if found:
            self.series |= read_price_series(connection, found, self.base_currency, self.as_of_date, self.lookback_days)


@dataclass(frozen=True)
class _Chunk:
    """What one chunk of portfolios of one base currency reads."""

    tasks: Sequence[PortfolioTask]
    holdings: Mapping[str, list[Holding]]
    quotes: Mapping[str, Quote]
    jobs: Sequence[Job]
    trading: TradingInputs


@collecting_what_is_new()
@collecting_by_hand()
def run_optimisation(
    connection: Connection,
    as_of_date: date,
    run_id: str,
    progress: Progress | None = None,
    shards: Shards = Shards(),  # noqa: B008 -- frozen
) -> OptimisationSummary:
    """Optimise and rebalance the scope's portfolios that no gate holds, in the caller's transaction.

    The tables in `intermediate` are emptied first. One portfolio that cannot be optimised is a row of status failed or
    skipped with its reason, never an error. A rerun over the same data gives the same weights, and so does a run of
    other portfolios beside them.

    Args:
        connection: the caller commits.
        as_of_date: the day that the run describes.
        run_id: of the pipeline; an optimisation's own is `run_id:portfolio_id`.
        progress: told one line per chunk.
        shards: where the portfolios are worked on; the answers are the same.
    """
    summary = OptimisationSummary()
    tasks = read_tasks(connection, as_of_date)
    sample = sample_of((task.portfolio_id, task.policy) for task in tasks if task.policy is not None)
    connection.execute("truncate " + ", ".join(f"intermediate.{table}" for table in TABLES))
    known: set[str] = set()
    for done, shared, chosen in _chunks(tasks, as_of_date):
        chunk = _read(connection, chosen, shared)
        started = time.perf_counter()
        answered = _answered(chunk, shared, sample, shards)
        # of all that were solved together, so one of them took its part
        each_ms = round(1000 * (time.perf_counter() - started) / max(len(answered), 1))
        written: dict[str, Iterable[Row]] = {
            "optimization_runs": run_rows(answered, run_id, each_ms),
            "optimization_inputs": input_rows(answered, shared.base_currency, known),
            "optimization_checks": check_rows(answered),
            "rebalancing_suggestions": _suggestions(chunk, shared, answered),
        }
        for table, rows in written.items():
            summary.rows[table] += copy_rows(connection, f"intermediate.{table}", TABLES[table], rows)
        # the two with many rows a portfolio
        for table, frame in (
            ("target_weights", weight_frame(answered, run_id)),
            ("efficient_frontier", frontier_frame(answered, run_id)),
        ):
            summary.rows[table] += copy_frame(connection, f"intermediate.{table}", frame)
        _summarise(answered, summary)
        if progress is not None:
            progress(f"{done} of {len(tasks)} portfolios optimised or rebalanced")
    carry_inputs(connection)
    return summary


def _chunks(tasks: list[PortfolioTask], as_of_date: date) -> Iterator[tuple[int, _Currency, list[PortfolioTask]]]:
    done = 0
    for currency in sorted({task.base_currency for task in tasks}):
        alike = [task for task in tasks if task.base_currency == currency]
        lookback = max([LOOKBACK_DAYS, *(task.policy.lookback_days for task in alike if task.policy)])
        shared = _Currency(currency, as_of_date, lookback)
        for start in range(0, len(alike), CHUNK):
            chosen = alike[start : start + CHUNK]
            done += len(chosen)
            yield done, shared, chosen


def _read(connection: Connection, tasks: list[PortfolioTask], shared: _Currency) -> _Chunk:
    ids = [task.portfolio_id for task in tasks]
    holdings = read_holdings(connection, ids)
    counted = _counted(connection, tasks, holdings)
    holdings = {portfolio_id: merged(found, counted[portfolio_id]) for portfolio_id, found in holdings.items()}
    previous = read_previous_weights(connection, ids)
    jobs = [
        Job(
            task.portfolio_id,
            task.user_id,
            task.policy,
            tuple(_universe(task.policy, holdings.get(task.portfolio_id, []))),
            task.risk_free_rate or 0.0,
            previous.get(task.portfolio_id),
            tuple(holdings.get(task.portfolio_id, [])),
            is_rate_unknown=task.risk_free_rate is None,
        )
        for task in tasks
        if task.policy is not None
    ]
    candidates = {name for job in jobs for name in job.candidates}
    tradable = {holding.instrument_id for found in holdings.values() for holding in found}
    tradable |= {name for task in tasks for name in task.targets} | candidates
    shared.read(connection, {name for name in tradable if not name.startswith(CASH_PREFIX)})
    quotes = read_quotes(connection, tradable, shared.base_currency, shared.as_of_date)
    trading = read_trading_inputs(connection, ids, tradable, shared.as_of_date)
    lots = {portfolio_id: relabelled(found, counted[portfolio_id]) for portfolio_id, found in trading.lots.items()}
    trading = replace(trading, lots=lots)
    jobs = [replace(job, traded_base=_traded(job, quotes, trading)) if job.policy.cost_impact else job for job in jobs]
    return _Chunk(tasks, holdings, quotes, jobs, trading)


def _counted(
    connection: Connection, tasks: Sequence[PortfolioTask], holdings: Mapping[str, list[Holding]]
) -> dict[str, dict[str, str]]:
    """By portfolio: held forms of an asset, and the target that they count towards; what is owed counts as itself."""
    held = {
        task.portfolio_id: [one.instrument_id for one in holdings.get(task.portfolio_id, []) if one.quantity > 0]
        for task in tasks
    }
    universes = {name for task in tasks if task.policy is not None for name in task.policy.universe}
    names = {name for found in held.values() for name in found} | {name for task in tasks for name in task.targets}
    economic = read_economic(connection, names | universes)
    found: dict[str, dict[str, str]] = {}
    for task in tasks:
        own = held[task.portfolio_id]
        universe = () if task.policy is None else task.policy.universe
        if economic.keys().isdisjoint([*own, *task.targets, *universe]):
            # most portfolios: every name is the asset itself
            found[task.portfolio_id] = {}
            continue
        named: set[str] = set(task.targets)
        if task.policy is not None:
            is_held = task.policy.is_held_universe
            named = names_of_held(own, task.policy, economic) if is_held else set(task.policy.universe)
        found[task.portfolio_id] = counted_as(own, named, economic)
    return found


def _traded(job: Job, quotes: Mapping[str, Quote], trading: TradingInputs) -> dict[str, float]:
    """Value traded a day of the candidates with a volume and a price, in base currency."""
    found: dict[str, float] = {}
    for name in job.candidates:
        terms, quote = trading.terms.get(name), quotes.get(name)
        if terms is not None and terms.daily_volume and quote is not None and quote.price_base is not None:
            found[name] = terms.daily_volume * float(quote.price_base)
    return found


def _universe(policy: AllocationPolicy, holdings: Sequence[Holding]) -> list[str]:
    """Candidates: what is held (cash and borrowed positions are not), or the policy's list without cash."""
    held = {holding.instrument_id for holding in holdings if holding.quantity > 0}
    names = held if policy.is_held_universe else set(policy.universe)
    return sorted(name for name in names if not name.startswith(CASH_PREFIX))


def _answered(chunk: _Chunk, shared: _Currency, sample: frozenset[str], shards: Shards) -> list[tuple[Job, Answer]]:
    attributes = {name: instrument.attributes for name, instrument in shared.instruments.items()}
    jobs = [job for job in chunk.jobs if job.candidates]
    answers = answer_in_shards(shards, jobs, shared.histories, attributes, sample)
    nothing = Answer(Outcome("skipped", NOTHING_TO_ALLOCATE))
    return [(job, answers.get(job.portfolio_id, nothing)) for job in chunk.jobs]


def _summarise(answered: Answered, summary: OptimisationSummary) -> None:
    for job, found in answered:
        status = found.outcome.status
        summary.statuses[status] = summary.statuses.get(status, 0) + 1
        said = "; ".join(filter(None, [found.outcome.reason, *notes(job, found)]))
        if said:
            summary.notes[job.portfolio_id] = said


def _suggestions(chunk: _Chunk, shared: _Currency, answered: Answered) -> Iterator[Row]:
    """Trades towards fixed targets, or towards the weights that were found."""
    by_portfolio = {job.portfolio_id: found for job, found in answered}
    cases = [
        _case(task, chunk.holdings.get(task.portfolio_id, []), by_portfolio.get(task.portfolio_id))
        for task in chunk.tasks
    ]
    found = rebalance(
        [case for case in cases if case.targets], chunk.quotes, chunk.trading, shared.covariances, shared.base_currency
    )
    return ((portfolio_id, *row) for portfolio_id, row in found)


def _case(task: PortfolioTask, holdings: Sequence[Holding], found: Answer | None) -> Case:
    needs_funding = not task.is_cash_implicit
    if task.policy is None or found is None:
        return Case(task.portfolio_id, holdings, task.targets, DEFAULT_BAND, {}, needs_funding)
    targets, left_out, outcome = {}, {}, found.outcome
    if found.exclusions:
        held = {holding.instrument_id for holding in holdings}
        left_out = {item.label: f"{item.code} ({item.detail})" for item in found.exclusions if item.label in held}
    if outcome.weights is not None and outcome.constraints is not None:
        targets = dict(zip(outcome.constraints.labels, outcome.weights.tolist(), strict=True))
    return Case(task.portfolio_id, holdings, targets, task.policy.rebalance_band, left_out, needs_funding)
