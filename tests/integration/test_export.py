"""The export's promise: run, export, run the export in a fresh database, and every mart says the same."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from assets.registry.exporting import Exported, ExportError, export_inputs
from assets.registry.landing import land, read_inputs
from assets.warehouse.database import connect
from tests.pipeline_runs import daily_prices, marts, one, portfolio, rows, run, write_inputs

NOW = datetime(2024, 6, 1, tzinfo=UTC)
#: Columns that name a batch, which is numbered anew in every database.
BATCHES = {"transactions": "source_batch"}
ADDRESS = "0x0a9804137803BA6868D93A55f9985Fcd540451E4"


def household(folder: Path) -> Path:
    """Cash and stock, a wallet with balances, an own house, fixed targets and a policy; some rows without any id."""
    flat = portfolio(
        "flat", user_id="somebody", cost_basis="ACB", cash="implicit", allow_short=True, risk_free_rate="0.02",
        policy={
            "objective": "min_volatility", "universe": ["etf:SPY", "crypto:ETH"], "max_weight": "0.7",
            "lookback_days": "30", "group_limits": [{"by": "asset_class", "group": "crypto", "max": "0.6"}],
            "min_holding": "0.02", "max_assets": "2", "max_turnover": "0.3", "selection": "annealing",
            "weight_intervals": True,
        },
    )  # fmt: skip
    main = portfolio(
        "main", name="Main: 'mine'", base_currency="EUR", benchmark="etf:SPY", lot_scope="portfolio",
        tax_rates={"short": "0.37", "long": "0.2"}, targets={"etf:SPY": "0.1", "crypto:ETH": "0.2", "fiat:USD": "0.7"},
        limits=[{"metric": "leverage", "warn": "1.5", "fail": "3"}, {"metric": "largest_position", "fail": "0.1"}],
        accounts=[
            {"id": "main", "kind": "manual"}, {"id": "kraken", "kind": "exchange", "exchange": "kraken", "margin": True},
            {"id": "wallet", "kind": "wallet", "address": ADDRESS, "chains": ["ethereum", "arbitrum"]},
        ],
    )  # fmt: skip
    write_inputs(
        folder,
        [main, flat],
        transactions=[
            "main,main,2024-01-01,DEPOSIT,fiat:USD,10000,,,,,,,,d1",
            "main,main,2024-01-02,BUY,etf:SPY,10,101,,USD,1.50,USD,,,b1",
            "main,main,2024-01-02,BUY,etf:SPY,1,101,,USD,,,,,",
            "main,main,2024-01-02,BUY,etf:SPY,1,101,,USD,,,,,",
            "main,main,2024-01-03T10:00:00.123456Z,BUY,crypto:ETH,1.50,2000,,USD,0.001,crypto:ETH,,,",
            "main,main,2024-01-04T10:00:00Z,TRANSFER_OUT,crypto:ETH,0.5,,,,,,,g1,",
            "main,kraken,2024-01-04T11:00:00+01:00,TRANSFER_IN,crypto:ETH,0.499,,,,,,,g1,",
            "main,kraken,2024-01-05,BUY,crypto:ETH,0.1,2050,,USD,,,,,",
            "main,main,2024-01-05,DIVIDEND,etf:SPY,7,,,USD,,,1.20,,",
            "main,main,2024-01-06,SPLIT,etf:SPY,3:1,,,,,,,,",
            "flat,main,2024-01-03,BUY,custom:house,1,,300000,EUR,,,,,",
            "flat,main,2024-01-04,BUY,etf:SPY,2,102,,USD,,,,,",
            "flat,main,2024-01-05,SELL,etf:SPY,1,103,,USD,1,USD,,,",
        ],
        prices=[
            *daily_prices("etf:SPY", [100, 101, 102, 103, 104, 35, 36, 36, 37, 37]),
            *daily_prices("crypto:ETH", [2000, 2010, 1990, 2020, 2050, 2040, 2060, 2100, 2080, 2110]),
            *daily_prices("fiat:EUR", [1.1] * 10),
            "custom:house,2024-01-03,300000,EUR",
            "etf:SPY,2024-01-09T15:30:00Z,36.5,USD",
            "etf:SPY,2024-01-10,-1,USD",
        ],
        balances=[
            "main,wallet,eip155:1/slip44:60,2024-01-02,3.25",
            "main,wallet,eip155:1/slip44:60,2024-01-05T12:00:00Z,4",
        ],
    )
    (folder / "instruments.csv").write_text(
        "instrument,name,quote_currency,annualization_days,lot_size\n"
        'custom:house,Our house,EUR,365,\ncustom:boat,,USD,,\netf:SPY,"S&P, ""500""",USD,252,0.01\n'
    )
    (folder / "corporate_actions.csv").write_text(
        "instrument,ex_date,kind,ratio,amount,currency\netf:SPY,2024-01-08,dividend,,0.31,USD\n"
    )
    (folder / "scenarios.yaml").write_text(
        "version: 1\nscenarios:\n- {id: crash, name: 'A crash, \"ours\"', shocks: [{by: asset_class, group: etf, change: -0.3},"
        " {by: instrument, instrument: crypto:ETH, change: -0.6}]}\n"
    )
    (folder / "risk_scores.yaml").write_text(
        "version: 1\nscores: [{by: chain, group: ethereum, score: 0.1, source: ours}]\n"
    )
    return folder


