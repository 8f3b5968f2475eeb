"""Landing of an inputs folder into a real database."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assets.registry.landing import LandingResult, land, read_inputs
from assets.registry.problems import InputProblems
from assets.warehouse.database import Connection, connect

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
ADDRESS = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
YAML = f"""
version: 1
base_currency: EUR
portfolios:
  - id: p
    user_id: alice
    accounts:
      - {{id: a, kind: manual}}
      - {{id: w, kind: wallet, address: "{ADDRESS}", chains: [ethereum, base]}}
    targets: {{crypto:BTC: 0.6, fiat:EUR: 0.4}}
    policy:
      objective: black_litterman
      universe: [crypto:BTC, crypto:ETH]
      views: [{{instrument: crypto:BTC, return: 0.1}}]
      group_limits: [{{by: chain, group: base, max: 0.5}}]
  - {{id: q, user_id: alice, cash: implicit, accounts: [{{id: main, kind: manual}}]}}
"""
TRANSACTIONS = """portfolio,account,executed_at,type,instrument,quantity,price,currency,external_id,note
p,a,2024-01-01,DEPOSIT,fiat:EUR,1000,,,e1,
p,a,2024-01-02T10:00:00+01:00,BUY,custom:flat,0.123456789012345678901234567890123456789,10,EUR,,"two
lines, a comma"
p,a,2024-01-03,SPLIT,custom:flat,3:1,,,,
"""
PRICES = """instrument,priced_at,price,currency
custom:flat,2024-01-02,10,EUR
custom:flat,2024-01-03,NaN,EUR
custom:flat,2024-06-02,11,EUR
fiat:USD,2024-01-02T00:00:00Z,0.9,EUR
"""
INSTRUMENTS = "instrument,name,quote_currency\ncustom:flat,My flat,EUR\n"
TABLES = (
    "registry.users", "registry.portfolios", "registry.accounts", "registry.portfolio_wallets", "registry.targets",
    "registry.policies", "registry.instruments", "raw.batches", "raw.transactions", "raw.prices", "raw.balances",
    "raw.corporate_actions", "ops.input_files", "quality.quarantined_rows",
)  # fmt: skip


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "portfolios.yaml", YAML)
    write(tmp_path, "transactions/t.csv", TRANSACTIONS)
    write(tmp_path, "prices/p.csv", PRICES)
    write(tmp_path, "instruments.csv", INSTRUMENTS)
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def land_folder(connection: Connection, folder: Path, now: datetime = NOW, run_id: str = "r1") -> LandingResult:
    inputs = read_inputs(folder, now)
    with connection.transaction():
        return land(connection, inputs, run_id)


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query.encode()).fetchall()


def everything(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows with the transaction that wrote them: a row written again, even with the same values, differs."""
    return {name: rows(connection, f"select xmin::text, t::text from {name} as t order by 2") for name in TABLES}


def current(connection: Connection) -> dict[str, str]:
    query = "select f.path, b.content_hash from ops.input_files as f join raw.batches as b using (batch_id)"
    return dict(rows(connection, query))


def test_what_the_folder_says_is_what_the_tables_say(connection: Connection, folder: Path) -> None:
    result = land_folder(connection, folder)
    assert rows(
        connection, "select id, user_id, base_currency, cash, is_active from registry.portfolios order by id"
    ) == [
        ("p", "alice", "EUR", "ledger", True),
        ("q", "alice", "EUR", "implicit", True),
    ]
    assert rows(
        connection, "select chain_id, wallet_address, account_id from registry.portfolio_wallets order by 1"
    ) == [
        ("base", ADDRESS, "w"),
        ("ethereum", ADDRESS, "w"),
    ]
    assert rows(connection, "select instrument, weight from registry.targets order by 1") == [
        ("crypto:BTC", 0.6),
        ("fiat:EUR", 0.4),
    ]
    assert rows(connection, "select universe, views, group_limits, max_weight, target from registry.policies") == [
        (
            ["crypto:BTC", "crypto:ETH"],
            [{"instrument": "crypto:BTC", "over": None, "return": 0.1, "confidence": None}],
            [{"by": "chain", "group": "base", "min": 0.0, "max": 0.5}],
            1.0,
            None,
        )
    ]
    assert rows(connection, "select instrument, name, quote_currency, chain from registry.instruments") == [
        ("custom:flat", "My flat", "fiat:EUR", None)
    ]
    assert rows(
        connection,
        "select line, executed_at, is_date_only, type, quantity, price, currency, note from raw.transactions"
        " order by line",
    ) == [
        (2, datetime(2024, 1, 1, tzinfo=UTC), True, "DEPOSIT", Decimal(1000), None, None, None),
        (
            3,
            datetime(2024, 1, 2, 9, tzinfo=UTC),
            False,
            "BUY",
            Decimal("0.123456789012345678901234567890123456789"),
            Decimal(10),
            "fiat:EUR",
            "two\nlines, a comma",
        ),
        (5, datetime(2024, 1, 3, tzinfo=UTC), True, "SPLIT", Decimal(3), None, None, None),
    ]
    counts = result.counts["transactions"]
    assert (counts.files, counts.new_batches, counts.rows, counts.quarantined) == (1, 1, 3, 0)
    assert len(result.fingerprint) == 64


