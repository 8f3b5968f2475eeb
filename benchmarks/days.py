"""A population and then one day more: `python -m benchmarks.days [portfolios] [holdings] [transactions of each]`.

Belongs here: a full build of one year and the increment of a single day over it, through `holdfast run`, with
seconds by stage and their ratio, beside what a day must write at least. By default 10,000 portfolios with 13
instruments and 2 currencies each.
"""

from __future__ import annotations

import json
import random
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from assets.warehouse.database import Connection, connect
from benchmarks._command import Run, machine, run_holdfast, stage_seconds, temporary_home
from benchmarks.population import LAST_DAY, write_inputs
from orchestration.embedded_postgres import ensure_running

#: Stages that value portfolios and measure them; the others load files or serve other marts.
ENGINE = ("ledger", "holdings", "performance")
#: What portfolio_daily is made of, beside the ledger; portfolio_performance is the first half of the stage performance.
DAILY_MODELS = ("int_positions", "int_price_base", "int_position_totals", "int_portfolio_days", "portfolio_daily")
TWO_TABLES = "portfolio_daily and portfolio_performance"
#: Rows that a day changes by definition: each portfolio has a day more, and each of its periods ends on it.
CHANGED = {
    "portfolio_daily": "select * from build.portfolio_daily",
    "portfolio_performance": "select * from history.portfolio_performance where published_to is null",
}
#: Value and flows need more than this; less no definition of a portfolio's value can do.
VALUED = """
    select positions.portfolio_id, sum(positions.quantity * prices.price_base)
    from intermediate.int_positions as positions
    inner join intermediate.int_price_base as prices
        on prices.instrument_id = positions.instrument_id and prices.base_currency = positions.base_currency
        and prices.valuation_date = positions.last_date
    where positions.is_current
    group by positions.portfolio_id
"""
#: Two people's portfolios: what their stages take is Dagster's and dbt's start-up, and prices, which all share.
FEW = 4

Stages = dict[str, float]


def main(portfolios: int = 10_000, holdings: int = 13, transactions: int = 30) -> None:
    """Print seconds by stage of both runs, as they are and less start-up, rows a second, and what a day costs."""
    print(machine())
    print(f"{portfolios:,} portfolios, {portfolios * transactions:,} transactions, {holdings} instruments each")
    few, _ = _both(FEW, holdings, transactions)
    ((whole_run, whole), (day_run, day)), least = _both(portfolios, holdings, transactions)
    net_whole, net_day = (
        {stage: max(seconds - start_up.get(stage, 0.0), 0.0) for stage, seconds in stages.items()}
        for stages, (_, start_up) in zip((whole, day), few, strict=True)
    )
    print(f"  {'stage':<13} {'whole, s':>10} {'a day, s':>10}   less start-up: {'whole, s':>10} {'a day, s':>10}")
    for stage in dict.fromkeys([*whole, *day]):
        figures = (stages.get(stage, 0.0) for stages in (whole, day, net_whole, net_day))
        print("  {:<13} {:10.1f} {:10.1f}                  {:10.1f} {:10.1f}".format(stage, *figures))
    for name, run in (("whole", whole_run), ("a day", day_run)):
        print(
            f"{name}: {run.seconds:.1f} s, {run.summary['changed_rows']:,} rows published, "
            f"peak {run.process_peak:,.0f} MiB process, {run.server_peak:,.0f} MiB server"
        )
    print(f"engine ({', '.join(ENGINE)}): {portfolios * 365 / _engine(net_whole):,.0f} portfolio-days a second")
    for name, before, after in (("as it is", whole, day), ("less start-up", net_whole, net_day)):
        for what, seconds, part in (
            ("the engine", _engine(before), _engine(after)),
            (TWO_TABLES, before[TWO_TABLES], after[TWO_TABLES]),
        ):
            print(f"a day of {what}, {name}: {part:.2f} s of {seconds:.1f} s, 1/{seconds / max(part, 0.001):.1f}")
    print(f"the least that a day of {TWO_TABLES} must do, each alone and as bare as can be:")
    for what, seconds in (*least.items(), ("together", sum(least.values()))):
        print(f"  {what}: {seconds:.2f} s, 1/{net_whole[TWO_TABLES] / seconds:.0f} of what both took")


def _both(portfolios: int, holdings: int, transactions: int) -> tuple[list[tuple[Run, Stages]], Stages]:
    """The whole history up to the day before the last one, then that day; and the seconds of the least it must do."""
    with temporary_home() as home:
        inputs = home.parent / "inputs"
        write_inputs(inputs, portfolios, transactions, 1, random.Random(1), holdings)
        done = []
        for day in (LAST_DAY - timedelta(days=1), LAST_DAY):
            run = run_holdfast(home, inputs, day.isoformat())
            stages = _stages(run)
            periods = next(text for _, stage, text in run.progress if stage == "performance")
            stages[TWO_TABLES] = (
                stages["ledger"] + _seconds_of_models(home) + float(periods.split(" in ")[1].split()[0])
            )
            done.append((run, stages))
        return done, _least(home)


def _least(home: Path) -> Stages:
    """Seconds of what no engine can leave out: value what is held, read the days of the periods, write what changed."""
    seconds = {}
    with connect(ensure_running(home).url) as connection:
        begun = time.perf_counter()
        connection.execute(VALUED).fetchall()
        seconds["value what is held on the day"] = time.perf_counter() - begun
        begun = time.perf_counter()
        with connection.cursor(binary=True) as cursor:
            cursor.execute("select portfolio_id, days, events from intermediate.published_months").fetchall()
        seconds["read the days that the periods are measured over"] = time.perf_counter() - begun
        seconds["COPY the rows that change"] = sum(_bare_copy(connection, *changed) for changed in CHANGED.items())
    return seconds


def _bare_copy(connection: Connection, table: str, query: str) -> float:
    """Seconds to COPY a query's rows, from text on this side, into a logged table without an index."""
    with connection.cursor().copy(f"copy ({query}) to stdout") as copy:
        text = b"".join(copy)
    connection.execute(f"create table ops.bare_{table} as {query} limit 0".encode())
    connection.commit()
    begun = time.perf_counter()
    with connection.cursor().copy(f"copy ops.bare_{table} from stdin") as copy:
        copy.write(text)
    connection.commit()
    return time.perf_counter() - begun


def _seconds_of_models(home: Path) -> float:
    """What dbt took for `DAILY_MODELS` in the last run, as Dagster keeps it."""
    with connect(ensure_running(home).url) as connection:
        events = connection.execute(
            "select asset_key, event from dagster.event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
            " and run_id = (select run_id from ops.current_run)"
        ).fetchall()
    return sum(_seconds(json.loads(event)) for key, event in events if json.loads(key)[-1] in DAILY_MODELS)


def _seconds(event: dict[str, Any]) -> float:
    entries = event["dagster_event"]["event_specific_data"]["materialization"]["metadata_entries"]
    return float(next(entry["entry_data"]["value"] for entry in entries if entry["label"] == "seconds"))


def _engine(stages: Stages) -> float:
    return sum(stages.get(name, 0.0) for name in ENGINE)


def _stages(run: Run) -> Stages:
    stages: Stages = {}
    for stage, seconds, _ in stage_seconds(run):
        stages[stage] = stages.get(stage, 0.0) + seconds
    return stages


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
