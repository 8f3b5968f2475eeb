"""What an account is asked with and what it answers.

Belongs here: the types that connectors and the store share. Must not be here: any one provider, SQL, the clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from assets.network.errors import Failure

#: One transaction: columns of the canonical CSV (`assets.importers.model.COLUMNS`) as text; what is absent is empty.
Row = dict[str, str]
#: A provider's own record, as its JSON said it.
Record = dict[str, object]
#: Where each stream of records goes on next time; JSON, the connector's own shape.
Cursor = dict[str, object]
Outcome = Literal["ok", "partial", "failed", "no_credentials", "not_supported"]


class RefusedRecord(ValueError):  # noqa: N818 -- not an error of the program: an answer to a record
    """A record that cannot become a transaction yet: which value, why, what to do."""

    def __init__(self, value: str, reason: str, remedy: str) -> None:
        self.value, self.reason, self.remedy = value, reason, remedy
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key and where it came from; `variable` is the name before `_KEY` and `_SECRET` and may be shown."""

    variable: str
    key: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that is no transaction yet; it is kept as it came and tried again at every reading.

    Attributes:
        stream: of the connector, such as `trades`.
        record_id: the provider's own id within the stream.
        record: as the provider sent it.
        value: what could not be read; reason, remedy: why, and what to do.
    """

    stream: str
    record_id: str
    record: Record
    value: str = ""
    reason: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """One account to be read.

    Attributes:
        source: ccxt id of an exchange, or a broker's name.
        cursor: of the last reading; {} before the first.
        waiting: records that earlier readings could not turn into transactions.
        instruments: code at this source → instrument id, from instruments.csv; beats the reviewed list.
    """

    portfolio_id: str
    account_id: str
    source: str
    credentials: Credentials
    cursor: Cursor = field(default_factory=dict)
    waiting: tuple[Waiting, ...] = ()
    instruments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """One stream that could not be read to its end; what was read before stands.

    Attributes:
        stream: `balances`, `trades` …
        failure: classified; its text names no key and no address.
    """

    stream: str
    failure: Failure


@dataclass(slots=True)
class AccountReport:
    """What one account answered. Every record received is in `transactions`, in `waiting` or counted in `ignored`.

    Attributes:
        balances: instrument id → quantity as text; None: not read, so nothing is known of them.
        observed_at: the moment of the balances.
        transactions: canonical rows, each with `external_id`; unique by it.
        cursor: where the next reading goes on; covers exactly what was received completely.
        ignored: why → how many records move nothing by themselves.
        requests: sent, tries included.
    """

    portfolio_id: str
    account_id: str
    source: str
    balances: dict[str, str] | None = None
    observed_at: datetime | None = None
    transactions: list[Row] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    cursor: Cursor = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    problems: list[Problem] = field(default_factory=list)
    outcome: Outcome = "ok"
    failure: str | None = None

    def ignore(self, why: str) -> None:
        """Count a record that moves nothing by itself."""
        self.ignored[why] = self.ignored.get(why, 0) + 1