def test_the_same_folder_twice_writes_nothing(connection: Connection, folder: Path) -> None:
    first = land_folder(connection, folder)
    before = everything(connection)
    second = land_folder(connection, folder, run_id="r2")
    assert everything(connection) == before
    assert second.registry_changes == 0
    assert second.fingerprint == first.fingerprint
    assert all(counts.new_batches == counts.rows == counts.retracted == 0 for counts in second.counts.values())


def test_a_changed_file_supersedes_and_a_former_content_becomes_current_again(
    connection: Connection, folder: Path
) -> None:
    land_folder(connection, folder)
    first = current(connection)
    write(folder, "transactions/t.csv", TRANSACTIONS.replace("1000", "2000"))
    assert land_folder(connection, folder).counts["transactions"].new_batches == 1
    second = current(connection)
    assert second["transactions/t.csv"] != first["transactions/t.csv"]
    assert second["prices/p.csv"] == first["prices/p.csv"]
    # the id of a row with external_id survives the change of its content
    ids = rows(connection, "select transaction_id, count(*) from raw.transactions where external_id = 'e1' group by 1")
    assert [count for _, count in ids] == [2]
    write(folder, "transactions/t.csv", TRANSACTIONS)
    assert land_folder(connection, folder).counts["transactions"].new_batches == 0
    assert current(connection) == first


def test_a_vanished_file_is_retracted_and_stays_in_raw(connection: Connection, folder: Path) -> None:
    land_folder(connection, folder)
    (folder / "transactions/t.csv").unlink()
    result = land_folder(connection, folder)
    assert result.counts["transactions"].retracted == 1
    assert set(current(connection)) == {"prices/p.csv"}
    assert rows(connection, "select count(*) from raw.transactions") == [(3,)]


def test_what_the_registry_names_no_more_becomes_inactive(connection: Connection, folder: Path) -> None:
    land_folder(connection, folder)
    changed = YAML[: YAML.index("  - {id: q")].replace(", base]", "]").replace("{id: a, ", "{id: b, ")
    changed = changed.replace("0.6, fiat:EUR: 0.4", "1").replace("objective: black_litterman", "objective: hrp")
    write(folder, "portfolios.yaml", changed)
    write(folder, "transactions/t.csv", TRANSACTIONS.replace("p,a,", "p,b,"))
    land_folder(connection, folder)
    assert rows(connection, "select id, is_active from registry.portfolios order by 1") == [("p", True), ("q", False)]
    assert rows(connection, "select portfolio_id, id, is_active from registry.accounts order by 1, 2") == [
        ("p", "a", False),
        ("p", "b", True),
        ("p", "w", True),
        ("q", "main", False),
    ]
    assert rows(connection, "select chain_id from registry.portfolio_wallets where is_active") == [("ethereum",)]
    assert rows(connection, "select instrument, weight from registry.targets") == [("crypto:BTC", 1.0)]
    assert rows(connection, "select objective from registry.policies") == [("hrp",)]
    write(folder, "portfolios.yaml", YAML)
    write(folder, "transactions/t.csv", TRANSACTIONS)
    land_folder(connection, folder)
    assert rows(connection, "select count(*) from registry.portfolios where is_active") == [(2,)]
    assert rows(connection, "select count(*) from registry.portfolio_wallets where is_active") == [(2,)]


