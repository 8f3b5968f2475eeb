"""The European Central Bank's euro reference rates, from its site or from a file that one has.

Belongs here: `eurofxref-hist` as zip, CSV or XML. Must not be here: inverse and cross rates (dbt).
A rate is so many units of a currency for one euro, on business days since 1999; it is a price of `fiat:EUR`.
"""

import asyncio
import csv
import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from assets.market.candles import joined
from assets.market.model import (
    Action,
    Bar,
    Fetched,
    FetchReport,
    Instrument,
    Outcome,
    Price,
    Resolution,
    SourceSymbol,
    Window,
    failed,
)
from assets.market.sources.answers import counted
from assets.market.sources.patient_hosts import Cost, PatientHosts
from assets.market.sources.service import Service
from assets.market.symbols import ecb_symbol
from assets.network.errors import Failure, Kind, MalformedResponseError

# the file is made once a day, at about 16:00 Frankfurt time
_KEPT_FOR = timedelta(hours=1)
_SIZE_LIMIT_BYTES = 64 * 2**20
_XML = re.compile(r'time="(?P<day>\d{4}-\d\d-\d\d)"|currency="(?P<code>[A-Z]{3})" rate="(?P<rate>[0-9.]+)"')

Rates = dict[str, dict[datetime, Decimal | None]]


