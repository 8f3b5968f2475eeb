"""What a reading gathers, stream by stream, so that every record received is told of.

Belongs here: rows by their id, records that wait, problems of streams, values of records. Must not be here: providers.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from assets.accounts.codes import Codes
from assets.accounts.model import AccountReport, AccountRequest, Problem, Record, RefusedRecord, Row, Waiting
from assets.accounts.retrying import AskError, malformed
from assets.importers.delimited import Refused, number, plain, utc
from assets.network.errors import Failure, Kind

#: The stream of rows that the rules of the ledger refused.
ROWS = "rows"
#: The stream of balances whose code nothing reviewed knows.
BALANCES = "balances"
BY_HAND = "enter what it was in transactions/*.csv by hand"
_DIGITS = 60  # a product of two numbers of a record stays exact
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reading:
    """One reading of one account.

    Attributes:
        report: what is gathered; its cursor begins as a copy of the request's.
        codes: of the account's source.
        now: the clock's moment at which the reading began.
    """

    def __init__(self, request: AccountRequest, now: datetime) -> None:
        self.request, self.now = request, now
        self.codes = Codes(request.instruments)
        self.report = AccountReport(
            request.portfolio_id, request.account_id, request.source, cursor=dict(request.cursor)
        )
        self._rows: dict[str, Row] = {}
        self._waiting: dict[tuple[str, str], Waiting] = {(w.stream, w.record_id): w for w in request.waiting}
        for waiting in self.waiting(ROWS):  # they are canonical already; the ledger's own rules refused them
            self.add([{name: str(value) for name, value in waiting.record.items()}])
            self.settled(ROWS, waiting.record_id)

    async def stream(self, name: str, read: Awaitable[None]) -> bool:
        """Read one stream; what fails costs this stream alone. Returns whether it came to its end."""
        try:
            await read
        except AskError as error:
            self.report.problems.append(Problem(name, error.failure))
            return False
        except (RefusedRecord, Refused) as refused:  # a value that the answer as a whole cannot do without
            self.report.problems.append(Problem(name, Failure.of(Kind.MALFORMED, refused.reason)))
            return False
        return True

    def waiting(self, stream: str) -> list[Waiting]:
        """Records of a stream that have waited since earlier readings."""
        return [waiting for (of, _), waiting in self._waiting.items() if of == stream]

    def take(self, stream: str, record_id: str, record: Record, rows_of: Callable[[Record], Iterable[Row]]) -> None:
        """Turn a record into rows, or let it wait with the reason."""
        try:
            with localcontext() as context:
                context.prec = _DIGITS
                rows = [*rows_of(record)]
        except (RefusedRecord, Refused) as refused:
            self.wait(Waiting(stream, record_id, record, refused.value, refused.reason, refused.remedy))
        else:
            self.add(rows)
            self.settled(stream, record_id)

    def add(self, rows: Iterable[Row]) -> None:
        """Note rows; one that came before with the same id is replaced."""
        for row in rows:
            self._rows[row["external_id"]] = {name: value for name, value in row.items() if value}

    def wait(self, waiting: Waiting) -> None:
        """Keep a record for the next reading."""
        self._waiting[waiting.stream, waiting.record_id] = waiting

    def settled(self, stream: str, record_id: str) -> None:
        """A record waits no longer."""
        self._waiting.pop((stream, record_id), None)

    def balances(self, amounts: Iterable[tuple[str, Decimal]], instrument_of: Callable[[str], str]) -> None:
        """Note all balances of the account: amounts of one instrument under several codes are added up."""
        found: dict[str, Decimal] = {}
        for waiting in self.waiting(BALANCES):
            self.settled(BALANCES, waiting.record_id)
        for code, amount in amounts:
            if not amount:
                continue
            try:
                instrument = instrument_of(code)
            except (RefusedRecord, Refused) as refused:
                record: Record = {"quantity": plain(amount)}
                self.wait(Waiting(BALANCES, code, record, refused.value, refused.reason, refused.remedy))
            else:
                found[instrument] = found.get(instrument, Decimal(0)) + amount
        self.report.balances = {instrument: plain(amount) for instrument, amount in sorted(found.items())}

    def finish(self, requests: int) -> AccountReport:
        """The report, complete."""
        report = self.report
        # within one moment the provider's own order stays; without the Z a whole second sorts before its fractions
        report.transactions = sorted(self._rows.values(), key=lambda row: row["executed_at"].removesuffix("Z"))
        report.waiting = sorted(self._waiting.values(), key=lambda waiting: (waiting.stream, waiting.record_id))
        report.requests = requests
        if report.problems:
            report.outcome = "partial" if report.balances is not None or report.transactions else "failed"
            report.failure = "; ".join(dict.fromkeys(self._told(problem) for problem in report.problems))
        return report

    def _told(self, problem: Problem) -> str:
        text = f"{problem.stream}: {problem.failure.message}"
        if problem.failure.kind is Kind.AUTH_OR_GEO:
            text += f"; give the key in {self.request.credentials.variable}_KEY the right to read {problem.stream}"
        return text


def listed(answer: object, *path: str) -> list[Record]:
    """The records at a place of an answer.

    Raises:
        AskError: malformed: there is no list of objects. Never taken for an empty one.
    """
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise malformed(f"no list of records at {'.'.join(path) or 'the top'} of the answer")
    return answer


def identified(records: Iterable[Record], field: str) -> Iterator[tuple[str, Record]]:
    """Records with their own ids.

    Raises:
        AskError: malformed: a record has none, so it could not be told from another.
    """
    for record in records:
        value = record.get(field)
        if not isinstance(value, str | int) or value == "":
            raise malformed(f"a record without {field}")
        yield str(value), record


def text(record: Record, field: str) -> str:
    """A field that must be there.

    Raises:
        RefusedRecord: it is not.
    """
    value = record.get(field)
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise RefusedRecord("", f"the record has no {field}", BY_HAND)
    return str(value)


def amount(record: Record, field: str) -> Decimal:
    """A field that must be a number.

    Raises:
        Refused: it is none.
        RefusedRecord: it is not there.
    """
    return number(text(record, field), field)


def moment(record: Record, field: str) -> str:
    """A field in milliseconds as a canonical time.

    Raises:
        RefusedRecord: it is no time.
    """
    value = record.get(field)
    try:
        return utc(_EPOCH + timedelta(milliseconds=int(str(value))))
    except (ValueError, OverflowError):
        raise RefusedRecord(str(value), f"{field}: a time in milliseconds was expected", BY_HAND) from None


def milliseconds(at: datetime) -> int:
    """Milliseconds since 1970."""
    return (at - _EPOCH) // timedelta(milliseconds=1)


def as_int(value: Any, otherwise: int) -> int:
    """A number that a cursor holds."""
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise
