"""The ledger's reading and writing, on a real database."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from assets.ledger.slices import TABLES
from assets.ledger.store import run_ledger
from assets.ledger.workers import LedgerWorkerError
from assets.warehouse.database import Connection, connect

# The shapes that the market models hand to the ledger; only what the ledger reads.
INPUTS = """
create table intermediate.int_instruments (instrument_id text, quote_currency text, canonical_instrument text,
    decimals integer, pricing_instrument_id text);
create table intermediate.int_portfolios (portfolio_id text, user_id text, base_currency text, cost_basis text,
    lot_scope text, cash_mode text, allow_short boolean);
create table intermediate.int_all_transactions (sequence bigint, transaction_id text, portfolio_id text, account_id text,
    executed_at timestamptz, is_date_only boolean, executed_date date, type text, instrument_id text, quantity ops.amount,
    price ops.amount, amount ops.amount, currency text, fx_rate ops.amount, cash_account text, fee ops.amount,
    fee_currency text, tax ops.amount, group_id text, external_id text, note text, batch_id bigint, line integer);
create view intermediate.int_transactions as
    select t.* from intermediate.int_all_transactions t join ops.run_scope s using (portfolio_id) where s.runs_ledger;
create table intermediate.int_balances (portfolio_id text, account_id text, instrument_id text, balance_at timestamptz,
    is_date_only boolean, balance_date date, quantity ops.amount, cost_base ops.amount, batch_id bigint, line integer);
create table intermediate.int_price_points (instrument_id text, priced_at timestamptz, price ops.amount, currency text);
create table intermediate.int_fx_points (currency text, quote text, rated_at timestamptz, rate ops.amount);

insert into intermediate.int_instruments values
    ('crypto:BTC', 'fiat:USD', 'crypto:BTC', 8, 'crypto:BTC'), ('fiat:USD', 'fiat:USD', 'fiat:USD', null, 'fiat:USD'),
    ('fiat:EUR', 'fiat:EUR', 'fiat:EUR', null, 'fiat:EUR');
insert into intermediate.int_portfolios values
    ('p', 'alice', 'fiat:EUR', 'FIFO', 'account', 'ledger', false),
    ('q', 'alice', 'fiat:EUR', 'FIFO', 'account', 'ledger', false),
    ('poor', 'bob', 'fiat:EUR', 'FIFO', 'account', 'ledger', false),
    ('seen', 'carol', 'fiat:EUR', 'FIFO', 'account', 'ledger', false),
    ('empty', 'dave', 'fiat:EUR', 'FIFO', 'account', 'ledger', false),
    ('elsewhere', 'erin', 'fiat:EUR', 'FIFO', 'account', 'ledger', false);
insert into ops.run_scope select portfolio_id, '' from intermediate.int_portfolios where portfolio_id <> 'elsewhere';
insert into intermediate.int_price_points values
    ('crypto:BTC', '2024-01-01T23:59:59.999999Z', 100, 'fiat:USD'), ('crypto:BTC', '2024-01-03T12:00:00Z', 200, 'fiat:USD');
insert into intermediate.int_fx_points values
    ('fiat:USD', 'fiat:EUR', '2024-01-01T00:00:00Z', 0.5), ('fiat:EUR', 'fiat:USD', '2024-01-01T00:00:00Z', 2);
insert into intermediate.int_balances values
    ('seen', 'w', 'crypto:BTC', '2024-01-02T00:00:00Z', true, '2024-01-02', 3, null, 1, 1);
"""
ROW = """
insert into intermediate.int_all_transactions (sequence, transaction_id, portfolio_id, account_id, executed_at, is_date_only,
    executed_date, type, instrument_id, quantity, price, currency, group_id, batch_id, line)
