"""What readers can rely on: types that refuse NaN, comments, keys, and a role that reads the marts and nothing else."""

from __future__ import annotations

import psycopg
import pytest

from assets.publication.mart_specs import read_specs
from assets.warehouse.database import connect
from assets.warehouse.dbt import MANIFEST
from tests.pipeline_runs import one, rows

#: Marts of the contract that this version publishes.
PUBLISHED = {
    "portfolios", "instruments", "portfolio_assets", "portfolio_snapshots", "snapshot_breakdowns", "holdings_daily",
    "transactions", "income", "portfolio_daily", "portfolio_performance", "open_lots", "realized_gains", "cash_flows",
    "portfolio_allocation", "allocation_risk", "optimization_runs", "target_weights", "efficient_frontier",
    "rebalancing_suggestions", "portfolio_comparison", "portfolio_contribution", "performance_attribution",
    "data_quality", "source_freshness", "publications", "reconciliation", "gains_by_year", "asset_correlations",
    "correlation_regimes", "factor_exposures", "orders", "optimization_inputs", "portfolio_risk",
    "risk_contributions", "stress_tests",
    "policy_backtests", "policy_backtest_days",
}  # fmt: skip


@pytest.fixture(scope="module")
def url(module_published_url: str) -> str:
    return module_published_url


def test_every_mart_is_there(url: str) -> None:
    found = {name for (name,) in rows(url, "select relname from pg_class where relnamespace = 'marts'::regnamespace")}
    assert found >= PUBLISHED


def test_every_number_sits_in_a_domain_that_refuses_nan(url: str) -> None:
    naked = rows(
        url,
        "select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where c.relnamespace = 'history'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0"
        " and a.atttypid in ('numeric'::regtype, 'float8'::regtype, 'float4'::regtype, 'money'::regtype)",
    )
    assert naked == []
    with connect(url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("update history.portfolio_daily set value_base = 'NaN'")
    with connect(url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("update history.portfolio_daily set twr_index = 'Infinity'")


def test_marts_have_no_type_that_bi_tools_stumble_over(url: str) -> None:
    odd = rows(
        url,
        "select c.relname, a.attname, format_type(a.atttypid, null) from pg_attribute a join pg_class c on c.oid = a.attrelid"
        " where c.relnamespace = 'marts'::regnamespace and a.attnum > 0 and a.atttypid in ('jsonb'::regtype,"
        " 'json'::regtype, 'timestamp'::regtype, 'float4'::regtype, 'money'::regtype)",
    )
    assert odd == []
    assert one(url, "select count(*) from pg_matviews where schemaname = 'marts'") == 0


def test_every_mart_and_column_says_what_it_is(url: str) -> None:
    silent = rows(
        url,
        "select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum >= 0"
        " where c.relnamespace = 'marts'::regnamespace and c.relkind = 'v' and a.attnum > 0 and not a.attisdropped"
        " and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)",
    )
    assert silent == []


def test_every_key_is_unique_among_current_rows(url: str) -> None:
    for spec in read_specs(MANIFEST):
        key = ", ".join(spec.key)
        assert rows(url, f"select {key} from marts.{spec.name} group by {key} having count(*) > 1") == [], spec.name
    for view, key in {
        "holdings_daily": "portfolio_id, account_id, instrument_id, valuation_date",
        "snapshot_breakdowns": "portfolio_id, snapshot_date, dimension, bucket",
        "publications": "publication_id",
        "orders": "client_order_id",
        "gains_by_year": "portfolio_id, disposal_year, holding_period, instrument_id",
    }.items():
        assert rows(url, f"select {key} from marts.{view} group by {key} having count(*) > 1") == [], view


def test_views_that_are_computed_agree_with_what_is_published(url: str) -> None:
    different = rows(
        url,
        "select days.portfolio_id, days.valuation_date from marts.portfolio_daily as days left join ("
        " select portfolio_id, valuation_date, sum(value_base) as value_base from marts.holdings_daily group by 1, 2"
        ") as held using (portfolio_id, valuation_date) where days.value_base <> coalesce(held.value_base, 0)",
    )
    assert different == []
    assert one(url, "select count(*) from marts.snapshot_breakdowns where abs(weight) > 1 + 1e-12") == 0
    document = one(
        url,
        "select asset_breakdown from api.portfolio_snapshots where portfolio_id = 'other' and snapshot_type = 'auto'",
    )
    assert document == {"etf:SPY": 110}


def test_the_reader_reads_the_marts_and_nothing_else(url: str) -> None:
    with connect(url) as connection:
        connection.execute("set role bi_reader")
        assert connection.execute("select count(*) from marts.portfolio_daily").fetchone() != (0,)
        assert connection.execute("select count(*) from quality.check_results").fetchone() != (0,)
        connection.execute("select * from api.portfolio_snapshots limit 1")
        found = connection.execute(
            "select twr from marts.performance_between('other', '2024-01-01', '2024-01-10')"
        ).fetchone()
        assert found is not None
        for refused in (
            "select 1 from raw.prices", "select 1 from history.portfolio_daily", "select 1 from registry.portfolios",
            "create table marts.x (a int)", "delete from marts.portfolio_daily", "create view bi.x as select 1",
        ):  # fmt: skip
            connection.execute("savepoint attempt")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused.encode())
            connection.execute("rollback to savepoint attempt")
