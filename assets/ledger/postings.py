"""The result rows of one portfolio while it is being processed, and the double entry that checks them.

Belongs here: appending entries, flows, issues and other result rows; comparing, event by event, what the entries
explain with how the total cost of the holdings changed. Must not be here: lots, prices, the meaning of a transaction
type.
"""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal

from assets.ledger.model import (
    MEASURE_SIGN,
    ZERO,
    DisposalRow,
    EntryRow,
    FlowRow,
    IncomeRow,
    IssueRow,
    LotRow,
    Portfolio,
    PositionRow,
    ReconciliationRow,
    Transaction,
    TransactionRow,
    end_of_day,
    row_of,
)

# Divisions are off by 1e-40 at most; anything above this is a mistake and not a rounding.
IDENTITY_TOLERANCE = Decimal("1E-15")


class Clock:
    """Where processing stands, shared by all portfolios of a user.

    Attributes:
        day: the UTC day that is open.
        at: instant of the event.
        value_at: instant at which the event's market values are looked up: `at`, or the day's close for a bare date.
        close: last instant of the day.
    """

    __slots__ = ("at", "close", "day", "value_at")

    def __init__(self) -> None:
        self.open(date.min)

    def open(self, day: date) -> None:
        """Begin a day."""
        self.day = day
        self.close = end_of_day(day)
        self.at = self.value_at = self.close

    def set(self, at: datetime, is_date_only: bool) -> None:
        """Move to an event of the open day."""
        self.at = at
        self.value_at = self.close if is_date_only else at

    def set_close(self) -> None:
        """Move to the end of the open day."""
        self.at = self.value_at = self.close


class Postings:
    """Result rows of one portfolio."""

    def __init__(self, portfolio: Portfolio, clock: Clock) -> None:
        self.portfolio = portfolio
        self.portfolio_id = portfolio.portfolio_id
        self.clock = clock
        self.event_id = ""
        self.source: str | None = None
        self.positions_rows: list[PositionRow] = []
        self.entries: list[EntryRow] = []
        self.flows: list[FlowRow] = []
        self.lots: list[LotRow] = []
        self.disposals: list[DisposalRow] = []
        self.incomes: list[IncomeRow] = []
        self.transactions: list[TransactionRow] = []
        self.issues: list[IssueRow] = []
        self.reconciliation: list[ReconciliationRow] = []
        self.cost_change = ZERO
        self._explained = ZERO
        self._crossing: tuple[str, str] | None = None
        self._flow_ids: dict[str, int] = {}
        self._issues_seen: set[tuple[str, str | None, str | None]] = set()

    def about(self, event_id: str, source: str | None = None) -> None:
        """Name the event that the next rows belong to; `source` is its transaction, if it has one."""
        self.event_id = event_id
        self.source = source

    def enter(self, measure: str, account: str, instrument: str, amount: Decimal) -> None:
        """Post an amount in base currency; zero leaves no row."""
        if not amount:
            return
        fields = (self.portfolio_id, account, instrument, self.source, self.clock.day, measure, amount)
        self.entries.append(row_of(EntryRow, fields))
        sign = MEASURE_SIGN[measure]
        if sign > 0:
            self._explained += amount
        elif sign < 0:
            self._explained -= amount

    def flow(self, kind: str, account: str, instrument: str, amount: Decimal | None) -> None:
        """Post an external flow, positive into the portfolio; None (value unknown) explains nothing."""
        flow_id = f"{self.event_id}:{kind}"
        again = self._flow_ids.get(flow_id, 0) + 1
        self._flow_ids[flow_id] = again
        if again > 1:
            flow_id = f"{flow_id}:{again}"
        clock = self.clock
        self.flows.append(
            FlowRow(flow_id, self.portfolio_id, account, instrument, clock.at, clock.day, amount, kind, self.source)
        )
        if amount is None:
            return
        if amount > ZERO:
            self.enter("inflow", account, instrument, amount)
        else:
            self.enter("outflow", account, instrument, -amount)

    def issue(
        self,
        code: str,
        message: str,
        account: str | None,
        instrument: str | None,
        *,
        hold: bool = False,
        once: bool = False,
    ) -> None:
        """Post an issue; `once` keeps only the first of its code, account and instrument."""
        if once:
            key = (code, account, instrument)
            if key in self._issues_seen:
                return
            self._issues_seen.add(key)
        severity = "hold" if hold else "warn"
        row = IssueRow(self.portfolio_id, account, instrument, self.source, code, severity, message, self.clock.at)
        self.issues.append(row)

    def record(
        self, t: Transaction, amount: Decimal | None, fee: Decimal | None = None, tax: Decimal | None = None
    ) -> None:
        """Post what the transaction comes to in base currency."""
        self.transactions.append(row_of(TransactionRow, (self.portfolio_id, t.sequence, amount, fee, tax)))

    def cross(self, account: str, instrument: str) -> None:
        """Note that the event touches holdings that cannot be valued yet."""
        self._crossing = (account, instrument)

    def settle(self) -> None:
        """End an event: the entries must explain the change of total cost.

        Where an event moves value between holdings that can be valued and holdings that cannot yet (a sale of a token
        before its first price, a purchase of one), the difference crosses that border and is a flow: `first_valued`
        inwards, `not_valued` outwards.
        """
        gap = self.cost_change - self._explained
        crossing = self._crossing
        self.cost_change = self._explained = ZERO
        self._crossing = None
        if not gap or abs(gap) <= IDENTITY_TOLERANCE:
            return
        if crossing is None:
            message = (
                f"{self.event_id} on {self.clock.day}: the entries leave {gap} of the change in cost unexplained; "
                "this is an error of the ledger, please report the transaction"
            )
            self.issue("ledger_identity", message, None, None, hold=True)
            return
        account, instrument = crossing
        self.flow("first_valued" if gap > 0 else "not_valued", account, instrument, gap)
        self.cost_change = self._explained = ZERO


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Exact sum."""
    return sum(amounts, ZERO)
