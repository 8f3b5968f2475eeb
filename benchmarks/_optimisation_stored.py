"""The optimisation with its database, in a server of its own: one large portfolio again and again, and a population.

Belongs here: running the store over made-up inputs (_optimisation_inputs), seconds. Not here: what the figures are held
against (optimiser).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import polars

from assets.allocation.population.risk import measure_population
from assets.allocation.store import run_optimisation
from assets.warehouse.database import Connection, connect, copy_frame, read_frame
from assets.warehouse.migrate import migrate
from benchmarks._command import temporary_home
from benchmarks._optimisation_inputs import AS_OF, DAYS, load_market, load_portfolios
from orchestration.embedded_postgres import ensure_running

UNIVERSE, CAP = 500, 0.3
MEASURES = ("volatility", "sharpe_ratio", "max_drawdown", "value_at_risk", "expected_shortfall")


@contextmanager
def loaded(sizes: np.ndarray, objective: str = "min_volatility", target: float | None = None) -> Iterator[Connection]:
    """A connection to a database with portfolios of these sizes over 500 instruments."""
    rng = np.random.default_rng(1)
    with temporary_home() as home:
        url = ensure_running(home).url
        with connect(url, autocommit=True) as connection:
            migrate(connection)
        with connect(url) as connection:
            load_market(connection, UNIVERSE, rng)
            load_portfolios(connection, sizes, UNIVERSE, rng, objective, CAP)
            connection.execute("update registry.policies set target = %s", [target])
            connection.execute("create table intermediate.measured (portfolio_id text, " + ", ".join(
                f"{name} double precision" for name in MEASURES) + ")")  # fmt: skip
            connection.commit()
            yield connection


def one_large(
    size: int = 200, times: int = 100, objective: str = "min_volatility", target: float | None = None
) -> np.ndarray:
    """Seconds of each of `times` runs of one portfolio of `size`, read, solved, solved again, written, committed."""
    seconds = []
    with loaded(np.array([size]), objective, target) as connection:
        for number in range(times + 3):
            started = time.perf_counter()
            run_optimisation(connection, AS_OF, f"run-{number}")
            connection.commit()
            seconds.append(time.perf_counter() - started)
    return np.array(seconds[3:])


def whole_population(portfolios: int) -> tuple[float, float, str]:
    """Seconds by the clock and of this process for a population and its measures; what the run said.

    Before it, the same over 100 portfolios compiles and imports.
    """
    sizes = np.random.default_rng(2).integers(6, 15, portfolios)
    with loaded(sizes) as connection:
        connection.execute("create temp table kept as select * from ops.run_scope")
        connection.execute("delete from ops.run_scope where portfolio_id not in ('p1', 'p2', 'p3')")
        run_optimisation(connection, AS_OF, "warm")
        _measure(connection)
        connection.execute("truncate intermediate.measured")
        connection.execute("delete from ops.run_scope")
        connection.execute("insert into ops.run_scope select * from kept")
        connection.commit()
        started, worked = time.perf_counter(), time.process_time()
        summary = run_optimisation(connection, AS_OF, "run")
        _measure(connection)
        connection.commit()
        return time.perf_counter() - started, time.process_time() - worked, str(summary)


def _measure(connection: Connection) -> None:
    """Five measures of the target weights over the year, read and written."""
    prices = connection.execute(
        "select instrument_id, array_agg(price::float8 order by valuation_date) from intermediate.int_price_daily"
        " group by instrument_id order by instrument_id"
    ).fetchall()
    places = {row[0]: place for place, row in enumerate(prices)}
    series = np.array([row[1] for row in prices])
    weights = read_frame(
        connection,
        "select portfolio_id, instrument_id, weight from intermediate.target_weights",
        [],
        {"portfolio_id": polars.String, "instrument_id": polars.String, "weight": polars.Float64},
    ).sort("portfolio_id", maintain_order=True)
    portfolios = weights["portfolio_id"].rle().struct.unnest()
    found = measure_population(
        (series[:, 1:] / series[:, :-1] - 1).T,
        np.concatenate([[0], portfolios["len"].to_numpy().cumsum()]).astype(np.int64),
        weights["instrument_id"].replace_strict(places, return_dtype=polars.Int64).to_numpy(),
        weights["weight"].to_numpy(),
        periods_per_year=DAYS - 1,
    )
    columns = {name: getattr(found, name) for name in MEASURES}
    copy_frame(connection, "intermediate.measured", polars.DataFrame({"portfolio_id": portfolios["value"], **columns}))