def test_poisoned_prices_are_set_aside_and_the_others_land(connection: Connection, folder: Path) -> None:
    result = land_folder(connection, folder)
    assert result.counts["prices"].quarantined == 2
    assert result.rejected == ()
    assert rows(connection, "select line, price, is_date_only from raw.prices order by 1") == [
        (2, Decimal(10), True),
        (5, Decimal("0.9"), False),
    ]
    assert rows(
        connection,
        "select path, line, instrument_id, column_name, value, run_id from quality.quarantined_rows order by line",
    ) == [
        ("prices/p.csv", 3, "custom:flat", "price", "NaN", "r1"),
        ("prices/p.csv", 4, "custom:flat", "priced_at", "2024-06-02", "r1"),
    ]
    assert rows(connection, "select reason, row_text from quality.quarantined_rows order by line") == [
        ("price is not a finite number", "custom:flat,2024-01-03,NaN,EUR,,,,,"),
        ("price is of a time that has not come", "custom:flat,2024-06-02,11,EUR,,,,,"),
    ]


def test_a_price_of_the_future_joins_its_batch_when_its_time_has_come(connection: Connection, folder: Path) -> None:
    land_folder(connection, folder)
    result = land_folder(connection, folder, now=datetime(2024, 6, 3, tzinfo=UTC))
    assert result.counts["prices"].rows == 1
    assert rows(connection, "select line from raw.prices order by 1") == [(2,), (4,), (5,)]
    assert rows(connection, "select line from quality.quarantined_rows") == [(3,)]
    assert rows(connection, "select quarantined_count from raw.batches where kind = 'prices'") == [(1,)]


def test_a_batch_of_mostly_bad_prices_is_rejected_and_the_former_one_stays(
    connection: Connection, folder: Path
) -> None:
    land_folder(connection, folder)
    before = current(connection)
    write(folder, "prices/p.csv", PRICES.replace(",10,", ",-1,"))
    for run_id in ("r2", "r3"):
        result = land_folder(connection, folder, run_id=run_id)
        assert [(batch.path, batch.reason) for batch in result.rejected] == [
            ("prices/p.csv", "3 of 4 rows quarantined, more than half")
        ]
        assert current(connection) == before
    assert rows(connection, "select status, run_id from raw.batches where kind = 'prices' order by batch_id") == [
        ("accepted", "r1"),
        ("rejected", "r2"),
    ]


def test_half_of_the_prices_bad_is_still_accepted(connection: Connection, folder: Path) -> None:
    assert land_folder(connection, folder).counts["prices"].quarantined == 2
    assert "prices/p.csv" in current(connection)


def test_a_problem_anywhere_writes_nothing(connection: Connection, folder: Path) -> None:
    land_folder(connection, folder)
    before = everything(connection)
    write(folder, "portfolios.yaml", YAML.replace("alice", "bob"))
    write(folder, "prices/q.csv", "instrument,priced_at,price,currency\ncrypto:BTC,2024-01-01,abc,USD\n")
    with pytest.raises(InputProblems):
        land_folder(connection, folder)
    assert everything(connection) == before


def test_a_failing_caller_takes_all_of_it_back(connection: Connection, folder: Path) -> None:
    inputs = read_inputs(folder, NOW)
    with connection.transaction(force_rollback=True):
        land(connection, inputs, "r1")
    assert not any(everything(connection).values())


def test_balances_and_corporate_actions_land(connection: Connection, folder: Path) -> None:
    write(
        folder, "balances/b.csv", "portfolio,account,instrument,balance_at,quantity\np,a,crypto:BTC,2024-01-01,-2.50\n"
    )
    write(folder, "corporate_actions.csv", "instrument,ex_date,kind,ratio\nequity:A,2024-01-01,split,2:1\n")
    land_folder(connection, folder)
    assert rows(connection, "select line, instrument_id, quantity, cost_base from raw.balances") == [
        (2, "crypto:BTC", Decimal("-2.5"), None)
    ]
    assert rows(connection, "select instrument_id, ex_date::text, kind, ratio from raw.corporate_actions") == [
        ("equity:A", "2024-01-01", "split", Decimal(2))
    ]
    assert len(current(connection)) == 4
