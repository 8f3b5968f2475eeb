"""What a receipt comes to, by the kind of its transaction."""

import pytest

from assets.wallets.gas import fee_of

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
