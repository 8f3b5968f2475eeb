"""marts.performance_between in a real PostgreSQL: equal to the Python measures on every column, and its borders.

The daily table here is test data with the documented columns of marts.portfolio_daily.
"""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from psycopg.rows import dict_row

import assets.publication
from assets.performance import compiled
from assets.performance.compute import day_number, performance_rows
from assets.performance.frames import rows_frame
from assets.performance.reading_days import read_series
from assets.performance.series import AMOUNTS, FLAGS, NUMBERS, Range
from assets.performance.store import run_performance
from assets.warehouse.database import Connection, connect, copy_frame
from assets.warehouse.migrate import migrate
from assets.warehouse.roles import READER_ROLE
from tests.unit.performance.daily import daily_rows, daily_series

FUNCTION_FILE = Path(assets.publication.__file__).parent / "reading" / "20_performance_between.sql"
FIRST = date(2021, 3, 1)
DAILY_COLUMNS = """
    portfolio_id text not null, user_id text not null, valuation_date date not null, value_base ops.amount,
    inflow_base ops.amount, outflow_base ops.amount, twr_return ops.ratio, income_base ops.amount,
    fees_base ops.amount, trade_fees_base ops.amount, taxes_base ops.amount, realized_pnl_base ops.amount, unrealized_change_base ops.amount,
    currency_effect_base ops.amount, is_complete boolean, usd_rate ops.amount, is_market_day boolean,
    trades_daily boolean, risk_free_rate ops.ratio, flow_basis text, primary key (portfolio_id, valuation_date)
"""


@pytest.fixture(scope="module")
def database(module_database_url: str) -> Iterator[Connection]:
    """A migrated database with empty daily tables and the function."""
    with connect(module_database_url, autocommit=True) as connection:
        for schema in ("marts", "build"):
            connection.execute(f"create table {schema}.portfolio_daily ({DAILY_COLUMNS})")
        connection.execute("create view intermediate.int_all_days as select * from build.portfolio_daily")
        connection.execute(FUNCTION_FILE.read_text(encoding="utf-8").encode())
        yield connection


def load(connection: Connection, frame: pl.DataFrame, schema: str = "marts") -> None:
    stored = frame.with_columns(
        pl.lit("someone").alias("user_id"),
        pl.from_epoch("day", time_unit="d").alias("valuation_date"),
        pl.when(pl.col("is_observed") == 1).then(pl.lit("observed")).otherwise(pl.lit("ledger")).alias("flow_basis"),
        *(pl.col(name).cast(pl.Boolean) for name in ("is_complete", "is_market_day", "trades_daily")),
    ).drop("day", "is_observed")
    connection.execute(f"truncate {schema}.portfolio_daily")
    copy_frame(connection, f"{schema}.portfolio_daily", stored)


def between(connection: Connection, portfolio: str, start: date | None, end: date | None) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select * from marts.performance_between(%s, %s::date, %s::date)", [portfolio, start, end]
        ).fetchall()


def random_portfolio(seed: int, days: int) -> pl.DataFrame:
    """A daily series with flows, idle days, weekends, losses, unknown rates and amounts, by the luck of the seed."""
    generator = np.random.default_rng(seed)
    inflow, outflow = np.zeros(days), np.zeros(days)
    returns: list[float | None] = []
    values = np.zeros(days)
    value = 0.0
    volatility = float(generator.choice([0.0, 0.002, 0.02, 0.1]))
    for day in range(days):
        if day == 0 or generator.random() < 0.05:
            inflow[day] = round(float(generator.lognormal(7, 1)), 6)
        growth = float(generator.normal(0.0003, volatility))
        invested = value + inflow[day]
        worth = max(0.0, round(invested * (1 + growth), 8))
        if generator.random() < 0.05:
            outflow[day] = round(worth * float(generator.choice([0.1, 0.5, 1.0, 1.0])), 8)
        value = round(worth - outflow[day], 8)
        values[day] = value
        returns.append((value + outflow[day]) / invested - 1 if invested > 0 else None)
    amounts = {
        name: np.round(generator.normal(0, 20, days) * (generator.random(days) < 0.2), 6) for name in AMOUNTS[3:]
    }
    frame = daily_rows(FIRST + timedelta(1), [0.0] * (days - 1)).with_columns(
        pl.lit(f"p{seed:04d}").alias("portfolio_id"),
        pl.Series("value_base", values),
        pl.Series("inflow_base", inflow),
        pl.Series("outflow_base", outflow),
        pl.Series("twr_return", returns, dtype=pl.Float64),
        *(pl.Series(name, column) for name, column in amounts.items()),
        pl.Series("usd_rate", np.round(generator.lognormal(0.1, 0.02, days), 6)),
        pl.Series("risk_free_rate", np.round(generator.uniform(0.0, 0.05, days), 5)),
        pl.Series("is_market_day", (np.arange(days) % 7 < 5).astype(int)),
        pl.lit(int(generator.random() < 0.5)).alias("trades_daily"),
        pl.Series("is_complete", (generator.random(days) < generator.choice([1.0, 0.99])).astype(int)),
        pl.lit(int(generator.random() < 0.2)).alias("is_observed"),
    )
    hole = generator.random(days) < 0.04
    for name in ("usd_rate", "risk_free_rate", "income_base", "value_base"):
        if generator.random() < 0.2:
            frame = frame.with_columns(pl.when(pl.Series(hole)).then(None).otherwise(pl.col(name)).alias(name))
    return frame


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    for name, expected in ours.items():
        if name == "period_type":
            continue
        got = theirs[name]
        where = f"{name} of {ours['portfolio_id']} {ours['period_start']}..{ours['period_end']}"
        if isinstance(expected, float):
            assert got is not None, f"{where}: SQL null, Python {expected}"
            assert math.isclose(float(got), expected, rel_tol=1e-9, abs_tol=1e-9), f"{where}: {got} != {expected}"
        else:
            assert got == expected, f"{where}: SQL {got!r}, Python {expected!r}"


