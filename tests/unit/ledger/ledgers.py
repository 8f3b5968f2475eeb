"""Short ways to write a ledger down in a test and to ask what came out."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext

from assets.ledger.books import Books
from assets.ledger.engine import process_user
from assets.ledger.identity import daily_residuals
from assets.ledger.model import LEDGER_CONTEXT, Balance, Instrument, Portfolio, Transaction, end_of_day
from assets.ledger.price_book import PriceBook

EUR, USD, BTC, ETH, STOCK = "fiat:EUR", "fiat:USD", "crypto:BTC", "crypto:ETH", "equity:AAA"
IN_TYPES = {"BUY", "SWAP_IN", "DEPOSIT", "TRANSFER_IN", "OPENING", "DIVIDEND", "INTEREST", "STAKING_REWARD", "AIRDROP"}
Number = str | int | Decimal


def at(text: str) -> tuple[datetime, bool]:
    """A bare date or a time stamp, and whether it was bare."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC), len(text) == 10


def book(
    prices: Iterable[tuple[str, str, Number, str]] = (),
    rates: Iterable[tuple[str, str, str, Number]] = (),
    instruments: Iterable[Instrument] = (),
) -> PriceBook:
    """Prices (instrument, when, price, currency) and rates (currency, quote, when, rate); a bare date is that day's close."""
    result = PriceBook(instruments)
    for instrument, when, price, currency in prices:
        result.add_price(instrument, _close(when), Decimal(price), currency)
    for currency, quote, when, rate in rates:
        result.add_rate(currency, quote, _close(when), Decimal(rate))
    return result


def _close(when: str) -> datetime:
    moment, is_bare = at(when)
    return end_of_day(moment.date()) if is_bare else moment


class Ledger:
    """Rows in file order; `run` puts them into the order of processing and runs the ledger."""

    def __init__(self, prices: PriceBook | None = None, portfolio_id: str = "p", **choices: object) -> None:
        self.prices = prices or book()
        self.portfolios: list[Portfolio] = []
        self.rows: list[Transaction] = []
        self.balances: list[Balance] = []
        self.portfolio(portfolio_id, **choices)

    def portfolio(self, portfolio_id: str, base: str = EUR, **choices: object) -> "Ledger":
        self.portfolios.append(Portfolio(portfolio_id, "u", base, **choices))  # type: ignore[arg-type]
        return self

    def add(self, when: str, kind: str, instrument: str, quantity: Number, **fields: object) -> "Ledger":
        moment, is_bare = at(when)
        account = str(fields.pop("account", "a"))
        portfolio = str(fields.pop("portfolio", self.portfolios[0].portfolio_id))
        numbers = {"price", "amount", "fx_rate", "fee", "tax"}
        values = {k: Decimal(str(v)) if k in numbers else v for k, v in fields.items()}
        number = len(self.rows) + 1
        self.rows.append(
            Transaction(
                number, f"t{number}", portfolio, account, moment, is_bare, moment.date(), kind, instrument,
                Decimal(quantity), **values,  # type: ignore[arg-type]
            )
        )  # fmt: skip
        return self

    def balance(self, when: str, instrument: str, quantity: Number, **fields: object) -> "Ledger":
        moment, is_bare = at(when)
        cost = fields.get("cost")
        self.balances.append(
            Balance(
                self.portfolios[0].portfolio_id, str(fields.get("account", "a")), instrument, moment, is_bare,
                moment.date(), Decimal(quantity), None if cost is None else Decimal(str(cost)),
            )
        )  # fmt: skip
        return self

    def ordered(self) -> list[Transaction]:
        rows = sorted(
            self.rows,
            key=lambda t: (
                t.executed_at,
                not t.is_date_only,
                0 if t.is_date_only or t.type in IN_TYPES else 1,
                t.sequence,
            ),
        )
        for number, row in enumerate(rows, 1):
            row.sequence = number
        return rows

    def run_all(self) -> list[Books]:
        rows = self.ordered()
        results = process_user(self.portfolios, rows, self.balances, self.prices)
        with localcontext(LEDGER_CONTEXT):
            for books in results:
                check_identity(books)
                check_lots(books)
        return results

    def run(self) -> Books:
        """The first portfolio's books, its identity proved for every day."""
        return self.run_all()[0]


def check_identity(books: Books, tolerance: str = "1e-25") -> None:
    days = [row.entry_date for row in books.entries] + [row.valid_from for row in books.positions_rows]
    if not days:
        return
    last = max(days) + timedelta(days=3)
    for day, residual in daily_residuals(books, books.valuation, min(days), last):
        assert abs(residual) < Decimal(tolerance), f"{day}: {residual}"
    assert not [issue for issue in books.issues if issue.code == "ledger_identity"]


def check_lots(books: Books) -> None:
    """Sum of lots = balance, in units and in cost, in every place."""
    for row in books.positions_rows:
        if row.valid_to is None:
            lots = [x for x in books.lots if (x.account_id, x.instrument_id) == (row.account_id, row.instrument_id)]
            assert sum(x.quantity for x in lots) == row.quantity
            if row.cost_base is not None:
                assert abs(sum(x.cost_base or 0 for x in lots) - row.cost_base) < Decimal("1e-20")
    keys = [(x.account_id, x.instrument_id, x.lot_id) for x in books.lots]
    assert len(keys) == len(set(keys))
    for ids in ([x.flow_id for x in books.flows], [(x.disposal_id, x.lot_id) for x in books.disposals]):
        assert len(ids) == len(set(ids))


def entries(books: Books, measure: str, day: str | None = None) -> Decimal:
    """Sum of a measure, of one day or of all."""
    return sum(
        (
            x.amount_base
            for x in books.entries
            if x.measure == measure and (day is None or x.entry_date == date.fromisoformat(day))
        ),
        Decimal(0),
    )


def held(books: Books, instrument: str, account: str = "a") -> Decimal:
    """Units at the end."""
    position = books.positions.get((account, instrument))
    return position.quantity if position else Decimal(0)


def flows(books: Books) -> list[tuple[str, Decimal | None]]:
    return [(x.kind, x.amount_base) for x in books.flows]


def codes(books: Books) -> list[str]:
    return [x.code for x in books.issues]


def gains(books: Books, instrument: str | None = None) -> list[Decimal | None]:
    return [x.gain_base for x in books.disposals if instrument is None or x.instrument_id == instrument]


def lots(books: Books, instrument: str, account: str | None = None) -> list[tuple[Decimal, Decimal | None]]:
    """Quantity and cost of the open lots."""
    return [
        (x.quantity, x.cost_base)
        for x in books.lots
        if x.instrument_id == instrument and (account is None or x.account_id == account)
    ]
