"""A notebook for the demo's made-up trades: writes transaction rows and refuses what could not have happened.

Belongs here: rows at that day's close, what each account holds, splits and dividends of what is held. Must not be here:
which trades are made (trades.py). It is no ledger: no lots, no cost, no value.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

COLUMNS = (
    "portfolio", "account", "executed_at", "type", "instrument", "quantity", "price", "amount", "currency",
    "cash_account", "fee", "fee_currency", "tax", "group_id", "external_id", "note",
)  # fmt: skip
CENT = Decimal("0.01")
WITHHOLDING_TAX = Decimal("0.15")  # what the United States keep of dividends under their usual treaties


class Book:
    """Rows of one portfolio, in the order of the days.

    Attributes:
        rows: what will be written, one mapping of COLUMNS per transaction.
    """

    def __init__(
        self,
        portfolio: str,
        closes: Mapping[str, Mapping[date, Decimal]],
        actions: Sequence[Mapping[str, str]],
        as_of: date,
        *,
        trade_fee: Decimal = Decimal(0),
    ) -> None:
        self.portfolio = portfolio
        self.rows: list[dict[str, str]] = []
        self.has_cash = True
        self.trade_fee = trade_fee
        self._closes = closes
        self._actions = [action for action in actions if action["ex_date"] <= as_of.isoformat()]
        self._held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self._day = date.min

    def close(self, instrument: str, day: date) -> Decimal:
        """The real close of that very day; a day without one is no day to trade on."""
        return self._closes[instrument][day]

    def held(self, account: str, instrument: str) -> Decimal:
        """Units held after all rows so far."""
        return self._held[account, instrument]

    def deposit(self, day: date, account: str, currency: str, quantity: str) -> None:
        """Money from outside."""
        self._on(day)
        self._move(account, f"fiat:{currency}", Decimal(quantity))
        self._row(account, "DEPOSIT", f"fiat:{currency}", Decimal(quantity))

    def withdraw(self, day: date, account: str, currency: str, quantity: str) -> None:
        """Money to outside."""
        self._on(day)
        self._move(account, f"fiat:{currency}", -Decimal(quantity))
        self._row(account, "WITHDRAWAL", f"fiat:{currency}", Decimal(quantity))

    def exchange(self, day: date, account: str, sold: str, quantity: str, bought: str) -> None:
        """One currency for another at the day's reference rates."""
        self._on(day)
        given = Decimal(quantity)
        usd = given * (self.close(f"fiat:{sold}", day) if sold != "USD" else 1)
        taken = (usd / (self.close(f"fiat:{bought}", day) if bought != "USD" else 1)).quantize(CENT, ROUND_HALF_UP)
        self._move(account, f"fiat:{sold}", -given)
        self._move(account, f"fiat:{bought}", taken)
        price = (given / taken).quantize(Decimal("1e-10"))
        self._row(account, "BUY", f"fiat:{bought}", taken, price=price, amount=given, currency=sold)

    def buy(self, day: date, account: str, instrument: str, quantity: str | Decimal, *, cash: str = "") -> None:
        """Buy at the close, in USD."""
        self._trade(day, account, instrument, Decimal(quantity), "BUY", cash)

    def sell(self, day: date, account: str, instrument: str, quantity: str | Decimal, *, cash: str = "") -> None:
        """Sell at the close, in USD."""
        self._trade(day, account, instrument, Decimal(quantity), "SELL", cash)

    def fee(self, day: date, account: str, currency: str, quantity: str, note: str) -> None:
        """A fee on its own, such as custody."""
        self._on(day)
        self._move(account, f"fiat:{currency}", -Decimal(quantity))
        self._row(account, "FEE", f"fiat:{currency}", Decimal(quantity), note=note)

    def transfer(
        self, at: str, route: tuple[str, str], instrument: str, quantity: str, fee: str, group: str, *, gas: str = ""
    ) -> None:
        """Between own accounts, at an instant; the sender pays the network's fee, in the same coin or in `gas`."""
        source, target = route
        self._on(date.fromisoformat(at[:10]))
        self._move(source, instrument, -Decimal(quantity))
        self._move(source, gas or instrument, -Decimal(fee))
        self._move(target, instrument, Decimal(quantity))
        extra = {"fee": fee, "fee_currency": gas or instrument, "group_id": group}
        self._row(source, "TRANSFER_OUT", instrument, Decimal(quantity), at=at, extra=extra)
        self._row(target, "TRANSFER_IN", instrument, Decimal(quantity), at=at, extra={"group_id": group})

    def swap(self, day: date, account: str, sold: str, quantity: str, bought: str, group: str) -> None:
        """One asset for another, worth the same at the day's closes."""
        self._on(day)
        given = Decimal(quantity)
        taken = (given * self.close(sold, day) / self.close(bought, day)).quantize(Decimal("1e-8"))
        self._move(account, sold, -given)
        self._move(account, bought, taken)
        self._row(account, "SWAP_OUT", sold, given, extra={"group_id": group})
        self._row(account, "SWAP_IN", bought, taken, extra={"group_id": group})

    def reward(self, day: date, account: str, instrument: str, share: str) -> None:
        """A staking reward: a share of what the account holds, to six places."""
        self._on(day)
        quantity = (self.held(account, instrument) * Decimal(share)).quantize(Decimal("1e-6"))
        self._move(account, instrument, quantity)
        self._row(account, "STAKING_REWARD", instrument, quantity)

    def finish(self, day: date) -> None:
        """Apply the corporate actions up to the last day."""
        self._on(day)

    def _trade(self, day: date, account: str, instrument: str, quantity: Decimal, kind: str, cash: str) -> None:
        self._on(day)
        price = self.close(instrument, day)
        money = quantity * price
        sign = 1 if kind == "BUY" else -1
        self._move(account, instrument, sign * quantity)
        self._move(cash or account, "fiat:USD", -sign * money - self.trade_fee)
        extra = {"fee": _text(self.trade_fee), "cash_account": cash} if self.trade_fee else {"cash_account": cash}
        self._row(account, kind, instrument, quantity, price=price, currency="USD", extra=extra)

    def _on(self, day: date) -> None:
        if day < self._day:
            raise ValueError(f"{self.portfolio}: {day} comes after {self._day} in the list of trades")
        for action in self._actions:
            ex_date = date.fromisoformat(action["ex_date"])
            if self._day < ex_date <= day:
                self._apply(action, ex_date)
        self._day = day

    def _apply(self, action: Mapping[str, str], ex_date: date) -> None:
        """What was held at the close before the ex-date is split, or receives the dividend net of tax."""
        instrument = action["instrument"]
        accounts = [account for (account, held), units in self._held.items() if held == instrument and units > 0]
        for account in accounts:
            units = self._held[account, instrument]
            if action["kind"] == "split":
                self._held[account, instrument] = units * Decimal(action["ratio"])
                continue
            gross = (units * Decimal(action["amount"])).quantize(CENT, ROUND_HALF_UP)
            tax = (gross * WITHHOLDING_TAX).quantize(CENT, ROUND_HALF_UP)
            self._move(account, "fiat:USD", gross - tax)
            extra = {"executed_at": ex_date.isoformat(), "tax": _text(tax)}
            self._row(account, "DIVIDEND", instrument, gross - tax, currency="USD", extra=extra)

    def _move(self, account: str, instrument: str, quantity: Decimal) -> None:
        if instrument.startswith("fiat:") and not self.has_cash:
            return
        self._held[account, instrument] += quantity
        if self._held[account, instrument] < 0:
            raise ValueError(
                f"{self.portfolio}/{account}: {instrument} would fall to {self._held[account, instrument]}"
                f" after {self._day}: deposit more or sell less"
            )

    def _row(
        self,
        account: str,
        kind: str,
        instrument: str,
        quantity: Decimal,
        *,
        price: Decimal | None = None,
        amount: Decimal | None = None,
        currency: str = "",
        at: str = "",
        note: str = "",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        values = {
            "portfolio": self.portfolio,
            "account": account,
            "executed_at": at or self._day.isoformat(),
            "type": kind,
            "instrument": instrument,
            "quantity": _text(quantity),
            "price": _text(price),
            "amount": _text(amount),
            "currency": currency,
            "external_id": f"{self.portfolio}-{len(self.rows) + 1:04d}",
            "note": note,
        }
        self.rows.append(dict.fromkeys(COLUMNS, "") | values | (extra or {}))


def _text(value: Decimal | None) -> str:
    if value is None:
        return ""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
