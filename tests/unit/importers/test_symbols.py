from __future__ import annotations

import csv

import pytest

from assets.importers.model import UnknownSymbolError
from assets.importers.symbols import (
    MappingError,
    ReviewedSymbols,
    coingecko_coins,
    currency_symbols,
    read_mapping,
)
from assets.registry.identifiers import ISO_4217, instrument_id
from tests.unit.importers.samples import SAMPLES

DATA = SAMPLES.parents[2] / "assets" / "importers" / "data"


def test_reviewed_file_is_sound() -> None:
    rows = list(csv.DictReader((DATA / "currency_symbols.csv").read_text().splitlines()))
    codes = [row["code"] for row in rows]
    assert len(set(codes)) == len(codes)
    assert {row["kind"] for row in rows} == {"fiat", "metal", "coin", "alias"}
    for row in rows:
        assert instrument_id(row["instrument"]) == row["instrument"]
    by_kind = {kind: {row["code"] for row in rows if row["kind"] == kind} for kind in ("fiat", "metal", "coin")}
    assert by_kind["fiat"] | by_kind["metal"] == ISO_4217
    assert len(by_kind["coin"]) >= 150
    targets = {row["instrument"] for row in rows if row["kind"] != "alias"}
    assert {row["instrument"] for row in rows if row["kind"] == "alias"} <= targets


def test_each_coingecko_id_is_a_coin_of_the_list() -> None:
    assert set(coingecko_coins().values()) <= set(currency_symbols())
    assert coingecko_coins()["bitcoin"] == "BTC"


@pytest.mark.parametrize(
    ("code", "instrument"),
    [
        ("EUR", "fiat:EUR"), ("BTC", "crypto:BTC"), ("XBT", "crypto:BTC"), ("XDG", "crypto:DOGE"),
        ("btc", "crypto:BTC"), ("ZUSD", "fiat:USD"), ("XAU", "commodity:XAU"), ("WETH", "crypto:WETH"),
    ],
)  # fmt: skip
def test_currency(code: str, instrument: str) -> None:
    assert ReviewedSymbols().currency(code) == instrument


@pytest.mark.parametrize("code", ["", "LUNA", "UST", "AAPL", "GBp", "GBX", "Btc"])
def test_unknown_currency(code: str) -> None:
    with pytest.raises(UnknownSymbolError):
        ReviewedSymbols().currency(code)


@pytest.mark.parametrize(
    ("ticker", "isin", "instrument"),
    [
        ("AAPL", "US0378331005", "equity:AAPL"),
        ("BRK.B", "US0846707026", "equity:BRK-B"),
        ("APC.DE", "US0378331005", "equity:US0378331005"),  # the ticker of Frankfurt is not that of New York
        ("APC.F", "US0378331005", "equity:US0378331005"),
        ("EUNL.DE", "IE00B4L5Y983", "equity:IE00B4L5Y983"),
        ("ACN", "IE00B4BNMY34", "equity:IE00B4BNMY34"),
        ("", "IE00B4L5Y983", "equity:IE00B4L5Y983"),
        ("BALN.SW", "", "equity:BALN.SW"),
    ],
)
def test_security(ticker: str, isin: str, instrument: str) -> None:
    assert ReviewedSymbols().security(ticker, isin=isin) == instrument


@pytest.mark.parametrize(("ticker", "isin"), [("", ""), ("AAPL", "US03783")])
def test_unknown_security(ticker: str, isin: str) -> None:
    with pytest.raises(UnknownSymbolError):
        ReviewedSymbols().security(ticker, isin=isin)


def test_the_person_wins() -> None:
    symbols = ReviewedSymbols(read_mapping(["BTC=etf:BTC", "US0378331005=equity:APPLE", "EURUSD=X=fiat:EUR"]))
    assert symbols.currency("BTC") == "etf:BTC"
    assert symbols.security("AAPL", isin="US0378331005") == "equity:APPLE"
    assert symbols.mapped("EURUSD=X") == "fiat:EUR"
    assert symbols.mapped("AAPL") is None


@pytest.mark.parametrize("option", ["BTC", "=crypto:BTC", "BTC=", "BTC=BTC", "BTC=coin:BTC"])
def test_bad_mapping(option: str) -> None:
    with pytest.raises(MappingError, match="--map"):
        read_mapping([option])
