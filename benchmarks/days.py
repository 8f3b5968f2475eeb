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

#: Stages that value portfolios and measure them; the others load files, start Dagster and dbt, or serve other marts.
ENGINE = ("ledger", "holdings", "performance")


def main(portfolios: int = 10_000, holdings: int = 13, transactions: int = 30) -> None:
    """Print seconds by stage of both runs, rows a second, and what a day costs of the whole."""
    print(machine())
    with temporary_home() as home:
        inputs = home.parent / "inputs"
        write_inputs(inputs, portfolios, transactions, 1, random.Random(1), holdings)
        print(f"{portfolios:,} portfolios, {portfolios * transactions:,} transactions, {holdings} instruments each")
        full = run_holdfast(home, inputs, (LAST_DAY - timedelta(days=1)).isoformat())
        day = run_holdfast(home, inputs, LAST_DAY.isoformat())
        before, after = _stages(full), _stages(day)
        for stage in dict.fromkeys([*before, *after]):
            print(f"  {stage:<13} {before.get(stage, 0):8.1f} s whole {after.get(stage, 0):8.1f} s a day")
        for name, run in (("whole", full), ("a day", day)):
            print(
                f"{name}: {run.seconds:.1f} s, {run.summary['changed_rows']:,} rows published, "
                f"peak {run.process_peak:,.0f} MiB process, {run.server_peak:,.0f} MiB server"
            )
        whole, part = (sum(stages.get(name, 0.0) for name in ENGINE) for stages in (before, after))
        days = portfolios * 365
        print(f"engine ({', '.join(ENGINE)}): {whole:.1f} s, {days / whole:,.0f} portfolio-days a second")
        print(f"a day: {part:.2f} s, 1/{whole / part:.0f} of the whole")


def _stages(run: Run) -> dict[str, float]:
    stages: dict[str, float] = {}
    for stage, seconds, _ in stage_seconds(run):
        stages[stage] = stages.get(stage, 0.0) + seconds
    return stages


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
