"""Names of instruments at the sources: reviewed or given, never guessed."""

import csv
from importlib.resources import files

import pytest

from assets.importers.symbols import currency_symbols
from assets.market.model import Instrument
from assets.market.symbols import (
    asset_class_of,
    ccxt_symbol,
    coingecko_symbol,
    defillama_symbol,
    ecb_symbol,
    feeds,
    yahoo_symbol,
)
from assets.registry.chains import chains
from assets.registry.identifiers import evm_address, instrument_id

USDC = "eip155:42161/erc20:0xaf88d065e77c8cC2239327C5EDb3A432268e5831"


def _named(made):
    return None if made is None else (made.symbol, made.currency)


@pytest.mark.parametrize(
    ("instrument", "given", "exchange", "expected"),
    [
        ("crypto:BTC", None, "binance", ("BTC/USDT", "crypto:USDT")),  # a dollar token is no dollar
        ("crypto:BTC", None, "kraken", ("BTC/USD", "fiat:USD")),
        ("crypto:USDT", None, "binance", None),  # it has no price in itself
        ("crypto:USDT", None, "kraken", ("USDT/USD", "fiat:USD")),
        ("crypto:NEVERHEARD", None, "kraken", None),
        ("crypto:NEVERHEARD", "NVH/EUR", "kraken", ("NVH/EUR", "fiat:EUR")),
        ("crypto:BTC", None, "okx", None),  # not reviewed: the owner's word is needed
        ("crypto:BTC", "okx:BTC/USDC kraken:BTC/EUR", "okx", ("BTC/USDC", "crypto:USDC")),
        ("crypto:BTC", "okx:BTC/USDC kraken:BTC/EUR", "kraken", ("BTC/EUR", "fiat:EUR")),
        ("crypto:BTC", "okx:BTC/USDC", "binance", ("BTC/USDT", "crypto:USDT")),
        ("crypto:BTC", "BTC/EUR kraken:BTC/USD", "kraken", ("BTC/USD", "fiat:USD")),
        ("crypto:BTC", "BTC/WHATEVER", "kraken", None),  # money that nobody knows is no price
        (USDC, None, "binance", None),
        ("equity:AAPL", None, "binance", None),
    ],
)
def test_exchanges(instrument, given, exchange, expected):
    assert _named(ccxt_symbol(Instrument(instrument, ccxt_symbol=given), exchange)) == expected


@pytest.mark.parametrize(
    ("instrument", "given", "expected"),
    [
        ("equity:AAPL", None, "AAPL"),
        ("equity:BRK-B", None, "BRK-B"),
        ("equity:GB00BH4HKS39", None, None),  # an ISIN is no ticker
        ("equity:GB00BH4HKS39", "VOD.L", "VOD.L"),
        ("etf:SPY", None, "SPY"),
        ("fiat:EUR", None, "EURUSD=X"),
        ("fiat:USD", None, None),
        ("index:SPX", None, "^GSPC"),
        ("commodity:XAU", None, "GC=F"),
        ("bond:US10Y", None, None),  # Yahoo's ^TNX is a yield, no price
        ("custom:my-flat", None, None),
    ],
)
def test_yahoo(instrument, given, expected):
    made = yahoo_symbol(Instrument(instrument, yfinance_symbol=given))
    assert (made.symbol if made else None) == expected


def test_ecb_prices_the_euro():
    made = ecb_symbol(Instrument("fiat:USD"))
    assert (made.instrument_id, made.symbol, made.currency) == ("fiat:EUR", "USD", "fiat:USD")
    assert ecb_symbol(Instrument("fiat:EUR")) is None
    assert ecb_symbol(Instrument("crypto:BTC")) is None


def test_the_long_tail_goes_by_chain_and_address():
    token = Instrument(USDC)
    address = "0xaf88d065e77c8cc2239327c5edb3a432268e5831"
    assert coingecko_symbol(token).symbol == f"arbitrum-one/{address}"
    assert defillama_symbol(token).symbol == f"arbitrum:{address}"
    assert coingecko_symbol(Instrument("crypto:BTC")).symbol == "bitcoin"
    assert defillama_symbol(Instrument("crypto:BTC")).symbol == "coingecko:bitcoin"
    for other in (
        "eip155:1/slip44:60",
        "eip155:4242424242/erc20:" + address,
        "eip155:1/erc721:" + address,
        "crypto:NEVERHEARD",
    ):
        assert coingecko_symbol(Instrument(other)) is None
        assert defillama_symbol(Instrument(other)) is None
    assert asset_class_of(token) == "token"


def _rows(name):
    return list(csv.DictReader(files("assets.market.data").joinpath(name).read_text(encoding="utf-8").splitlines()))


def test_reviewed_files_hold_what_they_must():
    symbols = _rows("source_symbols.csv")
    assert len({(row["source"], row["instrument"]) for row in symbols}) == len(symbols)
    assert all(instrument_id(row["instrument"]) and row["symbol"] for row in symbols)
    names = _rows("chain_names.csv")
    assert len({row["chain"] for row in names}) == len(names)
    assert all(chains()[row["chain"]].is_mainnet and row["coingecko"] and row["defillama"] for row in names)
    for feed in feeds().values():
        assert evm_address(feed.address) == feed.address
        assert feed.chain in chains()
        code = feed.instrument_id.removeprefix("crypto:")
        assert currency_symbols()[code] == feed.instrument_id
        assert feed.description == f"{code} / {feed.currency.removeprefix('fiat:')}"
