"""portfolio_comparison through the whole pipeline against its definition in SQL (tests/data/comparison/oracle.sql)."""

import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.performance import store
from assets.warehouse.database import connect
from tests.pipeline_runs import portfolio, rows, run, write_inputs

ORACLE = (Path(__file__).parents[1] / "data" / "comparison" / "oracle.sql").read_text()
AS_OF, DAYS = date(2024, 6, 30), 420
FIRST = AS_OF - timedelta(days=DAYS - 1)
KEY, TEXTS, NUMBERS = (0, 2, 5), slice(0, 8), slice(8, 14)

#: instrument, currency, whether it has a price on weekends, first day with a price
PRICED = [
    *(("etf:SPY", "USD", False, 0), ("etf:EUX", "EUR", False, 0), ("equity:LATE", "USD", False, 200)),
    *(("crypto:BTC", "USD", True, 0), ("crypto:ETH", "USD", True, 0), ("fiat:EUR", "USD", False, 0)),
]


def day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def prices(generator: random.Random) -> list[str]:
    """Random walks from about 100; EUR at about 1.1; a flat coin, whose price never moves."""
    lines = [f"crypto:FLAT,{day(number)},5,USD" for number in range(DAYS)]
    for instrument, currency, has_weekends, first in PRICED:
        level = 1.1 if instrument.startswith("fiat:") else 100.0
        for number in range(first, DAYS):
            level *= generator.lognormvariate(0, 0.003 if instrument.startswith("fiat:") else 0.02)
            if has_weekends or (FIRST + timedelta(days=number)).weekday() < 5 or number == first:
                lines.append(f"{instrument},{day(number)},{level:.6f},{currency}")
    return lines


def trade(name: str, number: int, kind: str, instrument: str, quantity: float, account: str = "main") -> str:
    price = f"{100},,USD" if kind in ("BUY", "SELL") else ",,"
    return f"{name},{account},{day(number)},{kind},{instrument},{quantity},{price},,,,,{kind}{number}{instrument}"


def two_accounts(name: str, **settings: Any) -> dict[str, Any]:
    accounts = [{"id": "main", "kind": "manual"}, {"id": "second", "kind": "manual"}]
    return portfolio(name, **{"accounts": accounts, "cash": "implicit", **settings})


PORTFOLIOS = [
    two_accounts("mixed", user_id="anna", base_currency="EUR", benchmark="etf:SPY"),
    two_accounts("listed", user_id="anna", benchmark="etf:EUX"),
    two_accounts("coins", user_id="anna", benchmark="crypto:BTC", risk_free_rate="0.03"),
    two_accounts("short", user_id="anna", allow_short=True, benchmark="equity:LATE"),
    two_accounts("early", user_id="bert", benchmark="etf:SPY"),
    two_accounts("paused", user_id="bert", benchmark="fiat:EUR"),
    two_accounts("late", user_id="bert", base_currency="EUR"),
    two_accounts("flat", user_id="carl", benchmark="crypto:FLAT"),
    two_accounts("unpriced", user_id="carl", benchmark="crypto:FLAT"),
    two_accounts("empty", user_id="carl", benchmark="etf:SPY"),
    *(two_accounts(f"twenty{number}", user_id="twenty") for number in range(20)),
    *(two_accounts(f"crowd{number}", user_id="crowd") for number in range(21)),
]
TRANSACTIONS = [
    trade("mixed", 0, "BUY", "etf:SPY", 10),
    trade("mixed", 5, "BUY", "etf:SPY", 10, "second"),  # the same instrument over other days
    trade("mixed", 9, "BUY", "crypto:BTC", 3),
    trade("mixed", 9, "BUY", "crypto:BTC", 4, "second"),  # and over the same ones
    trade("mixed", 90, "BUY", "etf:EUX", 5),
    trade("mixed", 300, "SELL", "crypto:BTC", 3),
    trade("listed", 3, "BUY", "etf:SPY", 4),
    trade("listed", 230, "BUY", "equity:LATE", 4),
    trade("listed", 330, "SELL", "etf:SPY", 2),
    trade("coins", 30, "BUY", "crypto:BTC", 2),
    trade("coins", 60, "BUY", "crypto:ETH", 2),
    trade("coins", 360, "BUY", "etf:SPY", 1),
    trade("short", 100, "BUY", "crypto:ETH", 20),
    trade("short", 210, "SELL", "equity:LATE", 2),
    trade("early", 0, "BUY", "etf:SPY", 3),
    trade("early", 40, "SELL", "etf:SPY", 3),
    trade("paused", 10, "BUY", "etf:EUX", 3),
    trade("paused", 200, "SELL", "etf:EUX", 3),
    trade("paused", DAYS - 12, "BUY", "crypto:ETH", 3),
    trade("late", DAYS - 1, "BUY", "crypto:ETH", 3),
    trade("flat", 0, "BUY", "crypto:FLAT", 3),
    trade("unpriced", 0, "DEPOSIT", "custom:art", 1),
    trade("unpriced", 380, "BUY", "crypto:FLAT", 3),
    *(trade(f"twenty{n}", DAYS - 45 + n, "BUY", ("crypto:BTC", "etf:SPY")[n % 2], 1) for n in range(20)),
    *(trade(f"crowd{n}", DAYS - 25, "BUY", "crypto:ETH", 1) for n in range(21)),
]


