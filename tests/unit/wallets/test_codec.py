"""The codec against eth_abi, in both directions, and against damaged bytes."""

import subprocess
import sys

import pytest
from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak
from hypothesis import assume, given
from hypothesis import strategies as st

from assets.wallets import codec
from assets.wallets.codec import Call, MalformedError, NoAnswerError, Outcome

WALLET = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
OUTCOMES = "(bool,bytes)[]"
CALLS = "(address,bool,bytes)[]"

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
calls = st.lists(st.builds(Call, addresses, st.binary(max_size=100), st.booleans()), max_size=12)
# what contracts return: mostly words, sometimes anything
answers = st.one_of(st.binary(min_size=32, max_size=32), st.just(b""), st.binary(max_size=200))
outcomes = st.lists(st.tuples(st.booleans(), answers), max_size=12)
words = st.binary(min_size=32, max_size=32)


def as_outcomes(pairs: list[tuple[bool, bytes]]) -> list[Outcome]:
    return [Outcome(data, None) if is_success else Outcome(None, data) for is_success, data in pairs]


def as_pairs(read: list[Outcome]) -> list[tuple[bool, bytes]]:
    return [
        (one.returned is not None, one.returned if one.returned is not None else one.reverted or b"") for one in read
    ]


@pytest.mark.parametrize(
    ("calldata", "signature"),
    [
        (codec.DECIMALS, "decimals()"),
        (codec.SYMBOL, "symbol()"),
        (codec.NAME, "name()"),
        (codec.GET_BLOCK_NUMBER, "getBlockNumber()"),
        (codec.GET_CURRENT_BLOCK_TIMESTAMP, "getCurrentBlockTimestamp()"),
        (codec.GET_CHAIN_ID, "getChainId()"),
        (codec.balance_of(WALLET), "balanceOf(address)"),
        (codec.get_eth_balance(WALLET), "getEthBalance(address)"),
        (codec.encode_aggregate3([]), "aggregate3((address,bool,bytes)[])"),
    ],
)
def test_selectors_are_the_hashes_of_their_signatures(calldata: bytes, signature: str) -> None:
    assert calldata[:4] == keccak(text=signature)[:4]


@given(calls)
def test_calldata_is_that_of_eth_abi(made: list[Call]) -> None:
    written = codec.encode_aggregate3(made)
    assert written[4:] == abi_encode([CALLS], [[(call.target, call.is_failure_allowed, call.data) for call in made]])


@given(addresses)
def test_calldata_of_one_wallet_is_that_of_eth_abi(wallet: str) -> None:
    assert codec.balance_of(wallet)[4:] == codec.get_eth_balance(wallet)[4:] == abi_encode(["address"], [wallet])


@pytest.mark.parametrize(
    "address", [WALLET[:-1], WALLET + "0", WALLET[2:], "0x" + "g" * 40, "0x" + "1 " * 20, "vitalik.eth", ""]
)
def test_a_target_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="40 hexadecimal digits"):
        codec.encode_aggregate3([Call(address, b"")])


@given(outcomes)
def test_outcomes_are_read_as_eth_abi_writes_them(pairs: list[tuple[bool, bytes]]) -> None:
    assert codec.decode_aggregate3(abi_encode([OUTCOMES], [pairs]), len(pairs)) == as_outcomes(pairs)


def test_revert_data_is_apart_from_answers() -> None:
    looks_like_a_balance = codec.encode_uint256(10**18)
    [outcome] = codec.decode_aggregate3(abi_encode([OUTCOMES], [[(False, looks_like_a_balance)]]), 1)
    assert outcome.returned is None
    assert outcome.reverted == looks_like_a_balance


@given(outcomes, st.data())
def test_a_damaged_byte_is_refused_or_shows_in_that_answer_alone(
    pairs: list[tuple[bool, bytes]], data: st.DataObject
) -> None:
    written = abi_encode([OUTCOMES], [pairs])
    place = data.draw(st.integers(0, len(written) - 1))
    damaged = bytearray(written)
    damaged[place] ^= data.draw(st.integers(1, 255))
    try:
        read = codec.decode_aggregate3(bytes(damaged), len(pairs))
    except MalformedError as error:
        refusal: MalformedError | None = error
    else:
        refusal = None
    if refusal is not None:
        assert 0 <= refusal.offset <= len(written)
        assert f"byte {refusal.offset}: expected {refusal.expected}" in str(refusal)
    else:
        # reading and writing are inverse, so nothing but the damaged byte can be different ...
        assert abi_encode([OUTCOMES], [as_pairs(read)]) == bytes(damaged)
        # ... and eth_abi reads the same
        assert list(abi_decode([OUTCOMES], bytes(damaged))[0]) == as_pairs(read)
        assert sum(one != other for one, other in zip(read, as_outcomes(pairs), strict=True)) == 1