def test_equals_the_python_measures_on_every_column(database: Connection) -> None:
    seeds = range(60)
    generator = np.random.default_rng(99)
    lengths = {seed: int(generator.choice([1, 2, 5, 40, 400, 900])) for seed in seeds}
    frame = pl.concat([random_portfolio(seed, lengths[seed]) for seed in seeds])
    load(database, frame)
    series = daily_series(frame)
    seen_reasons: set[str] = set()
    for _ in range(5):
        start = np.array([FIRST.toordinal() + int(generator.integers(0, lengths[seed])) for seed in seeds])
        if _ == 0:
            start[:] = FIRST.toordinal()
        end = np.array([day + int(generator.integers(0, 800)) for day in start])
        shift = date(1970, 1, 1).toordinal()
        rows = rows_frame(performance_rows(Range(series, start - shift, end - shift)), "range")
        for ours, first, last in zip(rows.iter_rows(named=True), start, end, strict=True):
            found = between(database, ours["portfolio_id"], date.fromordinal(first), date.fromordinal(last))
            assert len(found) == 1
            assert_same(ours, found[0])
            assert set(ours) <= set(found[0])
            seen_reasons |= set((ours["undefined_reason"] or "").split(";"))
    # the comparison is worth something only if it met the hard cases
    for pair in (
        "mwr:no_sign_change",
        "mwr:missing_value",
        "income_usd:missing_fx",
        "income_base:missing_value",
        "sharpe_ratio:zero_deviation",
        "sharpe_ratio:missing_risk_free_rate",
        "twr_annualized:period_under_365_days",
        "coverage:incomplete_days",
        "simple_return:zero_base",
        "modified_dietz:no_capital",
        "modified_dietz:missing_value",
    ):
        assert pair in seen_reasons, pair


def test_several_roots_are_chosen_alike(database: Connection) -> None:
    """Flows with two and three rates; the daily returns do not matter here."""
    frames = []
    for number, flows in enumerate(
        [
            {0: -1000.0, 365: 2300.0, 730: -1320.0},
            {0: -100.0, 365: 220.0, 730: -121.0},
            {0: 100.0, 365: -100.0, 730: 100.0},
            {0: -100.0, 365: 140.0, 730: -45.0},
            dict(zip((0, 365, 730, 1095), -np.poly([2.0, 0.5, 1.2]) * 400, strict=True)),
            dict(zip((0, 365, 730, 1095), -np.poly([1e12, 0.875, 4e-4]), strict=True)),
        ]
    ):
        net = np.array([float(flows.get(day, 0.0)) for day in range(1096)])
        frames.append(
            daily_rows(FIRST + timedelta(1), [0.0] * 1095).with_columns(
                pl.lit(f"p{number}").alias("portfolio_id"),
                pl.lit(0.0).alias("value_base"),
                pl.Series("inflow_base", np.maximum(-net, 0.0)),
                pl.Series("outflow_base", np.maximum(net, 0.0)),
            )
        )
    frame = pl.concat(frames)
    load(database, frame)
    series = daily_series(frame)
    every = np.full(len(frames), day_number(FIRST))
    rows = rows_frame(performance_rows(Range(series, every, every + 2000)), "range")
    for ours in rows.iter_rows(named=True):
        found = between(database, ours["portfolio_id"], FIRST, FIRST + timedelta(2000))[0]
        if ours["portfolio_id"] == "p1":  # a double root: both stop within 1e-7 of it
            assert found["mwr"] == pytest.approx(0.1, abs=1e-7)
            assert ours["mwr"] == pytest.approx(0.1, abs=1e-7)
        else:
            assert_same(ours, found)
    assert rows["mwr_flag"].to_list() == ["several_roots", None, None, *["several_roots"] * 3]


