"""Accounts of Solana's token programs: what their bytes say.

Belongs here: the layouts of token accounts and mints. Must not be here: JSON-RPC, wallets. Sources: spl-token
state.rs (Account, Mint: `Pack`), spl-token-2022 extension/mod.rs (account type at byte 165, then type, length, value).
"""

from dataclasses import dataclass

from assets.registry import base58

TOKEN_PROGRAM = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 -- a public address
TOKEN_2022_PROGRAM = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105
TOKEN_PROGRAMS = (TOKEN_PROGRAM, TOKEN_2022_PROGRAM)

ACCOUNT_BYTES = 165
_MINT_BYTES = 82
_ACCOUNT_STATES = (1, 2)  # initialized, frozen: a frozen balance is still its owner's
_MINT_TYPE = 1
# what a person sees of such a token is not its amount but the amount times a factor that changes
_SCALING_EXTENSIONS = {10: "bears interest", 25: "scales amounts"}


@dataclass(frozen=True, slots=True)
class TokenAccount:
    """So many raw units of a mint that belong to a wallet; a wallet may have several accounts of one mint."""

    mint: str
    owner: str
    amount: int


@dataclass(frozen=True, slots=True)
class Mint:
    """A token of a program. `scaling` says how shown amounts differ from raw ones; None: by the decimals alone."""

    program: str
    decimals: int
    scaling: str | None


def read_token_account(data: bytes) -> TokenAccount:
    """Read a token account of either program; what an extension adds after byte 165 is not looked at.

    Raises:
        ValueError: it is none, or not initialised.
    """
    if len(data) < ACCOUNT_BYTES or data[108] not in _ACCOUNT_STATES:
        raise ValueError("no token account")
    return TokenAccount(base58.encode(data[:32]), base58.encode(data[32:64]), int.from_bytes(data[64:72], "little"))


def read_mint(data: bytes, program: str) -> Mint:
    """Read a mint.

    Args:
        data: all of the account's bytes.
        program: which program the account is of.

    Raises:
        ValueError: it is none.
    """
    is_extended = program == TOKEN_2022_PROGRAM and len(data) > ACCOUNT_BYTES
    if program not in TOKEN_PROGRAMS or not (len(data) == _MINT_BYTES or is_extended):
        raise ValueError("no mint")
    if data[45] != 1 or (is_extended and data[ACCOUNT_BYTES] != _MINT_TYPE):
        raise ValueError("no mint, or one that is not initialised")
    return Mint(program, data[44], _scaling(data[ACCOUNT_BYTES + 1 :]))


def _scaling(extensions: bytes) -> str | None:
    place = 0
    while place + 4 <= len(extensions):
        kind = int.from_bytes(extensions[place : place + 2], "little")
        if kind == 0:  # the rest is room
            break
        if kind in _SCALING_EXTENSIONS:
            return _SCALING_EXTENSIONS[kind]
        place += 4 + int.from_bytes(extensions[place + 2 : place + 4], "little")
    return None
