"""Base58: how Bitcoin and Solana write bytes. Without and with Bitcoin's checksum.

Belongs here: the alphabet, reading and writing. Must not be here: what the bytes mean (addresses.py). Source: Bitcoin
Core, src/base58.cpp; the checksum is the first four bytes of a double SHA-256.
"""

from hashlib import sha256

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_CHECKSUM_BYTES = 4
#: Reading takes time that grows with the square of the length; the longest we know, an extended key, has 111.
MAX_CHARACTERS = 128


def encode(data: bytes) -> str:
    """Write bytes; each zero byte at the front is a `1`."""
    number = int.from_bytes(data)
    letters = []
    while number:
        number, value = divmod(number, 58)
        letters.append(_ALPHABET[value])
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + "".join(reversed(letters))


def decode(text: str) -> bytes:
    """Read bytes; inverse of `encode`.

    Raises:
        ValueError: a character is none of the 58, or there are more than MAX_CHARACTERS. Its text quotes nothing.
    """
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"more than {MAX_CHARACTERS} characters")
    number = 0
    for letter in text:
        value = _VALUES.get(letter)
        if value is None:
            raise ValueError("a character that base58 does not have (0, O, I and l are left out)")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)


def decode_checked(text: str) -> bytes:
    """Read bytes with Bitcoin's checksum at their end, and leave it out.

    Raises:
        ValueError: no base58, or the checksum does not hold.
    """
    data = decode(text)
    content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if len(data) < _CHECKSUM_BYTES or sha256(sha256(content).digest()).digest()[:_CHECKSUM_BYTES] != checksum:
        raise ValueError("a checksum that does not hold")
    return content