@given(outcomes, st.data())
def test_a_cut_or_lengthened_answer_is_refused(pairs: list[tuple[bool, bytes]], data: st.DataObject) -> None:
    written = abi_encode([OUTCOMES], [pairs])
    cut = written[: data.draw(st.integers(1, len(written) - 1))]
    longer = written + data.draw(st.binary(min_size=1, max_size=64))
    for damaged in (cut, longer):
        with pytest.raises(MalformedError):
            codec.decode_aggregate3(damaged, len(pairs))


@given(st.binary(min_size=1, max_size=600), st.integers(0, 8))
def test_any_bytes_are_refused_or_read_as_eth_abi_does(anything: bytes, count: int) -> None:
    try:
        read = codec.decode_aggregate3(anything, count)
    except MalformedError:
        return
    assert abi_encode([OUTCOMES], [as_pairs(read)]) == anything


@given(outcomes, st.integers(0, 13))
def test_another_number_of_outcomes_than_calls_is_refused(pairs: list[tuple[bool, bytes]], count: int) -> None:
    assume(count != len(pairs))
    with pytest.raises(MalformedError, match=f"{count} outcomes, one for each call"):
        codec.decode_aggregate3(abi_encode([OUTCOMES], [pairs]), count)


@pytest.mark.parametrize(
    ("place", "byte", "message"),
    [
        (31, 0x40, "byte 0: expected offset 32 of the outcomes, found 0x0000"),
        (63, 3, "byte 32: expected 2 outcomes, one for each call"),
        (95, 0x41, "byte 64: expected offset 64 of outcome 0"),
        (159, 2, "byte 128: expected the words 0 or 1, and 64, of outcome 0"),
        (191, 0x60, "byte 128: expected the words 0 or 1, and 64, of outcome 0"),
        (192, 0xFF, "byte 192: expected a length of outcome 0 within the answer's 384 bytes, found 0xff"),
        (382, 1, "byte 353: expected padding with zeros after outcome 1"),
    ],
)
def test_the_error_names_the_offset_and_what_was_expected(place: int, byte: int, message: str) -> None:
    written = bytearray(abi_encode([OUTCOMES], [[(True, bytes(32)), (True, b"a")]]))
    assert len(written) == 384
    written[place] = byte
    with pytest.raises(MalformedError) as caught:
        codec.decode_aggregate3(bytes(written), 2)
    assert message in str(caught.value)


def test_no_bytes_are_no_answer_and_not_zero() -> None:
    for read in (codec.decode_uint, codec.decode_int, codec.decode_bool, codec.decode_address, codec.decode_text):
        with pytest.raises(NoAnswerError, match="0 bytes is no answer"):
            read(b"")
    with pytest.raises(NoAnswerError):
        codec.decode_aggregate3(b"", 1)
    assert codec.decode_uint(bytes(32)) == 0


@given(st.binary(min_size=1, max_size=100).filter(lambda data: len(data) != 32))
def test_a_word_has_32_bytes(data: bytes) -> None:
    for read in (codec.decode_uint, codec.decode_int, codec.decode_bool, codec.decode_address):
        with pytest.raises(MalformedError, match="expected exactly 32 bytes"):
            read(data)


@given(st.integers(0, 2**256 - 1))
def test_unsigned_integers(number: int) -> None:
    assert codec.encode_uint256(number) == abi_encode(["uint256"], [number])
    assert codec.decode_uint(abi_encode(["uint256"], [number])) == number


@given(st.integers(-(2**255), 2**255 - 1))
def test_signed_integers(number: int) -> None:
    assert codec.encode_int256(number) == abi_encode(["int256"], [number])
    assert codec.decode_int(abi_encode(["int256"], [number])) == number


