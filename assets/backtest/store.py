"""The back-tests of a run: which are out of date, their strategies, and the rows that stay.

Belongs here: the order of the work, writing. Must not be here: numerics (walk, figures), SELECT statements (loading).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from assets.allocation.estimates import BUSINESS_DAYS_PER_YEAR
from assets.allocation.model import AllocationPolicy
from assets.backtest.beginning import TOO_LITTLE_HISTORY, missed
from assets.backtest.figures import DAYS_PER_YEAR, Figures, figures
from assets.backtest.loading import BacktestTask, read_backtest_tasks, read_fingerprints
from assets.backtest.walk import Decision, Walk, calendar, decide, decision_days, equal_weights, walk
from assets.warehouse.database import Connection

#: What a run walks: long enough for a bad year, short enough for a new policy to be seen soon.
HISTORY_DAYS = 3 * 365
RHYTHM = "monthly"
#: Of each unit bought or sold: an assumption for spread and fee, stated in each row.
COST = 0.001
#: 36 optimisations each, some 20 ms apiece: a run takes a few, the rest follow in the next runs.
MOST_PER_RUN = 10
POLICY, EQUAL_WEIGHT, BENCHMARK = "policy", "equal_weight", "benchmark"
NO_PRICE_TO_TRADE = "no_price_to_trade"


@dataclass(frozen=True)
class Settings:
    """How a policy is walked: `rhythm` of its decisions, `cost` of each unit traded, days from `first` to `last`."""

    rhythm: str
    cost: float
    first: date
    last: date


@dataclass(frozen=True)
class Strategy:
    """One strategy's walk and measures; without a walk `reason` says why.

    `missed` says why days that were asked for decided nothing; empty: none did.
    """

    name: str
    walk: Walk | None = None
    figures: Figures | None = None
    fallbacks: int | None = None
    reason: str | None = None
    missed: str = ""


def backtest(task: BacktestTask, settings: Settings) -> list[Strategy]:
    """The policy, equal weights of the same candidates, and the benchmark, from the policy's first trade on."""
    days = decision_days(settings.first, settings.last, settings.rhythm)
    rates = task.rate_on(np.array(days, dtype="datetime64[D]"))
    decisions = [
        decide(task.policy, task.series, task.attributes, day, float(rate))
        for day, rate in zip(days, rates, strict=True)
    ]
    begun = next((n for n, item in enumerate(decisions) if item.weights is not None), None)
    code, why = missed(decisions[:begun], task.series, task.policy.lookback_days)
    if begun is None:
        why = why or f"no {settings.rhythm} decision falls between {settings.first} and {settings.last}"
        return [Strategy(POLICY, reason=code or TOO_LITTLE_HISTORY, missed=why)]
    decisions = decisions[begun:]
    named = [(POLICY, decisions), (EQUAL_WEIGHT, equal_weights(decisions))]
    series = list(task.series)
    if task.benchmark is not None:
        label = task.benchmark.label
        if label not in task.universe:
            series.append(task.benchmark)
        named.append((BENCHMARK, [Decision(decisions[0].day, (label,), {label: 1.0}, "held", None)]))
    market = calendar(series, settings.last)
    is_daily = any(item.annualization_days > BUSINESS_DAYS_PER_YEAR for item in task.series)
    periods_per_year = DAYS_PER_YEAR if is_daily else BUSINESS_DAYS_PER_YEAR
    found = []
    for name, chosen in named:
        walked = walk(chosen, market, settings.cost)
        if walked is None or not np.isfinite(walked.index).all():
            found.append(Strategy(name, reason=NO_PRICE_TO_TRADE))
            continue
        measured = figures(walked, task.rate_on(walked.days), periods_per_year)
        if code:
            said = filter(None, [measured.undefined_reason, f"period_start:{code}"])
            measured = replace(measured, undefined_reason=";".join(said))
        fallbacks = sum(item.status != "optimal" for item in chosen) if name == POLICY else None
        found.append(Strategy(name, walked, measured, fallbacks, missed=why))
    return found


