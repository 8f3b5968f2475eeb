"""Builds `inputs/` of the demo from the price and wallet files that README.md lists.

Belongs here: which real series and wallets the demo shows, and how they become input files. Must not be here: anything
that values, measures or checks a portfolio; that is the product's work. The same data give the same bytes.

    python examples/demo/build_inputs.py --data DIR      (DIR holds prices/ and wallets/)
"""

import argparse
import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
from ledger_book import Book
from trades import LISTED, classic_eur, crypto_usd, savings_plan_gbp

AS_OF = date(2021, 3, 31)
FIRST_DAY = date(2016, 12, 1)
GENESIS_DAY = date(2015, 7, 30)
GENESIS_WALLETS = 30
WEI = Decimal(10) ** 18
COINS = ("BTC", "ETH", "LTC", "LINK", "ATOM")
CURRENCIES = ("EUR", "GBP", "CHF")
INPUTS = Path(__file__).parent / "inputs"

Closes = dict[str, dict[date, Decimal]]
Row = Mapping[str, str]

NAMES = {
    "etf:SPY": ("SPDR S&P 500 ETF Trust", "us_large_cap"),
    "etf:QQQ": ("Invesco QQQ Trust", "us_technology"),
    "etf:IWM": ("iShares Russell 2000 ETF", "us_small_cap"),
    "etf:EEM": ("iShares MSCI Emerging Markets ETF", "emerging_markets"),
    "etf:USO": ("United States Oil Fund", "oil"),
    "equity:AAPL": ("Apple", "us_technology"),
    "equity:GOOGL": ("Alphabet class A", "us_technology"),
    "equity:IBM": ("IBM", "us_technology"),
    "equity:BAC": ("Bank of America", "us_financials"),
    "commodity:XAU": ("Gold, one troy ounce", "gold"),
    "crypto:BTC": ("Bitcoin", "currency"),
    "crypto:ETH": ("Ether", "smart_contracts"),
    "crypto:LTC": ("Litecoin", "currency"),
    "crypto:LINK": ("Chainlink", "oracle"),
    "crypto:ATOM": ("Cosmos", "smart_contracts"),
    "eip155:1/slip44:60": ("Ether on Ethereum", "smart_contracts"),
    "rate:US1Y": ("US treasury, constant maturity, 1 year", "treasury"),
}


