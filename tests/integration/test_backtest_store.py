"""The back-tests of a run against a real PostgreSQL: made once a month, and again when an input differs."""

from datetime import timedelta
from typing import Any

import pytest

from assets.backtest import store
from assets.backtest.store import run_backtests
from assets.warehouse.database import Connection
from tests.integration.test_optimisation_store import AS_OF, add_portfolio, rows, warehouse

__all__ = ["warehouse"]

POLICY: dict[str, Any] = {
    "objective": "min_volatility", "universe": ["crypto:BTC", "crypto:ETH", "crypto:SOL"], "lookback_days": 60,
}  # fmt: skip
ALL = "select * from ops.policy_backtests order by portfolio_id, strategy"


def made(connection: Connection, later_days: int = 0, engine: str = "e") -> int:
    return int(run_backtests(connection, AS_OF + timedelta(days=later_days), engine).split()[0])


def test_a_backtest_stays_until_something_differs(warehouse: Connection) -> None:
    add_portfolio(warehouse, "p", {}, **POLICY)
    assert made(warehouse) == 1
    first = rows(warehouse, ALL)
    found = rows(
        warehouse, "select strategy, rebalances, period_end, total_return from ops.policy_backtests order by strategy"
    )
    # 200 days, of which 60 for the first estimate: month ends of February to May are traded
    assert [(row[0], row[1], row[2]) for row in found] == [("equal_weight", 4, AS_OF), ("policy", 4, AS_OF)]
    assert found[0][3] != found[1][3]

    assert made(warehouse) == 0
    assert made(warehouse, later_days=20) == 0  # July is not closed
    assert rows(warehouse, ALL) == first
    assert made(warehouse, engine="f") == 1
    warehouse.execute(
        "update intermediate.int_price_daily set price = price * 1.1"
        " where instrument_id = 'crypto:ETH' and valuation_date = %s",
        [AS_OF - timedelta(days=90)],
    )
    assert made(warehouse, engine="f") == 1
    assert rows(warehouse, ALL) != first

    # a run that does not compute it keeps it; a policy that is no more takes it along
    warehouse.execute("truncate ops.run_scope")
    assert made(warehouse, engine="g") == 0
    assert len(rows(warehouse, ALL)) == 2
    warehouse.execute("delete from registry.policies")
    assert made(warehouse) == 0
    assert rows(warehouse, ALL) == []


def test_many_policies_take_several_runs_and_end_up_the_same(
    warehouse: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        add_portfolio(warehouse, name, {}, **POLICY)
    assert made(warehouse) == 3
    at_once = rows(warehouse, ALL)
    warehouse.execute("truncate ops.policy_backtests")
    monkeypatch.setattr(store, "MOST_PER_RUN", 2)
    assert [made(warehouse), made(warehouse), made(warehouse)] == [2, 1, 0]
    assert rows(warehouse, ALL) == at_once


def test_a_backtest_does_not_hang_on_the_others_of_the_run(
    warehouse: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "HISTORY_DAYS", 60)
    add_portfolio(warehouse, "p", {}, **POLICY)
    assert made(warehouse) == 1
    alone = rows(warehouse, ALL)
    # its history is read over 90 days more than those that are walked
    add_portfolio(warehouse, "q", {}, **{**POLICY, "lookback_days": 90})
    assert made(warehouse) == 1
    assert [row for row in rows(warehouse, ALL) if row[0] == "p"] == alone


def test_an_earlier_day_does_not_show_what_a_later_one_left(
    warehouse: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_portfolio(warehouse, "p", {}, **POLICY)
    assert made(warehouse) == 1
    monkeypatch.setattr(store, "MOST_PER_RUN", 0)
    assert made(warehouse, later_days=-1) == 0
    assert rows(warehouse, ALL) == []


def test_what_is_held_now_and_too_little_history_are_said(warehouse: Connection) -> None:
    add_portfolio(warehouse, "held", {}, **{**POLICY, "universe": ["held"]})
    add_portfolio(warehouse, "short", {}, **{**POLICY, "lookback_days": 730})
    for instrument, quantity in (("crypto:BTC", 2), ("crypto:ETH", 3), ("crypto:SOL", -1)):
        warehouse.execute(
            "insert into intermediate.ledger_positions (portfolio_id, account_id, instrument_id, valid_from, quantity)"
            " values ('held', 'main', %s, %s, %s)",
            [instrument, AS_OF, quantity],
        )
    assert made(warehouse) == 2
    found = rows(
        warehouse,
        "select portfolio_id, strategy, universe_basis, undefined_reason, total_return is null"
        " from ops.policy_backtests order by portfolio_id, strategy",
    )
    late = "annual_return:period_under_365_days;period_start:too_little_history"
    assert found == [
        ("held", "equal_weight", "held_now", late, False),
        ("held", "policy", "held_now", late, False),
        ("short", "policy", "listed", "all:too_little_history", True),
    ]


def test_the_command_prints_what_a_run_would_store(
    warehouse: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from orchestration.command_line import app

    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)

    def said(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["backtest", "--portfolio", "p", *arguments])
        return result.exit_code, result.output

    assert said() == (1, "holdfast: nothing is published yet; `holdfast run` first\n")
    warehouse.execute(
        "insert into ops.published_inputs (cutoff_at, as_of_date) values (%s::timestamptz, %s)", [AS_OF, AS_OF]
    )
    warehouse.commit()
    assert said()[0] == 1
    add_portfolio(warehouse, "p", {}, in_scope=False, **POLICY)
    warehouse.commit()
    assert said("--rebalance", "daily")[0] == 2
    assert said("--from", "2024-07-01")[0] == 2
    code, table = said("--from", "2023-12-01", "--rebalance", "monthly")
    assert code == 0, table
    assert "begins on 2024-03-01, not on 2023-12-01: a decision on 2024-01-31 needs a price of 2023-12-02" in table
    code, told = said("--from", "2024-06-01", "--to", "2024-06-20")
    assert (code, "no monthly decision falls between 2024-06-01 and 2024-06-20" in told) == (1, True)
    warehouse.execute("insert into ops.run_scope values ('p', 'f')")
    made(warehouse)
    for strategy, total in rows(warehouse, "select strategy, total_return from ops.policy_backtests"):
        (line,) = (line for line in table.splitlines() if strategy in line)
        assert f"{100 * total:.2f} %" in line
