"""What a back-test reads: policies, what is held, histories of prices, benchmarks and rates.

Belongs here: SELECT statements and their rows as plain types. Must not be here: arithmetic, writing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assets.allocation.estimates import PriceSeries
from assets.allocation.forms import names_of_held
from assets.allocation.loading import Instrument, PortfolioTask, read_economic, read_instruments, read_tasks
from assets.allocation.model import AllocationPolicy, FloatArray
from assets.allocation.price_histories import read_price_series
from assets.warehouse.database import Connection

# by the ledger, so that it is the same whichever portfolios the run computes; cash is no candidate
_HELD = """
    select positions.portfolio_id, positions.instrument_id
    from intermediate.ledger_positions as positions
    inner join intermediate.int_instruments as instruments using (instrument_id)
    where positions.portfolio_id = any(%s) and positions.valid_to is null
        and instruments.trust = 'trusted' and instruments.asset_class <> 'fiat'
    group by positions.portfolio_id, positions.instrument_id having sum(positions.quantity) > 0
    order by positions.portfolio_id, positions.instrument_id
"""


@dataclass(frozen=True)
class BacktestTask:
    """A policy, what it chooses from, and what it is measured against.

    Attributes:
        portfolio_id: whose policy.
        policy: as it is now.
        universe: candidates, sorted.
        series: price histories of those that have one.
        attributes: of the candidates, for group limits.
        benchmark: instrument and history; None: the portfolio has none, or it has no price.
        fixed_rate: a year, fraction; None: `rates` tells.
        rates: history in percent; None: the rate is fixed or unknown.
    """

    portfolio_id: str
    policy: AllocationPolicy
    universe: tuple[str, ...]
    series: tuple[PriceSeries, ...]
    attributes: Mapping[str, Mapping[str, str | None]]
    benchmark: PriceSeries | None
    fixed_rate: float | None
    rates: PriceSeries | None

    def rate_on(self, days: NDArray[np.datetime64]) -> FloatArray:
        """(D,) the risk-free rate a year that each day knew, 0 where none was."""
        if self.rates is None or not len(self.rates.dates):
            return np.full(len(days), self.fixed_rate or 0.0)
        place = np.searchsorted(self.rates.dates, days, side="right") - 1
        return np.where(place >= 0, self.rates.quote_prices[np.maximum(place, 0)] / 100, 0.0)


def read_backtest_tasks(
    connection: Connection, as_of_date: date, last: date, history_days: int, only: str | None = None
) -> list[BacktestTask]:
    """Policies of the run's scope, or of one portfolio, with the prices of `history_days` and their own lookback.

    Args:
        connection: any.
        as_of_date: of the last run.
        last: the last day whose prices may be seen.
        history_days: calendar days that are walked.
        only: this portfolio, whatever the scope.
    """
    found = [(task, task.policy) for task in read_tasks(connection, as_of_date, only) if task.policy is not None]
    ids = [task.portfolio_id for task, _ in found]
    held: dict[str, list[str]] = defaultdict(list)
    for portfolio_id, instrument_id in connection.execute(_HELD, [ids]):
        held[portfolio_id].append(instrument_id)
    economic = read_economic(connection, {name for names in held.values() for name in names})
    settings = {
        row[0]: (row[1], row[2])
        for row in connection.execute(
            "select id, benchmark, risk_free_rate from registry.portfolios where id = any(%s)", [ids]
        )
    }
    tasks = []
    for currency in sorted({task.base_currency for task, _ in found}):
        alike = [(task, policy) for task, policy in found if task.base_currency == currency]
        universes = {task.portfolio_id: _universe(policy, held[task.portfolio_id], economic) for task, policy in alike}
        names = {name for universe in universes.values() for name in universe}
        names |= {name for task, _ in alike for name in settings[task.portfolio_id] if name and ":" in name}
        instruments = read_instruments(connection, names)
        days = history_days + max(policy.lookback_days for _, policy in alike)
        series = read_price_series(connection, instruments, currency, last, days)
        for task, policy in alike:
            # longer ones of others would move its first decision
            own = _since(series, last - timedelta(days=history_days + policy.lookback_days))
            tasks.append(
                _task(task, policy, universes[task.portfolio_id], instruments, own, *settings[task.portfolio_id])
            )
    return sorted(tasks, key=lambda task: task.portfolio_id)


def _since(series: Mapping[str, PriceSeries], first: date) -> dict[str, PriceSeries]:
    """What is known from `first` on; without any price: missing."""
    found = {}
    for label, item in series.items():
        begin = int(np.searchsorted(item.dates, np.datetime64(first, "D")))
        if begin < len(item.dates):
            found[label] = replace(
                item, dates=item.dates[begin:], prices=item.prices[begin:], quote_prices=item.quote_prices[begin:]
            )
    return found


def _universe(policy: AllocationPolicy, held: Sequence[str], economic: Mapping[str, str]) -> tuple[str, ...]:
    names = names_of_held(held, policy, economic) if policy.is_held_universe else policy.universe
    return tuple(sorted({name for name in names if not name.startswith("fiat:")}))


def _task(
    task: PortfolioTask,
    policy: AllocationPolicy,
    universe: tuple[str, ...],
    instruments: Mapping[str, Instrument],
    series: Mapping[str, PriceSeries],
    benchmark: str | None,
    rate: Any,
) -> BacktestTask:
    is_instrument = rate is not None and ":" in rate
    return BacktestTask(
        portfolio_id=task.portfolio_id,
        policy=policy,
        universe=universe,
        series=tuple(series[name] for name in universe if name in series),
        attributes={name: instruments[name].attributes for name in universe if name in instruments},
        benchmark=series.get(benchmark) if benchmark else None,
        fixed_rate=None if is_instrument or rate is None else float(rate),
        rates=series.get(rate) if is_instrument else None,
    )


def read_fingerprints(connection: Connection) -> dict[str, str]:
    """Portfolio -> what its stored back-test was made from."""
    return dict(connection.execute("select distinct portfolio_id, fingerprint from ops.policy_backtests").fetchall())
