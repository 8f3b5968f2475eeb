"""Which row a transfer is for whom: portfolios, users, amounts to the last digit."""

from datetime import UTC, datetime
from decimal import Decimal

from assets.registry.transactions_csv import RAW_COLUMNS
from assets.wallets.gas import Fee
from assets.wallets.ledger_rows import LedgerRow, Unit, WalletAccount, as_batch, fee_rows, transfer_rows
from assets.wallets.model import Asset, Kind
from assets.wallets.transfers import Transfer

A, B, C = (f"0x{letter * 40}" for letter in "abc")
TOKEN = Asset("ethereum", Kind.ERC20, "0x" + "1" * 40)
HASH = "0x" + "ab" * 32
UNITS = {TOKEN: Unit("eip155:1/erc20:0x1111111111111111111111111111111111111111", 18)}
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
NAME = f"ethereum:{HASH}:7"


def transfer(sender: str, recipient: str, amount: int = 10**18, asset: Asset = TOKEN) -> Transfer:
    return Transfer(asset, amount, None, sender, recipient, HASH, 7, 5, "0x" + "0" * 64, AT)


def account(user: str, portfolio: str, address: str) -> WalletAccount:
    return WalletAccount(user, portfolio, f"{portfolio}-{address[2]}", address)


def shown(rows: list[LedgerRow]) -> list[tuple[str, str, str | None]]:
    return [(row.account, row.type, row.group_id) for row in rows]


def test_both_ends_in_one_portfolio() -> None:
    rows = transfer_rows([transfer(A, B)], [account("u", "p", A), account("u", "p", B)], UNITS)
    assert shown(rows) == [("p-a", "TRANSFER_OUT", f"{NAME}:p"), ("p-b", "TRANSFER_IN", f"{NAME}:p")]
    assert {row.external_id for row in rows} == {NAME}


def test_between_two_portfolios_of_one_user() -> None:
    rows = transfer_rows([transfer(A, B)], [account("u", "p", A), account("u", "q", B)], UNITS)
    assert shown(rows) == [("p-a", "TRANSFER_OUT", NAME), ("q-b", "TRANSFER_IN", NAME)]


def test_between_two_users_it_is_a_withdrawal_and_a_deposit() -> None:
    rows = transfer_rows([transfer(A, B)], [account("u", "p", A), account("v", "q", B)], UNITS)
    assert shown(rows) == [("p-a", "WITHDRAWAL", None), ("q-b", "DEPOSIT", None)]


def test_a_wallet_in_several_portfolios_gives_each_its_own_row() -> None:
    accounts = [account("u", "p", A), account("u", "p", B), account("u", "q", A), account("v", "r", A)]
    rows = transfer_rows([transfer(A, B)], accounts, UNITS)
    assert shown(rows) == [
        ("p-a", "TRANSFER_OUT", f"{NAME}:p"),
        ("q-a", "WITHDRAWAL", None),
        ("p-b", "TRANSFER_IN", f"{NAME}:p"),
        ("r-a", "WITHDRAWAL", None),
    ]
    # one gave, two received: nobody could say to which
    rows = transfer_rows([transfer(A, B)], [account("u", one, B) for one in "pq"] + [account("u", "r", A)], UNITS)
    assert shown(rows) == [("r-a", "WITHDRAWAL", None), ("p-b", "DEPOSIT", None), ("q-b", "DEPOSIT", None)]


def test_what_makes_no_row() -> None:
    other, nft = Asset("ethereum", Kind.ERC20, C), Asset("ethereum", Kind.ERC721, TOKEN.address)
    nothing = [
        transfer(A, B, 0),
        transfer(A, A),
        transfer(A, B, asset=other),
        transfer(A, B, asset=nft),
        transfer(C, C),
    ]
    assert transfer_rows(nothing, [account("u", "p", A)], UNITS | {nft: UNITS[TOKEN]}) == []


def test_amounts_keep_every_digit_and_rows_pass_the_rules_of_files() -> None:
    rows = transfer_rows([transfer(C, A, 2**256 - 1)], [account("u", "p", A)], UNITS)
    fees = fee_rows([Fee(A, HASH, 1, 5, AT)], "ethereum", [account("u", "p", A)], Unit("eip155:1/slip44:60", 18))
    assert rows[0].quantity == Decimal(f"{2**256 - 1}e-18")
    batch = as_batch("chains/ethereum", [*rows, *fees])
    assert tuple(batch.rows.columns) == RAW_COLUMNS
    assert batch.rows["quantity"].to_list() == [
        "115792089237316195423570985008687907853269984665640564039457.584007913129639935",
        "0.000000000000000001",
    ]
    assert batch.rows["external_id"].to_list() == [NAME, f"ethereum:{HASH}:gas"]
    assert batch.rows["executed_at"].to_list() == [AT, AT]
    assert as_batch("chains/ethereum", []).rows.height == 0
