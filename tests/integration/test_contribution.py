"""Contribution and attribution through the whole pipeline: they add up on ledgers of every kind, and the gates look."""

from pathlib import Path

import pytest

from assets.warehouse.database import connect
from quality.gate import evaluate
from quality.gates import GATES
from tests.pipeline_runs import daily_prices, one, portfolio, rows, run, write_inputs

PORTFOLIOS = [
    portfolio("mixed", base_currency="EUR", benchmark="etf:SPY"),
    portfolio("implicit", cash="implicit", benchmark="etf:SPY"),
    portfolio("paused", benchmark="crypto:LATE"),
    portfolio("observed"),
    portfolio("dust", allow_short=True, benchmark="etf:SPY"),
    portfolio("hedged", allow_short=True, accounts=[{"id": name, "kind": "manual"} for name in ("main", "margin")]),
]
TRANSACTIONS = [
    "mixed,main,2024-01-01,DEPOSIT,fiat:USD,10000,,,,,,,,d1",
    "mixed,main,2024-01-01,DEPOSIT,fiat:EUR,500,,,,,,,,d2",
    "mixed,main,2024-01-02,BUY,etf:SPY,20,101,,USD,3,USD,,,b1",
    "mixed,main,2024-01-02,BUY,crypto:BTC,0.1,40000,,USD,0.001,crypto:BTC,,,b2",
    "mixed,main,2024-01-04,DIVIDEND,etf:SPY,12,,,USD,,,3,,i1",
    "mixed,main,2024-01-05,SELL,crypto:BTC,0.05,44000,,USD,2,USD,1,,s1",
    "mixed,main,2024-01-06,SWAP_OUT,crypto:BTC,0.02,,,,,,,g1,x1",
    "mixed,main,2024-01-06,SWAP_IN,crypto:ETH,0.4,,,,,,,g1,x2",
    "mixed,main,2024-01-07,WITHDRAWAL,etf:SPY,5,,,,,,,,w1",
    "mixed,main,2024-01-07,FEE,fiat:EUR,4,,,,,,,,f1",
    "mixed,main,2024-01-08,STAKING_REWARD,crypto:ETH,0.01,,,,,,,,r1",
    "mixed,main,2024-01-08,DEPOSIT,custom:art,1,,,,,,,,a1",
    "implicit,main,2024-01-02,BUY,etf:SPY,10,101,,USD,1,USD,,,b1",
    "implicit,main,2024-01-05,DIVIDEND,etf:SPY,7,,,USD,,,,,i1",
    "implicit,main,2024-01-06,SELL,etf:SPY,4,103,,USD,,,,,s1",
    "paused,main,2024-01-01,DEPOSIT,fiat:USD,100,,,,,,,,d1",
    "paused,main,2024-01-03,WITHDRAWAL,fiat:USD,100,,,,,,,,w1",
    "paused,main,2024-01-06,INTEREST,fiat:USD,5,,,USD,,,,,i1",
    "paused,main,2024-01-08,BUY,etf:SPY,0.02,105,,USD,,,,,b1",
    # a million beside a debt of a million less a tenth of a cent
    "dust,main,2024-01-02,DEPOSIT,fiat:USD,1000,,,,,,,,d1",
    "dust,main,2024-01-02,SELL,etf:FLAT,10000,101,,USD,,,,,s1",
    "dust,main,2024-01-04,WITHDRAWAL,fiat:USD,999.999,,,,,,,,w1",
    "dust,main,2024-01-08,DEPOSIT,fiat:USD,1000,,,,,,,,d2",
    # owed in one account, held in the other
    "hedged,main,2024-01-02,DEPOSIT,fiat:USD,2000,,,,,,,,d1",
    "hedged,main,2024-01-03,BUY,etf:SPY,10,102,,USD,,,,,b1",
    "hedged,margin,2024-01-04,SELL,etf:SPY,4,101,,USD,,,,,s1",
]
BALANCES = [
    "observed,main,etf:SPY,2024-01-02,3",
    "observed,main,etf:SPY,2024-01-06,5",
    "observed,main,crypto:ETH,2024-01-04,1",
]
INSTRUMENTS = ["custom:art,A painting,USD,"]


