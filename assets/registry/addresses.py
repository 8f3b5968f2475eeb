"""Wallet addresses of each family of chains: EVM, Bitcoin, Solana.

Belongs here: which family an address is of, its one normal form, its checksum where it has one. Must not be here:
chains (chains.py, other_chains.py), whether anybody ever used the address.

Base58 addresses keep their case: it is part of what they say. A Solana address has no checksum: 32 bytes are all that
can be checked.
"""

from collections.abc import Callable
from enum import StrEnum

from assets.registry.base58 import decode, decode_checked
from assets.registry.bech32 import decode_segwit
from assets.registry.identifiers import Refusal, evm_address

_BITCOIN_EXPECTED = "a Bitcoin address of the main network whose checksum holds: bc1…, 1… or 3…"
_SOLANA_EXPECTED = "a Solana address: 32 bytes in base58, 32 to 44 characters"
_P2PKH, _P2SH, _HASH_BYTES = 0x00, 0x05, 20  # version bytes: Bitcoin Core, src/kernel/chainparams.cpp
_TESTNET = ("tb1", "bcrt1", "m", "n", "2")
# BIP-32, SLIP-132; a private one has the shape of a secret and is refused as such
_EXTENDED_PUBLIC_KEYS = ("xpub", "ypub", "zpub", "Ypub", "Zpub", "tpub", "upub", "vpub")


class Family(StrEnum):
    """Chains whose addresses have one form; the value is what people call them."""

    EVM = "EVM"
    BITCOIN = "Bitcoin"
    SOLANA = "Solana"


def wallet_address(text: str, family: Family | None = None) -> str:
    """Check a wallet's address and give its normal form.

    Args:
        text: as written.
        family: what it must be; None: any.

    Raises:
        Refusal: it is none, is damaged, or is of another family.
    """
    found = family_of(text)
    if family is None:
        if found is None:
            expected = "an address of an EVM chain (0x…), of Bitcoin (bc1…, 1…, 3…) or of Solana"
            raise Refusal(expected, "copy the address again, and name its chains")
        return _CHECKS[found](text)
    if found is not None and found is not family:
        expected = f"{_article(family)} address, because chains names {_article(family)} chain"
        raise Refusal(expected, f"this is {_article(found)} address: name a chain of {found}, or correct the address")
    return _CHECKS[family](text)


def family_of(text: str) -> Family | None:
    """The family whose form an address has; None where it has none, also where only its checksum fails."""
    if text[:2] in ("0x", "0X"):
        return Family.EVM
    for family in (Family.BITCOIN, Family.SOLANA):
        try:
            _CHECKS[family](text)
        except Refusal:
            continue
        return family
    return None


def bitcoin_address(text: str) -> str:
    """Check an address of Bitcoin's main network: P2PKH, P2SH, or segregated witness of any version.

    Returns:
        As written; one in bech32 in lower case, so that one address has one spelling.

    Raises:
        Refusal: none, of a test network, or damaged.
    """
    if text.startswith(_EXTENDED_PUBLIC_KEYS):
        raise Refusal(_BITCOIN_EXPECTED, "an extended public key is no address: make an account for each address")
    if text[:3].lower() == "bc1":
        try:
            decode_segwit(text, "bc")
        except ValueError as error:
            raise Refusal(_BITCOIN_EXPECTED, f"it has {error}: copy the address again") from None
        return text.lower()
    try:
        content = decode_checked(text)
    except ValueError as error:
        is_testnet = text.lower().startswith(_TESTNET[:2])
        remedy = "test networks are not read" if is_testnet else f"it has {error}: copy the address again"
        raise Refusal(_BITCOIN_EXPECTED, remedy) from None
    if len(content) != 1 + _HASH_BYTES or content[0] not in (_P2PKH, _P2SH):
        is_testnet = text.startswith(_TESTNET)
        remedy = "test networks are not read" if is_testnet else "it is something else in base58: copy the address"
        raise Refusal(_BITCOIN_EXPECTED, remedy)
    return text


def solana_address(text: str) -> str:
    """Check an address of Solana, a wallet's or a mint's.

    Raises:
        Refusal: not 32 bytes in base58.
    """
    try:
        size = len(decode(text))
    except ValueError as error:
        raise Refusal(_SOLANA_EXPECTED, f"it has {error}: copy the address again") from None
    if size != 32:
        raise Refusal(_SOLANA_EXPECTED, f"it has {size} bytes: copy the address again")
    return text


_CHECKS: dict[Family, Callable[[str], str]] = {
    Family.EVM: evm_address,
    Family.BITCOIN: bitcoin_address,
    Family.SOLANA: solana_address,
}


def _article(family: Family) -> str:
    return f"{'an' if family is Family.EVM else 'a'} {family}"
