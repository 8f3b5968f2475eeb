"""What the ledger reads and what it hands on, as plain records.

Belongs here: the shapes of inputs and of result rows, the vocabulary of types, measures, flow kinds and issue codes.
Must not be here: arithmetic, database access, anything that decides.

Amounts are `decimal.Decimal`; `*_base` is in the portfolio's base currency; None means unknown, never zero. The
fields of every result row stand in the order of the table's columns, so that a row is copied as it is.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from functools import cache
from typing import NamedTuple

ZERO = Decimal(0)
ONE = Decimal(1)

# 50 digits: every sum of 28-digit inputs is exact, and a division is off by less than 1e-40 of its result.
LEDGER_CONTEXT = Context(prec=50)

IN_KIND_INCOME = frozenset({"STAKING_REWARD", "AIRDROP"})
CASH_INCOME = frozenset({"DIVIDEND", "INTEREST"})
CHARGES = {"FEE": "fee", "INTEREST_CHARGE": "fee", "TAX": "tax"}
REFUNDS = {"FEE_REFUND": "fee", "TAX_REFUND": "tax"}

# How a measure changes the total cost of what is held: the sum over an event equals the change of that cost.
MEASURE_SIGN = {
    "inflow": 1,
    "outflow": -1,
    "income": 1,
    "fee": -1,
    "tax": -1,
    "realized_price": 1,
    "realized_currency": 1,
    "carried_price": -1,
    "carried_currency": -1,
    "trade_fee": 0,
    "trade_tax": 0,
}


@cache  # asked for with each transaction; there are only so many days
def end_of_day(day: date) -> datetime:
    """The last instant of a UTC day, at which daily rows are valued."""
    return datetime.combine(day, time.max, tzinfo=UTC)


@cache  # asked for several times with each transaction
def is_fiat(instrument_id: str) -> bool:
    """Whether the instrument is government money, held as cash."""
    return instrument_id.startswith("fiat:")


@dataclass(slots=True, frozen=True)
class Portfolio:
    """One portfolio's choices; `base_currency` is an instrument id such as `fiat:EUR`.

    `margin_accounts`: those in which money may be borrowed.
    """

    portfolio_id: str
    user_id: str
    base_currency: str
    cost_basis: str = "FIFO"
    lot_scope: str = "account"
    cash_mode: str = "ledger"
    allow_short: bool = False
    margin_accounts: Collection[str] = ()


@dataclass(slots=True, frozen=True)
class Instrument:
    """Reference data of one instrument as far as the ledger needs it.

    `pricing_instrument` names whose prices value it; without one, its own if it has any, else the canonical's.
    """

    instrument_id: str
    quote_currency: str | None = None
    canonical_instrument: str | None = None
    decimals: int | None = None
    pricing_instrument: str | None = None


@dataclass(slots=True)
class Transaction:
    """One normalised ledger row; `sequence` is the order of processing over all portfolios."""

    sequence: int
    transaction_id: str
    portfolio_id: str
    account_id: str
    executed_at: datetime
    is_date_only: bool
    executed_date: date
    type: str
    instrument_id: str
    quantity: Decimal
    price: Decimal | None = None
    amount: Decimal | None = None
    currency: str | None = None
    fx_rate: Decimal | None = None
    cash_account: str | None = None
    fee: Decimal | None = None
    fee_currency: str | None = None
    tax: Decimal | None = None
    group_id: str | None = None

    @property
    def money_account(self) -> str:
        """Where the money side is held."""
        return self.cash_account or self.account_id

    @property
    def charged_in(self) -> str:
        """The instrument in which the fee is stated."""
        return self.fee_currency or self.currency or self.instrument_id

    def gross_amount(self) -> Decimal | None:
        """Money moved in `currency` before fee and tax; `amount` wins over quantity x price; None if neither."""
        if self.amount is not None:
            return self.amount
        return None if self.price is None else self.quantity * self.price


@dataclass(slots=True, frozen=True)
class Balance:
    """One dated observation of what an account holds."""

    portfolio_id: str
    account_id: str
    instrument_id: str
    balance_at: datetime
    is_date_only: bool
    balance_date: date
    quantity: Decimal
    cost_base: Decimal | None = None


# Makes a result row of a tuple of its fields: the class's own call takes three times as long, five times a transaction.
row_of = tuple.__new__


class PositionRow(NamedTuple):
    """A position at the close of each day in [valid_from, valid_to)."""

    portfolio_id: str
    account_id: str
    instrument_id: str
    valid_from: date
    valid_to: date | None
    quantity: Decimal
    quantity_at_cost_fx: Decimal | None
    cost_base: Decimal | None
    flow_basis: str


class EntryRow(NamedTuple):
    """One amount that explains a change of value."""

    portfolio_id: str
    account_id: str
    instrument_id: str
    transaction_id: str | None
    entry_date: date
    measure: str
    amount_base: Decimal


class FlowRow(NamedTuple):
    """Money or assets crossing the portfolio's border, positive inwards."""

    flow_id: str
    portfolio_id: str
    account_id: str
    instrument_id: str
    flowed_at: datetime
    flow_date: date
    amount_base: Decimal | None
    kind: str
    source_transaction: str | None


class LotRow(NamedTuple):
    """An open lot at the end of the run."""

    portfolio_id: str
    account_id: str
    instrument_id: str
    lot_id: str
    acquired_at: datetime
    quantity: Decimal
    unit_cost: Decimal | None
    cost_base: Decimal | None
    acquisition_fx: Decimal | None
    source_transaction: str | None
    is_missing_acquisition: bool


class DisposalRow(NamedTuple):
    """One disposal's share of one lot: gain = proceeds - fee - cost."""

    portfolio_id: str
    account_id: str
    instrument_id: str
    disposal_id: str
    lot_id: str
    disposed_at: datetime
    disposal_date: date
    acquired_at: datetime | None
    quantity: Decimal
    proceeds_base: Decimal | None
    cost_base: Decimal | None
    fee_base: Decimal | None
    gain_base: Decimal | None
    gain_currency_base: Decimal | None
    holding_days: int | None
    method: str
    is_missing_acquisition: bool
    source_transaction: str | None


class IncomeRow(NamedTuple):
    """One receipt of income, gross of fee and tax."""

    portfolio_id: str
    account_id: str
    instrument_id: str
    income_id: str
    received_at: datetime
    received_date: date
    kind: str
    quantity: Decimal
    amount_base: Decimal | None
    tax_base: Decimal | None
    source_transaction: str | None


class TransactionRow(NamedTuple):
    """What a transaction comes to in base currency; `sequence` is that of the run's transactions."""

    portfolio_id: str
    sequence: int
    amount_base: Decimal | None
    fee_base: Decimal | None
    tax_base: Decimal | None


class ReconciliationRow(NamedTuple):
    """One observed balance beside what was derived for its moment; difference = observed - derived, in units."""

    portfolio_id: str
    account_id: str
    instrument_id: str
    observed_at: datetime
    is_date_only: bool
    observed_date: date
    observed_quantity: Decimal
    derived_quantity: Decimal
    difference: Decimal
    tolerance: Decimal
    difference_base: Decimal | None
    status: str
    observed_as: str
    flow_id: str | None


class IssueRow(NamedTuple):
    """Something a person should know; severity `hold` keeps the portfolio from being published."""

    portfolio_id: str
    account_id: str | None
    instrument_id: str | None
    transaction_id: str | None
    code: str
    severity: str
    message: str
    at: datetime | None
