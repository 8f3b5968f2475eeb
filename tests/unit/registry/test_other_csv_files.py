from datetime import UTC, date, datetime

import pytest

from assets.registry.balances_csv import TWICE, read_balances
from assets.registry.instruments_csv import SAME_ACTION, read_corporate_actions, read_instruments
from assets.registry.model import KnownPortfolios
from assets.registry.prices_csv import read_prices
from assets.registry.references import contradictions

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
KNOWN = KnownPortfolios({"p": frozenset({"a"})}, {"p": "ledger"})
PRICES = "instrument,priced_at,price,currency,open,high,low,volume,source\n"


def price(values: str) -> bytes:
    return (PRICES + "crypto:BTC,2024-05-01,100,USD,,,,,\n" + values + "\n").encode()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("crypto:BTC,2024-05-02,NaN,USD,,,,,", "not a finite number"),
        ("crypto:BTC,2024-05-02,nan,USD,,,,,", "not a finite number"),
        ("crypto:BTC,2024-05-02,inf,USD,,,,,", "not a finite number"),
        ("crypto:BTC,2024-05-02,-Infinity,USD,,,,,", "not a finite number"),
        ("crypto:BTC,2024-05-02,0,USD,,,,,", "not above 0"),
        ("crypto:BTC,2024-05-02,0.00,USD,,,,,", "not above 0"),
        ("crypto:BTC,2024-05-02,-1,USD,,,,,", "not above 0"),
        ("crypto:BTC,2024-06-02,100,USD,,,,,", "has not come"),
        ("crypto:BTC,2024-06-01T12:00:01Z,100,USD,,,,,", "has not come"),
    ],
)
def test_a_bad_price_is_set_aside_alone(values: str, reason: str) -> None:
    read, problems = read_prices("prices/x.csv", price(values), NOW)
    assert problems == []
    assert read is not None
    rows, quarantined = read
    assert rows["line"].to_list() == [2]
    assert quarantined["line"].to_list() == [3]
    assert reason in quarantined["reason"][0]
    assert quarantined["row_text"][0] == values
    assert quarantined["instrument_id"][0] == "crypto:BTC"


@pytest.mark.parametrize(
    "values", ["crypto:BTC,2024-06-01,100,USD,,,,,", "crypto:BTC,2024-06-01T12:00:00Z,1e-9,USD,1,2,0,5,mine"]
)
def test_prices_of_today_and_now_are_good(values: str) -> None:
    read, problems = read_prices("prices/x.csv", price(values), NOW)
    assert problems == []
    assert read is not None
    assert (read[0].height, read[1].height) == (2, 0)


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ("crypto:BTC,2024-05-02,abc,USD,,,,,", "price"),
        ("crypto:BTC,2024-05-02,,USD,,,,,", "price"),
        ("crypto:BTC,2024-05-02,1,,,,,,", "currency"),
        ("crypto:BTC,2024-05-02,1,usd,,,,,", "currency"),
        ("BTC,2024-05-02,1,USD,,,,,", "instrument"),
        ("crypto:BTC,05/02/2024,1,USD,,,,,", "priced_at"),
        ("crypto:BTC,2024-05-02,1,USD,NaN,,,,", "open"),
        ("crypto:BTC,2024-05-02,1,USD,,,,-1,", "volume"),
    ],
)
def test_a_price_row_that_cannot_be_read_is_a_problem(values: str, column: str) -> None:
    read, problems = read_prices("prices/x.csv", price(values), NOW)
    assert read is None
    assert [(problem.line, problem.column) for problem in problems] == [(3, column)]


def test_a_bare_date_is_the_close_of_its_day() -> None:
    read, _ = read_prices("prices/x.csv", price("crypto:BTC,2024-05-02T00:00:00Z,1,USD,,,,,"), NOW)
    assert read is not None
    assert read[0]["priced_at"].to_list() == [
        datetime(2024, 5, 1, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2024, 5, 2, tzinfo=UTC),
    ]
    assert read[0]["is_date_only"].to_list() == [True, False]
    assert read[0]["currency"].to_list() == ["fiat:USD", "fiat:USD"]


BALANCES = "portfolio,account,instrument,balance_at,quantity,cost_base\n"


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ("p,b,crypto:BTC,2024-05-01,1,", "account"),
        ("p,a,BTC,2024-05-01,1,", "instrument"),
        ("p,a,rate:US3M,2024-05-01,1,", "instrument"),
        ("p,a,crypto:BTC,2024-13-01,1,", "balance_at"),
        ("p,a,crypto:BTC,2024-05-01,NaN,", "quantity"),
        ("p,a,crypto:BTC,2024-05-01,1,-5", "cost_base"),
    ],
)
def test_balances_that_cannot_be_read(values: str, column: str) -> None:
    frame, problems = read_balances("balances/x.csv", (BALANCES + values).encode(), KNOWN)
    assert frame is None
    assert [(problem.line, problem.column) for problem in problems] == [(2, column)]


