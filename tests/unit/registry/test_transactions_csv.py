from datetime import UTC, datetime

import polars as pl
import pytest

from assets.registry.csv_files import SAME_TRANSACTION
from assets.registry.model import KnownPortfolios
from assets.registry.references import contradictions, undeclared_in_rows
from assets.registry.transactions_csv import read_transactions

KNOWN = KnownPortfolios(
    {"p": frozenset({"a", "b"}), "q": frozenset({"main"})},
    {"p": "ledger", "q": "implicit"},
)
HEADER = (
    "portfolio,account,executed_at,type,instrument,quantity,price,amount,currency,fx_rate,cash_account,fee,fee_currency,"
    "tax,group_id,external_id,note"
)
KEY = "4c0883a69102937d6231471b5dbb6204fe512961708279feb1be6ae5538da033"
SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"


def line(**values: str) -> str:
    row = {"portfolio": "p", "account": "a", "executed_at": "2024-03-01", "type": "BUY", "instrument": "equity:AAPL"}
    row |= {"quantity": "1", "price": "10", "currency": "USD"} | values
    return ",".join(row.get(name, "") for name in HEADER.split(","))


def read(*lines: str, file: str = "transactions/x.csv") -> tuple[pl.DataFrame | None, list[str]]:
    frame, problems = read_transactions(file, "\n".join([HEADER, *lines]).encode(), KNOWN)
    return frame, [str(problem) for problem in problems]


def row(**values: str) -> dict[str, object]:
    frame, problems = read(line(**values))
    assert problems == []
    assert frame is not None
    return frame.row(0, named=True)