@pytest.fixture(scope="module")
def url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("contribution")
    prices = [
        *daily_prices("etf:SPY", [100, 101, 102, 101, 102, 104, 103, 105, 106, 107]),
        *daily_prices("crypto:BTC", [40000, 41000, 43000, 42000, 44000, 45000, 43500, 43000, 46000, 47000]),
        *daily_prices("crypto:ETH", [2000, 2100, 2150, 2050, 2200, 2250, 2180, 2150, 2300, 2400]),
        *daily_prices("fiat:EUR", [1.10, 1.09, 1.11, 1.10, 1.08, 1.09, 1.10, 1.12, 1.11, 1.10]),
        *daily_prices("etf:FLAT", [101, 101, 101.01, 101, 100.9999999, 100.9999997, 100.9999996, 101.01, 101, 101.02]),
        "crypto:LATE,2024-01-07,5,USD",
    ]
    inputs = write_inputs(folder / "inputs", PORTFOLIOS, TRANSACTIONS, prices, INSTRUMENTS, BALANCES)
    outcome = run(inputs, module_database_url, folder / "home")
    assert outcome.exit_code == 0, outcome.messages
    assert outcome.summary["held_portfolios"] == []
    return module_database_url


def test_contributions_add_up_to_return_and_gain(url: str) -> None:
    found = rows(
        url,
        "select portfolio_id, period_type, twr, absolute_gain_base::float, sum(contribution), sum(gain_base)::float"
        " from marts.portfolio_performance join marts.portfolio_contribution using (portfolio_id, period_type)"
        " group by 1, 2, 3, 4",
    )
    assert {portfolio_id for portfolio_id, *_ in found} == {"mixed", "implicit", "paused", "observed", "dust", "hedged"}
    for portfolio_id, period, twr, gain, contributions, gains in found:
        if portfolio_id != "dust":
            assert contributions == pytest.approx(twr, abs=1e-9), (portfolio_id, period)
        assert gains == pytest.approx(gain, abs=1e-6), (portfolio_id, period)


def test_a_debt_as_large_as_what_is_held_has_a_return_and_no_parts(url: str) -> None:
    """The 5th to the 7th begin with tenths of a cent and end with five times as much; then 1000 come in."""
    ((contribution, twr, reason),) = rows(
        url,
        "select parts.contribution, whole.twr, parts.undefined_reason from marts.portfolio_contribution as parts"
        " join marts.portfolio_performance as whole using (portfolio_id, period_type)"
        " where (portfolio_id, period_type, instrument_id) = ('dust', '7d', 'etf:FLAT')",
    )
    before, after = 1000 / 900, 800.001 / 1000.005
    assert twr == pytest.approx(before * 5 * after - 1)
    assert contribution == pytest.approx(before * after - 1)
    assert reason == "coverage:tiny_days"
    ((effects, benchmark),) = rows(
        url,
        "select sum(allocation + selection + interaction), max(benchmark_return) from marts.performance_attribution"
        " where (portfolio_id, period_type) = ('dust', '7d') and undefined_reason like '%%coverage:tiny_days'",
    )
    assert effects == pytest.approx(before * after - 1 - benchmark, abs=1e-9)


def test_who_gained_what(url: str) -> None:
    """Of `implicit`: 10 units at 101 with 1 of fees, 4 of them sold at 103, 6 left at 107, and a dividend of 7."""
    query = "select gain_base::float from marts.portfolio_contribution where (portfolio_id, period_type) = ('implicit', 'all')"
    assert one(url, f"{query} and instrument_id = 'etf:SPY'") == pytest.approx(4 * 103 + 6 * 107 - 1010 - 1 + 7)


def test_values_are_those_of_the_holdings(url: str) -> None:
    different = rows(
        url,
        """
        select * from (
            select portfolio_id, instrument_id, sum(value_base) as value from marts.portfolio_assets
            where value_base is not null group by 1, 2) as held
        full join (
            select portfolio_id, instrument_id, end_value_base from marts.portfolio_contribution
            where period_type = 'all' and end_value_base <> 0) as ended using (portfolio_id, instrument_id)
        where abs(value - end_value_base) > 1e-6 or value is null and end_value_base <> 0 or end_value_base is null and value <> 0
        """,
    )
    assert different == []


