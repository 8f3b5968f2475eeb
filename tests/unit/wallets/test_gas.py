"""What a receipt comes to, by the kind of its transaction, and which receipts are believed."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from assets.network.errors import Failure, Kind
from assets.wallets.gas import Fee, fee_of, read_fees
from assets.wallets.model import Asset
from assets.wallets.model import Kind as AssetKind
from assets.wallets.rpc import RpcCall
from assets.wallets.transfers import Transfer

RECEIPT = {"type": "0x2", "gasUsed": "0x5208", "effectiveGasPrice": "0x3b9aca00"}
GAS = 21_000 * 10**9


@pytest.mark.parametrize(
    ("more", "fee"),
    [
        ({}, GAS),
        ({"type": "0x0"}, GAS),
        ({"l1Fee": "0x64", "operatorFeeScalar": "0x0", "operatorFeeConstant": None}, GAS + 100),  # OP Stack
        ({"type": "0x3", "blobGasUsed": "0x20000", "blobGasPrice": "0x2"}, GAS + 2 * 131_072),
        ({"blobGasUsed": "0x20000"}, GAS),  # the OP Stack's measure of data: nothing that the sender paid
        ({"type": "0x7e", "effectiveGasPrice": "0x0", "l1Fee": "0x64"}, 0),
        ({"type": "0x7b"}, "transactions of type 0x7b may be paid by others, or in a token"),  # Celo, CIP-64
        ({"type": "0x71"}, "transactions of type 0x71 may be paid by others, or in a token"),  # ZKsync: a paymaster
        ({"operatorFeeScalar": "0x1"}, "its operator fee is not computed"),
    ],
)
def test_fee_of_a_receipt(more: dict[str, object], fee: int | str) -> None:
    assert fee_of({**RECEIPT, **more}) == fee


def test_an_old_node_tells_no_type() -> None:
    assert fee_of({name: value for name, value in RECEIPT.items() if name != "type"}) == GAS


@pytest.mark.parametrize("missing", ["gasUsed", "effectiveGasPrice"])
def test_a_part_that_is_missing_is_no_zero(missing: str) -> None:
    with pytest.raises(KeyError):
        fee_of({name: value for name, value in RECEIPT.items() if name != missing})


OURS, OTHER = "0x" + "1" * 40, "0x" + "2" * 40
BLOCK, AT = "0x" + "b" * 64, datetime(2026, 1, 1, tzinfo=UTC)


def hash_of(number: int) -> str:
    return f"0x{number:064x}"


def transfer(number: int) -> Transfer:
    asset = Asset("ethereum", AssetKind.ERC20, OTHER)
    return Transfer(asset, 1, None, OTHER, OURS, hash_of(number), 0, number, BLOCK, AT)


def fees(receipts: dict[int, object]) -> Any:
    """Read the fees of transfers 0 to 5, two of each; the receipts are those of a server."""

    async def ask(calls: Sequence[RpcCall], read: Callable[[list[object]], Any]) -> Any:
        return read([receipts.get(int(str(call.params[0]), 16)) for call in calls])

    return asyncio.run(read_fees(ask, [transfer(number) for number in (*range(6), *range(6))], [OURS]))


def receipt(number: int, **more: object) -> dict[str, object]:
    return {
        **RECEIPT,
        "transactionHash": hash_of(number),
        "blockHash": BLOCK.upper().replace("0X", "0x"),
        "from": OURS,
    } | more


def test_only_receipts_of_our_own_transactions_in_the_same_block_cost_something() -> None:
    found = fees(
        {
            0: receipt(0),
            1: receipt(1, **{"from": OTHER}),
            2: receipt(2, blockHash="0x" + "c" * 64),
            3: receipt(3, transactionHash=hash_of(9)),
            4: receipt(4, type="0x7b"),
        }
    )
    assert found.fees == (Fee(OURS, hash_of(0), GAS, 0, AT),)
    assert found.unknown == {
        hash_of(2): "its block was replaced",
        hash_of(3): "the receipt of another transaction",
        hash_of(4): "transactions of type 0x7b may be paid by others, or in a token",
        hash_of(5): "no receipt",
    }


def test_a_server_without_any_receipt_is_behind() -> None:
    found = fees({})
    assert found.fees == ()
    assert set(found.unknown.values()) == {Failure.of(Kind.NODE_LAG, "it has none of the receipts").message}
    assert len(found.unknown) == 6
