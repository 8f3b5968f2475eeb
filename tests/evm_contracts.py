"""Contracts for tests: what the demo's assembler makes, and functions that misbehave or log.

Belongs here: hostile bodies of balanceOf, functions that log transfers, price feeds. Must not be here: nodes, and what a reader
should make of an answer.
"""

from assets.wallets.demo.contracts import BALANCE_OF, FROM_STORAGE, assemble, contract, token

__all__ = ["BALANCE_OF", "FROM_STORAGE", "assemble", "contract", "token"]

TRANSFER = bytes.fromhex("a9059cbb")  # transfer(address,uint256)
CLAIM = bytes.fromhex("23b872dd")  # transferFrom(address,address,uint256), of contracts that only claim
_TRANSFER_EVENT = 0xDDF252AD1BE2C89B69C2B068FC378DAA952BA7F163C4A11628F55A4DF523B3EF

# -- bodies of balanceOf(address): the wallet is the word of calldata at byte 4

#: Reverts with 32 bytes that read like a balance of 10**18.
REVERTS_WITH_A_WORD = f"{10**18} PUSH0 MSTORE  32 PUSH0 REVERT"
REVERTS = "PUSH0 PUSH0 REVERT"
#: Never ends: takes 63/64 of the gas that the whole multicall had left.
BURNS_GAS = ":again @again JUMP"
#: Two million zero bytes, which the multicall copies twice: more gas than a usual eth_call may use.
RETURNS_2_MB = "2000000 PUSH0 RETURN"
#: One byte short of a word.
RETURNS_31_BYTES = "4 CALLDATALOAD SLOAD  PUSH0 MSTORE  31 PUSH0 RETURN"
#: Success and no bytes, as an address without code.
RETURNS_NOTHING = "STOP"

# -- price feeds


def feed(description: str, decimals: int, answer: int, updated: int) -> bytes:
    """Runtime code of a Chainlink feed whose round 7 was answered at `updated`, seconds since 1970."""
    text = description.encode()
    words = {
        "7284e416": (32, len(text), int.from_bytes(text.ljust(32, b"\0"))),
        "313ce567": (decimals,),
        "feaf968c": (7, answer, updated, updated, 7),
    }
    return contract({bytes.fromhex(selector): _returns_words(*values) for selector, values in words.items()})


def _returns_words(*values: int) -> str:
    stores = " ".join(f"{value} {32 * place} MSTORE" for place, value in enumerate(values))
    return f"{stores} {32 * len(values)} PUSH0 RETURN"


# -- bodies of functions that log

#: Moves the balance of the caller and tells it; nothing is checked.
MOVES = f"""
    36 CALLDATALOAD CALLER SLOAD SUB CALLER SSTORE
    36 CALLDATALOAD 4 CALLDATALOAD SLOAD ADD 4 CALLDATALOAD SSTORE
    36 CALLDATALOAD PUSH0 MSTORE  4 CALLDATALOAD CALLER {_TRANSFER_EVENT} 32 PUSH0 LOG3
    1 PUSH0 MSTORE  32 PUSH0 RETURN
"""
#: Tells that the first argument sent the third to the second, and moves nothing.
CLAIMS = f"68 CALLDATALOAD PUSH0 MSTORE  36 CALLDATALOAD 4 CALLDATALOAD {_TRANSFER_EVENT} 32 PUSH0 LOG3 STOP"
#: The same with 31 bytes of data, which no ERC-20 has.
CLAIMS_BADLY = CLAIMS.replace("32 PUSH0 LOG3", "31 PUSH0 LOG3")
#: The same as an ERC-721 has it: the third argument is the token's number, and there is no data.
CLAIMS_ERC721 = f"68 CALLDATALOAD 36 CALLDATALOAD 4 CALLDATALOAD {_TRANSFER_EVENT} PUSH0 PUSH0 LOG4 STOP"
