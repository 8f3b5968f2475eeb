"""The risk of a run against a real PostgreSQL: what it reads, what it writes, and what it does not hang on."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from assets.risk.store import TABLES, run_risk
from assets.warehouse.database import Connection, connect, copy_rows
from quality.gate import evaluate
from quality.gates import GATES

AS_OF = date(2020, 4, 10)
DAYS = 400
# The tables that dbt builds, with the columns that the measures of risk read.
BUILT = """
create table intermediate.int_instruments (
    instrument_id text primary key, asset_class text, quote_currency text, chain text, protocol text, category text,
    canonical_instrument text, annualization_days integer, max_price_age_days integer, trust text
);
create table intermediate.int_portfolios (portfolio_id text, user_id text, base_currency text);
create table intermediate.int_instrument_returns (
    base_currency text, instrument_id text, valuation_date date, is_observed boolean, daily_return double precision
);
create table intermediate.int_fx_daily (currency text, quote text, fx_date date, rate numeric, age_days integer);
create table build.portfolio_assets (
    portfolio_id text, account_id text, instrument_id text, balance numeric, value_base numeric
);
insert into intermediate.int_portfolios values
    ('dollars', 'u', 'fiat:USD'), ('euros', 'u', 'fiat:EUR'), ('young', 'u', 'fiat:USD'), ('bare', 'u', 'fiat:USD');
insert into intermediate.int_instruments values
    ('crypto:A', 'crypto', 'fiat:USD', null, null, null, 'crypto:A', 365, 2, 'trusted'),
    ('crypto:B', 'crypto', 'fiat:USD', null, 'aave', null, 'crypto:B', 365, 2, 'trusted'),
    ('crypto:NEW', 'crypto', 'fiat:USD', null, null, null, 'crypto:NEW', 365, 2, 'trusted'),
    ('crypto:SPAM', 'crypto', 'fiat:USD', null, null, null, 'crypto:SPAM', 365, 2, 'spam'),
    ('fiat:USD', 'fiat', 'fiat:USD', null, null, null, 'fiat:USD', 252, 5, 'trusted'),
    ('fiat:EUR', 'fiat', 'fiat:EUR', null, null, null, 'fiat:EUR', 252, 5, 'trusted');
insert into build.portfolio_assets values
    ('dollars', 'x', 'crypto:A', 1, 60), ('dollars', 'y', 'crypto:A', 1, 40), ('dollars', 'x', 'crypto:B', 1, -30),
    ('dollars', 'x', 'fiat:EUR', 1, 20), ('dollars', 'x', 'fiat:USD', 5, 5), ('dollars', 'x', 'crypto:SPAM', 9, 900),
    ('euros', 'x', 'crypto:A', 1, 50), ('euros', 'x', 'crypto:B', 7, null),
    ('young', 'x', 'crypto:A', 1, 95), ('young', 'x', 'crypto:NEW', 1, 5),
    ('bare', 'x', 'crypto:B', 7, null);
