"""Whole runs on a real PostgreSQL: published, unchanged, incremental, held, rejected, and what a reader sees meanwhile."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conftest import FirstRun
from tests.pipeline_runs import GOOD, daily_prices, marts, one, portfolio, rows, run, two_portfolios, write_inputs


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_run_publishes_numbers_that_add_up(first_run: FirstRun, published_url: str) -> None:
    outcome = first_run.outcome
    assert outcome.exit_code == 0, outcome.messages
    assert outcome.summary["status"] == "published"
    assert outcome.summary["publication_id"] == 1
    assert outcome.summary["portfolios"] == 2
    assert outcome.summary["held_portfolios"] == []
    assert json.loads(outcome.to_json()) == outcome.summary
    # 10000 - 10 x 101 - 1.50 + 7 + 10 x 110
    assert one(
        published_url,
        "select value_base from marts.portfolio_daily where portfolio_id = 'cash-and-stock'"
        " and valuation_date = '2024-01-10'",
    ) == Decimal("10095.5")
    assert one(published_url, "select max(abs(residual_base)) from marts.portfolio_daily") < 1e-9
    assert one(
        published_url,
        "select unit_cost from marts.open_lots where portfolio_id = 'cash-and-stock' and instrument_id = 'etf:SPY'",
    ) == Decimal("101.15")
    performance = rows(
        published_url,
        "select absolute_gain_usd, twr, undefined_reason from marts.portfolio_performance"
        " where portfolio_id = 'cash-and-stock' and period_type = 'all'",
    )[0]
    assert float(performance[0]) == pytest.approx(95.5)
    assert performance[1] == pytest.approx(95.5 / 10000, rel=1e-9)


def test_same_inputs_publish_nothing_new(published_url: str, tmp_path: Path, home: Path) -> None:
    inputs = two_portfolios(tmp_path / "inputs")
    before = marts(published_url)

    again = run(inputs, published_url, home)

    assert again.exit_code == 0
    assert again.summary["status"] == "unchanged"
    assert again.summary["changed_rows"] == 0
    assert again.summary["publication_id"] == 1
    assert marts(published_url) == before
    assert one(published_url, "select count(*) from ops.publications") == 1

    # a scenario is something new, for every portfolio and for nothing but the stress tests
    (inputs / "scenarios.yaml").write_text(
        "version: 1\nscenarios: [{id: mine, shocks: [{by: instrument, instrument: etf:SPY, change: -0.5}]}]\n"
    )
    assert run(inputs, published_url, home).summary["status"] == "published"
    asked = rows(
        published_url, "select portfolio_id, loss_percent from marts.stress_tests where scenario = 'mine' order by 1"
    )
    assert [name for name, _ in asked] == ["cash-and-stock", "other"]
    assert asked[1][1] == pytest.approx(50)
    after = marts(published_url)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"stress_tests", "allocation_risk"}


def test_one_added_trade_changes_its_portfolio_and_days_alone_and_all_equals_a_full_rebuild(
    published_url: str, database_url: str, tmp_path: Path, home: Path
) -> None:
    extra = [
        "cash-and-stock,main,2024-01-04,SELL,etf:SPY,4,103,,USD,,,,,s0",
        "other,main,2024-01-09,BUY,etf:SPY,2,108,,USD,,,,,b3",
    ]
    for number, (owner, day) in enumerate((("cash-and-stock", "2024-01-04"), ("other", "2024-01-09")), start=1):
        outcome = run(two_portfolios(tmp_path / "inputs", extra=extra[:number]), published_url, home)

        assert outcome.summary["status"] == "published"
        changed = rows(
            published_url,
            "select distinct portfolio_id, valuation_date from history.portfolio_daily where published_from = %s order by 1, 2",
            number + 1,
        )
        assert {portfolio_id for portfolio_id, _ in changed} == {owner}
        assert min(changed_day for _, changed_day in changed).isoformat() == day
        # what was published before can still be asked
        assert one(
            published_url,
            "select count(*) from history.portfolio_daily_versions where published_from = 1 and published_to = %s"
            " and valuation_date >= %s::date",
            number + 1,
            day,
        ) == len(changed)

    run(two_portfolios(tmp_path / "inputs", extra=extra), database_url, tmp_path / "other-home")

    incremental, full = marts(published_url), marts(database_url)
    assert {name: len(found) for name, found in incremental.items()} == {
        name: len(found) for name, found in full.items()
    }
    assert incremental == full


def test_a_vanished_file_and_portfolio_are_retracted(published_url: str, tmp_path: Path, home: Path) -> None:
    inputs = two_portfolios(tmp_path / "inputs")
    write_inputs(
        inputs, [portfolio("cash-and-stock")], ["cash-and-stock,main,2024-01-01,DEPOSIT,fiat:USD,10,,,,,,,,d1"], []
    )

    outcome = run(inputs, published_url, home)

    assert outcome.summary["status"] == "published", outcome.messages
    assert rows(published_url, "select portfolio_id, is_active from marts.portfolios order by 1") == [
        ("cash-and-stock", True),
        ("other", False),
    ]
    assert one(published_url, "select count(*) from marts.portfolio_daily where portfolio_id = 'other'") > 0
    assert (
        one(
            published_url,
            "select count(*) from marts.open_lots where portfolio_id = 'cash-and-stock' and instrument_id = 'etf:SPY'",
        )
        == 0
    )


def test_bad_inputs_write_nothing(database_url: str, tmp_path: Path, home: Path) -> None:
    inputs = two_portfolios(tmp_path / "inputs")
    (inputs / "transactions" / "ledger.csv").write_text("portfolio,account\np,a,extra\n")

    outcome = run(inputs, database_url, home)

    assert outcome.exit_code == 2
    assert outcome.summary["status"] == "rejected"
    assert any("ledger.csv" in message for message in outcome.messages)
    assert one(database_url, "select count(*) from raw.batches") == 0
    assert one(database_url, "select count(*) from registry.portfolios") == 0


def test_a_poisoned_price_batch_holds_the_run(published_url: str, tmp_path: Path, home: Path) -> None:
    inputs = two_portfolios(tmp_path / "inputs")
    before = marts(published_url)

    poisoned = run(
        two_portfolios(inputs, ["NaN", "-1", "0", "inf", "NaN", "NaN", "NaN", 107, 108, 109]), published_url, home
    )

    assert poisoned.exit_code == 3
    assert poisoned.summary["status"] == "held"
    assert poisoned.summary["failed_checks"] == ["prices_are_sound"]
    assert marts(published_url) == before
    assert run(two_portfolios(inputs), published_url, home).exit_code == 0


def test_an_impossible_ledger_holds_its_portfolio_alone(published_url: str, tmp_path: Path, home: Path) -> None:
    broken = [
        "cash-and-stock,main,2024-01-08,BUY,etf:SPY,1000,107,,USD,,,,,b9",
        "other,main,2024-01-08,BUY,etf:SPY,1,107,,USD,,,,,b8",
    ]

    outcome = run(two_portfolios(tmp_path / "inputs", extra=broken), published_url, home)

    assert outcome.exit_code == 0
    assert outcome.summary["held_portfolios"] == ["cash-and-stock"]
    held, reason = rows(
        published_url, "select is_held, held_reason from marts.portfolios where portfolio_id = 'cash-and-stock'"
    )[0]
    assert held
    assert "DEPOSIT" in reason
    assert "implicit" in reason
    # its last rows stand, the other's are new
    assert (
        one(
            published_url,
            "select sum(quantity) from marts.open_lots where portfolio_id = 'cash-and-stock' and instrument_id = 'etf:SPY'",
        )
        == 10
    )
    assert one(published_url, "select sum(quantity) from marts.open_lots where portfolio_id = 'other'") == 2


def test_a_broken_identity_holds_its_portfolio_alone(
    database_url: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate is proven by a ledger that really hands over a wrong entry, through the real models."""
    from assets.ledger import assets as ledger_assets
    from assets.warehouse.database import Connection

    honest = ledger_assets.run_ledger

    def dishonest(conn: Connection):
        summary = honest(conn)
        conn.execute(
            "update intermediate.ledger_entries set amount_base = amount_base + 0.02 where portfolio_id = 'other' and measure = 'inflow'"
        )
        return summary

    monkeypatch.setattr(ledger_assets, "run_ledger", dishonest)

    outcome = run(two_portfolios(tmp_path / "inputs"), database_url, home)

    assert outcome.exit_code == 0
    assert outcome.summary["held_portfolios"] == ["other"]
    assert outcome.summary["failed_checks"] == ["identity_residual"]
    assert one(database_url, "select count(*) from marts.portfolio_daily where portfolio_id = 'other'") == 0
    assert one(database_url, "select count(*) from marts.portfolio_daily where portfolio_id = 'cash-and-stock'") == 10


