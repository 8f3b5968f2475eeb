"""Kraken: balances and ledger entries.

Belongs here: which of Kraken's requests are made, and the pages of the ledger. Must not be here: what an entry means:
the reader of Kraken's own export knows (importers/kraken), so that a file and the account itself give the same ids.

Requests after docs.kraken.com: POST /0/private/Balance ("Query Funds"), POST /0/private/Ledgers ("Query ledger
entries"). The ledger holds everything that moves a balance: trades, deposits, withdrawals once done, rewards. It is
paged by offset from the newest to the oldest, 50 at a time, between two moments that stay the same over all pages, so
that an entry written meanwhile shifts nothing; `count` tells whether any is missing.
"""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from assets.accounts.model import Record, Waiting
from assets.accounts.reading import Reading, as_int, milliseconds
from assets.accounts.retrying import malformed
from assets.importers.delimited import number
from assets.importers.kraken import FEE_CREDITS, KRAKEN_LEDGERS, usual_code
from assets.importers.model import SourceFile

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]

_PAGE = 50
_OVERLAP_SECONDS = 3600
_FIELDS = ("txid", "refid", "time", "type", "subtype", "aclass", "asset", "amount", "fee", "balance")


async def read(reading: Reading, ask: Ask) -> None:
    """Balances, then the ledger since the last reading."""

    async def balances() -> None:
        answer = await ask("privatePostBalance", {})
        found = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(found, dict):
            raise malformed("no balances in the answer")
        held = [(usual_code(code), number(str(value), code)) for code, value in found.items() if code != FEE_CREDITS]
        reading.balances(held, reading.codes.asset)

    await reading.stream("balances", balances())
    entries: dict[str, Record] = {waiting.record_id: waiting.record for waiting in reading.waiting("ledger")}
    await reading.stream("ledger entries", _ledger(reading, ask, entries))
    _book(reading, entries)


async def _ledger(reading: Reading, ask: Ask, entries: dict[str, Record]) -> None:
    """Pages into `entries`; after each the cursor says where to go on, should the next one fail."""
    cursor = reading.report.cursor
    before = cursor.get("ledger")
    place: dict[str, int] = dict(before) if isinstance(before, dict) else {}
    is_resumed = "until" in place
    start = as_int(place.get("from"), 0)
    until = as_int(place.get("until"), milliseconds(reading.now) // 1000)
    offset = max(as_int(place.get("offset"), 0) - _PAGE, 0)
    seen: set[str] = set()
    while True:
        asked = {"start": max(start - _OVERLAP_SECONDS, 0), "end": until, "ofs": offset}
        answer = await ask("privatePostLedgers", asked)
        result = answer.get("result") if isinstance(answer, dict) else None
        page = result.get("ledger") if isinstance(result, dict) else None
        if not isinstance(page, dict) or not all(isinstance(entry, dict) for entry in page.values()):
            raise malformed("no ledger in the answer")
        entries |= page
        seen |= set(page)
        offset += len(page)
        cursor["ledger"] = {"from": start, "until": until, "offset": offset}
        if not page:
            break
    count = result.get("count") if isinstance(result, dict) else None
    if not is_resumed and isinstance(count, int) and len(seen) < count:
        cursor["ledger"] = {"from": start}
        raise malformed(f"{len(seen)} of {count} ledger entries told")
    cursor["ledger"] = {"from": until}
    if is_resumed:  # what came since the interrupted reading began
        await _ledger(reading, ask, entries)


def _book(reading: Reading, entries: dict[str, Record]) -> None:
    """Entries through the reader of the export; those of a trade whose other side is not there yet wait for it."""
    ids = sorted(entries, key=lambda txid: (str(entries[txid].get("time")), txid))
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_FIELDS)
    for txid in ids:
        entry = entries[txid] | {"txid": txid, "time": _time(entries[txid].get("time"))}
        writer.writerow([" ".join(str(entry.get(name, "")).split()) for name in _FIELDS])
    parsed = KRAKEN_LEDGERS.parse(SourceFile(Path("kraken"), buffer.getvalue()), reading.codes)
    for txid in ids:
        reading.settled("ledger", txid)
    reading.add(row.values for row in parsed.rows)
    for why in parsed.ignored.values():
        reading.report.ignore("joined with another entry" if why.startswith("joined with") else why)
    for reject in parsed.rejects:
        txid = ids[reject.line - 2]
        remedy = reject.remedy
        if "--map" in remedy:
            remedy = f"add its instrument to instruments.csv with {reject.value}/USD as ccxt_symbol"
        reading.wait(Waiting("ledger", txid, entries[txid], reject.value, reject.reason, remedy))


def _time(value: object) -> str:
    """Seconds since 1970 as the export writes them; what is none stays as it is and is refused by the reader."""
    try:
        seconds = Decimal(str(value))
        whole = datetime.fromtimestamp(int(seconds), UTC)
    except (InvalidOperation, ValueError, OverflowError, OSError):
        return str(value)
    return whole.replace(microsecond=int(seconds % 1 * 1_000_000)).strftime("%Y-%m-%d %H:%M:%S.%f")
