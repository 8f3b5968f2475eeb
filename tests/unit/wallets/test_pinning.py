"""What a server says of its head and of Multicall3, and what of it is believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assets.registry.chains import chains
from assets.wallets.model import Block
from assets.wallets.pinning import (
    ARB_SYS,
    CANONICAL_MULTICALL3,
    Multicall,
    choose_multicall,
    head_age_limit,
    header_of,
    quantity_of,
)
from tests.evm_nodes import multicall3_code

HEADER = {"number": "0x10", "hash": "0x" + "AB" * 32, "timestamp": "0x65000000", "transactions": []}
CODE = "0x" + multicall3_code().hex()
ELSEWHERE = "0xF9cda624FBC7e059355ce98a31693d299FACd963"


def test_age_of_a_head():
    ethereum = chains()["ethereum"]
    assert head_age_limit(ethereum, None) == timedelta(seconds=240)
    assert head_age_limit(replace(ethereum, block_time_ms=250), None) == timedelta(seconds=60)
    assert head_age_limit(replace(ethereum, block_time_ms=None), None) == timedelta(seconds=300)
    assert head_age_limit(ethereum, 7) == timedelta(seconds=7)


def test_a_header():
    head = header_of(HEADER)
    assert head.as_block() == Block(16, "0x" + "ab" * 32, datetime.fromtimestamp(0x65000000, UTC))
    assert header_of(None) is None


@pytest.mark.parametrize(
    "wrong",
    [
        "0x10", [], {**HEADER, "hash": "0x10"}, {**HEADER, "hash": None}, {**HEADER, "number": 16},
        {**HEADER, "timestamp": "0xffffffffffffffff"}, {"number": "0x10"},
    ],
)  # fmt: skip
def test_what_is_no_header(wrong):
    with pytest.raises((TypeError, ValueError, LookupError)):
        header_of(wrong)


@pytest.mark.parametrize("wrong", [16, None, "", "0x", "16", "0x-1", "0x 1", "0x1_0", "0x" + "1" * 65, "0x\uff11"])  # noqa: RUF100
def test_what_is_no_quantity(wrong):
    with pytest.raises((TypeError, ValueError)):
        quantity_of(wrong)
    assert quantity_of("0x" + "f" * 64) == 2**256 - 1


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ({}, None),
        ({CANONICAL_MULTICALL3: "0x", ARB_SYS: "0x"}, None),
        ({CANONICAL_MULTICALL3: CODE, ARB_SYS: "0x"}, Multicall(CANONICAL_MULTICALL3, is_proven=True)),
        ({CANONICAL_MULTICALL3: CODE, ARB_SYS: "0xfe"}, Multicall(CANONICAL_MULTICALL3, True, has_arb_sys=True)),
        # somebody else's code at the usual address is not asked at all
        ({CANONICAL_MULTICALL3: "0x6001"}, None),
        ({ELSEWHERE: "0x6001"}, Multicall(ELSEWHERE, is_proven=False)),
        # two addresses are listed: the one whose code is known
        ({ELSEWHERE: "0x6001", CANONICAL_MULTICALL3: CODE}, Multicall(CANONICAL_MULTICALL3, is_proven=True)),
        ({ELSEWHERE: "0x", CANONICAL_MULTICALL3: "0x6001"}, None),
    ],
)
def test_which_multicall_is_asked(codes, expected):
    assert choose_multicall(codes) == expected