@pytest.mark.parametrize(
    ("values", "column", "says"),
    [
        ({"portfolio": ""}, "portfolio", "a value for portfolio"),
        ({"portfolio": "pp"}, "portfolio", "did you mean p?"),
        ({"account": "c"}, "account", "account of this portfolio"),
        ({"account": "main"}, "account", "account of this portfolio"),
        ({"cash_account": "c"}, "cash_account", "account of this portfolio"),
        ({"type": "buy"}, "type", "did you mean BUY?"),
        ({"type": "TRADE"}, "type", "one of BUY, SELL"),
        ({"instrument": "AAPL"}, "instrument", "an instrument id"),
        ({"instrument": "rate:US3M"}, "instrument", "never held"),
        ({"quantity": ""}, "quantity", "a value for quantity"),
        ({"quantity": "0"}, "quantity", "above 0"),
        ({"quantity": "0.000"}, "quantity", "above 0"),
        ({"quantity": "-1"}, "quantity", "above 0"),
        ({"quantity": "NaN"}, "quantity", "above 0"),
        ({"quantity": "inf"}, "quantity", "above 0"),
        ({"quantity": "1e999"}, "quantity", "above 0"),
        ({"quantity": "1" + "0" * 200}, "quantity", "above 0"),
        ({"quantity": "0x10"}, "quantity", "above 0"),
        ({"quantity": "1_000"}, "quantity", "above 0"),
        ({"quantity": "3:1"}, "quantity", "above 0"),
        ({"quantity": '"1,000"'}, "quantity", "above 0"),
        ({"price": ""}, "price", "a price or an amount"),
        ({"type": "SELL", "price": ""}, "price", "a price or an amount"),
        ({"type": "OPENING", "price": ""}, "price", "a price or an amount"),
        ({"price": "-1"}, "price", "0 or more"),
        ({"price": "ten"}, "price", "0 or more"),
        ({"amount": "NaN"}, "amount", "0 or more"),
        ({"currency": ""}, "currency", "a currency where there is a price"),
        ({"type": "DIVIDEND", "price": "", "currency": ""}, "currency", "with DIVIDEND and INTEREST"),
        ({"type": "DEPOSIT", "price": "", "currency": "", "tax": "1"}, "currency", "where there is a tax"),
        ({"currency": "usd"}, "currency", "did you mean USD?"),
        ({"fx_rate": "0"}, "fx_rate", "above 0"),
        ({"fee": "-0.01"}, "fee", "0 or more"),
        ({"type": "DEPOSIT", "price": "", "currency": "", "fee": "1"}, "fee_currency", "a fee_currency"),
        ({"fee": "1", "fee_currency": "gas"}, "fee_currency", "an ISO 4217 code"),
        ({"tax": "-1"}, "tax", "0 or more"),
        ({"type": "SPLIT", "quantity": "0:1"}, "quantity", "ratio new/old"),
        ({"type": "SPLIT", "quantity": "3:0"}, "quantity", "ratio new/old"),
        ({"type": "SPLIT", "quantity": "3:1:2"}, "quantity", "ratio new/old"),
        ({"executed_at": "01.03.2024"}, "executed_at", "ISO 8601"),
        ({"executed_at": "2024-02-30"}, "executed_at", "ISO 8601"),
        ({"executed_at": "2024-03-01T25:00:00Z"}, "executed_at", "ISO 8601"),
        ({"executed_at": "2024-03-01T10:00:00+99:00"}, "executed_at", "ISO 8601"),
        ({"executed_at": "1899-12-31"}, "executed_at", "from 1900 on"),
        ({"executed_at": "1709283600"}, "executed_at", "ISO 8601"),
        ({"portfolio": "q", "account": "main", "type": "DEPOSIT", "instrument": "fiat:USD", "price": ""},
         "type", "set cash: ledger"),
        ({"note": KEY}, "note", "no private key"),
        ({"account": KEY}, "account", "no private key"),
        ({"quantity": KEY}, "quantity", "no private key"),
        ({"note": SEED}, "note", "no seed phrase"),
        ({"note": "see https://me:hunter2@x.org"}, "note", "no URL with credentials"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(values: dict[str, str], column: str, says: str) -> None:
    frame, problems = read(line(), line(**values))
    assert frame is None
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"transactions/x.csv:3, column {column}: ")
    assert says in problems[0]
    assert not any(secret in problems[0] for secret in (KEY, SEED, "hunter2"))


def test_all_problems_come_at_once() -> None:
    _, problems = read(line(quantity="x", price="y", type="z"), line(portfolio="r", fee="-1"))
    assert len(problems) == 5


@pytest.mark.parametrize(
    ("text", "at", "is_date_only"),
    [
        ("2024-03-01", datetime(2024, 3, 1, tzinfo=UTC), True),
        ("2024-03-01T09:30:00Z", datetime(2024, 3, 1, 9, 30, tzinfo=UTC), False),
        ("2024-03-01 09:30", datetime(2024, 3, 1, 9, 30, tzinfo=UTC), False),
        ("2024-03-01T00:30:00+02:00", datetime(2024, 2, 29, 22, 30, tzinfo=UTC), False),
        ("2024-03-01T00:30:00.123456789-0530", datetime(2024, 3, 1, 6, 0, 0, 123456, tzinfo=UTC), False),
        ("2024-03-01T00:30:00+01", datetime(2024, 2, 29, 23, 30, tzinfo=UTC), False),
    ],
)
def test_times_are_utc(text: str, at: datetime, is_date_only: bool) -> None:
    read_row = row(executed_at=text)
    assert (read_row["executed_at"], read_row["is_date_only"]) == (at, is_date_only)


def test_decimals_keep_every_digit() -> None:
    digits = "12345678901234567890123456789.01234567890123456789012345678901234567"
    assert row(quantity=digits)["quantity"] == digits
    assert row(quantity="+1.500")["quantity"] == "1.5"
    assert row(quantity="1e-18")["quantity"] == "1e-18"
    assert row(quantity=".5")["quantity"] == ".5"
    assert row(price="0.0")["price"] == "0"
    assert row(price="100")["price"] == "100"


@pytest.mark.parametrize(
    ("ratio", "decimal"), [("3:1", "3"), ("1:10", "0.1"), ("2", "2"), ("1.5", "1.5"), ("3 : 2", "1.5")]
)
def test_split_ratios(ratio: str, decimal: str) -> None:
    assert row(type="SPLIT", quantity=ratio, price="", currency="")["quantity"] == decimal


def test_what_may_be_left_out() -> None:
    assert row(price="", amount="10")["price"] is None
    assert row(fee="1")["fee_currency"] == "fiat:USD"
    assert row(fee="1", fee_currency="crypto:ETH")["fee_currency"] == "crypto:ETH"
    assert row(currency="crypto:BTC")["currency"] == "crypto:BTC"
    assert row(type="DEPOSIT", price="", currency="")["currency"] is None
    assert row(executed_at="2999-01-01")["executed_at"] == datetime(2999, 1, 1, tzinfo=UTC)
    in_kind = row(portfolio="q", account="main", type="DEPOSIT", price="", currency="")
    assert in_kind["type"] == "DEPOSIT"


def test_a_row_without_external_id_is_its_file_content_and_occurrence() -> None:
    frame, _ = read(line(), line(), line(quantity="2"))
    again, _ = read(line(quantity="2.0"), line(), line())
    other, _ = read(line(), file="transactions/y.csv")
    assert frame is not None
    assert again is not None
    assert other is not None
    ids = frame["transaction_id"].to_list()
    assert len(set(ids)) == 3
    assert set(ids) == set(again["transaction_id"])
    assert other["transaction_id"][0] not in ids
    assert all(name.startswith("t-") and len(name) == 26 for name in ids)


def test_a_row_with_external_id_is_one_however_often_written() -> None:
    frame, problems = read(line(external_id="e1"), line(external_id="e1", quantity="1.0"), line(external_id="e2"))
    other, _ = read(line(external_id="e1"), file="transactions/y.csv")
    own, _ = read(line(external_id="e1", account="b"))
    assert problems == []
    assert frame is not None
    assert other is not None
    assert own is not None
    assert frame["line"].to_list() == [2, 4]
    assert other["transaction_id"][0] == frame["transaction_id"][0]
    assert own["transaction_id"][0] != frame["transaction_id"][0]


def test_one_external_id_with_two_contents_shows_both() -> None:
    one, _ = read(line(external_id="e1"), line(external_id="e1", account="b"))
    two, _ = read(line(external_id="e1", quantity="7"), file="transactions/y.csv")
    assert one is not None
    assert two is not None
    (problem,) = contradictions({"transactions/x.csv": one, "transactions/y.csv": two}, SAME_TRANSACTION)
    text = str(problem)
    assert text.startswith('transactions/y.csv:2, column external_id: "e1"')
    assert "transactions/x.csv:2 with quantity 1, here with quantity 7" in text
    assert contradictions({"transactions/x.csv": one}, SAME_TRANSACTION) == []


def test_custom_instruments_are_declared() -> None:
    frame, _ = read(line(instrument="custom:flat"), line(instrument="custom:boat"))
    assert frame is not None
    found = undeclared_in_rows(
        {"transactions/x.csv": frame}, {"instrument": "instrument_id"}, frozenset({"custom:flat"})
    )
    assert [(problem.line, problem.value) for problem in found] == [(3, "custom:boat")]


def test_many_wrong_rows_are_a_hundred_problems_and_a_count() -> None:
    _, problems = read(*[line(quantity="x")] * 5000)
    assert len(problems) == 101
    assert "4900 more" in problems[-1]


def test_the_hash_of_a_transaction_is_a_natural_id() -> None:
    frame, problems = read(line(external_id="0x" + KEY, group_id="0x" + KEY))
    assert problems == []
    assert frame is not None
