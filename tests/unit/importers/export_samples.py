"""Samples of exports, what they should become, and the real reader of the ledger to try it on."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from io import StringIO
from pathlib import Path

import polars as pl

from assets.importers.model import COLUMNS, Format, Parsed, SourceFile, UnknownSymbolError
from assets.registry.model import KnownPortfolios
from assets.registry.transactions_csv import read_transactions

FOLDER = Path(__file__).parents[2] / "data" / "importers"
FIAT = {"EUR", "USD", "GBP", "CZK", "CHF"}
COINS = {"BTC", "ETH", "DOGE", "DOT", "ADA", "USDC", "USDT", "SOL", "LTC", "XTZ", "XLM", "POL", "MATIC", "AVAX", "BCH"}


@dataclass
class ReviewedSymbols:
    """The rules of `Symbols` over a handful of coins."""

    own: dict[str, str] = field(default_factory=dict)

    def currency(self, symbol: str) -> str:
        if symbol in self.own:
            return self.own[symbol]
        if symbol in FIAT:
            return f"fiat:{symbol}"
        if symbol in COINS:
            return f"crypto:{symbol}"
        raise UnknownSymbolError(f"no reviewed mapping knows {symbol}")

    def security(self, ticker: str, *, isin: str = "", asset_class: str = "equity") -> str:
        if ticker in self.own:
            return self.own[ticker]
        if ticker and isin.startswith("US"):
            return f"{asset_class}:{ticker}"
        if isin or ticker:
            return f"{asset_class}:{isin or ticker}"
        raise UnknownSymbolError("neither a ticker nor an ISIN")


def source(*parts: str) -> SourceFile:
    path = FOLDER.joinpath(*parts)
    return SourceFile(path, path.read_text(encoding="utf-8"))


def parse(fmt: Format, text: str, **own: str) -> Parsed:
    return fmt.parse(SourceFile(Path("x.csv"), text), ReviewedSymbols(own))


def rows_as_csv(parsed: Parsed) -> str:
    used = [name for name in COLUMNS if any(row.values.get(name) for row in parsed.rows)]
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["line", "of", *used])
    for row in parsed.rows:
        assert set(row.values) <= set(COLUMNS)
        writer.writerow([row.line, row.account, *(row.values.get(name, "") for name in used)])
    return out.getvalue()


def rest_as_csv(parsed: Parsed) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["line", "what", "column", "value", "reason", "remedy"])
    rest = [(r.line, "reject", r.column, r.value, r.reason, r.remedy) for r in parsed.rejects]
    rest += [(line, "ignored", "", "", why, "") for line, why in parsed.ignored.items()]
    writer.writerows(sorted(rest))
    return out.getvalue()


def as_ledger(parsed: Parsed) -> pl.DataFrame:
    """Feed the rows to the reader of transactions/*.csv, as one account, and demand that it finds nothing wrong."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["portfolio", "account", *COLUMNS])
    for row in parsed.rows:
        writer.writerow(["p", "a", *(row.values.get(name, "") for name in COLUMNS)])
    known = KnownPortfolios({"p": frozenset({"a"})}, {"p": "ledger"})
    frame, problems = read_transactions("transactions/x.csv", out.getvalue().encode(), known)
    assert [str(problem) for problem in problems] == []
    assert frame is not None
    assert frame.height == len(parsed.rows), "two rows share an external_id and their content"
    assert frame["external_id"].null_count() == 0
    assert frame["external_id"].is_unique().all()
    return frame


def accounted(parsed: Parsed) -> set[int]:
    """Lines that became something; a line is a row, a reject or ignored, never two of them."""
    rows, rejects = {row.line for row in parsed.rows}, {reject.line for reject in parsed.rejects}
    assert not rows & rejects
    assert not (rows | rejects) & set(parsed.ignored)
    assert len(rejects) == len(parsed.rejects)
    return rows | rejects | set(parsed.ignored)


def movements(parsed: Parsed) -> dict[str, Decimal]:
    """What the rows move in all, by instrument, after the rules of docs/contracts.md."""
    moved: dict[str, Decimal] = defaultdict(Decimal)
    for row in parsed.rows:
        value = row.values
        if value["type"] == "SPLIT":
            continue
        kind, instrument, quantity = value["type"], value["instrument"], Decimal(value["quantity"])
        is_net = kind in ("INTEREST", "DIVIDEND")
        if is_net:
            moved[value["currency"]] += quantity
        elif kind in ("BUY", "SELL"):
            sign = 1 if kind == "BUY" else -1
            moved[instrument] += sign * quantity
            amount = value.get("amount")
            moved[value["currency"]] -= sign * (Decimal(amount) if amount else quantity * Decimal(value["price"]))
        elif kind in ("SWAP_IN", "DEPOSIT", "TRANSFER_IN", "STAKING_REWARD", "AIRDROP", "FEE_REFUND", "TAX_REFUND"):
            moved[instrument] += quantity
        else:
            moved[instrument] -= quantity
        if not is_net:
            moved[value.get("fee_currency") or value.get("currency", "")] -= Decimal(value.get("fee") or 0)
            moved[value.get("currency", "")] -= Decimal(value.get("tax") or 0)
    return {instrument: quantity for instrument, quantity in moved.items() if quantity}


def check_golden(fmt: Format, folder: str, name: str, lines: Iterable[int]) -> Parsed:
    """Compare a sample with `<name>.rows.csv` and `<name>.rest.csv` beside it."""
    sample = source(folder, name)
    assert fmt.recognises(sample)
    parsed = fmt.parse(sample, ReviewedSymbols())
    stem = FOLDER / folder / Path(name).stem
    assert rows_as_csv(parsed) == Path(f"{stem}.rows.csv").read_text(encoding="utf-8")
    assert rest_as_csv(parsed) == Path(f"{stem}.rest.csv").read_text(encoding="utf-8")
    assert accounted(parsed) == set(lines)
    as_ledger(parsed)
    return parsed
