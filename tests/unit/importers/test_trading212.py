from decimal import Decimal

import pytest

from assets.importers.model import CanonicalRow
from assets.importers.trading212 import TRADING212
from tests.unit.importers.export_samples import check_golden, movements, parse

OLD = "Action,Time,ISIN,Ticker,Name,No. of shares,Price / share,Currency (Price / share),Exchange rate,Total (GBP),ID"
NEW = (
    "Action,Time,ISIN,Ticker,Name,Notes,ID,No. of shares,Price / share,Currency (Price / share),Exchange rate,"
    "Total,Currency (Total),Withholding tax,Currency (Withholding tax)"
)


def test_the_generation_of_2024_moves_the_sum_of_its_totals() -> None:
    parsed = check_golden(TRADING212, "trading212", "y2024.csv", range(2, 23))
    # by hand: 2000 - 360.54 - 2 x 381.90 - 105.30 + 75.85 + 0.32 + 7.28 + 1.61 - 100 - 4.50 + 0.02 - 100
    assert movements(parsed) == {
        "fiat:GBP": Decimal("650.94"),
        "fiat:EUR": Decimal("117.00"),
        "equity:AAPL": Decimal(2),  # before the split
        "equity:GB00B10RZP78": Decimal(20),
        "etf:IE00B3XXRP09": Decimal(1),
    }


def test_the_generation_of_2021_has_currencies_in_its_columns() -> None:
    parsed = check_golden(TRADING212, "trading212", "y2021.csv", range(2, 10))
    # by hand: 1000 + 500 - 250.38 - 80.40 + 2 x 0.33
    assert movements(parsed)["fiat:GBP"] == Decimal("1169.88")


def test_the_generation_of_2026_names_its_time_utc() -> None:
    check_golden(TRADING212, "trading212", "y2026.csv", range(2, 4))


def only(text: str) -> CanonicalRow:
    (row,) = parse(TRADING212, text).rows
    return row


def test_a_line_has_one_id_in_every_generation() -> None:
    old = only(f"{OLD}\nMarket buy,2021-03-02 14:31:00.123,US0378331005,AAPL,Apple,2.5,125.00,USD,1.25,250.00,EOF1")
    new = only(
        f"{NEW}\nMarket buy,2021-03-02 14:31:00,US0378331005,AAPL,Apple,,EOF1,2.5000000000,125.00,USD,1.25,250.00,GBP,,"
    )
    assert old.values["external_id"] == new.values["external_id"]


def test_parts_of_one_order_are_told_apart_whatever_the_export_holds() -> None:
    first = "Limit buy,2021-03-02 14:31:00,US0378331005,AAPL,Apple,1,125.00,USD,1.25,100.00,EOF1"
    second = "Limit buy,2021-03-03 14:31:00,US0378331005,AAPL,Apple,1,125.00,USD,1.25,100.00,EOF1"
    whole = parse(TRADING212, f"{OLD}\n{first}\n{second}").rows
    later = parse(TRADING212, f"{OLD}\n{second}").rows
    assert whole[1].values == later[0].values
    assert whole[0].values["external_id"] != whole[1].values["external_id"]


@pytest.mark.parametrize(
    ("price", "priced_in", "tax", "taxed_in", "expected"),
    [
        ("0.20", "USD", "0.08", "USD", "0.06"),  # net 2 x 0.20 USD became 0.32 GBP: 0.8 GBP for a dollar
        ("20.00", "GBX", "3.00", "GBX", "0.03"),
        ("0.20", "USD", "0.05", "GBP", "0.05"),
        ("", "", "0.08", "USD", ""),
        ("0.20", "USD", "0.08", "EUR", ""),
    ],
)
def test_tax_withheld_is_told_in_the_currency_of_the_total(
    price: str, priced_in: str, tax: str, taxed_in: str, expected: str
) -> None:
    line = f"Dividend (Dividend),2024-02-15 10:30:55,US0378331005,AAPL,Apple,,,2,{price},{priced_in},,0.32,GBP,{tax},{taxed_in}"
    row = only(f"{NEW}\n{line}")
    assert row.values.get("tax", "") == expected
    assert row.values["quantity"] == "0.32"
    if not expected:
        assert "withheld 0.08" in row.values["note"]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        ("Dividend adjustment,2024-02-15 10:30:55,US0378331005,AAPL,Apple,,,2,0.1,USD,,-0.32,GBP,,", "Action"),
        ("Spin off,2024-02-15 10:30:55,US0378331005,AAPL,Apple,,,2,0.1,USD,,0.32,GBP,,", "Action"),
        ("Result adjustment,2024-02-15 10:30:55,,,,,,,,,,0.32,GBP,,", "Action"),
        ("Deposit,2024-02-15 10:30:55,,,,,,,,,,-5,GBP,,", "Total"),
        ("Deposit,2024-02-15 10:30:55,,,,,,,,,,,,,", "Total"),
        ("Market buy,2024-02-15 10:30:55,US0378331005,AAPL,Apple,,,0,1,USD,,5,GBP,,", "No. of shares"),
        ("Market buy,2024-02-15,US0378331005,AAPL,Apple,,,1,1,USD,,5,WAG,,", "Currency (Total)"),
        ("Market buy,15.02.2024,US0378331005,AAPL,Apple,,,1,1,USD,,5,GBP,,", "Time"),
        ("Currency conversion,2024-02-15 10:30:55,,,,,,,,,,,,,", "Currency conversion from amount"),
    ],
)
def test_what_is_not_told_is_not_guessed(line: str, column: str) -> None:
    parsed = parse(TRADING212, f"{NEW}\n{line}")
    assert parsed.rows == []
    assert [reject.column for reject in parsed.rejects] == [column]


def test_an_adjustment_of_nothing_is_ignored() -> None:
    parsed = parse(TRADING212, f"{NEW}\nResult adjustment,2024-02-15 10:30:55,,,,,,,,,,0.00,GBP,,")
    assert list(parsed.ignored) == [2]
