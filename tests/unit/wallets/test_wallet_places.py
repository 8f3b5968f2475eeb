"""Where rows of chains count: never beside what balances or the owner say already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from assets.wallets.ledger_rows import WalletAccount
from assets.wallets.model import Asset, Kind
from assets.wallets.transfers import Transfer
from assets.wallets.wallet_places import OwnWord, Places

A, STRANGER, TOKEN = ("0x" + digit * 40 for digit in "123")
USD, BASE_USD, ETHER = f"eip155:1/erc20:{TOKEN}", f"eip155:8453/erc20:{TOKEN}", "eip155:1/slip44:60"
CANONICAL = {USD: "crypto:USDC", BASE_USD: "crypto:USDC", ETHER: "crypto:ETH"}
AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
ACCOUNT = WalletAccount("u", "p", "nano", A)


def transfer(block: int, amount: int, chain: str = "ethereum", *, is_out: bool = False) -> Transfer:
    sender, recipient = (A, STRANGER) if is_out else (STRANGER, A)
    asset = Asset(chain, Kind.ERC20, TOKEN)
    return Transfer(asset, amount, None, sender, recipient, "0x", block, block, "0x", AT)


def places(first: dict[str, tuple[int, int]], moved: dict[str, OwnWord] | None = None, counted: str = "") -> Places:
    return Places(
        {"ethereum": [ACCOUNT], "base": [ACCOUNT]},
        {("p", "nano", name): word for name, word in (moved or {}).items()},
        frozenset([("p", "nano", counted)] if counted else []),
        CANONICAL,
        {},
        {(A, name): told for name, told in first.items()},
    )


def test_the_owners_word_counts_first() -> None:
    word = OwnWord((BASE_USD, "crypto:USDC"), AT, frozenset([Decimal(5)]))
    place = places({USD: (7, 3)}, {"crypto:USDC": word}).rule([])
    second = timedelta(seconds=1)
    assert place(ACCOUNT, USD, AT, Decimal(1)) is None
    # under the id that the ledger has it by
    assert place(ACCOUNT, USD, AT + second, Decimal(1)) == "crypto:USDC"
    assert place(ACCOUNT, BASE_USD, AT + second, Decimal(1)) == BASE_USD
    # an exchange's clock and a block's differ: the same quantity is the same event
    assert place(ACCOUNT, USD, AT + second, Decimal("5.0")) is None
    assert place(ACCOUNT, USD, AT + timedelta(days=1), Decimal(5)) == "crypto:USDC"
    # of another asset the owner said nothing, and of the native coin logs do not
    assert place(ACCOUNT, ETHER, AT + second, Decimal(1)) is None


def test_a_token_counts_when_logs_have_told_all_of_it() -> None:
    told = [transfer(2, 10), transfer(3, 4, is_out=True), transfer(9, 100)]
    assert places({USD: (6, 5)}).rule(told)(ACCOUNT, USD, AT, Decimal(1)) == USD
    # something was there before, or came in another way
    assert places({USD: (7, 5)}).rule(told)(ACCOUNT, USD, AT, Decimal(1)) is None
    # nobody has read how much is there
    assert places({}).rule(told)(ACCOUNT, USD, AT, Decimal(1)) is None
    # the same asset on another chain is the same place, and all of it is needed
    both = {USD: (6, 5), BASE_USD: (8, 1)}
    assert places(both).rule(told)(ACCOUNT, USD, AT, Decimal(1)) is None
    assert places(both).rule([*told, transfer(1, 8, "base")])(ACCOUNT, USD, AT, Decimal(1)) == USD
    # a file of the owner's has balances of it
    assert places({USD: (6, 5)}, counted="crypto:USDC").rule(told)(ACCOUNT, USD, AT, Decimal(1)) is None