def test_balances_twice() -> None:
    same = "p,a,crypto:BTC,2024-05-01,1,\n"
    frame, _ = read_balances(
        "balances/x.csv", (BALANCES + same + same + "p,a,crypto:BTC,2024-05-02,-1,").encode(), KNOWN
    )
    other, _ = read_balances("balances/y.csv", (BALANCES + "p,a,crypto:BTC,2024-05-01,2,").encode(), KNOWN)
    assert frame is not None
    assert other is not None
    assert frame["line"].to_list() == [2, 4]
    (problem,) = contradictions({"balances/x.csv": frame, "balances/y.csv": other}, TWICE)
    assert "balances/x.csv:2 with quantity 1, here with quantity 2" in str(problem)


@pytest.mark.parametrize(
    ("header", "values", "column"),
    [
        ("instrument", "flat", "instrument"),
        ("instrument,name", "custom:flat,Flat", "quote_currency"),
        ("instrument,quote_currency", "custom:flat,EURO", "quote_currency"),
        ("instrument,asset_class", "equity:A,stocks", "asset_class"),
        ("instrument,asset_type", "equity:A,share", "asset_type"),
        ("instrument,chain", "crypto:A,etherum", "chain"),
        ("instrument,address", "crypto:A,0x12", "address"),
        ("instrument,decimals", "crypto:A,1.5", "decimals"),
        ("instrument,annualization_days", "crypto:A,0", "annualization_days"),
        ("instrument,max_price_age_days", "crypto:A,-1", "max_price_age_days"),
        ("instrument,lot_size", "equity:A,0", "lot_size"),
        ("instrument,canonical_instrument", "crypto:A,ETH", "canonical_instrument"),
        ("instrument,name", "crypto:A," + "ab" * 32, "name"),
    ],
)
def test_instruments_that_cannot_be_read(header: str, values: str, column: str) -> None:
    frame, problems = read_instruments("instruments.csv", f"{header}\n{values}\n".encode())
    assert frame is None
    assert [(problem.line, problem.column) for problem in problems] == [(2, column)]


def test_an_instrument_is_declared_once() -> None:
    data = b"instrument,quote_currency,decimals\ncustom:flat,EUR,2\ncustom:flat,EUR,2\n"
    _, problems = read_instruments("instruments.csv", data)
    assert [problem.line for problem in problems] == [3]
    frame, problems = read_instruments("instruments.csv", data.rsplit(b"\n", 2)[0])
    assert problems == []
    assert frame is not None
    assert frame.select("instrument", "quote_currency", "decimals").row(0) == ("custom:flat", "fiat:EUR", 2)


ACTIONS = "instrument,ex_date,kind,ratio,amount,currency,pay_date\n"


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ("equity:A,2024-05-01,merger,2,,,", "kind"),
        ("equity:A,2024-05-01,split,,,,", "ratio"),
        ("equity:A,2024-05-01,split,0,,,", "ratio"),
        ("equity:A,2024-05-01,split,2,1,,", "amount"),
        ("equity:A,2024-05-01,dividend,,1,,", "currency"),
        ("equity:A,2024-05-01,dividend,,,USD,", "amount"),
        ("equity:A,2024-05-01,dividend,,0,USD,", "amount"),
        ("equity:A,someday,split,2,,,", "ex_date"),
        ("equity:A,2024-05-01,dividend,,1,USD,soon", "pay_date"),
        ("equity:A,2024-05-01,dividend,,1,USD,2024-04-30", "pay_date"),
        ("equity:A,2024-05-01,split,2,,,2024-05-02", "pay_date"),
    ],
)
def test_corporate_actions_that_cannot_be_read(values: str, column: str) -> None:
    frame, problems = read_corporate_actions("corporate_actions.csv", (ACTIONS + values).encode())
    assert frame is None
    assert [(problem.line, problem.column) for problem in problems] == [(2, column)]


def test_corporate_actions() -> None:
    data = ACTIONS + "equity:A,2024-05-01,split,3:2,,,\nequity:A,2024-05-01,dividend,,0.50,USD,2024-05-16\n"
    frame, problems = read_corporate_actions("corporate_actions.csv", data.encode())
    assert problems == []
    assert frame is not None
    assert frame.row(0) == (2, "equity:A", date(2024, 5, 1), "split", "1.5", None, None, None)
    assert frame.row(1) == (3, "equity:A", date(2024, 5, 1), "dividend", None, "0.5", "fiat:USD", date(2024, 5, 16))
    other, _ = read_corporate_actions("y", (ACTIONS + "equity:A,2024-05-01,split,2,,,").encode())
    assert other is not None
    assert len(contradictions({"x": frame, "y": other}, SAME_ACTION)) == 1
