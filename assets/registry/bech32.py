"""Bech32 and bech32m: how Bitcoin writes the addresses of segregated witness.

Belongs here: reading with checksum. Must not be here: other kinds of addresses (addresses.py). Sources: BIP-173 (the
code, and version 0), BIP-350 (versions 1 to 16).
"""

_CHARACTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {letter: value for value, letter in enumerate(_CHARACTERS)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32, _BECH32M = 1, 0x2BC830A3
_CHECKSUM_CHARACTERS = 6
_MAX_CHARACTERS = 90


def decode_segwit(text: str, prefix: str) -> tuple[int, bytes]:
    """Witness version and program of an address.

    Args:
        text: in lower case, or in upper case as QR codes have it.
        prefix: the human-readable part that it must have, `bc` for Bitcoin's main network.

    Raises:
        ValueError: which rule of the BIPs it breaks; quotes nothing of the address.
    """
    found, values, checksum = _decode(text)
    if found != prefix:
        raise ValueError(f"another prefix than {prefix}1")
    if not values:
        raise ValueError("nothing between prefix and checksum")
    version, program = values[0], _regrouped(values[1:])
    if version > 16:
        raise ValueError("a witness version above 16")
    if not 2 <= len(program) <= 40 or (version == 0 and len(program) not in (20, 32)):
        raise ValueError(f"a witness program of {len(program)} bytes")
    if checksum != (_BECH32M if version else _BECH32):
        raise ValueError("a checksum that does not hold")
    return version, program


def _decode(text: str) -> tuple[str, list[int], int]:
    """Prefix, five-bit values without the checksum's six, and what the checksum comes to."""
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"more than {_MAX_CHARACTERS} characters")
    if text not in (text.lower(), text.upper()):
        raise ValueError("capitals and small letters mixed")
    prefix, separator, rest = text.lower().rpartition("1")
    if not prefix or not separator or not all(33 <= ord(letter) <= 126 for letter in prefix):
        raise ValueError("no prefix that ends in 1")
    values = [_VALUES.get(letter, -1) for letter in rest]
    if -1 in values or len(values) < _CHECKSUM_CHARACTERS:
        raise ValueError("a character that bech32 does not have, or too few of them")
    expanded = [*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix)]
    return prefix, values[:-_CHECKSUM_CHARACTERS], _polymod([*expanded, *values])


def _polymod(values: list[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                checksum ^= generator
    return checksum


def _regrouped(values: list[int]) -> bytes:
    """Bytes from groups of five bits; what is left over is fewer than five bits, all zero."""
    number = 0
    for value in values:
        number = number << 5 | value
    size, left = divmod(5 * len(values), 8)
    if left > 4 or number & ((1 << left) - 1):
        raise ValueError("bits left over at its end")
    return (number >> left).to_bytes(size)