@pytest.mark.parametrize("number", [-1, 2**256])
def test_a_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        codec.encode_uint256(number)


@given(words, st.sampled_from([8, 24, 128, 256]))
def test_narrow_integers_are_read_as_eth_abi_does_or_refused(word: bytes, bits: int) -> None:
    assert (codec.decode_uint(word) >= 2**bits) == is_refused(lambda: codec.decode_uint(word, bits))
    assert (not -(2 ** (bits - 1)) <= codec.decode_int(word) < 2 ** (bits - 1)) == is_refused(
        lambda: codec.decode_int(word, bits)
    )


@given(st.integers(0, 255), st.integers(-128, 127))
def test_integers_of_8_bits(unsigned: int, signed: int) -> None:
    assert codec.decode_uint(abi_encode(["uint8"], [unsigned]), 8) == unsigned
    assert codec.decode_int(abi_encode(["int8"], [signed]), 8) == signed


@given(words)
def test_truth_values_and_addresses_are_never_read_from_other_words(word: bytes) -> None:
    assert is_refused(lambda: codec.decode_bool(word)) == (int.from_bytes(word) > 1)
    assert is_refused(lambda: codec.decode_address(word)) == (word[:12] != bytes(12))


@given(st.booleans(), addresses)
def test_truth_values_and_addresses(is_true: bool, address: str) -> None:
    assert codec.encode_bool(is_true) == abi_encode(["bool"], [is_true])
    assert codec.decode_bool(codec.encode_bool(is_true)) is is_true
    assert (
        codec.decode_address(codec.encode_address(address)) == abi_decode(["address"], codec.encode_address(address))[0]
    )


texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=120)


@given(texts)
def test_texts(text: str) -> None:
    assert codec.decode_text(abi_encode(["string"], [text])) == text
    short = text.encode()[:32].decode(errors="ignore")
    assert codec.decode_text(short.encode().ljust(32, b"\0")) == short


@given(texts, st.data())
def test_a_damaged_text_is_refused_or_what_eth_abi_reads(text: str, data: st.DataObject) -> None:
    damaged = bytearray(abi_encode(["string"], [text]))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        read = codec.decode_text(bytes(damaged))
    except MalformedError:
        return
    assert abi_decode(["string"], bytes(damaged))[0].rstrip("\0") == read


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff" + bytes(31), "byte 0: expected UTF-8"),
        (b"A\0B".ljust(32, b"\0"), "byte 1: expected no zero byte inside"),
        (abi_encode(["string"], ["USDC"])[:-1], "expected 96 bytes for a text of 4, found 95"),
        (abi_encode(["string"], ["x" * 1025]), "byte 32: expected a length of at most 1024 bytes"),
        (abi_encode(["uint256", "uint256"], [64, 0]), "byte 0: expected offset 32"),
        (bytes(31), "byte 0: expected offset 32, or 32 bytes in all"),
    ],
)
def test_texts_that_are_none(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        codec.decode_text(data)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "12", "0x1", "0xzz", "0x 1", "0x12 34", "0x12\n", "<html>"])
def test_hexadecimal_text_that_is_none(text: str) -> None:
    with pytest.raises(MalformedError, match="pairs of hexadecimal digits"):
        codec.decode_hex(text)


@given(st.binary(max_size=80))
def test_hexadecimal_text(data: bytes) -> None:
    assert codec.decode_hex("0x" + data.hex()) == codec.decode_hex("0x" + data.hex().upper()) == data


def test_reasons_of_a_revert() -> None:
    assert codec.revert_reason(b"") == "reverted without a reason"
    assert (
        codec.revert_reason(bytes.fromhex("08c379a0") + abi_encode(["string"], ["paused\n"])) == "reverted: 'paused\\n'"
    )
    assert codec.revert_reason(bytes.fromhex("4e487b71") + abi_encode(["uint256"], [0x11])) == "reverted: panic 0x11"
    assert codec.revert_reason(bytes.fromhex("08c379a0ff")) == "reverted with 5 bytes 0x08c379a0ff"


def test_eth_abi_is_not_imported_at_run_time() -> None:
    code = "import sys, assets.wallets.codec; sys.exit('eth_abi' in sys.modules or 'web3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def is_refused(read: object) -> bool:
    assert callable(read)
    try:
        read()
    except MalformedError:
        return True
    return False