def exported_to(url: str, folder: Path, *portfolios: str) -> Exported:
    with connect(url) as connection:
        return export_inputs(connection, folder, portfolios, NOW)


def comparable(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Every mart's rows without columns that name a run, a clock or a batch."""
    found = dict(marts(url))
    for table in BATCHES:
        columns = [
            name
            for (name,) in rows(
                url,
                "select column_name::text from information_schema.columns where table_schema = 'marts'"
                " and table_name = %s and column_name <> %s order by ordinal_position",
                table,
                BATCHES[table],
            )
        ]
        found[table] = sorted(rows(url, f"select {', '.join(columns)} from marts.{table}"), key=repr)
    return found


def test_a_run_of_the_export_publishes_the_same(database_url: str, module_database_url: str, tmp_path: Path) -> None:
    outcome = run(household(tmp_path / "inputs"), database_url, tmp_path / "home")
    assert outcome.exit_code == 0, outcome.messages

    exported = exported_to(database_url, tmp_path / "exported")
    again = run(tmp_path / "exported", module_database_url, tmp_path / "other-home")

    assert again.exit_code == 0, again.messages
    assert exported.renamed == 0
    assert exported.portfolios == 2
    assert exported.rows == {"transactions": 13, "prices": 32, "balances": 2, "corporate_actions": 1}
    assert exported.quarantined == 1
    before, after = comparable(database_url), comparable(module_database_url)
    assert before.keys() == after.keys()
    for name in before:
        assert before[name] == after[name], name
    assert len(before["transactions"]) >= 12
    # bought with borrowed dollars, in an account that says so
    debt = "select balance from marts.portfolio_assets where account_id = 'kraken' and instrument_id = 'fiat:USD'"
    assert one(module_database_url, debt) == -205
    # the wallet's coins came in this year: the owner's short rate taxes their gain
    ((portfolio_id, action, gain, short, long, tax),) = rows(
        database_url,
        "select portfolio_id, action, realized_gain_base, short_gain_base, long_gain_base, estimated_tax_base"
        " from marts.rebalancing_suggestions",
    )
    assert (portfolio_id, action, gain, long, tax) == ("main", "sell", short, 0, short * Decimal("0.37"))
    assert gain > 0
    # a limit that is broken warns and holds nothing
    assert rows(
        database_url,
        "select portfolio_id, severity, passed from marts.data_quality where check_name = 'limits_are_kept'",
    ) == [("main", "warn", False)]
    assert (
        one(database_url, "select kind from marts.stress_tests where portfolio_id = 'flat' and scenario = 'crash'")
        == "user"
    )

    metric = "select metric from marts.allocation_risk where portfolio_id = 'main' and rule = 'chain_risk_score'"
    assert one(database_url, metric) == 0.1

    # and the export of the export is the export
    exported_to(module_database_url, tmp_path / "twice")
    files = sorted(path.relative_to(tmp_path / "twice") for path in (tmp_path / "twice").rglob("*") if path.is_file())
    assert [str(path) for path in files] == [
        "balances/balances.csv", "corporate_actions.csv", "instruments.csv", "portfolios.yaml", "prices/prices.csv",
        "risk_scores.yaml", "scenarios.yaml", "transactions/ledger.csv",
    ]  # fmt: skip
    for path in files:
        assert (tmp_path / "twice" / path).read_bytes() == (tmp_path / "exported" / path).read_bytes(), path

    what_suggestions_are_made_of_is_noticed(module_database_url, tmp_path)
    one_portfolio(database_url, tmp_path)
    refusals(database_url, tmp_path)


def what_suggestions_are_made_of_is_noticed(url: str, tmp_path: Path) -> None:
    """Another tax rate of one portfolio and another day's volume for the other put both into the scope of a run."""
    folder = shutil.copytree(tmp_path / "exported", tmp_path / "retaxed")
    document = (folder / "portfolios.yaml").read_text()
    (folder / "portfolios.yaml").write_text(document.replace("short: '0.37'", "short: '0.5'"))
    with connect(url) as connection:
        # on a day of the owner's own price, so that no price differs
        connection.execute(
            "with batch as (insert into raw.batches (kind, source, content_hash, row_count, status, counts_from)"
            " values ('bars', 'yahoo', 'volume', 1, 'accepted', '2024-01-04') returning batch_id)"
            " insert into raw.bars (instrument_id, source, resolution, opened_at, priced_at, high, low, close, volume,"
            " currency, batch_id, status) select 'custom:house', 'yahoo', '1d', '2024-01-03Z', '2024-01-03 23:59Z',"
            " 300000, 300000, 300000, 5, 'fiat:EUR', batch_id, 'accepted' from batch"
        )
    assert run(folder, url, tmp_path / "other-home").exit_code == 0
    assert rows(url, "select portfolio_id from ops.run_scope order by 1") == [("flat",), ("main",)]
    assert one(url, "select estimated_tax_base / realized_gain_base from marts.rebalancing_suggestions") == Decimal(
        "0.5"
    )


def one_portfolio(url: str, tmp_path: Path) -> None:
    """A part of the test above, which has a database with a run in it."""
    exported = exported_to(url, tmp_path / "main-only", "main")
    assert exported.portfolios == 1
    assert exported.rows["transactions"] == 10
    text = "".join(path.read_text() for path in (tmp_path / "main-only").rglob("*.*") if path.is_file())
    assert "custom:" not in text  # the other's house and boat
    document = yaml.safe_load((tmp_path / "main-only" / "portfolios.yaml").read_text())
    assert [entry["id"] for entry in document["portfolios"]] == ["main"]

    exported_to(url, tmp_path / "flat-only", "flat")
    assert (tmp_path / "flat-only" / "instruments.csv").read_text().count("custom:") == 1


def refusals(url: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="not empty"):
        exported_to(url, tmp_path / "exported")
    with pytest.raises(ExportError, match="no active portfolio mian"):
        exported_to(url, tmp_path / "new", "mian")
    assert not (tmp_path / "new").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_id_that_cannot_be_kept_is_counted(database_url: str, tmp_path: Path) -> None:
    transactions = [
        "main,main,2024-01-01,BUY,crypto:BTC,1e-8,40000,,USD,,,,,",
        "main,main,2024-01-01,BUY,crypto:BTC,1e-8,40000,,USD,,,,,id",
    ]
    folder = write_inputs(tmp_path / "inputs", [portfolio("main", cash="implicit")], transactions)
    with connect(database_url) as connection:
        land(connection, read_inputs(folder, NOW), "run")

    assert exported_to(database_url, tmp_path / "exported").renamed == 1
    assert one(database_url, "select count(*) from raw.transactions") == 2


def test_nothing_to_export(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="holdfast run"):
        exported_to(database_url, tmp_path / "exported")