def run_backtests(connection: Connection, as_of_date: date, engine: str) -> str:
    """Bring ops.policy_backtests up to the last closed month, in the caller's transaction; what was done, in words.

    A back-test is made again when its month, policy, candidates or prices differ, `MOST_PER_RUN` in a run; the others
    keep their rows. What it says follows from its inputs alone, whenever it is made.

    Args:
        connection: the caller commits.
        as_of_date: the day that the run describes.
        engine: version of the product's own code.
    """
    last = last_closed_month(as_of_date)
    settings = Settings(RHYTHM, COST, last - timedelta(days=HISTORY_DAYS), last)
    connection.execute(
        "delete from ops.policy_backtests where portfolio_id not in ("
        " select policies.portfolio_id from registry.policies"
        " inner join registry.portfolios on portfolios.id = policies.portfolio_id and portfolios.is_active)"
        # left by a run of a later day: this one must not show what its day did not know
        " or period_end > %s",
        [last],
    )
    known = read_fingerprints(connection)
    tasks = read_backtest_tasks(connection, as_of_date, last, HISTORY_DAYS)
    outdated = [
        (task, fingerprint)
        for task in tasks
        if known.get(task.portfolio_id) != (fingerprint := _fingerprint(task, settings, engine))
    ]
    # those without any first
    outdated.sort(key=lambda pair: (pair[0].portfolio_id in known, pair[0].portfolio_id))
    for task, fingerprint in outdated[:MOST_PER_RUN]:
        _replace(connection, task, settings, fingerprint, backtest(task, settings))
    made, waiting = min(len(outdated), MOST_PER_RUN), max(len(outdated) - MOST_PER_RUN, 0)
    return f"{made} of {len(tasks)} policies walked up to {last}, {waiting} wait for the next runs"


def last_closed_month(day: date) -> date:
    """The last day of the last month that `day` closes."""
    tomorrow = day + timedelta(days=1)
    return tomorrow.replace(day=1) - timedelta(days=1)


def _fingerprint(task: BacktestTask, settings: Settings, engine: str) -> str:
    benchmark = None if task.benchmark is None else task.benchmark.label
    said: tuple[AllocationPolicy | object, ...] = (
        task.policy, task.universe, sorted(task.attributes.items()), benchmark, task.fixed_rate, settings, engine,
    )  # fmt: skip
    digest = hashlib.sha256(repr(said).encode())
    for series in (*task.series, task.benchmark, task.rates):
        if series is not None:
            digest.update(series.label.encode())
            digest.update(series.dates.astype("datetime64[D]").astype("int64").tobytes())
            digest.update(series.prices.tobytes() + series.quote_prices.tobytes())
    return digest.hexdigest()[:16]


def _replace(
    connection: Connection, task: BacktestTask, settings: Settings, fingerprint: str, strategies: Sequence[Strategy]
) -> None:
    connection.execute("delete from ops.policy_backtests where portfolio_id = %s", [task.portfolio_id])
    for strategy in strategies:
        measured, walked = strategy.figures, strategy.walk
        row: dict[str, object] = {
            "portfolio_id": task.portfolio_id,
            "strategy": strategy.name,
            "fingerprint": fingerprint,
            "rhythm": settings.rhythm,
            "cost_rate": settings.cost,
            "universe_basis": "held_now" if task.policy.is_held_universe else "listed",
            "fallbacks": strategy.fallbacks,
            "undefined_reason": None if strategy.reason is None else f"all:{strategy.reason}",
            "days": [] if walked is None else walked.days.tolist(),
            "index_values": [] if walked is None else walked.index.tolist(),
        }
        if measured is not None:
            row |= vars(measured)
        columns = ", ".join(row)
        places = ", ".join(f"%({name})s" for name in row)
        connection.execute(f"insert into ops.policy_backtests ({columns}) values ({places})".encode(), row)
