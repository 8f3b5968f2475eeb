"""The catalogue: what a text may mean, and where it is known from."""

from assets.market.catalogue import Known, find
from assets.market.model import Instrument


def test_the_very_symbol_comes_first_with_its_symbols_at_the_sources() -> None:
    first = find("btc")[0]
    assert (first.instrument, first.name) == ("crypto:BTC", "bitcoin")
    assert first.symbols == {
        "binance": "BTC/USDT", "kraken": "BTC/USD", "coinbase": "BTC/USD", "coingecko": "bitcoin",
        "defillama": "coingecko:bitcoin", "chainlink": "BTC / USD on ethereum",
    }  # fmt: skip


def test_tokens_are_found_by_address_and_never_merged_by_symbol() -> None:
    usdc = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    (only,) = find(usdc.upper().replace("X", "x"))
    assert only.instrument.lower() == f"eip155:1/erc20:{usdc}"
    assert only.known_from == ("token list",)
    found = find("usdc", limit=50)
    assert found[0].instrument == "crypto:USDC"
    assert len({hit.instrument for hit in found}) == len(found) > 5


def test_the_owners_overrides_and_what_is_followed_are_known_too() -> None:
    known = [
        Known(Instrument("equity:VWCE", yfinance_symbol="VWCE.DE"), "Vanguard All-World", "active", None, True),
        Known(Instrument("crypto:ODD"), None, "paused", "no source that may be asked has a symbol for it"),
    ]
    (world,) = find("all-world", known)
    assert (world.known_from, world.state, world.symbols["yahoo"]) == (
        ("instruments.csv", "followed"),
        "active",
        "VWCE.DE",
    )
    odd = find("odd", known)[0]
    assert (odd.instrument, odd.state, odd.symbols) == ("crypto:ODD", "paused", {})
    assert odd.error
    assert find("  ") == []
