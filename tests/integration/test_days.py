"""A run computes only the days that may differ, and its marts equal those of a run that computes everything."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assets.publication.runs import choose_scope
from assets.warehouse.database import connect
from tests.pipeline_runs import marts, one, portfolio, rows, run, write_inputs

FIRST = date(2024, 1, 1)


def _prices(instrument: str, days: int, start: float, currency: str = "USD", since: int = 0) -> list[str]:
    """A price a day, never the same, from day `since` on."""
    return [
        f"{instrument},{FIRST + timedelta(days=n)},{start + n % 7 - n % 5 + n / 8},{currency}"
        for n in range(since, days)
    ]


class Folder:
    """An inputs folder that grows: portfolios with trades, cash in two currencies, observed balances, a transfer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.transactions = [
            "trader,main,2024-01-01,DEPOSIT,fiat:USD,10000,,,,,,,,d1",
            "trader,main,2024-01-01,DEPOSIT,fiat:EUR,1000,,,,,,,,d0",
            "trader,main,2024-01-02,BUY,etf:SPY,10,101,,USD,1.50,USD,,,b1",
            "trader,main,2024-01-03,BUY,equity:EUX,5,50,,EUR,1,EUR,,,b2",
            "trader,main,2024-01-08,SELL,etf:SPY,4,104,,USD,1,USD,,,s1",
            "sibling,main,2024-01-04,DEPOSIT,crypto:COIN,3,,,,,,,,d2",
            "lender,main,2024-01-02,DEPOSIT,fiat:EUR,500,,,,,,,,d3",
            "lender,main,2024-01-05,WITHDRAWAL,fiat:EUR,20,,,,,,,,w1",
        ]
        self.prices = [
            *_prices("etf:SPY", 60, 100), *_prices("equity:EUX", 60, 50, "EUR"),
            *(f"fiat:EUR,{FIRST + timedelta(days=n)},{1.1 + n / 1000},USD" for n in range(60)),
        ]  # fmt: skip
        self.balances = ["watcher,main,etf:SPY,2024-01-03,7", "watcher,main,etf:SPY,2024-01-15,9"]

    def write(self) -> Path:
        return write_inputs(
            self.path,
            [
                portfolio("trader", benchmark="etf:SPY", cash="ledger", risk_free_rate="0.02"),
                portfolio("sibling", base_currency="EUR"),
                portfolio("lender", user_id="lender", base_currency="EUR"),
                portfolio("watcher", user_id="watcher", targets={"etf:SPY": "1"}),
            ],
            transactions=self.transactions,
            prices=self.prices,
            balances=self.balances,
        )


def _comparable(url: str) -> dict[str, Any]:
    """All marts; the moments of earlier runs are theirs alone."""
    content: dict[str, Any] = marts(url)
    content["portfolio_snapshots"] = [row for row in content["portfolio_snapshots"] if row[2] != "auto"]
    return content


def _packed(url: str) -> list[tuple[Any, ...]]:
    """What the next day's measures read instead of the published days."""
    return rows(
        url, "select portfolio_id, month, first_date, days, events from intermediate.published_months order by 1, 2"
    )


def _scope(url: str) -> dict[str, tuple[Any, ...]]:
    with connect(url) as connection:
        found = connection.execute("select portfolio_id, from_date, runs_ledger from ops.run_scope").fetchall()
    return {portfolio_id: (None if day is None else day.isoformat(), ledger) for portfolio_id, day, ledger in found}


def _restated(url: str, publication: int) -> dict[str, str]:
    """The first changed day of each portfolio."""
    query = "select portfolio_id, min(valuation_date)::text from history.portfolio_daily where published_from = %s group by 1"
    return dict(rows(url, query, publication))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "inputs")


