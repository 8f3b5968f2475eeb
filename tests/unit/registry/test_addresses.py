"""Addresses by the published test vectors: BIP-173, BIP-350, Bitcoin Core's base58_encode_decode.json and key_io."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.registry import base58
from assets.registry.addresses import Family, bitcoin_address, family_of, solana_address, wallet_address
from assets.registry.bech32 import decode_segwit
from assets.registry.identifiers import Refusal

EVM = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
SYSTEM_PROGRAM = "11111111111111111111111111111111"
MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"

# bitcoin/bitcoin src/test/data/base58_encode_decode.json
BASE58 = [
    ("", ""), ("61", "2g"), ("626262", "a3gV"), ("636363", "aPEr"), ("516b6fcd0f", "ABnLTmg"), ("572e4794", "3EFU7m"),
    ("73696d706c792061206c6f6e6720737472696e67", "2cFupjhnEsSn59qHXstmK2ffpLv2"), ("10c8511e", "Rt5zm"),
    ("00eb15231dfceb60925886b67d065299925915aeb172c06647", "1NS17iag9jJgTHD1VXjvLCEnZuQ3rJDE9L"),
    ("00000000000000000000", "1111111111"),
    ("000111d38e5fc9071ffcd20b4a763cc9ae4f252bb4e48fd66a835e252ada93ff480d6dd43dc62a641155a5",
     "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"),
]  # fmt: skip

# BIP-350, "Test vectors for v0-v16 native segregated witness addresses": address and scriptPubKey
SEGWIT = [
    ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    ("tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
     "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"),
    ("bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
     "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"),
    ("BC1SW50QGDZ25J", "6002751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    ("tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
     "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"),
    ("tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
     "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"),
    ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
     "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
]  # fmt: skip

# BIP-350 and BIP-173, invalid segwit addresses, and BIP-173's version 1 addresses, which BIP-350 made invalid
NOT_SEGWIT = """
tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut
bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd
tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf
BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL
bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh
tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47
bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4
BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R
bc1pw5dgrnzv
bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav
BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P
tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq
bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf
tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j
bc1gmk9yu
tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty
bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5
BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2
bc1rw5uspcuh
bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90
tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7
bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du
tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv
bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx
BC1SW50QA3JX3S
bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj
""".split()  # noqa: SIM905 -- a list to be compared with its source

# bitcoin/bitcoin src/test/data/key_io_valid.json
MAIN = """
1FsSia9rv4NeEwvJ2GvXrX7LyxYspbN2mo 36j4NfKv6Akva9amjWrLG6MuSQym1GuEmm 1FjL87pn8ky6Vbavd1ZHeChRXtoxwRGCRd
3BZECeAH8gSKkjrTx8PwMrNQBLG18yHpvf bc1qvyq0cc6rahyvsazfdje0twl7ez82ndmuac2lhv bc1z2rksukkjr8
bc1qyucykdlhp62tezs0hagqury402qwhk589q80tqs5myh3rxq34nwqhkdhv7
bc1p83n3au0rjylefxq2nc2xh2y4jzz4pm6zxj4mw5pagdjjr2a9f36s6jjnnu
""".split()  # noqa: SIM905 -- a list to be compared with its source
NOT_MAIN = """
mzK2FFDEhxqHcmrJw1ysqFkVyhUULo45hZ 2NC2hEhe28ULKAJkW5MjZ3jtTMJdvXmByvK n4fajahJrAuKbN7uNsKjLjQkz9Qn5ewJXQ
tb1qcrh3yqn4nlleplcez2yndq2ry8h9ncg3qh7n54 bcrt1qdavt4j2sd7dlhqsavtnfxvzppw6k7qy97tmnu9
5JuW2AMDYu4xVwRG9DZW18VbzQrGcd5RCgb99sS6ehJsNQXu5b9 L5nJeqKmpHp4P7F8ZYyjwc5a7P4d8EabuGAzfGJk7yC1BJyzNaEd
cV83kKisF3RQSvXbUCm9ox3kaz5JjEUBWcx8tNydfGJcyeUxuH47
""".split()  # noqa: SIM905 -- a list to be compared with its source


@pytest.mark.parametrize(("data", "text"), BASE58)
def test_base58_vectors(data: str, text: str) -> None:
    assert base58.encode(bytes.fromhex(data)) == text
    assert base58.decode(text) == bytes.fromhex(data)


@given(st.binary(max_size=64))
def test_base58_is_read_as_it_was_written(data: bytes) -> None:
    assert base58.decode(base58.encode(data)) == data


@pytest.mark.parametrize(("address", "script"), SEGWIT)
def test_segwit_vectors(address: str, script: str) -> None:
    version, program = decode_segwit(address, address[:2].lower())
    assert bytes([version + 0x50 if version else 0, len(program), *program]).hex() == script


@pytest.mark.parametrize("address", NOT_SEGWIT)
def test_invalid_segwit_vectors(address: str) -> None:
    prefix = "tb" if address.startswith("tb") else "bc"
    with pytest.raises(ValueError, match=r"\w"):
        decode_segwit(address, prefix)
    with pytest.raises(Refusal):
        bitcoin_address(address)


@pytest.mark.parametrize("address", MAIN)
def test_addresses_of_the_main_network(address: str) -> None:
    assert bitcoin_address(address) == wallet_address(address) == wallet_address(address, Family.BITCOIN) == address
    assert family_of(address) is Family.BITCOIN


@pytest.mark.parametrize("text", NOT_MAIN)
def test_test_networks_and_keys_are_refused(text: str) -> None:
    with pytest.raises(Refusal) as refusal:
        bitcoin_address(text)
    assert text not in str(refusal.value)


@given(st.sampled_from(MAIN), st.data())
def test_one_wrong_character_is_noticed(address: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(1 if address[0] in "13" else 3, len(address) - 1))
    letters = "123456789ABCDEFGHJKLMNPQRSTUVWXYZ" if address[0] in "13" else "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    letter = data.draw(st.sampled_from([one for one in letters if one != address[place]]))
    with pytest.raises(Refusal):
        bitcoin_address(address[:place] + letter + address[place + 1 :])


def test_solana_addresses() -> None:
    for address in (SYSTEM_PROGRAM, MINT):
        assert solana_address(address) == wallet_address(address) == address
        assert family_of(address) is Family.SOLANA
    for text in (MINT[:-2], MINT + "1", MINT.replace("E", "l"), "", "1" * 33, "a" * 200, EVM):
        with pytest.raises(Refusal):
            solana_address(text)


def test_another_family_is_told() -> None:
    with pytest.raises(Refusal, match="an EVM address, because chains names an EVM chain; this is a Bitcoin address"):
        wallet_address(MAIN[0], Family.EVM)
    with pytest.raises(Refusal, match="this is an EVM address"):
        wallet_address(EVM, Family.SOLANA)
    with pytest.raises(Refusal, match="make an account for each address"):
        wallet_address(
            "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7",
            Family.BITCOIN,
        )
