from decimal import Decimal

import pytest

from assets.importers.kraken import KRAKEN_LEDGERS, KRAKEN_TRADES
from tests.unit.importers.export_samples import accounted, as_ledger, check_golden, movements, parse, source

OLD_HEADER = '"txid","refid","time","type","aclass","asset","amount","fee","balance"'


def test_ledger_lines_become_transactions_that_move_what_the_balances_say() -> None:
    parsed = check_golden(KRAKEN_LEDGERS, "kraken", "ledgers.csv", range(2, 36))
    # the column `balance` of each asset's last accepted line: ZEUR 2793.63 and EUR.M 1, ETH before the move to ETH.B
    assert movements(parsed) == {
        "fiat:EUR": Decimal("2794.63"),
        "crypto:BTC": Decimal("0.01983"),
        "crypto:ETH": Decimal("0.180085"),
        "crypto:DOT": Decimal("14.02"),
        "crypto:DOGE": Decimal(-3),
        "crypto:ADA": Decimal("-0.5"),
        "crypto:XLM": Decimal(5),
    }


def test_trades_part_their_pairs_and_share_ids_with_the_ledgers() -> None:
    trades = check_golden(KRAKEN_TRADES, "kraken", "trades.csv", range(2, 10))
    ledgers = parse(KRAKEN_LEDGERS, source("kraken", "ledgers.csv").text)
    ids = {row.values["external_id"]: row.values for row in ledgers.rows}
    first, out, into = trades.rows[:3]
    assert [ids[row.values["external_id"]] for row in (first, out, into)] == [first.values, out.values, into.values]


def test_each_file_is_known_by_its_header_alone() -> None:
    assert not KRAKEN_LEDGERS.recognises(source("kraken", "trades.csv"))
    assert not KRAKEN_TRADES.recognises(source("kraken", "ledgers.csv"))


@pytest.mark.parametrize(
    ("code", "instrument", "has_note"),
    [
        ("XXBT", "crypto:BTC", False), ("XBT", "crypto:BTC", False), ("BTC", "crypto:BTC", False),
        ("XBT.M", "crypto:BTC", True), ("XETH", "crypto:ETH", False), ("ETH2", "crypto:ETH", True),
        ("ETH2.S", "crypto:ETH", True), ("ETH.F", "crypto:ETH", True), ("SOL03.S", "crypto:SOL", True),
        ("DOT.P", "crypto:DOT", True), ("XXDG", "crypto:DOGE", False), ("ZUSD", "fiat:USD", False),
        ("USD.HOLD", "fiat:USD", True), ("EUR", "fiat:EUR", False),
    ],
)  # fmt: skip
def test_codes_are_reviewed(code: str, instrument: str, has_note: bool) -> None:
    text = f'{OLD_HEADER}\n"L1","R1","2019-05-01 10:00:00","deposit","currency","{code}",1.5,0,1.5'
    (row,) = parse(KRAKEN_LEDGERS, text).rows
    assert row.values["instrument"] == instrument
    assert row.values.get("note", "") == (code if has_note else "")


def test_a_coin_that_is_not_reviewed_is_never_guessed() -> None:
    text = f'{OLD_HEADER}\n"L1","R1","2019-05-01 10:00:00","deposit","currency","XWAG",1.5,0,1.5'
    parsed = parse(KRAKEN_LEDGERS, text)
    assert parsed.rows == []
    assert (parsed.rejects[0].column, parsed.rejects[0].value) == ("asset", "XWAG")
    assert "--map" in parsed.rejects[0].remedy


@pytest.mark.parametrize("kind", ["adjustment", "settled", "transfer", "credit", "earn", "dividend", "rollover"])
def test_a_type_that_is_not_known_for_sure_is_a_reject(kind: str) -> None:
    text = f'{OLD_HEADER}\n"L1","R1","2019-05-01 10:00:00","{kind}","currency","XXBT",1.5,0,1.5'
    parsed = parse(KRAKEN_LEDGERS, text)
    assert parsed.rows == []
    assert [reject.column for reject in parsed.rejects] == ["type"]


def test_a_trade_with_a_fee_on_each_side_states_both() -> None:
    text = (
        f'{OLD_HEADER}\n"L1","R1","2019-05-01 10:00:00","trade","currency","ZEUR",-100,0.2,900\n'
        '"L2","R1","2019-05-01 10:00:00","trade","currency","XXBT",0.02,0.0001,0.0199'
    )
    parsed = parse(KRAKEN_LEDGERS, text)
    assert [row.values["type"] for row in parsed.rows] == ["BUY", "FEE"]
    assert movements(parsed) == {"fiat:EUR": Decimal("-100.2"), "crypto:BTC": Decimal("0.0199")}
    assert accounted(parsed) == {2, 3}
    as_ledger(parsed)


def test_a_pair_that_parts_in_two_ways_is_a_reject() -> None:
    header = '"txid","ordertxid","pair","time","type","ordertype","price","cost","fee","vol","margin","misc","ledgers"'
    text = f'{header}\n"T1","O1","AXETH","2024-01-05 10:00:00","buy","limit",1,25,0.1,25,0,"",""'
    parsed = parse(KRAKEN_TRADES, text, A="crypto:A", AX="crypto:AX")
    assert parsed.rejects[0].reason == "parts in more than one way into two known assets"


def test_a_coin_for_a_form_of_itself_is_a_reject_on_both_lines() -> None:
    text = (
        f'{OLD_HEADER}\n"L1","R1","2022-05-01 10:00:00","trade","currency","ETH2.S",-1,0,0\n'
        '"L2","R1","2022-05-01 10:00:00","trade","currency","XETH",0.97,0,0.97'
    )
    parsed = parse(KRAKEN_LEDGERS, text)
    assert parsed.rows == []
    assert accounted(parsed) == {2, 3}
