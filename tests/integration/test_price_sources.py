"""Prices of sources from landing to marts: what is held, who decides, whose price counts, and what companies do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
import yaml

from assets.market.landing import judge_again, land
from assets.market.model import Action, ActionKind, Bar, Resolution
from assets.market.review import ReviewError, decide, held_prices
from assets.warehouse.database import Connection, connect
from quality.gate import evaluate
from quality.input_gates import INPUT_GATES
from tests.pipeline_runs import portfolio, rows, run, write_inputs

NOW = datetime(2024, 1, 20, tzinfo=UTC)
USD, USDT = "fiat:USD", "crypto:USDT"
DAYS = range(1, 11)


def bars(instrument: str, source: str, currency: str, closes: list[object], days: list[int] | None = None) -> list[Bar]:
    return [
        Bar(
            instrument, datetime(2024, 1, day, tzinfo=UTC), Resolution.DAY, D(str(close)), D(str(close)),
            D(str(close)) * D("0.99"), D(str(close)), D(1000 + day) / (D(str(close)) or 1), currency, source,
        )
        for day, close in zip(days or DAYS, closes, strict=False)
    ]  # fmt: skip


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection


def statuses(conn: Connection, instrument: str) -> list[tuple[str, str | None]]:
    return conn.execute(
        "select status, reason from raw.bars where instrument_id = %s order by opened_at, source", [instrument]
    ).fetchall()


def test_a_held_price_counts_once_the_next_bar_or_another_source_has_it(conn: Connection) -> None:
    closes = [100, 101, 99, 100, 102, 101, 100, 103, 250, 252]
    land(conn, bars("crypto:BTC", "kraken", USD, closes[:9]), (), NOW)
    assert statuses(conn, "crypto:BTC") == [("accepted", None)] * 8 + [("held", "outlier")]
    land(conn, bars("crypto:BTC", "kraken", USD, [252], [10]), (), NOW)
    assert statuses(conn, "crypto:BTC") == [("accepted", None)] * 10

    land(conn, bars("crypto:ETH", "kraken", USD, closes[:9]), (), NOW)
    land(conn, bars("crypto:ETH", "coinbase", USD, [251], [9]), (), NOW)
    assert statuses(conn, "crypto:ETH") == [("accepted", None)] * 10


def test_a_price_in_tether_is_compared_at_the_price_of_tether(conn: Connection) -> None:
    land(conn, bars(USDT, "kraken", USD, ["0.9"] * 10), (), NOW)
    land(conn, bars("crypto:BTC", "kraken", USD, [90] * 10), (), NOW)
    land(conn, bars("crypto:BTC", "binance", USDT, [100] * 9 + [90]), (), NOW)

    found = conn.execute("select status, reason from raw.bars where source = 'binance' order by opened_at").fetchall()
    assert found == [("accepted", None)] * 9 + [("held", "disagreement")]


def test_a_split_that_arrives_late_lets_its_prices_count(conn: Connection) -> None:
    days = [2, 3, 4, 5, 8, 9, 10]
    land(conn, bars("equity:X", "yahoo", USD, [100, 101, 102, "25.5", "25.6", "25.7", "25.8"], days), (), NOW)
    assert statuses(conn, "equity:X")[3:] == [("held", "suspected_split")] * 4
    assert judge_again(conn, NOW) == 0

    land(conn, (), [Action("equity:X", ActionKind.SPLIT, date(2024, 1, 5), D(4), None, None, "yahoo")], NOW)
    assert judge_again(conn, NOW) == 4
    assert statuses(conn, "equity:X") == [("accepted", None)] * 7
    assert conn.execute("select min(counts_from) from raw.batches where kind = 'bars_judged'").fetchone() == (datetime(2024, 1, 6, tzinfo=UTC) - timedelta(microseconds=1),)  # fmt: skip


def test_a_person_decides_for_ever_and_is_named(conn: Connection) -> None:
    land(conn, bars("crypto:BTC", "kraken", USD, [100, 101, 99, 100, 102, 9900, 9950]), (), NOW)
    held = held_prices(conn)
    assert [(one.close, one.last_good, one.reason) for one in held] == [
        (9900, 102, "suspected_unit"), (9950, 102, "suspected_unit"),
    ]  # fmt: skip

    with pytest.raises(ReviewError, match="no price has the id 999"):
        decide(conn, [held[0].bar_id], [999], "ann", NOW)
    assert decide(conn, [held[1].bar_id], [held[0].bar_id], "ann", NOW) == 2
    assert decide(conn, [held[1].bar_id], [held[0].bar_id], "ann", NOW) == 0, "said already"
    assert statuses(conn, "crypto:BTC")[5:] == [("refused", "refused_by_person"), ("accepted", None)]
    # the same answer again, and a later bar, change nothing of it
    land(conn, bars("crypto:BTC", "kraken", USD, [100, 101, 99, 100, 102, 9900, 9950, 9980]), (), NOW)
    judge_again(conn, NOW)
    assert statuses(conn, "crypto:BTC")[5:] == [
        ("refused", "refused_by_person"),
        ("accepted", None),
        ("accepted", None),
    ]
    audit = "select decision, reviewed_by, reviewed_at, close, reason_before from quality.price_reviews order by close"
    assert conn.execute(audit).fetchall() == [
        ("refused", "ann", NOW, 9900, "suspected_unit"), ("released", "ann", NOW, 9950, "suspected_unit"),
    ]  # fmt: skip


VALUES = (
    "select valuation_date, value_base, inflow_base, income_base, residual_base, incomplete_reason"
    " from marts.portfolio_daily where portfolio_id = 'p' order by 1"
)


def test_from_sources_to_marts(database_url: str, tmp_path: Path) -> None:
    """Ether is told in tether alone: the ledger's inflow of a deposit without price equals the value of that day in SQL."""
    market_days = [2, 3, 4, 5, 8, 9, 10]
    with connect(database_url) as conn:
        tether = bars(USDT, "kraken", USD, ["0.9"] * 5 + ["0.86"] * 5)
        ether = bars("crypto:ETH", "binance", USDT, [50, 51, 52, 51, 50, 51, 52, 51, 50, 125])
        share = bars("equity:X", "yahoo", USD, [100, 101, 102, "25.5", "25.6", "25.7", "25.8"], market_days)
        bitcoin = bars("crypto:BTC", "kraken", USD, [100] * 10) + bars("crypto:BTC", "binance", USDT, [116] * 10)
        actions = [
            Action("equity:X", ActionKind.SPLIT, date(2024, 1, 5), D(4), None, None, "yahoo"),
            Action("equity:X", ActionKind.DIVIDEND, date(2024, 1, 9), None, D("0.5"), USD, "yahoo"),
        ]
        land(conn, tether, (), NOW)
        land(conn, [*ether, *share, *bitcoin], actions, NOW)
        held = held_prices(conn)
        assert [(one.instrument_id, one.reason) for one in held] == [("crypto:ETH", "outlier")]
    ledger = [
        "p,main,2024-01-02,DEPOSIT,fiat:USD,400,,,,,,,,d1",
        "p,main,2024-01-02,DEPOSIT,crypto:ETH,2,,,,,,,,d2",
        "p,main,2024-01-02,BUY,equity:X,4,100,,USD,,,,,b1",
        "q,main,2024-01-02,DEPOSIT,crypto:BTC,1,,,,,,,,d3",
    ]
    inputs = write_inputs(tmp_path / "inputs", [portfolio("p"), portfolio("q")], ledger)
    outcome = run(inputs, database_url, tmp_path / "home")
    assert outcome.exit_code == 0, outcome.messages

    daily = {day.day: rest for day, *rest in rows(database_url, VALUES)}
    assert daily[2] == [2 * 51 * D("0.9") + 400, 2 * 51 * D("0.9") + 400, 0, 0, None]
    assert daily[5][0] == 2 * 50 * D("0.9") + 16 * D("25.5"), "16 shares after the split"
    assert daily[6][0] == 2 * 51 * D("0.86") + 16 * D("25.5")
    assert daily[9][:3] == [2 * 50 * D("0.86") + 16 * D("25.7") + 8, 0, 8], "0.5 for each of 16 shares, in cash"
    assert daily[10][0] == 2 * 50 * D("0.86") + 16 * D("25.8") + 8, (
        "the price of the day before stands for the held one"
    )
    assert {rest[3] for rest in daily.values()} == {0}
    btc = "select distinct source, price from marts.prices where instrument_id = 'crypto:BTC' and valid_to is null"
    assert rows(database_url, btc) == [("kraken", 100)]

    warned = "select first_offenders from quality.check_results where check_name = 'prices_held' and not passed"
    assert "outlier" in rows(database_url, warned)[0][0]
    status = "select asset_symbol, price_status from marts.portfolio_assets where portfolio_id = 'p' order by 1"
    assert rows(database_url, status) == [("ETH", "held"), ("USD", "ok"), ("X", "ok")]

    with connect(database_url) as conn:
        decide(conn, [held[0].bar_id], [], "ann", NOW)
    file = inputs / "portfolios.yaml"
    document = yaml.safe_load(file.read_text()) | {"prices": {"sources": ["binance"]}}
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    outcome = run(inputs, database_url, tmp_path / "home")
    assert outcome.exit_code == 0, outcome.messages

    daily = {day.day: rest for day, *rest in rows(database_url, VALUES)}
    assert daily[10][0] == 2 * 125 * D("0.86") + 16 * D("25.8") + 8, "released"
    assert rows(database_url, btc) == [("binance", 116 * D("0.86"))], "another order of sources needs no request"
    sound = next(gate for gate in INPUT_GATES if gate.name == "source_prices_are_sound")
    with connect(database_url) as conn:
        assert [one.passed for one in evaluate(conn, sound)] == [True]
        land(conn, [bar for name in "ABC" for bar in bars(f"crypto:{name}", "okx", USD, [0])], (), NOW)
        assert [one.first_offenders for one in evaluate(conn, sound)] == [
            ("okx: 3 of 3 refused, such as not_positive",)
        ]
    assert {rest[3] for rest in daily.values()} == {0}


def test_the_command_lists_and_decides(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from orchestration.command_line import app

    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    with connect(database_url) as conn:
        land(conn, bars("crypto:BTC", "kraken", USD, [100, 101, 99, 100, 102, 9900]), (), NOW)
    said = CliRunner().invoke(app, ["prices", "review"])
    assert "crypto:BTC  kraken  1d   2024-01-06 23:59  9900 fiat:USD  102 of 2024-01-05  suspected_unit" in said.output
    identifier = said.output.splitlines()[1].split()[0]

    wrong = CliRunner().invoke(app, ["prices", "review", "--release", identifier, "--refuse", identifier])
    assert (wrong.exit_code, "expected one of the two" in wrong.output) == (2, True)
    done = CliRunner().invoke(app, ["prices", "review", "--refuse", identifier, "--by", "ann"])
    assert done.output.startswith("1 prices decided on")
    assert CliRunner().invoke(app, ["prices", "review"]).output == "no price is held\n"
    assert rows(database_url, "select decision, reviewed_by from quality.price_reviews") == [("refused", "ann")]
