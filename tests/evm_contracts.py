"""Contracts for local EVM nodes, assembled by hand: tokens that behave and tokens that do not.

Belongs here: a small assembler, ERC-20 read functions, the hostile variants. Must not be here: nodes, and what a reader
should make of an answer. The balance of a wallet is the storage slot numbered like its address, so that a test can
write one without hashing (a compiled token would keep it at keccak256(address . slot of the mapping)).
"""

from collections.abc import Mapping

from assets.wallets import codec

BALANCE_OF = bytes.fromhex("70a08231")
TRANSFER = bytes.fromhex("a9059cbb")  # transfer(address,uint256)
CLAIM = bytes.fromhex("23b872dd")  # transferFrom(address,address,uint256), of contracts that only claim
_TRANSFER_EVENT = 0xDDF252AD1BE2C89B69C2B068FC378DAA952BA7F163C4A11628F55A4DF523B3EF

_OPCODES = {
    "ADD": 0x01, "SUB": 0x03, "CALLER": 0x33, "SSTORE": 0x55, "LOG3": 0xA3, "LOG4": 0xA4,
    "STOP": 0x00, "EQ": 0x14, "SHR": 0x1C, "CALLDATALOAD": 0x35, "MSTORE": 0x52, "SLOAD": 0x54, "JUMP": 0x56,
    "JUMPI": 0x57, "JUMPDEST": 0x5B, "PUSH0": 0x5F, "DUP1": 0x80, "RETURN": 0xF3, "REVERT": 0xFD,
}  # fmt: skip

# -- bodies of balanceOf(address): the wallet is the word of calldata at byte 4

FROM_STORAGE = "4 CALLDATALOAD SLOAD  PUSH0 MSTORE  32 PUSH0 RETURN"
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


def token(
    *,
    decimals: int | None = 18,
    symbol: str | bytes = "TKN",
    name: str | bytes = "Token",
    balance_of: str = FROM_STORAGE,
    more: Mapping[bytes, str] | None = None,
) -> bytes:
    """Runtime code of a token.

    Args:
        decimals: what `decimals()` says; None: the function is missing, and calling it reverts.
        symbol: text for an ABI string, bytes for a bytes32.
        name: the same.
        balance_of: assembly of `balanceOf(address)`.
        more: further functions: assembly by selector.
    """
    functions = {BALANCE_OF: balance_of, codec.SYMBOL: _returns(_text(symbol)), codec.NAME: _returns(_text(name))}
    if decimals is not None:
        functions[codec.DECIMALS] = _returns(codec.encode_uint256(decimals))
    return contract({**functions, **(more or {})})


def contract(functions: Mapping[bytes, str]) -> bytes:
    """Runtime code that jumps to the body of the selector it is called with, and reverts for any other."""
    # the selector is the first four bytes of calldata
    choice = "PUSH0 CALLDATALOAD 224 SHR "
    choice += " ".join(f"DUP1 {int.from_bytes(selector)} EQ @f{selector.hex()} JUMPI" for selector in functions)
    bodies = " ".join(f":f{selector.hex()} {body}" for selector, body in functions.items())
    return assemble(f"{choice} PUSH0 PUSH0 REVERT {bodies}")


def assemble(text: str) -> bytes:
    """Assemble: names of opcodes, numbers to push, `:label` a place to jump to, `@label` its address to push."""
    code, labels, uses = bytearray(), {}, {}
    for word in text.split():
        if word.startswith(":"):
            labels[word[1:]] = len(code)
            code.append(_OPCODES["JUMPDEST"])
        elif word.startswith("@"):
            uses[len(code) + 1] = word[1:]
            code += b"\x61\0\0"  # PUSH2
        elif word.isdecimal():
            number = int(word)
            size = max(1, (number.bit_length() + 7) // 8)
            code += bytes([0x5F + size]) + number.to_bytes(size)  # PUSH1 to PUSH32
        else:
            code.append(_OPCODES[word])
    for place, label in uses.items():
        code[place : place + 2] = labels[label].to_bytes(2)
    return bytes(code)


def _returns(data: bytes) -> str:
    """Assembly that returns constant bytes: a word to memory at a time."""
    chunks = [data[start : start + 32].ljust(32, b"\0") for start in range(0, len(data), 32)]
    stores = " ".join(f"{int.from_bytes(chunk)} {32 * index} MSTORE" for index, chunk in enumerate(chunks))
    return f"{stores} {len(data)} PUSH0 RETURN"


def _text(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text.ljust(32, b"\0")
    data = text.encode()
    return codec.encode_uint256(32) + codec.encode_uint256(len(data)) + data + bytes(-len(data) % 32)