class EcbSource(Service):
    """See the module.

    Args:
        asking: budgets and patience.
        now: the wall clock, UTC.
        endpoint: HOLDFAST_ENDPOINT_ECB.
        file: a copy of the rates (zip, csv or xml); then nothing is asked for.
    """

    name = "ecb"
    asset_classes = frozenset({"fiat"})

    def __init__(
        self,
        asking: PatientHosts,
        now: Callable[[], datetime],
        endpoint: str | None = None,
        file: Path | None = None,
    ) -> None:
        super().__init__(self.name, "https://www.ecb.europa.eu/stats/eurofxref", asking, endpoint)
        self._now, self._file = now, file
        self._rates: Rates | None = None
        self._read_at: datetime | None = None
        self._is_reading = asyncio.Lock()

    def symbol_of(self, instrument: Instrument) -> SourceSymbol | None:
        """See `MarketSource`."""
        return ecb_symbol(instrument)

    def keeps_since(self, resolution: Resolution, now: datetime) -> datetime | None:
        """See `MarketSource`."""
        return datetime(1999, 1, 4, tzinfo=UTC)

    def pages(self, symbol: SourceSymbol, resolution: Resolution, window: Window, now: datetime) -> tuple[Window, ...]:
        """See `MarketSource`. Days only; one file has them all."""
        start = max(window.start, datetime(1999, 1, 4, tzinfo=UTC))
        end = min(window.end, now)
        return (Window(start, end),) if resolution is Resolution.DAY and start < end else ()

    async def bars(self, symbol: SourceSymbol, resolution: Resolution, page: Window) -> Fetched[Bar]:
        """See `MarketSource`. Gaps are the business days for which the bank gives no rate of this currency."""
        report = FetchReport(self.name, symbol.instrument_id, f"bars {resolution}", page, 0, Outcome.FAILED)
        answer, cost, is_known = await self._all()
        report = replace(report, requests=cost.requests, failure=cost.last_failure, cache_hits=int(is_known))
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        if symbol.symbol not in answer:
            return Fetched((), failed(report, Failure.of(Kind.PERMANENT, "no rate of this currency")))
        rates = sorted((day, rate) for day, rate in answer[symbol.symbol].items() if day in page)
        bars = tuple(
            Bar(symbol.instrument_id, day, resolution, None, None, None, rate, None, symbol.currency or "", self.name)
            for day, rate in rates
            if rate is not None
        )
        gaps = joined(Window(day, day + resolution.step) for day, rate in rates if rate is None)
        outcome = Outcome.EMPTY if not bars else Outcome.GAPS if gaps else Outcome.COMPLETE
        return Fetched(bars, replace(report, outcome=outcome, rows=len(bars), gaps=gaps))

    async def latest(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        """See `MarketSource`. The newest rate of each, of the day it was set for."""
        report = FetchReport(self.name, None, "latest", None, 0, Outcome.FAILED)
        answer, cost, is_known = await self._all()
        report = replace(report, requests=cost.requests, failure=cost.last_failure, cache_hits=int(is_known))
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        prices = []
        for symbol in symbols:
            known = {day: rate for day, rate in answer.get(symbol.symbol, {}).items() if rate is not None}
            if known:
                day = max(known)
                prices.append(Price(symbol.instrument_id, day, known[day], symbol.currency or "", self.name))
        return Fetched(tuple(prices), counted(report, len(prices), len(symbols)))

    async def actions(self, symbol: SourceSymbol, window: Window) -> Fetched[Action]:
        """None: money has no corporate actions. No request."""
        return Fetched((), FetchReport(self.name, symbol.instrument_id, "actions", window, 0, Outcome.EMPTY))

    async def _all(self) -> tuple[Rates | Failure, Cost, bool]:
        """All rates, what they cost, and whether they were known already."""
        cost = Cost()
        async with self._is_reading:
            if self._rates is not None and self._read_at is not None and self._now() - self._read_at < _KEPT_FOR:
                return self._rates, cost, True
            read_at = self._now()
            if self._file is not None:
                answer: Rates | Failure = _of_file(self._file)
            else:
                answer = await self.get("/eurofxref-hist.zip", {}, read_rates, cost)
            if not isinstance(answer, Failure):
                self._rates, self._read_at = answer, read_at
            return answer, cost, False


def read_rates(data: bytes) -> Rates:
    """Rates by currency and day (00:00 UTC); None where the bank gives none that day (`N/A`).

    Args:
        data: zip, CSV or XML as published.

    Raises:
        MalformedResponseError: it is none of them, or has no rate.
    """
    if data.startswith(b"PK"):
        data = _unzipped(data)
    text = data.decode("utf-8-sig")
    rates = _of_xml(text) if text.lstrip().startswith("<") else _of_csv(text)
    if not rates:
        raise MalformedResponseError
    return rates


def _of_file(file: Path) -> Rates | Failure:
    try:
        return read_rates(file.read_bytes())
    except (OSError, MalformedResponseError, ValueError) as error:
        return Failure.of(Kind.PERMANENT, f"the file of rates cannot be read ({type(error).__name__})")


def _unzipped(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (member,) = archive.infolist()
            if member.file_size > _SIZE_LIMIT_BYTES:
                raise MalformedResponseError
            return archive.read(member)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, EOFError):
        raise MalformedResponseError from None


def _of_csv(text: str) -> Rates:
    """`Date,USD,JPY,…,` newest first, each line with a comma at its end."""
    rows = csv.reader(io.StringIO(text))
    header = [name.strip() for name in next(rows, [])]
    if header[:1] != ["Date"]:
        raise MalformedResponseError
    rates: Rates = {code: {} for code in header[1:] if code}
    for row in rows:
        if row:
            day = datetime.strptime(row[0].strip(), "%Y-%m-%d").replace(tzinfo=UTC)
            for code, value in zip(header[1:], row[1:], strict=True):
                if code:
                    rates[code][day] = None if value.strip() in ("N/A", "") else Decimal(value.strip())
    return rates


def _of_xml(text: str) -> Rates:
    """`<Cube time="2026-11-20"><Cube currency="USD" rate="1.08"/>…`; a page in HTML has none of them."""
    rates: Rates = {}
    day: datetime | None = None
    for match in _XML.finditer(text.replace("'", '"')):
        if match["day"]:
            day = datetime.strptime(match["day"], "%Y-%m-%d").replace(tzinfo=UTC)
        elif day is not None:
            rates.setdefault(match["code"], {})[day] = Decimal(match["rate"])
    return rates