@pytest.fixture
def ten_years(database: Connection) -> int:
    generator = np.random.default_rng(1)
    days = 3653
    load(database, daily_rows(FIRST + timedelta(1), generator.normal(0.0004, 0.01, days - 1).tolist()))
    database.execute("analyze marts.portfolio_daily")
    return days


def test_an_unknown_portfolio_gives_no_row(database: Connection, ten_years: int) -> None:
    assert between(database, "nobody", FIRST, FIRST) == []


def test_range_is_clamped_to_the_history(database: Connection, ten_years: int) -> None:
    last = FIRST + timedelta(ten_years - 1)
    whole = between(database, "p", FIRST, last)[0]
    wider = between(database, "p", date(1999, 1, 1), date(2099, 1, 1))[0]
    opened = between(database, "p", None, None)[0]
    assert (wider["period_start"], wider["period_end"]) == (FIRST, last)
    for row in (wider, opened):
        assert {k: v for k, v in row.items() if k != "calculated_at"} == {
            k: v for k, v in whole.items() if k != "calculated_at"
        }
    assert whole["start_value_base"] == 0
    assert whole["user_id"] == "someone"


def test_ranges_without_a_day_say_so(database: Connection, ten_years: int) -> None:
    before = between(database, "p", date(1999, 1, 1), date(1999, 2, 1))[0]
    reverse = between(database, "p", date(2022, 2, 2), date(2022, 2, 1))[0]
    assert (before["undefined_reason"], before["twr"]) == ("all:no_history", None)
    assert (reverse["undefined_reason"], reverse["twr"]) == ("all:empty_range", None)


def test_neighbouring_ranges_link(database: Connection, ten_years: int) -> None:
    """A range starts from the close of the day before its first day: 1 + R of two neighbours multiply to the whole."""
    middle, end = date(2023, 7, 1), date(2025, 1, 1)
    first = between(database, "p", FIRST, middle)[0]
    second = between(database, "p", middle + timedelta(1), end)[0]
    whole = between(database, "p", FIRST, end)[0]
    assert (1 + first["twr"]) * (1 + second["twr"]) == pytest.approx(1 + whole["twr"], rel=1e-12)
    assert second["start_value_base"] == first["end_value_base"]


def test_ten_years_are_read_a_few_times_not_once_a_day(database: Connection, ten_years: int) -> None:
    """What the call costs is counted in pages: a wall clock would say how busy the machine is."""
    query = (
        "explain (analyze, buffers, format json) select * from marts.performance_between("
        f"'p', '{FIRST}', '{FIRST + timedelta(ten_years)}')"
    )
    database.execute(query.encode())  # the first call also reads the catalogue
    found = database.execute(query.encode()).fetchone()
    pages = database.execute("select pg_relation_size('marts.portfolio_daily') / 8192").fetchone()
    assert found is not None
    assert pages is not None
    plan = found[0][0]["Plan"]
    read = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    assert 0 < read <= 12 * pages[0], (read, pages)


def test_the_reading_role_can_call_it(database: Connection, ten_years: int) -> None:
    with database.transaction():
        database.execute(f"set local role {READER_ROLE}")
        assert len(between(database, "p", FIRST, FIRST + timedelta(30))) == 1


def test_the_file_can_be_applied_again(database: Connection, ten_years: int) -> None:
    before = between(database, "p", FIRST, FIRST)[0]
    database.execute(FUNCTION_FILE.read_text(encoding="utf-8").encode())
    assert between(database, "p", FIRST, FIRST)[0]["twr"] == before["twr"]


def test_a_new_column_keeps_the_function_its_grants_and_the_views_over_it(empty_database_url: str) -> None:
    """A database of the version before has the type without `modified_dietz`, a grant, and a view of somebody's."""
    with connect(empty_database_url, autocommit=True) as connection:
        migrate(connection)
        connection.execute(f"create table marts.portfolio_daily ({DAILY_COLUMNS})")
        statements = FUNCTION_FILE.read_text(encoding="utf-8")
        connection.execute(statements.encode())
        connection.execute("alter type ops.performance_range drop attribute modified_dietz")
        load(connection, daily_rows(FIRST + timedelta(1), [0.01, 0.02]))
        connection.execute(
            "create view bi.mine as select * from marts.performance_between('p', '2021-03-01', '2022-01-01')"
        )
        connection.execute("grant execute on function marts.performance_between to pg_monitor")
        identity = "select oid, proacl::text from pg_proc where proname = 'performance_between'"
        before = connection.execute(identity).fetchone()
        connection.execute(statements.encode())
        assert connection.execute(identity).fetchone() == before
        assert connection.execute("select twr from bi.mine").fetchone() == (pytest.approx(1.01 * 1.02 - 1),)
        found = between(connection, "p", FIRST + timedelta(1), FIRST + timedelta(2))[0]
        assert found["modified_dietz"] == pytest.approx(found["twr"], abs=1e-12)