def test_a_bucket_has_the_same_share_in_every_mart(url: str) -> None:
    shares = rows(
        url,
        "select days.portfolio_id, dimension, bucket, days.weight, now.weight from marts.snapshot_breakdowns as days"
        " inner join marts.portfolio_allocation as now using (portfolio_id, dimension, bucket)"
        " where days.snapshot_date = '2024-01-10'",
    )
    assert {row[0] for row in shares} > {"hedged", "mixed"}
    assert [row for row in shares if abs(row[3] - row[4]) > 1e-12] == []


def test_what_never_had_a_price_is_null(url: str) -> None:
    query = "from marts.portfolio_contribution where instrument_id = 'custom:art' and period_type = 'all'"
    assert one(url, f"select contribution {query}") is None
    assert one(url, f"select undefined_reason {query}").startswith("contribution:missing_price;gain_base:missing_price")


def test_a_gain_without_a_base_is_left_out_of_the_return(url: str) -> None:
    query = (
        "select unlinked_gain_base::float from marts.portfolio_contribution"
        " where (portfolio_id, period_type, instrument_id) = ('paused', 'all', 'fiat:USD')"
    )
    assert one(url, query) == pytest.approx(5.0)


def test_effects_add_up_to_the_lead_over_the_benchmark(url: str) -> None:
    found = rows(
        url,
        "select portfolio_id, period_type, twr, sum(allocation + selection + interaction), max(benchmark_return)"
        " from marts.portfolio_performance join marts.performance_attribution using (portfolio_id, period_type)"
        " where allocation is not null and portfolio_id <> 'dust' group by 1, 2, 3",
    )
    assert {(portfolio_id, period) for portfolio_id, period, *_ in found} == {
        *(("mixed", "7d"), ("implicit", "7d")),
        *(("implicit", period) for period in ("30d", "90d", "1y", "ytd", "all")),
    }
    for portfolio_id, period, twr, effects, benchmark in found:
        assert effects == pytest.approx(twr - benchmark, abs=1e-9), (portfolio_id, period)
    # the benchmark in EUR, from the close of the 3rd to that of the 10th
    assert dict((p, b) for p, period, *_, b in found if period == "7d")["mixed"] == pytest.approx(
        (107 / 1.10) / (102 / 1.11) - 1
    )


def test_before_the_benchmarks_second_price_there_are_no_effects(url: str) -> None:
    """`mixed` begins on the day of its first price, `paused` long before another one's."""
    found = rows(
        url,
        "select distinct portfolio_id, undefined_reason like '%%allocation:missing_benchmark%%', asset_class"
        " from marts.performance_attribution where allocation is null and period_type in ('all', '1y')",
    )
    assert sorted(found) == [("mixed", True, "etf"), ("paused", True, "crypto")]


@pytest.mark.parametrize(
    ("gate", "damage"),
    [
        ("contributions_add_up", "update intermediate.contribution set contribution = contribution + 1e-6"),
        ("contributions_add_up", "update intermediate.contribution set gain_base = gain_base + 1"),
        ("contributions_add_up", "delete from intermediate.contribution where instrument_id = 'etf:SPY'"),
        ("weights_add_up", "update build.portfolio_allocation set weight = weight + 1e-6"),
        ("weights_add_up", "update build.portfolio_assets set weight = weight * 2"),
        ("attribution_adds_up", "update intermediate.attribution set selection = selection + 1e-6"),
        (
            "dietz_agrees_with_twr",
            "update intermediate.performance set modified_dietz = 0.5 where period_type = '7d'",
        ),
    ],
)
def test_the_gates_see_what_does_not_add_up(url: str, gate: str, damage: str) -> None:
    (asked,) = [listed for listed in GATES if listed.name == gate]
    with connect(url) as connection:
        assert all(result.passed for result in evaluate(connection, asked))
        if gate == "dietz_agrees_with_twr":
            connection.execute("delete from intermediate.ledger_flows")
            connection.execute("update intermediate.performance set start_value_base = 1")
        connection.execute(damage)
        failed = [result for result in evaluate(connection, asked) if not result.passed]
        connection.rollback()
    assert "mixed" in {result.portfolio_id for result in failed}
    assert {result.reach for result in failed} == {"portfolio"}
