"""A population and then one day more: `python -m benchmarks.days [portfolios] [holdings] [transactions of each]`.

Belongs here: a full build of one year and the increment of a single day over it, through `holdfast run`, with
seconds by stage and their ratio. By default 10,000 portfolios with 13 instruments and 2 currencies each.
"""

from __future__ import annotations

import random
import sys
from datetime import timedelta

from benchmarks._command import Run, machine, run_holdfast, stage_seconds, temporary_home
from benchmarks.population import LAST_DAY, write_inputs

#: Stages that value portfolios and measure them; the others load files or serve other marts.
ENGINE = ("ledger", "holdings", "performance")
#: Two people's portfolios: what their stages take is Dagster's and dbt's start-up, and prices, which all share.
FEW = 4

Stages = dict[str, float]


def main(portfolios: int = 10_000, holdings: int = 13, transactions: int = 30) -> None:
    """Print seconds by stage of both runs, as they are and less start-up, rows a second, and what a day costs."""
    print(machine())
    print(f"{portfolios:,} portfolios, {portfolios * transactions:,} transactions, {holdings} instruments each")
    few = [_stages(run) for run in _both(FEW, holdings, transactions)]
    runs = _both(portfolios, holdings, transactions)
    whole, day = (_stages(run) for run in runs)
    net_whole, net_day = (
        {stage: max(seconds - start_up.get(stage, 0.0), 0.0) for stage, seconds in stages.items()}
        for stages, start_up in zip((whole, day), few, strict=True)
    )
    print(f"  {'stage':<13} {'whole, s':>10} {'a day, s':>10}   less start-up: {'whole, s':>10} {'a day, s':>10}")
    for stage in dict.fromkeys([*whole, *day]):
        figures = (stages.get(stage, 0.0) for stages in (whole, day, net_whole, net_day))
        print("  {:<13} {:10.1f} {:10.1f}                  {:10.1f} {:10.1f}".format(stage, *figures))
    for name, run in zip(("whole", "a day"), runs, strict=True):
        print(
            f"{name}: {run.seconds:.1f} s, {run.summary['changed_rows']:,} rows published, "
            f"peak {run.process_peak:,.0f} MiB process, {run.server_peak:,.0f} MiB server"
        )
    print(f"engine ({', '.join(ENGINE)}): {portfolios * 365 / _engine(net_whole):,.0f} portfolio-days a second")
    for name, before, after in (("as it is", whole, day), ("less start-up", net_whole, net_day)):
        seconds, part = _engine(before), max(_engine(after), 0.001)
        print(f"a day of the engine, {name}: {part:.2f} s of {seconds:.1f} s, 1/{seconds / part:.1f}")


def _both(portfolios: int, holdings: int, transactions: int) -> tuple[Run, Run]:
    """The whole history up to the day before the last one, then that day, in a home of their own."""
    with temporary_home() as home:
        inputs = home.parent / "inputs"
        write_inputs(inputs, portfolios, transactions, 1, random.Random(1), holdings)
        whole = run_holdfast(home, inputs, (LAST_DAY - timedelta(days=1)).isoformat())
        return whole, run_holdfast(home, inputs, LAST_DAY.isoformat())


def _engine(stages: Stages) -> float:
    return sum(stages.get(name, 0.0) for name in ENGINE)


def _stages(run: Run) -> Stages:
    stages: Stages = {}
    for stage, seconds, _ in stage_seconds(run):
        stages[stage] = stages.get(stage, 0.0) + seconds
    return stages


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