# what the step reads beside the daily rows; here it holds nothing
OTHER_TABLES = """
    create table intermediate.int_portfolios (portfolio_id text, user_id text, base_currency text, benchmark text);
    create table staging.stg_corporate_actions (instrument_id text, kind text);
    create table intermediate.int_instruments (
        instrument_id text, asset_class text, quote_currency text, pricing_instrument_id text);
    create table intermediate.int_price_daily (instrument_id text, valuation_date date, price numeric);
    create table intermediate.int_fx_daily (currency text, quote text, fx_date date, rate numeric);
    create table intermediate.int_instrument_returns (
        base_currency text, instrument_id text, valuation_date date, daily_return double precision);
"""


@pytest.mark.parametrize("worth_compiling", [0, 10**9])
def test_daily_rows_are_read_as_the_server_casts_them(
    database: Connection, worth_compiling: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "WORTH_COMPILING", worth_compiling)
    names = [f"p{seed:04d}" for seed in range(8)]
    load(database, pl.concat([random_portfolio(seed, 50 + seed) for seed in range(8)]), "build")
    database.execute("update build.portfolio_daily set value_base = value_base * 1.23456789012345678901e14")
    database.execute(
        "update build.portfolio_daily set fees_base = null where portfolio_id = 'p0003' and random() < 0.5"
    )
    series = read_series(database, names[::-1], FIRST + timedelta(999))
    assert series.portfolio_ids == names[::-1]
    for name in (*NUMBERS, *FLAGS):
        column = "flow_basis = 'observed'" if name == "is_observed" else name
        expected = database.execute(
            f"select ({column})::{'boolean' if name in FLAGS else 'float8'} from build.portfolio_daily"
            " order by portfolio_id desc, valuation_date"
        ).fetchall()
        found = series.flags[name] if name in FLAGS else series.numbers[name]
        wanted = np.array([value for (value,) in expected], dtype=np.bool_ if name in FLAGS else np.float64)
        np.testing.assert_allclose(found, wanted, rtol=3e-16, err_msg=name)


def test_run_performance_writes_every_period(database: Connection, module_database_url: str) -> None:
    database.execute(OTHER_TABLES)
    database.execute("insert into ops.run_scope select 'p000' || number, '' from generate_series(1, 3) as number")
    database.execute(
        "insert into intermediate.int_portfolios select portfolio_id, portfolio_id, 'fiat:USD', null from ops.run_scope"
    )
    as_of = FIRST + timedelta(499)
    frame = pl.concat([random_portfolio(1, 500), random_portfolio(2, 500), random_portfolio(3, 10)])
    frame = frame.filter(pl.col("portfolio_id") != "p0003").vstack(
        random_portfolio(3, 10).with_columns(pl.col("day") + 490)
    )
    load(database, frame, "build")
    load(database, frame)
    with connect(module_database_url) as source:
        first = run_performance(source, database, as_of)
    assert (first.portfolios, first.days, first.rows["performance"]) == (3, 1010, 24)
    table = "select * from intermediate.performance order by portfolio_id, period_type"
    with database.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(table).fetchall()
    assert len(rows) == 24
    for row in rows:
        if row["period_type"] in ("1h", "24h"):
            assert row["undefined_reason"] == "all:no_intraday_prices"
            assert row["twr"] is None
        else:
            found = between(database, row["portfolio_id"], row["period_start"], row["period_end"])[0]
            assert_same(
                {
                    k: float(v) if k.endswith(("_base", "_usd")) and v is not None else v
                    for k, v in row.items()
                    if k not in ("period_type", "costs_base", "average_value_base")
                },
                found,
            )
    starts = {row["period_type"]: row["period_start"] for row in rows if row["portfolio_id"] == "p0001"}
    assert starts["7d"] == as_of - timedelta(6)
    assert starts["1y"] == as_of - timedelta(364)
    assert starts["ytd"] == date(as_of.year, 1, 1)
    assert starts["all"] == FIRST
    young = {row["period_type"]: row["period_start"] for row in rows if row["portfolio_id"] == "p0003"}
    assert young["1y"] == FIRST + timedelta(490)
    with connect(module_database_url) as source:
        run_performance(source, database, as_of)
    with database.cursor(row_factory=dict_row) as cursor:
        assert cursor.execute(table).fetchall() == rows