@pytest.fixture(scope="module")
def url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("comparison")
    inputs = write_inputs(
        folder / "inputs", PORTFOLIOS, TRANSACTIONS, prices(random.Random(5)), ["custom:art,A painting,USD,"]
    )
    actions = [f"etf:SPY,{day(150)},dividend,,1.5,USD", f"etf:EUX,{day(180)},split,2,,"]
    (inputs / "corporate_actions.csv").write_text(
        "\n".join(["instrument,ex_date,kind,ratio,amount,currency", *actions]) + "\n"
    )
    outcome = run(inputs, module_database_url, folder / "home", AS_OF.isoformat())
    assert outcome.exit_code == 0, outcome.messages
    return module_database_url


def close(found: float | None, expected: float | None) -> bool:
    """The same NULL, or a step of the last decimal at most: rounding may turn on the last bit of a sum."""
    return found is expected if found is None or expected is None else abs(found - expected) < 1.01e-9


def test_all_rows_are_those_of_the_definition(url: str) -> None:
    expected = {tuple(row[k] for k in KEY): row for row in rows(url, ORACLE)}
    found = {tuple(row[k] for k in KEY): row for row in rows(url, "select * from build.portfolio_comparison")}
    assert set(found) == set(expected)
    for key, row in expected.items():
        assert found[key][TEXTS] == row[TEXTS], key
        assert [close(a, b) for a, b in zip(found[key][NUMBERS], row[NUMBERS], strict=True)] == [True] * 6, (key, row)
        assert found[key][14:] == row[14:], key


def test_the_cases_are_there(url: str) -> None:
    """What the oracle agrees on is worth as much as the cases it has seen."""
    kinds = rows(url, "select distinct other_kind, other_basis from marts.portfolio_comparison order by 1, 2")
    assert kinds == [
        ("benchmark", "price_return"),
        ("benchmark", "total_return"),
        ("equal_weight", "instruments"),
        ("portfolio", "own_base_currency"),
    ]
    reasons = {reason for (reason,) in rows(url, "select distinct undefined_reason from marts.portfolio_comparison")}
    assert reasons == {
        None,
        "beta:fewer_than_20_days",
        "beta:zero_deviation",
        "information_ratio:zero_deviation",
        "beta:zero_deviation;information_ratio:zero_deviation",
    }
    seen = "select count(distinct other_id) from marts.portfolio_comparison where other_kind = 'portfolio' and user_id = %s"
    assert [rows(url, seen, user) for user in ("twenty", "crowd")] == [[(20,)], [(0,)]]
    assert {period for (period,) in rows(url, "select period_type from marts.portfolio_comparison")} == {
        *("30d", "90d", "1y", "ytd", "all")
    }
    periods_of_early = rows(
        url, "select period_type from marts.portfolio_comparison where portfolio_id = 'early' and other_id = 'etf:SPY'"
    )
    assert periods_of_early == [("all",)]  # sold on day 40


def computed(url: str) -> list[tuple[Any, ...]]:
    with connect(url) as source, connect(url) as connection:
        store.run_performance(source, connection, AS_OF)
        found = sorted(connection.execute("select * from intermediate.comparison").fetchall(), key=repr)
        connection.rollback()
    return found


def test_not_a_bit_depends_on_chunks_and_order(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = computed(url)
    with connect(url) as connection:
        connection.execute("create temp table held as select * from intermediate.ledger_positions")
        connection.execute("truncate intermediate.ledger_positions")
        connection.execute("insert into intermediate.ledger_positions select * from held order by random()")
    monkeypatch.setattr(store, "CHUNK_ROWS", 1)
    assert computed(url) == expected
    assert len(expected) > 2000
