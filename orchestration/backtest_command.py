"""`holdfast backtest`: what a policy would have done, over any period that the stored prices reach over.

Belongs here: the command and its table. Must not be here: the walk (assets/backtest), publishing: runs do that, up to
the last closed month, into policy_backtests.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.command_options import fail, open_settings

if TYPE_CHECKING:
    from assets.backtest.store import Strategy

PortfolioOption = Annotated[str, typer.Option(help="Portfolio with a policy.")]
FromOption = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Default three years.")]
ToOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Default the last published day.")]
RebalanceOption = Annotated[str, typer.Option(help="weekly, monthly or quarterly.")]
CostOption = Annotated[float, typer.Option(min=0.0, max=0.5, help="Cost of each unit of money bought or sold.")]
_COLUMNS = {
    "total_return": "return", "annual_return": "a year", "volatility": "volatility", "max_drawdown": "drawdown",
    "turnover": "turnover a year", "costs": "costs",
}  # fmt: skip


def show_backtest(
    portfolio: PortfolioOption,
    from_: FromOption = None,
    to: ToOption = None,
    rebalance: RebalanceOption = "monthly",
    cost: CostOption = 0.001,
) -> None:
    """Walk a policy forward over stored prices and print it beside equal weight and the benchmark; writes nothing."""
    from assets.backtest.loading import read_backtest_tasks
    from assets.backtest.store import HISTORY_DAYS, Settings, backtest
    from assets.backtest.walk import RHYTHMS
    from assets.warehouse.database import connect, has_relation

    if rebalance not in RHYTHMS:
        fail(f"--rebalance {rebalance!r}: expected {', '.join(RHYTHMS)}", 2)
    _, url = open_settings(None)
    with connect(url) as conn:
        known = (
            has_relation(conn, "ops.published_inputs")
            and conn.execute("select as_of_date from ops.published_inputs").fetchone()
        )
        if not known:
            fail("nothing is published yet; `holdfast run` first")
        last = min(to.date(), known[0]) if to else known[0]
        first = from_.date() if from_ else last - timedelta(days=HISTORY_DAYS)
        if first >= last:
            fail(f"--from {first} is not before {last}, the last day; prices reach to {known[0]}", 2)
        tasks = read_backtest_tasks(conn, known[0], last, (last - first).days, portfolio)
    if not tasks:
        fail(f"no active portfolio {portfolio} with a policy; `policy` in portfolios.yaml gives it one")
    strategies = backtest(tasks[0], Settings(rebalance, cost, first, last))
    measured = strategies[0].figures
    if measured is None:
        why = strategies[0].missed or f"{strategies[0].reason} (docs/metrics.md)"
        fail(f"{portfolio} has no back-test: {why}; try other dates or lookback_days")
    _show(strategies)
    if measured.period_start > first:
        why = strategies[0].missed or f"decisions are {rebalance}, and traded at the next prices"
        print(f"begins on {measured.period_start}, not on {first}: {why}")
    if tasks[0].policy.is_held_universe:
        print("the candidates are what is held today, which the past did not know: name a universe for an honest test")


def _show(strategies: Sequence[Strategy]) -> None:
    table = [("strategy", "from", "to", *_COLUMNS.values(), "sharpe", "trades")]
    for strategy in strategies:
        found = strategy.figures
        if found is None:
            continue
        shares = [getattr(found, name) for name in _COLUMNS]
        table.append(
            (
                strategy.name, found.period_start.isoformat(), found.period_end.isoformat(),
                *("-" if share is None else f"{100 * share:.2f} %" for share in shares),
                "-" if found.sharpe_ratio is None else f"{found.sharpe_ratio:.2f}", str(found.rebalances),
            )
        )  # fmt: skip
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)).rstrip())