values (%s, %s, %s, %s, %s, false, (%s::timestamptz at time zone 'UTC')::date, %s, %s, %s, %s, %s, %s, 1, %s)
"""
TRANSACTIONS = [
    ("p", "2024-01-02T10:00:00Z", "DEPOSIT", "fiat:EUR", "1000", None, None, None),
    ("poor", "2024-01-02T10:30:00Z", "BUY", "crypto:BTC", "1", "100", "fiat:USD", None),
    ("p", "2024-01-02T11:00:00Z", "BUY", "crypto:BTC", "2", "100", "fiat:EUR", None),
    ("p", "2024-01-03T13:00:00Z", "SELL", "crypto:BTC", "0.5", "220", "fiat:EUR", None),
    ("p", "2024-01-03T23:30:00+00:00", "TRANSFER_OUT", "crypto:BTC", "1", None, None, "g"),
    ("q", "2024-01-03T23:40:00+00:00", "TRANSFER_IN", "crypto:BTC", "1", None, None, "g"),
]


Row = tuple[str, str, str, str, str, str | None, str | None, str | None]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as opened:
        opened.execute(INPUTS)
        for number, row in enumerate(TRANSACTIONS, 1):
            add(opened, number, row)
        yield opened


def add(connection: Connection, number: int, row: Row, account: str = "a") -> None:
    portfolio, when, kind, instrument, quantity, price, currency, group = row
    values = (number, f"t{number}", portfolio, account, when, when, kind, instrument, quantity, price, currency, group)
    connection.execute(ROW, (*values, number))


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    return list(connection.execute(query))


def test_scope_is_processed_and_written(connection: Connection) -> None:
    summary = run_ledger(connection)
    assert (summary.portfolios, summary.transactions, summary.held) == (5, 6, {"poor"})
    assert summary.issues == {"negative_cash": 1}
    for table in TABLES:
        assert rows(connection, f"select count(*) from intermediate.ledger_{table}") == [(summary.rows[table],)]
    assert "6 transactions of 5 portfolios" in str(summary)
    positions = """
        select instrument_id, valid_from::text, valid_to::text, quantity, quantity_at_cost_fx, cost_base, flow_basis
        from intermediate.ledger_positions where portfolio_id = 'p' order by 1, 2
    """
    assert rows(connection, positions) == [
        ("crypto:BTC", "2024-01-02", "2024-01-03", 2, 1, 200, "ledger"),
        ("crypto:BTC", "2024-01-03", None, Decimal("0.5"), Decimal("0.25"), 50, "ledger"),
        ("fiat:EUR", "2024-01-02", "2024-01-03", 800, 800, 800, "ledger"),
        ("fiat:EUR", "2024-01-03", None, 910, 910, 910, "ledger"),
    ]
    disposal = "select lot_id, disposed_at, proceeds_base, cost_base, gain_base from intermediate.ledger_disposals"
    [(lot_id, disposed_at, *amounts)] = rows(connection, disposal)
    assert (lot_id, amounts) == ("lot-t3", [110, 50, 60])
    assert str(disposed_at) == "2024-01-03 13:00:00+00:00"
    lots = "select portfolio_id, lot_id, quantity, cost_base, acquired_at::date::text from intermediate.ledger_lots"
    assert ("q", "lot-t3", 1, 100, "2024-01-02") in rows(connection, lots)
    flows = "select portfolio_id, kind, amount_base from intermediate.ledger_flows order by portfolio_id, flow_id"
    assert rows(connection, flows) == [
        ("p", "deposit", 1000), ("p", "transfer_out", -100), ("q", "transfer_in", 100), ("seen", "opening", 150),
    ]  # fmt: skip


def test_a_second_run_replaces_the_first(connection: Connection) -> None:
    first = run_ledger(connection)
    before = rows(connection, "select * from intermediate.ledger_entries order by 1, 2, 3, 4, 5, 6")
    second = run_ledger(connection)
    assert first.rows == second.rows
    assert rows(connection, "select * from intermediate.ledger_entries order by 1, 2, 3, 4, 5, 6") == before


def test_results_are_flushed_in_slices_while_transactions_still_stream(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_ledger(connection)
    monkeypatch.setattr("assets.ledger.slices.SLICE_ROWS", 1)
    monkeypatch.setattr("assets.ledger.slices.WRITTEN_BYTES", 1)
    monkeypatch.setattr("assets.ledger.reading.FETCH_ROWS", 1)
    sliced = run_ledger(connection)
    assert sliced == whole


class TestProcesses:
    """A large population is split over two processes."""

    def test_two_processes_give_the_rows_of_one(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        connection.commit()
        one = run_ledger(connection)
        before = everything(connection)
        monkeypatch.setattr("assets.ledger.store.TRANSACTIONS_FOR_PROCESSES", 1)
        monkeypatch.setattr("assets.ledger.store.process_part", None)  # nothing is left to this process
        two = run_ledger(connection)
        assert two == one
        assert everything(connection) == before

    def test_a_process_that_fails_leaves_everything_as_it_was(
        self, connection: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run_ledger(connection)
        connection.execute("insert into intermediate.ledger_done values ('p')")
        before = everything(connection)
        connection.execute("update intermediate.int_all_transactions set type = 'BARTER' where transaction_id = 't2'")
        connection.commit()
        monkeypatch.setattr("assets.ledger.store.TRANSACTIONS_FOR_PROCESSES", 1)
        with pytest.raises(LedgerWorkerError, match="transaction t2 has the unknown type 'BARTER'"):
            run_ledger(connection)
        assert everything(connection) == before
        assert rows(connection, "select portfolio_id from intermediate.ledger_done") == [("p",)]

    def test_a_process_that_is_killed_is_noticed(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        connection.commit()
        monkeypatch.setattr("assets.ledger.store.TRANSACTIONS_FOR_PROCESSES", 1)
        monkeypatch.setattr("sys.executable", "/bin/true")
        with pytest.raises(LedgerWorkerError, match="ended before it was done"):
            run_ledger(connection)

    def test_a_process_knows_neither_dagster_nor_dbt(self) -> None:
        check = "import sys, assets.ledger.worker; assert not {'dagster', 'dbt', 'polars'} & set(sys.modules)"
        subprocess.run([sys.executable, "-c", check], check=True)

    def test_the_password_is_on_no_command_line(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        connection.commit()
        commands: list[list[str]] = []

        class Watched(subprocess.Popen[bytes]):
            def __init__(self, command: list[str], **keywords: Any) -> None:
                commands.append(command)
                assert "env" not in keywords
                super().__init__(command, **keywords)

        monkeypatch.setattr("assets.ledger.store.TRANSACTIONS_FOR_PROCESSES", 1)
        monkeypatch.setattr("subprocess.Popen", Watched)
        run_ledger(connection)
        assert len(commands) == 2
        assert connection.info.password
        assert not [command for command in commands if connection.info.password in " ".join(command)]


@pytest.mark.parametrize("text", ["tab\there", "line\nbreak", "carriage\rreturn", "back\\slash", "\\N", "", "ä€"])
def test_any_text_arrives_as_it_was(connection: Connection, text: str) -> None:
    connection.execute(
        "update intermediate.int_all_transactions set account_id = %s, transaction_id = %s where sequence = 1",
        [text, text],
    )
    run_ledger(connection)
    query = "select account_id, source_transaction from intermediate.ledger_flows where flow_date = '2024-01-02'"
    assert (text, text) in rows(connection, query)


class TestResultsStay:
    """Only the portfolios whose ledger the scope runs are touched."""

    def test_rows_of_a_portfolio_that_is_not_run_stay_as_they_are(self, connection: Connection) -> None:
        run_ledger(connection)
        before = everything(connection)
        connection.execute("insert into intermediate.ledger_done select portfolio_id from ops.run_scope")
        connection.execute("update ops.run_scope set runs_ledger = portfolio_id in ('poor', 'seen')")
        connection.execute("delete from ops.run_scope where portfolio_id = 'q'")
        connection.execute("update intermediate.int_price_points set price = price * 2")
        summary = run_ledger(connection)
        assert (summary.portfolios, summary.transactions) == (2, 1)
        after = everything(connection)
        assert of(after, "p", "q", "empty") == of(before, "p", "q", "empty") != []
        assert of(after, "seen") != of(before, "seen")
        done = "select portfolio_id from intermediate.ledger_done order by 1"
        assert rows(connection, done) == [("empty",), ("p",), ("q",)]

    def test_a_scope_without_any_ledger_to_run_changes_nothing(self, connection: Connection) -> None:
        run_ledger(connection)
        before = everything(connection)
        connection.execute("update ops.run_scope set runs_ledger = false")
        assert run_ledger(connection).portfolios == 0
        assert everything(connection) == before

    @pytest.mark.parametrize("runs_others", [False, True])
    def test_a_portfolio_that_vanished_loses_its_rows(self, connection: Connection, runs_others: bool) -> None:
        connection.execute("insert into registry.users select distinct user_id from intermediate.int_portfolios")
        connection.execute(
            "insert into registry.portfolios (id, user_id, name, base_currency, is_active)"
            " select portfolio_id, user_id, '', 'EUR', portfolio_id <> 'poor' from intermediate.int_portfolios"
        )
        run_ledger(connection)
        before = everything(connection)
        # seen was published and its row in the registry is deleted; poor was not and is no longer active
        connection.execute("insert into intermediate.ledger_done values ('seen'), ('p')")
        connection.execute("delete from registry.portfolios where id = 'seen'")
        for table in ("intermediate.int_portfolios", "ops.run_scope"):
            connection.execute(f"delete from {table} where portfolio_id in ('poor', 'seen')")
        connection.execute("update ops.run_scope set runs_ledger = %s", [runs_others])
        run_ledger(connection)
        assert everything(connection) == of(before, "p", "q", "empty", "elsewhere")
        done = [] if runs_others else [("p",)]
        assert rows(connection, "select portfolio_id from intermediate.ledger_done") == done


class TestRestatedDays:
    """Where the scope asks for a part of the days, a change before them moves the part's beginning back."""

    def test_a_change_of_nothing_lowers_nothing(self, connection: Connection) -> None:
        run_ledger(connection)
        before = everything(connection)
        assert first_days(connection, "2024-01-06") == {}
        assert everything(connection) == before

    def test_a_late_transaction_restates_from_its_own_day(self, connection: Connection) -> None:
        add(connection, 20, ("p", "2024-01-05T10:00:00Z", "WITHDRAWAL", "fiat:EUR", "10", None, None, None))
        run_ledger(connection)
        add(connection, 21, ("p", "2024-01-04T10:00:00Z", "FEE", "fiat:EUR", "1", None, None, None))
        assert first_days(connection, "2024-01-06") == {"p": "2024-01-04"}

    def test_a_transaction_after_the_beginning_leaves_it_where_it_is(self, connection: Connection) -> None:
        run_ledger(connection)
        add(connection, 20, ("p", "2024-01-04T10:00:00Z", "FEE", "fiat:EUR", "1", None, None, None))
        assert first_days(connection, "2024-01-03") == {}

    def test_a_transaction_taken_back_restates_from_its_own_day(self, connection: Connection) -> None:
        add(connection, 20, ("q", "2024-01-04T10:00:00Z", "SELL", "crypto:BTC", "1", "100", "fiat:EUR", None))
        run_ledger(connection)
        connection.execute("delete from intermediate.int_all_transactions where sequence = 20")
        assert first_days(connection, "2024-01-06") == {"q": "2024-01-04"}

    def test_an_entry_alone_is_enough(self, connection: Connection) -> None:
        """A deposit and a withdrawal of one day leave every position as it was, but money has flowed."""
        run_ledger(connection)
        add(connection, 20, ("p", "2024-01-04T10:00:00Z", "DEPOSIT", "fiat:EUR", "5", None, None, None))
        add(connection, 21, ("p", "2024-01-04T11:00:00Z", "WITHDRAWAL", "fiat:EUR", "5", None, None, None))
        assert first_days(connection, "2024-01-06") == {"p": "2024-01-04"}

    def test_a_second_equal_entry_counts(self, connection: Connection) -> None:
        run_ledger(connection)
        connection.execute(
            "insert into intermediate.ledger_entries select * from intermediate.ledger_entries"
            " where portfolio_id = 'p' and measure = 'inflow'"
        )
        assert first_days(connection, "2024-01-06") == {"p": "2024-01-02"}

    def test_a_leg_that_arrives_later_restates_from_the_day_of_the_leg_it_matches(self, connection: Connection) -> None:
        """Alone the old leg was a flow out of the portfolio; with its other side it stays inside."""
        add(connection, 20, ("p", "2024-01-04T10:00:00Z", "TRANSFER_OUT", "crypto:BTC", "0.5", None, None, "late"))
        run_ledger(connection)
        leg = ("p", "2024-01-05T10:00:00Z", "TRANSFER_IN", "crypto:BTC", "0.5", None, None, "late")
        add(connection, 21, leg, account="b")
        assert first_days(connection, "2024-01-06") == {"p": "2024-01-04"}

    def test_another_basis_of_flows_is_a_difference(self, connection: Connection) -> None:
        connection.execute(
            "insert into intermediate.int_balances values"
            " ('p', 'w', 'crypto:BTC', '2024-01-04T00:00:00Z', true, '2024-01-04', 3, null, 1, 2)"
        )
        run_ledger(connection)
        connection.execute(
            "update intermediate.ledger_positions set flow_basis = 'ledger' where (portfolio_id, account_id) = ('p', 'w')"
        )
        assert first_days(connection, "2024-01-06") == {"p": "2024-01-04"}

    def test_a_portfolio_built_from_its_first_day_stays_so(self, connection: Connection) -> None:
        run_ledger(connection)
        add(connection, 20, ("p", "2024-01-04T10:00:00Z", "FEE", "fiat:EUR", "1", None, None, None))
        connection.execute("update ops.run_scope set from_date = '2024-01-06' where portfolio_id <> 'p'")
        run_ledger(connection)
        assert rows(connection, "select from_date from ops.run_scope where portfolio_id = 'p'") == [(None,)]


def first_days(connection: Connection, from_date: str) -> dict[object, object]:
    """Run all portfolios from a day on; the days to which the beginning was moved back."""
    connection.execute("update ops.run_scope set from_date = %s", [from_date])
    summary = run_ledger(connection)
    query = "select portfolio_id, from_date::text from ops.run_scope where from_date <> %s::date"
    lowered = dict(connection.execute(query, [from_date]).fetchall())
    assert summary.restated == len(lowered)
    return lowered


def everything(connection: Connection) -> list[tuple[object, ...]]:
    """Every result row as (portfolio, table, text), in order."""
    parts = [f"select portfolio_id, '{table}', t::text from intermediate.ledger_{table} t" for table in TABLES]
    return rows(connection, " union all ".join(parts) + " order by 1, 2, 3")


def of(results: list[tuple[object, ...]], *portfolios: str) -> list[tuple[object, ...]]:
    return [row for row in results if row[0] in portfolios]