"""


@pytest.fixture
def warehouse(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        connection.execute(BUILT.encode())
        rng = np.random.default_rng(11)
        for name, days in (("crypto:A", DAYS), ("crypto:B", DAYS), ("crypto:NEW", 30)):
            returns = rng.normal(0, 0.03, days)
            rows = [
                (base, name, AS_OF - timedelta(days=days - 1 - i), True, float(returns[i]))
                for base in ("fiat:USD", "fiat:EUR")
                for i in range(days)
            ]
            columns = ("base_currency", "instrument_id", "valuation_date", "is_observed", "daily_return")
            copy_rows(connection, "intermediate.int_instrument_returns", columns, rows)
        rates = 1.1 * np.cumprod(1 + rng.normal(0, 0.005, DAYS))
        copy_rows(
            connection,
            "intermediate.int_fx_daily",
            ("currency", "quote", "fx_date", "rate", "age_days"),
            [
                ("fiat:EUR", "fiat:USD", AS_OF - timedelta(days=DAYS - 1 - i), float(rate), 0)
                for i, rate in enumerate(rates)
            ],
        )
        yield connection


def found(connection: Connection, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode(), parameters).fetchall()


def series(connection: Connection, name: str) -> Any:
    rows = found(
        connection,
        "select daily_return from intermediate.int_instrument_returns where base_currency = 'fiat:USD'"
        " and instrument_id = %s order by valuation_date",
        name,
    )
    return np.array([row[0] for row in rows])


def rate(connection: Connection) -> float:
    ((value,),) = found(connection, "select rate from intermediate.int_fx_daily where fx_date = %s", AS_OF)
    return float(value)


def test_holdings_are_revalued_over_their_history(warehouse: Connection) -> None:
    summary = run_risk(warehouse, AS_OF)
    assert summary.portfolios == 4
    rates = found(warehouse, "select rate::float8 from intermediate.int_fx_daily order by fx_date")
    changes = np.diff([row[0] for row in rates]) / np.array([row[0] for row in rates[:-1]])
    gains = 100 * series(warehouse, "crypto:A")[1:] - 30 * series(warehouse, "crypto:B")[1:] + 20 * changes
    ((var, usd, share, observations),) = found(
        warehouse,
        "select var_base::float8, var_usd::float8, var_ratio, observations from intermediate.portfolio_risk"
        " where portfolio_id = 'dollars' and horizon_days = 1 and confidence = 0.95 and method = 'historical'",
    )
    assert var == pytest.approx(-np.quantile(gains, 0.05), rel=1e-9)
    assert usd == var
    assert share == pytest.approx(var / 95)
    assert observations == DAYS - 1


def test_dollars_of_another_base_and_what_has_no_price(warehouse: Connection) -> None:
    run_risk(warehouse, AS_OF)
    rows = found(
        warehouse,
        "select var_base::float8, var_usd::float8, unpriced_holdings from intermediate.portfolio_risk"
        " where portfolio_id = 'euros' and horizon_days = 1 and confidence = 0.99",
    )
    assert len(rows) == 4
    for base, usd, unpriced in rows:
        assert usd == pytest.approx(base * rate(warehouse), rel=1e-9)
        assert unpriced == 1
    assert found(
        warehouse,
        "select distinct var_base, undefined_reason from intermediate.portfolio_risk where portfolio_id = 'bare'",
    ) == [(None, "all:no_priced_holding")]


def test_a_young_holding_is_left_out_and_named(warehouse: Connection) -> None:
    run_risk(warehouse, AS_OF)
    assert found(
        warehouse,
        "select distinct excluded_share, excluded from intermediate.portfolio_risk where portfolio_id = 'young'",
    ) == [(0.05, "crypto:NEW: too_short")]
    assert found(
        warehouse,
        "select distinct component_var_base, undefined_reason from intermediate.risk_contributions"
        " where portfolio_id = 'young' and instrument_id = 'crypto:NEW'",
    ) == [(None, "all:too_short")]


def test_episodes_need_all_their_prices(warehouse: Connection) -> None:
    run_risk(warehouse, AS_OF)
    first, last = date(2020, 2, 19), date(2020, 3, 23)
    at = slice(DAYS - (AS_OF - first).days, DAYS - (AS_OF - last).days)
    change = {name: np.prod(1 + series(warehouse, name)[at]) - 1 for name in ("crypto:A", "crypto:B")}
    ends = found(
        warehouse,
        "select rate::float8 from intermediate.int_fx_daily where fx_date in (%s, %s) order by fx_date", first, last,
    )  # fmt: skip
    expected = -100 * change["crypto:A"] + 30 * change["crypto:B"] - 20 * (ends[1][0] / ends[0][0] - 1)
    rows = found(
        warehouse,
        "select scenario, loss_base::float8, undefined_reason from intermediate.stress_tests"
        " where portfolio_id = 'dollars' and kind = 'historical' order by scenario",
    )
    assert [(name, reason) for name, _, reason in rows] == [
        ("covid_crash", None), ("crypto_crash_2022", "all:no_history"), ("crypto_winter_2018", "all:no_history"),
        ("global_financial_crisis", "all:no_history"),
    ]  # fmt: skip
    assert rows[0][1] == pytest.approx(expected, rel=1e-9)


def test_the_owners_scenarios_are_asked(warehouse: Connection) -> None:
    shocks = [
        {"by": "protocol", "target": "aave", "change": 0.5},
        {"by": "currency", "target": "fiat:EUR", "change": -0.1},
    ]
    warehouse.execute("insert into registry.scenarios values ('mine', 'Mine', %s)", [json.dumps(shocks)])
    run_risk(warehouse, AS_OF)
    assert found(
        warehouse,
        "select kind, scenario_name, loss_base::float8, worst_position, coverage from intermediate.stress_tests"
        " where portfolio_id = 'dollars' and scenario = 'mine'",
    ) == [("user", "Mine", 17.0, "crypto:B", 1.0)]


def test_a_shock_on_a_group_that_nothing_can_have_leaves_no_number(warehouse: Connection) -> None:
    shocks = [{"by": "protocol", "target": "aawe", "change": 0.5}]
    warehouse.execute("insert into registry.scenarios values ('mine', 'Mine', %s)", [json.dumps(shocks)])
    run_risk(warehouse, AS_OF)
    assert found(
        warehouse,
        "select loss_base, coverage, undefined_reason from intermediate.stress_tests"
        " where portfolio_id = 'dollars' and scenario = 'mine'",
    ) == [(None, 0.0, "all:unknown_group")]


def test_what_a_portfolio_gets_does_not_hang_on_the_others(warehouse: Connection) -> None:
    def rows() -> dict[str, list[tuple[Any, ...]]]:
        return {
            table: found(warehouse, f"select t::text from intermediate.{table} as t where portfolio_id = 'dollars' order by 1")
            for table in TABLES
        }  # fmt: skip

    run_risk(warehouse, AS_OF)
    together = rows()
    warehouse.execute("delete from build.portfolio_assets where portfolio_id <> 'dollars'")
    run_risk(warehouse, AS_OF)
    assert rows() == together
    assert {table: len(of) for table, of in together.items()} == {
        "portfolio_risk": 16, "risk_contributions": 16, "stress_tests": 11,
    }  # fmt: skip


def test_nothing_held_is_no_row(warehouse: Connection) -> None:
    warehouse.execute("truncate build.portfolio_assets, intermediate.int_instrument_returns, intermediate.int_fx_daily")
    summary = run_risk(warehouse, AS_OF)
    assert (summary.portfolios, set(summary.rows.values())) == (0, {0})


def test_a_base_currency_without_rates_leaves_no_number(warehouse: Connection) -> None:
    warehouse.execute("truncate intermediate.int_fx_daily")
    warehouse.execute("delete from intermediate.int_instrument_returns where base_currency = 'fiat:EUR'")
    run_risk(warehouse, AS_OF)
    for table in ("portfolio_risk", "risk_contributions"):
        column = {"portfolio_risk": "var_base", "risk_contributions": "component_var_base"}[table]
        reasons = found(
            warehouse,
            f"select distinct {column}, undefined_reason from intermediate.{table} where portfolio_id = 'euros'",
        )
        assert reasons == [(None, "all:excluded_share")]


def test_a_held_portfolio_is_left_alone(warehouse: Connection) -> None:
    warehouse.execute("insert into ops.held_portfolios (portfolio_id, check_name, reason) values ('euros', 'c', 'r')")
    assert run_risk(warehouse, AS_OF).portfolios == 3


def test_the_gate_sees_a_part_too_many(warehouse: Connection) -> None:
    (gate,) = [gate for gate in GATES if gate.name == "component_var_adds_up"]
    for table in ("portfolio_risk", "risk_contributions"):
        warehouse.execute(f"create view build.{table} as select * from intermediate.{table}".encode())
    run_risk(warehouse, AS_OF)
    assert [result.passed for result in evaluate(warehouse, gate)] == [True]
    warehouse.execute(
        "update intermediate.risk_contributions set component_var_base = component_var_base + 0.02"
        " where portfolio_id = 'dollars' and instrument_id = 'crypto:B' and horizon_days = 10 and confidence = 0.99"
    )
    (failed,) = evaluate(warehouse, gate)
    assert (failed.portfolio_id, failed.failed_rows, failed.holds_portfolio) == ("dollars", 1, True)
