import pytest

from assets.importers.rotki import ROTKI_EVENTS, ROTKI_TRADES, ROTKI_TRADES_2022
from tests.unit.importers.export_samples import check_golden, parse, source


def test_trades_become_purchases_sales_and_swaps() -> None:
    check_golden(ROTKI_TRADES, "rotki", "trades.csv", range(2, 13))


def test_the_layout_of_2022_tells_the_direction_by_its_type() -> None:
    check_golden(ROTKI_TRADES_2022, "rotki", "trades_2022.csv", range(2, 6))


def test_events_become_flows_and_income() -> None:
    check_golden(ROTKI_EVENTS, "rotki", "events.csv", range(2, 12))


def test_each_layout_knows_its_own_file_only() -> None:
    files = {"trades.csv": ROTKI_TRADES, "trades_2022.csv": ROTKI_TRADES_2022, "events.csv": ROTKI_EVENTS}
    for name in files:
        known = [fmt for fmt in files.values() if fmt.recognises(source("rotki", name))]
        assert known == [files[name]]


def test_a_line_keeps_its_id_when_the_columns_move_and_others_leave() -> None:
    header = "Type,Location,Currency,Amount,Fee,Fee Currency,Description,Timestamp"
    moved = "Timestamp,Location,Type,Currency,Amount,Fee,Fee Currency,Description,Own"
    old = parse(ROTKI_EVENTS, f"{header}\nStaking,luno,ETH,1,,,,1659340800000\nDeposit,luno,ETH,2,,,,1659340800000")
    new = parse(ROTKI_EVENTS, f"{moved}\n1659340800000,luno,Deposit,ETH,2,,,,")
    assert new.rows[0].values["external_id"] == old.rows[1].values["external_id"]


@pytest.mark.parametrize(
    ("fee", "fee_currency", "column"),
    [("-1", "EUR", "Fee"), ("1", "XYZ", "Fee Currency"), ("one", "EUR", "Fee"), ("0.2", "eip155:1/erc20:0x12", "Fee Currency")],
)  # fmt: skip
def test_a_fee_that_cannot_be_read_refuses_the_line(fee: str, fee_currency: str, column: str) -> None:
    header = "Type,Location,Currency,Amount,Fee,Fee Currency,Description,Timestamp"
    parsed = parse(ROTKI_EVENTS, f"{header}\nWithdrawal,luno,ETH,1,{fee},{fee_currency},,1659340800000")
    assert [(reject.line, reject.column) for reject in parsed.rejects] == [(2, column)]
    assert parsed.rows == []


def test_a_persons_own_mapping_is_asked_first() -> None:
    header = "Type,Location,Currency,Amount,Fee,Fee Currency,Description,Timestamp"
    parsed = parse(ROTKI_EVENTS, f"{header}\nDeposit,luno,WAGMI,1,,,,1659340800000", WAGMI="custom:wagmi")
    assert parsed.rows[0].values["instrument"] == "custom:wagmi"


def test_a_description_with_the_shape_of_a_key_is_left_out() -> None:
    header = "Type,Location,Currency,Amount,Fee,Fee Currency,Description,Timestamp"
    parsed = parse(ROTKI_EVENTS, f"{header}\nDeposit,luno,ETH,1,,,tx 0x{'ab' * 32},1659340800000")
    assert "note" not in parsed.rows[0].values