def test_days_go_on_from_what_is_published(
    database_url: str, module_database_url: str, folder: Folder, tmp_path: Path
) -> None:
    def step(as_of: str) -> None:
        outcome = run(folder.write(), database_url, tmp_path / "home", as_of)
        assert outcome.exit_code == 0, outcome.messages
        assert outcome.summary["held_portfolios"] == [], rows(
            database_url,
            "select check_name, portfolio_id, first_offenders from quality.check_results where not passed and severity = 'error'",
        )
        # what is computed when read ends with the days, also where nothing else of a portfolio changed
        lasts = (
            one(database_url, f"select max(valuation_date) from marts.{name}")
            for name in ("portfolio_daily", "holdings_daily")
        )
        assert len(set(lasts)) == 1

    step("2024-01-20")
    assert _scope(database_url)["trader"] == (None, True)
    # the folder knows forty days more; nothing looks ahead
    assert one(database_url, "select max(valuation_date)::text from marts.portfolio_daily") == "2024-01-20"
    priced = "select price_base from marts.portfolio_assets where (portfolio_id, instrument_id) = ('trader', 'etf:SPY')"
    assert one(database_url, priced) == Decimal("103.375")

    # nothing but a day: each portfolio has one day more
    step("2024-01-21")
    scope = _scope(database_url)
    # the coin has no price yet: its first one makes a flow, so its ledger runs; nothing was transferred from or to it
    assert scope["sibling"] == ("2024-01-21", True)
    assert scope["trader"] == ("2024-01-21", False)
    assert scope["lender"] == ("2024-01-21", False)
    assert scope["watcher"] == ("2024-01-21", False)
    assert _restated(database_url, 2) == dict.fromkeys(("trader", "sibling", "lender", "watcher"), "2024-01-21")
    # the views that are computed when read go on too
    assert one(database_url, "select max(valuation_date)::text from marts.holdings_daily") == "2024-01-21"
    assert one(database_url, "select min(values_as_of)::date::text from marts.portfolios") == "2024-01-21"

    # a late sale and a late transfer restate their portfolios from their days on, the others have more of a day that has
    # not ended; then it ends
    folder.transactions += [
        "trader,main,2024-01-10,SELL,equity:EUX,2,55,,EUR,1,EUR,,,s2",
        "trader,main,2024-01-12,TRANSFER_OUT,etf:SPY,2,,,,,,,g1,t1",
        "sibling,main,2024-01-12,TRANSFER_IN,etf:SPY,2,,,,,,,g1,t2",
    ]
    step("2024-01-22T12:00:00Z")
    assert _restated(database_url, 3) == {
        "trader": "2024-01-10", "sibling": "2024-01-12", "lender": "2024-01-22", "watcher": "2024-01-22",
    }  # fmt: skip
    step("2024-01-22")
    assert _restated(database_url, 4)["lender"] == "2024-01-22"

    # the coin has its first price on the 3rd of February: a flow of that day
    folder.prices += _prices("crypto:COIN", 60, 20, since=33)
    folder.transactions += [
        "lender,main,2024-02-05,BUY,etf:SPY,1,110,,EUR,,,,,b9",
        # the lots that were transferred are now older ones, which cost less
        "trader,main,2024-01-01,BUY,etf:SPY,8,60,,USD,,,,,b0",
    ]
    step("2024-02-06")
    assert _restated(database_url, 5)["trader"] == "2024-01-01"
    assert _restated(database_url, 5)["sibling"] == "2024-01-12"

    outcome = run(folder.write(), module_database_url, tmp_path / "other", "2024-02-06")
    assert outcome.exit_code == 0, outcome.messages
    incremental, full = _comparable(database_url), _comparable(module_database_url)
    for name, expected in full.items():
        assert incremental[name] == expected, name
    assert _packed(database_url) == _packed(module_database_url) != []

    # the price of a past day restates what was made from it; a balance of a past day too
    folder.prices = [line.replace("etf:SPY,2024-01-17,", "etf:SPY,2024-01-17,9") for line in folder.prices]
    folder.balances.append("watcher,main,etf:SPY,2024-01-19,11")
    step("2024-02-06")
    assert _restated(database_url, 6)["trader"] == "2024-01-17"
    assert _restated(database_url, 6)["watcher"] == "2024-01-17"
    assert "lender" not in _restated(database_url, 6)
    # one that goes to another user takes along those that it leaves and those that it joins
    with connect(database_url) as connection:
        connection.execute("update intermediate.int_portfolio_fingerprints set changed_from = null")  # published by now
        connection.execute(
            "update intermediate.int_portfolio_fingerprints set user_id = 'lender', settings = 'others'"
            " where portfolio_id = 'sibling'"
        )
        choose_scope(connection)
        scope = connection.execute("select portfolio_id, from_date::text, runs_ledger from ops.run_scope order by 1")
        assert scope.fetchall() == [
            ("lender", "2024-02-06", False), ("sibling", None, True), ("trader", "2024-02-06", True),
        ]  # fmt: skip
        connection.rollback()
    # one that is gone takes along what it was compared with, and the ledgers that transfers may have joined with its own
    with connect(database_url) as connection:
        connection.execute("delete from intermediate.int_portfolio_fingerprints where portfolio_id = 'trader'")
        connection.execute("update intermediate.int_portfolio_fingerprints set changed_from = null")  # published by now
        choose_scope(connection)
        connection.commit()
        assert _scope(database_url) == {"sibling": ("2024-02-06", True)}
    # and back to an earlier moment, which computes everything again
    step("2024-01-18")
    outcome = run(folder.write(), module_database_url, tmp_path / "other", "2024-01-18")
    assert outcome.exit_code == 0, outcome.messages
    incremental, full = _comparable(database_url), _comparable(module_database_url)
    for name, expected in full.items():
        assert incremental[name] == expected, name
    assert _packed(database_url) == _packed(module_database_url) != []