def main() -> None:
    """Read the sources, trade, and write the inputs folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder that holds prices/ and wallets/")
    data: Path = parser.parse_args().data
    listed = _listed(data)
    closes = _closes(listed) | _spot(data)
    actions = _actions(listed)
    wallets = _genesis_wallets(data)
    _write_prices(closes)
    _write("corporate_actions.csv", actions)
    _write("instruments.csv", list(_instruments()))
    for build in (classic_eur, savings_plan_gbp, crypto_usd):
        book = Book(build.__name__.replace("_", "-"), closes, actions, AS_OF)
        build(book)
        _write(f"transactions/{book.portfolio}.csv", book.rows)
    _write("balances/genesis.csv", list(_balances(wallets)))
    text = (Path(__file__).parent / "portfolios.template.yaml").read_text(encoding="utf-8")
    (INPUTS / "portfolios.yaml").write_text(text + "".join(map(_genesis_yaml, wallets)), encoding="utf-8")


def _listed(data: Path) -> pl.DataFrame:
    """Raw closes and adjustment factors of the listed instruments, sorted, from the last day before FIRST_DAY on."""
    frame = pl.read_parquet(data / "prices" / "us_equity_etf_daily_lean.parquet")
    ids = {instrument.partition(":")[2]: instrument for instrument in LISTED}
    return (
        frame.filter(pl.col("symbol").is_in(list(ids)) & pl.col("date").is_between(date(2016, 11, 30), AS_OF))
        .with_columns(pl.col("symbol").replace(ids).alias("instrument"), pl.col("date").cast(pl.Date))
        .sort("instrument", "date")
    )


def _closes(listed: pl.DataFrame) -> Closes:
    closes: Closes = defaultdict(dict)
    rows = listed.filter(pl.col("date") >= FIRST_DAY).select("instrument", "date", "close")
    for instrument, day, close in rows.iter_rows():
        closes[instrument][day] = _decimal(close, 4)
    return closes


def _spot(data: Path) -> Closes:
    """Coins, gold, exchange rates and a treasury yield; ether from its first price on, for the genesis wallets."""
    prices = data / "prices"
    closes: Closes = {}
    crypto = pl.read_parquet(prices / "crypto_daily_usd.parquet")
    for coin in COINS:
        first = GENESIS_DAY if coin == "ETH" else FIRST_DAY
        closes[f"crypto:{coin}"] = _series(crypto.filter(pl.col("symbol") == coin), "close", first, 8)
    gold = pl.read_parquet(prices / "gold_fx_daily_oanda_mid.parquet").filter(pl.col("symbol") == "XAUUSD")
    closes["commodity:XAU"] = _series(gold, "close", FIRST_DAY, 4)
    rates = pl.read_parquet(prices / "fx_usd_daily_ecb.parquet")
    for currency in CURRENCIES:
        of_currency = rates.filter(pl.col("symbol") == currency)
        closes[f"fiat:{currency}"] = _series(of_currency, "usd_per_unit", FIRST_DAY, 6)
    yields = pl.read_parquet(prices / "us_treasury_rates_daily_fred.parquet").filter(pl.col("symbol") == "DGS1")
    closes["rate:US1Y"] = _series(yields, "yield_pct", FIRST_DAY, 2)
    return closes


def _series(frame: pl.DataFrame, column: str, first: date, places: int) -> dict[date, Decimal]:
    chosen = frame.with_columns(pl.col("date").cast(pl.Date)).filter(pl.col("date").is_between(first, AS_OF))
    return {day: _decimal(value, places) for day, value in chosen.sort("date").select("date", column).iter_rows()}


def _actions(listed: pl.DataFrame) -> list[Row]:
    """Splits and dividends, told by the jumps of the adjustment factor.

    On an ex-date the factor grows by 1 / (1 - dividend / close of the day before), or by the ratio of a split.
    The factors have seven digits, which gives dividends to about 0.00003 USD: they are rounded to four places.
    """
    rows: list[Row] = []
    before: tuple[str, float, float] = ("", 0, 0)
    for instrument, day, close, factor in listed.select("instrument", "date", "close", "adj_factor").iter_rows():
        last_instrument, last_close, last_factor = before
        before = (instrument, close, factor)
        if instrument != last_instrument or abs(factor / last_factor - 1) < 1e-9 or day < FIRST_DAY:
            continue
        jump = factor / last_factor
        action = {"instrument": instrument, "ex_date": day.isoformat()}
        if 0.8 < jump < 1.25:
            amount = _decimal(last_close * (1 - 1 / jump), 4)
            rows.append(action | {"kind": "dividend", "ratio": "", "amount": _text(amount), "currency": "USD"})
            continue
        ratio = _decimal(jump, 4)
        if not 0.8 < close * jump / last_close < 1.25:
            raise ValueError(f"{instrument} {day}: the factor says a split of {ratio}, the raw closes do not agree")
        rows.append(action | {"kind": "split", "ratio": _text(ratio), "amount": "", "currency": ""})
    return sorted(rows, key=lambda row: (row["ex_date"], row["instrument"]))


def _genesis_wallets(data: Path) -> list[tuple[str, Decimal]]:
    """Wallets at even steps of rank between the smallest and the largest balance above 1 ETH."""
    with gzip.open(data / "wallets" / "ethereum_genesis_alloc.csv.gz", "rt", encoding="utf-8") as file:
        rows = [(row["address"], Decimal(row["balance_wei"]) / WEI) for row in csv.DictReader(file)]
    ranked = sorted((row for row in rows if row[1] > 1), key=lambda row: (row[1], row[0]))
    last = len(ranked) - 1
    return [ranked[last * step // (GENESIS_WALLETS - 1)] for step in range(GENESIS_WALLETS)]


def _genesis_yaml(wallet: tuple[str, Decimal]) -> str:
    address, _ = wallet
    return (
        f"  - id: {_genesis_id(address)}\n"
        "    user_id: genesis\n"
        f"    name: Genesis wallet {address[:6]}…{address[-4:]}\n"
        "    accounts:\n"
        f'      - {{id: wallet, kind: wallet, address: "{address}", chains: [ethereum]}}\n'
    )


def _genesis_id(address: str) -> str:
    return f"genesis-{address[2:10].lower()}"


def _balances(wallets: Iterable[tuple[str, Decimal]]) -> Iterable[Row]:
    for address, quantity in wallets:
        yield {
            "portfolio": _genesis_id(address),
            "account": "wallet",
            "instrument": "eip155:1/slip44:60",
            "balance_at": GENESIS_DAY.isoformat(),
            "quantity": _text(quantity),
        }


def _instruments() -> Iterable[Row]:
    for instrument, (name, category) in NAMES.items():
        is_chain = instrument.startswith("eip155:")
        yield {
            "instrument": instrument,
            "name": name,
            "category": category,
            "quote_currency": "USD",
            "chain": "ethereum" if is_chain else "",
            "decimals": "18" if is_chain else "",
            "canonical_instrument": "crypto:ETH" if is_chain else "",
        }


def _write_prices(closes: Closes) -> None:
    files = {
        "us_equities_etfs": ([*LISTED], "QuantConnect LEAN"),
        "crypto": ([f"crypto:{coin}" for coin in COINS], "CoinMarketCap"),
        "gold": (["commodity:XAU"], "OANDA mid"),
        "exchange_rates": ([f"fiat:{currency}" for currency in CURRENCIES], "ECB"),
        "treasury_yields": (["rate:US1Y"], "Federal Reserve H.15"),
    }
    for name, (instruments, source) in files.items():
        rows = [
            {
                "instrument": one,
                "priced_at": day.isoformat(),
                "price": _text(close),
                "currency": "USD",
                "source": source,
            }
            for one in instruments
            for day, close in closes[one].items()
        ]
        _write(f"prices/{name}.csv", rows)


def _write(name: str, rows: list[Row]) -> None:
    path = INPUTS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _decimal(value: float, places: int) -> Decimal:
    return Decimal(repr(value)).quantize(Decimal(1).scaleb(-places))


def _text(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


if __name__ == "__main__":
    main()
