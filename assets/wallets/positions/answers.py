"""Answers of contracts to readers of positions: a value, or why there is none.

Belongs here: words, numbers, addresses of one answer, strictly. Must not be here: which call was made, positions.
"""

from functools import lru_cache

from assets.registry.identifiers import evm_address
from assets.wallets import codec
from assets.wallets.codec import WORD, Outcome

NO_CONTRACT = "no contract at this address on this chain"
_MAX_DECIMALS = 77  # 10**77 is the last power of ten in a uint256


class UnreadError(ValueError):
    """An answer from which no value may be read; the text says why."""


@lru_cache(maxsize=4096)
def spelled(address: str) -> str:
    """The EIP-55 spelling of an address that a contract answered."""
    return evm_address(address)


def returned(outcome: Outcome | None) -> bytes:
    """The bytes of an answer.

    Raises:
        UnreadError: not answered, refused, or no contract there.
    """
    if outcome is None:
        raise UnreadError("not answered")
    if outcome.returned is None:
        raise UnreadError(codec.revert_reason(outcome.reverted or b""))
    if not outcome.returned:
        raise UnreadError(NO_CONTRACT)
    return outcome.returned


def words(outcome: Outcome | None, count: int) -> list[bytes]:
    """The words of an answer of exactly so many.

    Raises:
        UnreadError: as `returned`, or another length.
    """
    data = returned(outcome)
    if len(data) != count * WORD:
        raise UnreadError(f"expected {count} words, found {len(data)} bytes")
    return [data[start : start + WORD] for start in range(0, len(data), WORD)]


def uint(outcome: Outcome | None, bits: int = 256) -> int:
    """An unsigned integer.

    Raises:
        UnreadError: as `returned`, or the word is none.
    """
    return number(returned(outcome), bits)


def number(word: bytes, bits: int = 256) -> int:
    """An unsigned integer of one word.

    Raises:
        UnreadError: it is not one word, or has more bits.
    """
    try:
        return codec.decode_uint(word, bits)
    except codec.AnswerError as error:
        raise UnreadError(str(error)) from None


def signed(word: bytes, bits: int = 256) -> int:
    """A signed integer of one word.

    Raises:
        UnreadError: it is not one word, or has more bits.
    """
    try:
        return codec.decode_int(word, bits)
    except codec.AnswerError as error:
        raise UnreadError(str(error)) from None


def address(outcome: Outcome | None) -> str:
    """An address in EIP-55.

    Raises:
        UnreadError: as `returned`, or the word is none.
    """
    return address_of(returned(outcome))


def address_of(word: bytes) -> str:
    """An address in EIP-55, of one word.

    Raises:
        UnreadError: it is none.
    """
    try:
        return spelled(codec.decode_address(word))
    except codec.AnswerError as error:
        raise UnreadError(str(error)) from None


def decimals(outcome: Outcome | None) -> int:
    """What a token says of its decimals; never a default.

    Raises:
        UnreadError: as `uint`, or more than a number of 256 bits can have.
    """
    found = uint(outcome, 8)
    if found > _MAX_DECIMALS:
        raise UnreadError(f"{found} decimals are more than a number of 256 bits can have")
    return found


def decimals_or_none(outcome: Outcome | None) -> int | None:
    """What a token says of its decimals; None where it does not answer."""
    try:
        return decimals(outcome)
    except UnreadError:
        return None
