"""How tests read an account from the local peer, through the real clients."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any

from assets.accounts.exchanges import Accounts
from assets.accounts.model import AccountReport, AccountRequest, Credentials
from tests.account_server import KEY, SECRET, AccountServer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def milliseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def accounts(server: AccountServer, now: datetime = NOW, **settings: Any) -> Accounts:
    async def at_once(seconds: float) -> None:
        return None

    return Accounts(
        server.endpoints(), lambda: now,
        **({"is_throttled": False, "request_seconds": 2.0, "account_seconds": 60.0, "sleep": at_once,
            "chance": random.Random(1)} | settings),
    )  # fmt: skip


def request(source: str, before: AccountReport | None = None, **fields: Any) -> AccountRequest:
    known: dict[str, Any] = {} if before is None else {"cursor": before.cursor, "waiting": tuple(before.waiting)}
    return AccountRequest(
        "p", fields.pop("account_id", "a"), source, Credentials("MY", KEY, SECRET), **(known | fields)
    )


def read(
    server: AccountServer, source: str, before: AccountReport | None = None, now: datetime = NOW, **fields: Any
) -> AccountReport:
    """One reading, which goes on from `before`."""
    return asyncio.run(accounts(server, now).read(request(source, before, **fields)))


def told(report: AccountReport, *columns: str) -> list[tuple[str, ...]]:
    """Columns of the rows, in the order of time."""
    return [tuple(row.get(column, "") for column in columns) for row in report.transactions]