@pytest.fixture(scope="module")
def odd(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One run over what is odd without holding anything: a bad price, a spike, a missing rate, and a split instrument."""
    folder: Path = tmp_path_factory.mktemp("odd")
    spike: list[float | str] = [*GOOD[:5], 1050, *GOOD[6:]]
    gap: list[float | str] = [*GOOD[:4], "NaN", *GOOD[5:]]
    inputs = write_inputs(
        folder / "inputs",
        [
            portfolio("booked", benchmark="etf:SPY"),
            portfolio("unbooked", user_id="somebody", cash="implicit"),
            portfolio("gap", cash="implicit"),
            portfolio("spike", cash="implicit"),
            portfolio("euro", base_currency="EUR"),
        ],
        [
            "booked,main,2024-01-01,DEPOSIT,fiat:USD,10000,,,,,,,,d1",
            "booked,main,2024-01-02,BUY,etf:SPY,10,101,,USD,1.50,USD,,,b1",
            "booked,main,2024-01-05,DIVIDEND,etf:SPY,7,,,USD,,,,,i1",
            "unbooked,main,2024-01-03,BUY,etf:SPY,1,102,,USD,,,,,b2",
            "gap,main,2024-01-03,BUY,etf:GAP,1,102,,USD,,,,,b3",
            "spike,main,2024-01-03,BUY,etf:SPIKE,1,102,,USD,,,,,b4",
            "euro,main,2024-01-01,DEPOSIT,fiat:EUR,100,,,,,,,,d2",
        ],
        [
            *daily_prices("etf:SPY", [100, 101, 102, 103, 52, 52.5, 53, 53.5, 54, 55]),
            *daily_prices("etf:GAP", gap),
            *daily_prices("etf:SPIKE", spike),
        ],
    )
    (inputs / "corporate_actions.csv").write_text(
        "instrument,ex_date,kind,ratio,amount,currency\n"
        "etf:SPY,2024-01-05,split,2:1,,\n"
        "etf:SPY,2024-01-08,dividend,,0.50,USD\n"
    )
    outcome = run(inputs, module_database_url, folder / "home")
    assert outcome.summary["status"] == "published", outcome.messages
    assert outcome.summary["held_portfolios"] == [], outcome.messages
    return module_database_url


def test_one_bad_price_is_quarantined_alone(odd: str) -> None:
    reason = one(odd, "select reason from quality.quarantined_rows")
    assert "NaN" in reason or "number" in reason
    # the last good price stands in for that day, and says its age
    assert rows(
        odd,
        "select price_base, price_age_days from marts.holdings_daily where portfolio_id = 'gap'"
        " and valuation_date = '2024-01-05'",
    ) == [(103, 1)]
    query = "select count(*) from marts.data_quality where check_name = 'rows_in_quarantine' and not passed"
    assert one(odd, query) == 1


def test_an_own_price_spike_passes_with_a_flag(odd: str) -> None:
    flagged = rows(
        odd,
        "select instrument_id, first_offenders from marts.data_quality where check_name = 'price_reverts' and not passed",
    )
    assert [instrument for instrument, _ in flagged] == ["etf:SPIKE"]
    assert "2024-01-06" in flagged[0][1]


def test_a_missing_exchange_rate_is_missing(odd: str) -> None:
    query = "select value_base, value_usd from marts.portfolio_assets where portfolio_id = 'euro'"
    assert rows(odd, query) == [(100, None)]
    end_base, end_usd, reason = rows(
        odd,
        "select end_value_base, end_value_usd, undefined_reason from marts.portfolio_performance"
        " where period_type = 'all' and portfolio_id = 'euro'",
    )[0]
    assert end_base == 100
    assert end_usd is None
    assert "missing_fx" in reason


def test_corporate_actions_count_once(odd: str) -> None:
    """A split and a dividend of the instrument reach every account that held it; the owner's own row wins."""
    assert one(odd, "select sum(quantity) from marts.open_lots where portfolio_id = 'unbooked'") == 2
    # `unbooked` held 2 units at the ex-date; `booked` has its own dividend on 2024-01-05, within 10 days
    assert rows(odd, "select portfolio_id, amount_base from marts.income order by 1") == [
        ("booked", 7),
        ("unbooked", 1),
    ]
    # the benchmark's return undoes the split and adds the dividend: 2 x 55 / 100 and 0.50 on the way
    basis = one(
        odd,
        "select other_basis from marts.portfolio_comparison where other_kind = 'benchmark' and period_type = 'all'",
    )
    assert basis == "total_return"
