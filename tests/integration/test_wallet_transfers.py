"""Transfers, gas and reorganisations read from a real node, and what they are in the ledger."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from assets.network.budget import Deadline, Hosts
from assets.network.endpoints import endpoints_of
from assets.network.errors import Failure, Kind
from assets.network.hedging import Network
from assets.network.http import Http
from assets.wallets import codec, transfers
from assets.wallets.chain_questions import ask_servers
from assets.wallets.gas import Fees, read_fees
from assets.wallets.ledger_rows import Unit, WalletAccount, as_batch, fee_rows, transfer_rows
from assets.wallets.model import Asset
from assets.wallets.model import Kind as AssetKind
from assets.wallets.reference import native_mirrors
from assets.wallets.reorganisation import gone, read_standing
from assets.wallets.rpc import Rpc, RpcCall
from assets.wallets.transfers import Transfers, read_transfers, received
from tests import evm_contracts
from tests.evm_nodes import EvmNode, EvmNodes

CHAIN = "polygon"
ALICE, BOB, STRANGER = (to_checksum_address(f"0x{number:040x}") for number in (0xA11CE, 0xB0B, 0x5742A))
COIN, FAKE, BROKEN, NFT = (to_checksum_address(f"0x{number:040x}") for number in range(0x70CE0000, 0x70CE0004))
[MIRROR, *_] = sorted(native_mirrors(CHAIN))
NATIVE = Unit("eip155:137/slip44:60", 18)
USD = Unit(f"eip155:137/erc20:{COIN}", 6)


@pytest.fixture
def node() -> Iterator[EvmNode]:
    with EvmNodes() as nodes:
        node = nodes.start(137, "--auto-impersonate", multicall3=None)
        node.set_code(COIN, evm_contracts.token(decimals=6, more={evm_contracts.TRANSFER: evm_contracts.MOVES}))
        for address, body in (
            (FAKE, evm_contracts.CLAIMS),
            (MIRROR, evm_contracts.CLAIMS),
            (BROKEN, evm_contracts.CLAIMS_BADLY),
            (NFT, evm_contracts.CLAIMS_ERC721),
        ):
            node.set_code(address, evm_contracts.contract({evm_contracts.CLAIM: body}))
        for wallet in (ALICE, BOB, STRANGER):
            node.set_balance(wallet, 10**18)
        node.set_token_balances({(COIN, wallet): 10**9 for wallet in (ALICE, BOB, STRANGER)})
        node.mine()
        yield node


def send(node: EvmNode, sender: str, recipient: str, amount: int) -> dict[str, Any]:
    """A transfer of the coin in a block of its own; its receipt."""
    data = evm_contracts.TRANSFER + codec.encode_address(recipient) + codec.encode_uint256(amount)
    return transact(node, sender, COIN, data)


def claim(node: EvmNode, contract: str, sender: str, recipient: str, number: int) -> dict[str, Any]:
    """A log that a stranger has written, as if the sender had moved something."""
    words = codec.encode_address(sender) + codec.encode_address(recipient) + codec.encode_uint256(number)
    return transact(node, STRANGER, contract, evm_contracts.CLAIM + words)


def transact(node: EvmNode, sender: str, target: str, data: bytes) -> dict[str, Any]:
    digest = node.rpc(
        "eth_sendTransaction", {"from": sender, "to": target, "data": "0x" + data.hex(), "gas": hex(10**6)}
    )
    limit = time.monotonic() + 10
    while (receipt := node.rpc("eth_getTransactionReceipt", digest)) is None and time.monotonic() < limit:
        time.sleep(0.005)  # the block comes a moment later
    assert receipt["status"] == "0x1"
    return dict(receipt)


def head(node: EvmNode) -> int:
    return int(node.rpc("eth_blockNumber"), 16)


def asking(node: EvmNode, work: Callable[..., Any], on_calls: Callable[[Sequence[RpcCall]], Failure | None]) -> Any:
    """Run work with a function that asks the node; `on_calls` may answer instead of it."""

    async def run() -> Any:
        clock = asyncio.get_running_loop().time
        async with Http() as http:
            rpc = Rpc(Network(http.send, Hosts(clock), clock, Random(3)))
            servers = ask_servers(rpc, endpoints_of([node.url]), Deadline(clock, 20))

            async def ask(calls: Sequence[RpcCall], read: Callable[[list[object]], Any]) -> Any:
                refusal = on_calls(calls)
                return await servers(calls, read) if refusal is None else refusal

            return await work(ask)

    return asyncio.run(run())


def nothing(calls: Sequence[RpcCall]) -> None:
    del calls


def read(node: EvmNode, wallets: Sequence[str], first: int = 0, **options: Any) -> Transfers:
    on_calls = options.pop("on_calls", nothing)
    last = options.pop("last", head(node))
    found = asking(node, lambda ask: read_transfers(ask, CHAIN, wallets, first, last, **options), on_calls)
    assert isinstance(found, Transfers)
    return found


def test_the_topic_is_the_hash_of_the_event() -> None:
    assert "0x" + keccak(b"Transfer(address,address,uint256)").hex() == transfers.TRANSFER


def test_transfers_and_gas_become_rows_of_the_ledger(node: EvmNode) -> None:
    incoming = send(node, STRANGER, ALICE, 1_500_000)
    between = send(node, ALICE, BOB, 250_000)
    outgoing = send(node, BOB, STRANGER, 1)
    claim(node, FAKE, ALICE, STRANGER, 10**30)  # a token that says what it likes
    claim(node, BROKEN, STRANGER, ALICE, 5)
    dirty = codec.encode_uint256(2**200 + int(STRANGER, 16)) + codec.encode_address(ALICE) + codec.encode_uint256(1)
    transact(node, STRANGER, FAKE, evm_contracts.CLAIM + dirty)  # no address, though it ends like one
    claim(node, NFT, STRANGER, BOB, 77)
    claim(node, MIRROR, STRANGER, BOB, 10**18)  # the native coin once more
    send(node, STRANGER, STRANGER, 9)  # nobody of ours
    send(node, ALICE, ALICE, 3)  # nothing moves, and it costs gas

    found = read(node, [ALICE, BOB])
    coin, fake, nft = (Asset(CHAIN, AssetKind.ERC20, COIN), Asset(CHAIN, AssetKind.ERC20, FAKE),
                       Asset(CHAIN, AssetKind.ERC721, NFT))  # fmt: skip
    told = [(one.asset, one.amount, one.token_id, one.sender, one.recipient) for one in found.transfers]
    assert told == [
        (coin, 1_500_000, None, STRANGER, ALICE),
        (coin, 250_000, None, ALICE, BOB),
        (coin, 1, None, BOB, STRANGER),
        (fake, 10**30, None, ALICE, STRANGER),
        (nft, 1, 77, STRANGER, BOB),
        (coin, 3, None, ALICE, ALICE),
    ]
    assert (found.unread, found.read_until) == ((), head(node))
    block = node.rpc("eth_getBlockByNumber", incoming["blockNumber"], False)
    assert found.transfers[0].executed_at.timestamp() == int(block["timestamp"], 16)
    assert received(found.transfers, [ALICE, BOB]) == {ALICE: {coin}, BOB: {coin, nft}}

    fees = asking(node, lambda ask: read_fees(ask, found.transfers, [ALICE, BOB]), nothing)
    assert isinstance(fees, Fees)
    assert fees.unknown == {}
    spent = {wallet: 10**18 - int(node.rpc("eth_getBalance", wallet, "latest"), 16) for wallet in (ALICE, BOB)}
    assert {w: sum(fee.amount for fee in fees.fees if fee.wallet == w) for w in (ALICE, BOB)} == spent

    accounts = [WalletAccount("u", "main", "nano", ALICE), WalletAccount("u", "main", "vault", BOB)]
    rows = transfer_rows(found.transfers, accounts, {coin: USD})
    name = f"{CHAIN}:{between['transactionHash']}:0"
    assert [(row.account, row.type, row.quantity, row.group_id) for row in rows] == [
        ("nano", "DEPOSIT", Decimal("1.5"), None),
        ("nano", "TRANSFER_OUT", Decimal("0.25"), f"{name}:main"),
        ("vault", "TRANSFER_IN", Decimal("0.25"), f"{name}:main"),
        ("vault", "WITHDRAWAL", Decimal("0.000001"), None),
    ]
    assert rows[3].external_id == f"{CHAIN}:{outgoing['transactionHash']}:0"
    costs = fee_rows(fees.fees, CHAIN, accounts, NATIVE)
    assert [(row.account, row.type, row.instrument) for row in costs] == [
        ("nano", "FEE", NATIVE.instrument_id), ("vault", "FEE", NATIVE.instrument_id), ("nano", "FEE", NATIVE.instrument_id),
    ]  # fmt: skip
    batch = as_batch(f"chains/{CHAIN}", [*rows, *costs])
    assert batch.rows.height == len(rows) + len(costs) == 7
    assert as_batch(f"chains/{CHAIN}", [*rows, *costs]).content_hash == batch.content_hash
    assert batch.rows["transaction_id"].n_unique() == 7


def test_a_range_that_is_too_big_is_halved_and_nothing_is_missed_or_told_twice(node: EvmNode) -> None:
    for number in range(12):
        send(node, (ALICE, STRANGER)[number % 2], (BOB, ALICE)[number % 3 == 0], number + 1)
        node.mine(number % 3)
    whole = read(node, [ALICE, BOB], width=10_000)
    spans: list[tuple[int, int]] = []

    def limited(calls: Sequence[RpcCall]) -> Failure | None:
        if calls[-1].method != "eth_getLogs":
            return None
        span: Any = calls[-1].params[0]
        first, last = int(span["fromBlock"], 16), int(span["toBlock"], 16)
        spans.append((first, last))
        return Failure.of(Kind.TOO_BIG, "query returned more than 10000 results") if last - first >= 3 else None

    parted = read(node, [ALICE, BOB], width=10_000, on_calls=limited)
    assert parted == whole
    assert len(whole.transfers) == 12
    assert max(last - first for first, last in spans) > 3

    def poisoned(calls: Sequence[RpcCall]) -> Failure | None:
        span: Any = calls[-1].params[0]
        is_bad = calls[-1].method == "eth_getLogs" and int(span["fromBlock"], 16) <= 10 <= int(span["toBlock"], 16)
        return Failure.of(Kind.TOO_BIG) if is_bad else None

    holed = read(node, [ALICE, BOB], on_calls=poisoned)
    assert [(part.first, part.last) for part in holed.unread] == [(10, 10)]
    assert holed.read_until == 9
    assert set(holed.transfers) == {one for one in whole.transfers if one.block_number != 10}


def test_a_server_that_is_behind_or_fails_leaves_the_rest_unread(node: EvmNode) -> None:
    send(node, STRANGER, ALICE, 1)
    beyond = read(node, [ALICE], last=head(node) + 5)
    assert (beyond.transfers, beyond.read_until) == ((), -1)
    assert beyond.unread[0].failure.kind is Kind.NODE_LAG
    node.mine(10)
    calls_made: list[int] = []

    def fails_later(calls: Sequence[RpcCall]) -> Failure | None:
        calls_made.append(len(calls))
        return Failure.of(Kind.TIMEOUT) if len(calls_made) > 1 and calls[-1].method == "eth_getLogs" else None

    half = read(node, [ALICE], width=6, on_calls=fails_later)
    assert half.read_until == 5
    assert len(half.transfers) == 1


def test_a_reorganisation_takes_back_what_was_read(node: EvmNode) -> None:
    kept = send(node, STRANGER, ALICE, 5)
    snapshot = node.rpc("evm_snapshot")
    lost = send(node, STRANGER, ALICE, 7)
    before = read(node, [ALICE])
    stored = [(one.block_number, one.block_hash) for one in before.transfers]
    assert asking(node, lambda ask: read_standing(ask, [number for number, _ in stored]), nothing) == dict(stored)

    node.rpc("evm_revert", snapshot)
    node.mine(2)
    standing = asking(node, lambda ask: read_standing(ask, [*(number for number, _ in stored), 10**6]), nothing)
    assert gone(stored, standing) == [(int(lost["blockNumber"], 16), lost["blockHash"])]
    after = read(node, [ALICE])
    assert [one.transaction for one in after.transfers] == [kept["transactionHash"]]


def test_a_block_that_is_replaced_while_it_is_read_is_unread(node: EvmNode) -> None:
    send(node, STRANGER, ALICE, 5)
    snapshot = node.rpc("evm_snapshot")
    lost = send(node, STRANGER, ALICE, 7)
    number = int(lost["blockNumber"], 16)

    def reorganises(calls: Sequence[RpcCall]) -> None:
        if len(calls) != 3 and calls[0].method == "eth_getBlockByNumber":
            node.rpc("evm_revert", snapshot)
            node.rpc("evm_increaseTime", 100)
            node.mine(2)

    found = read(node, [ALICE], on_calls=reorganises)
    assert [one.amount for one in found.transfers] == [5]
    assert [(part.first, part.last) for part in found.unread] == [(number, number)]
