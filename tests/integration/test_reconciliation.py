"""Observed against derived balances through whole runs: rows, warnings, flows, and what a correction restates."""

from __future__ import annotations

from pathlib import Path

from tests.pipeline_runs import daily_prices, one, portfolio, rows, run, write_inputs

PORTFOLIOS = [portfolio("traded", cash="implicit"), portfolio("seen")]
BUY = "traded,main,2024-01-02,BUY,etf:SPY,10,101,,USD,,,,,b1"
BALANCES = [
    "traded,main,etf:SPY,2024-01-03,10",
    "traded,main,etf:SPY,2024-01-08,12",
    "seen,main,etf:SPY,2024-01-02,5",
    "seen,main,etf:SPY,2024-01-05,7",
]
PRICES = daily_prices("etf:SPY", [100, 101, 102, 103, 104, 105, 106, 107, 108, 110])


def test_every_run_compares_and_says_what_became_of_each_difference(database_url: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    inputs = write_inputs(tmp_path / "inputs", PORTFOLIOS, [BUY], PRICES, balances=BALANCES)
    outcome = run(inputs, database_url, home)
    assert outcome.summary["status"] == "published", outcome.messages
    assert outcome.summary["held_portfolios"] == []

    query = (
        "select portfolio_id, observed_date::text, observed_quantity, derived_quantity, difference_base, status, is_latest"
        " from marts.reconciliation order by 1, 2"
    )
    seen = [
        ("seen", "2024-01-02", 5, 0, 505, "opening", False),
        ("seen", "2024-01-05", 7, 5, 208, "observed_change", True),
    ]
    assert rows(database_url, query) == [
        *seen,
        ("traded", "2024-01-03", 10, 10, 0, "matched", False),
        ("traded", "2024-01-08", 12, 10, 214, "mismatch", True),
    ]
    # each unexplained change is its flow; a mismatch is none
    assert rows(
        database_url,
        "select status, kind, difference_base = amount_base from marts.reconciliation"
        " left join marts.cash_flows using (portfolio_id, flow_id) order by observed_date, portfolio_id",
    ) == [
        ("opening", "opening", True), ("matched", None, None), ("observed_change", "observed_change", True),
        ("mismatch", None, None),
    ]  # fmt: skip
    warned = (
        "select portfolio_id, failed_rows from marts.data_quality where check_name = 'balance_mismatch' and not passed"
    )
    assert rows(database_url, warned) == [("traded", 1)]

    # the missing purchase arrives: the comparison agrees, and nobody else's rows are touched
    late = "traded,main,2024-01-06,BUY,etf:SPY,2,105,,USD,,,,,b2"
    assert run(write_inputs(inputs, PORTFOLIOS, [BUY, late]), database_url, home).exit_code == 0
    assert rows(database_url, query) == [
        *seen,
        ("traded", "2024-01-03", 10, 10, 0, "matched", False),
        ("traded", "2024-01-08", 12, 12, 0, "matched", True),
    ]
    assert rows(database_url, warned) == []
    assert one(database_url, "select count(*) from history.reconciliation where published_from = 2") == 1
    assert rows(
        database_url,
        "select status from marts.reconciliation_as_known_at("
        "(select published_at from marts.publications where publication_id = 1)) where portfolio_id = 'traded' and is_latest",
    ) == [("mismatch",)]
