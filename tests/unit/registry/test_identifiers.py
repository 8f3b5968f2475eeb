import pytest

from assets.registry.chains import chains, mainnets, slug_of
from assets.registry.identifiers import Refusal, currency_id, evm_address, fiat_code, instrument_id

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
BITCOIN = "bip122:000000000019d6689c085ae165831e93"
SOLANA = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("fiat:EUR", "fiat:EUR"),
        ("crypto:BTC", "crypto:BTC"),
        ("equity:BRK.B", "equity:BRK.B"),
        ("equity:BP.L", "equity:BP.L"),
        ("index:^GSPC", "index:^GSPC"),
        ("rate:US3M", "rate:US3M"),
        ("custom:my-flat", "custom:my-flat"),
        ("eip155:1/slip44:60", "eip155:1/slip44:60"),
        (f"eip155:1/erc20:{USDC}", f"eip155:1/erc20:{USDC}"),
        (f"eip155:10/erc20:{USDC.lower()}", f"eip155:10/erc20:{USDC}"),
        (f"eip155:1/erc721:{USDC}/42", f"eip155:1/erc721:{USDC}/42"),
        (f"eip155:1/erc1155:{USDC}/7", f"eip155:1/erc1155:{USDC}/7"),
        (f"{BITCOIN}/slip44:0", f"{BITCOIN}/slip44:0"),
        (f"{SOLANA}/slip44:501", f"{SOLANA}/slip44:501"),
        (f"{SOLANA}/token:{MINT}", f"{SOLANA}/token:{MINT}"),
    ],
)
def test_instrument_ids(text: str, normal: str) -> None:
    assert instrument_id(text) == normal


@pytest.mark.parametrize(
    "text",
    ["BTC", "USD", "", "fiat:XYZ", "fiat:usd", "crypto:", "stock:AAPL", "custom:a b", "eip155:1", "eip155:1/slip44:0",
     "eip155:01/slip44:60", "eip155:1/erc20:0x12", f"eip155:1/erc20:{USDC}/1", f"eip155:1/erc20:{USDC[:-1]}9",
     "equity:AAPL ", "custom:" + "a" * 64, "bip122:0/slip44:0", f"{BITCOIN}/slip44:60", f"{SOLANA}/slip44:60", SOLANA,
     f"{SOLANA}/token:{MINT[2:]}", f"{SOLANA}/token:{MINT.replace('E', '0')}", f"{SOLANA}/token:", f"solana:x/token:{MINT}"],
)  # fmt: skip
def test_refused_instrument_ids(text: str) -> None:
    with pytest.raises(Refusal):
        instrument_id(text)


def test_currencies_become_instruments() -> None:
    assert [currency_id(text) for text in ("USD", "fiat:EUR", "crypto:BTC")] == ["fiat:USD", "fiat:EUR", "crypto:BTC"]
    for text in ("usd", "GBX", "XYZ", "dollars"):
        with pytest.raises(Refusal):
            currency_id(text)
    assert fiat_code("fiat:EUR") == fiat_code("EUR") == "EUR"
    with pytest.raises(Refusal):
        fiat_code("crypto:BTC")


def test_addresses_follow_eip_55() -> None:
    assert evm_address(USDC) == evm_address(USDC.lower()) == evm_address("0x" + USDC[2:].upper()) == USDC
    for text in (USDC[:-1] + "9", USDC.replace("A0b", "a0B"), USDC[:-1], USDC[2:], "vitalik.eth"):
        with pytest.raises(Refusal):
            evm_address(text)


def test_chain_slugs() -> None:
    assert slug_of("mainnet") == "ethereum"
    assert slug_of("polygonZkEvm") == "polygon-zk-evm"
    assert chains()["ethereum"].caip2 == "eip155:1"
    assert chains()["arbitrum"].evm_id == 42161
    assert len({chain.evm_id for chain in chains().values()}) == len(chains()) == 724
    assert len(mainnets()) == 397
    assert "sepolia" not in mainnets()
