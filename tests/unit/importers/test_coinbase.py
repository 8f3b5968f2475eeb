from decimal import Decimal

import pytest

from assets.importers.coinbase import COINBASE, COINBASE_2021
from tests.unit.importers.export_samples import accounted, as_ledger, check_golden, movements, parse, source

HEADER = (
    "ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,"
    "Total (inclusive of fees and/or spread),Fees and/or Spread,Notes"
)


def test_the_current_layout() -> None:
    parsed = check_golden(COINBASE, "coinbase", "current.csv", range(5, 31))
    # by hand: +1000 -499.33 +92.81 -100 -29.99 = 463.49; 0.0123 -0.0023 -0.005 +0.5 -0.1 = 0.405;
    # 0.1 -0.05 +0.0000378357; -230.38 +114.313 +0.513 = -115.554
    assert movements(parsed) == {
        "fiat:EUR": Decimal("463.49"),
        "crypto:BTC": Decimal("0.405"),
        "crypto:ETH": Decimal("0.0500378357"),
        "crypto:USDC": Decimal("-115.554"),
        "crypto:XLM": Decimal(400),
        "crypto:SOL": Decimal("0.02"),
        "crypto:MATIC": Decimal(-50),
        "crypto:POL": Decimal(50),
    }


def test_the_layout_with_a_spot_price() -> None:
    check_golden(COINBASE_2021, "coinbase", "y2022.csv", range(7, 16))


def test_the_layout_with_the_currency_in_its_columns() -> None:
    check_golden(COINBASE_2021, "coinbase", "y2020.csv", range(5, 7))


def test_each_layout_knows_its_own_files_only() -> None:
    for name, is_current in (("current.csv", True), ("y2022.csv", False), ("y2020.csv", False)):
        assert COINBASE.recognises(source("coinbase", name)) is is_current
        assert COINBASE_2021.recognises(source("coinbase", name)) is not is_current


@pytest.mark.parametrize(
    ("kind", "subtotal", "total", "fee", "is_taken"),
    [
        ("Buy", "€400", "€402.01", "€2.00", True),
        ("Buy", "€400", "€398.00", "-€2.00", False),
        ("Buy", "€400", "€500.00", "€2.00", False),
        ("Sell", "-€400", "-€398.00", "€2.00", True),
        ("Sell", "-€400", "-€402.00", "€2.00", False),
    ],
)
def test_a_total_that_is_not_subtotal_and_fee_is_refused(
    kind: str, subtotal: str, total: str, fee: str, is_taken: bool
) -> None:
    line = f"x1,2024-01-10 09:00:00 UTC,{kind},BTC,0.01,EUR,€40000,{subtotal},{total},{fee},"
    parsed = parse(COINBASE, f"{HEADER}\n{line}")
    assert bool(parsed.rows) is is_taken
    assert [reject.column for reject in parsed.rejects] == ([] if is_taken else ["Total"])


@pytest.mark.parametrize(
    ("kind", "asset", "quantity", "notes", "column"),
    [
        ("Convert", "BTC", "-1", "", "Notes"),
        ("Convert", "XLM", "400", "Converted 0.005 BTC to 400 XLM", "Notes"),
        ("Convert", "BTC", "-1", "Converted 1 BTC to 5 WAGMI", "Notes"),
        ("Advanced Trade Sell", "BTC", "-1", "Sold all of it", "Notes"),
        ("Buy", "BTC", "1", "", "Subtotal"),
        ("Deposit", "BTC", "-1", "", "Quantity Transacted"),
        ("Asset Migration", "MATIC", "-50", "", "Transaction Type"),
        ("Retail Eth2 Deprecation", "ETH2", "-1", "", "Transaction Type"),
        ("Derivatives Settlement", "EUR", "-1", "", "Transaction Type"),
    ],
)
def test_what_is_not_told_is_not_guessed(kind: str, asset: str, quantity: str, notes: str, column: str) -> None:
    parsed = parse(COINBASE, f"{HEADER}\nx1,2024-01-10 09:00:00 UTC,{kind},{asset},{quantity},EUR,,,,,{notes}")
    assert parsed.rows == []
    assert [reject.column for reject in parsed.rejects] == [column]


def test_money_may_carry_a_sign_a_symbol_and_thousands() -> None:
    line = 'x1,2024-01-10 09:00:00 UTC,Sell,BTC,-1,USD,"$42,000.50","-$42,000.50","-$41,900.50",$100.00,Sold 1 BTC'
    parsed = parse(COINBASE, f"{HEADER}\n{line}")
    assert movements(parsed) == {"crypto:BTC": Decimal(-1), "fiat:USD": Decimal("41900.50")}


def test_a_trade_told_in_another_money_uses_that_money() -> None:
    line = "x1,2024-01-10 09:00:00 UTC,Advanced Trade Buy,BTC,0.1,EUR,€40000,€4000,€4010,€10,"
    notes = "Bought 0.1 BTC for 4411 USD on BTC-USD at 44000 USD/BTC"
    (row,) = parse(COINBASE, f"{HEADER}\n{line}{notes}").rows
    told = {name: row.values[name] for name in ("type", "amount", "currency", "fee", "fee_currency")}
    assert told == {"type": "BUY", "amount": "4400", "currency": "fiat:USD", "fee": "11", "fee_currency": "fiat:USD"}


def test_overlapping_exports_give_the_same_ids() -> None:
    text = source("coinbase", "y2022.csv").text
    lines = text.splitlines(keepends=True)
    later = "".join([*lines[:6], *lines[9:]])
    whole = {row.values["external_id"]: row.values for row in parse(COINBASE_2021, text).rows}
    part = {row.values["external_id"]: row.values for row in parse(COINBASE_2021, later).rows}
    assert part
    assert part.items() <= whole.items()


def test_eth2_deprecation_moves_nothing() -> None:
    kind = "2024-01-10 09:00:00 UTC,Retail Eth2 Deprecation"
    parsed = parse(COINBASE, f"{HEADER}\nx1,{kind},ETH2,-1,EUR,,,,,\nx2,{kind},ETH,1,EUR,,,,,")
    assert parsed.rows == []
    assert accounted(parsed) == {2, 3}
    as_ledger(parsed)


def test_a_price_of_many_digits_leaves_no_remainder() -> None:
    line = "x1,2024-01-10 09:00:00 UTC,Advanced Trade Buy,ETH,0.123456789012345678,EUR,€2000,€246,€247,€1,"
    notes = "Bought 0.123456789012345678 ETH for 400 USDC on ETH-USDC at 3102.3217898325970226955 USDC/ETH"
    out = parse(COINBASE, f"{HEADER}\n{line}{notes}").rows[0].values
    assert Decimal(out["quantity"]) + Decimal(out["fee"]) == 400  # the sum stays within 28 digits, the parts need more
