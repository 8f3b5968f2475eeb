"""Prices and exchange rates as they were known at an instant.

Belongs here: looking up the last price or rate at or before an instant, and valuing an instrument in a base currency.
Must not be here: deciding what a missing price means, cleaning prices, reading the database.

Rules: never a later point (no look-ahead); what is missing is None, never 1 and never 0; an exchange rate is the pair
itself, else its inverse, else one cross through USD, EUR or a base currency; an instrument without own points takes
those of its canonical instrument. These are the rules of the daily valuation in SQL: what one of the two can value and
the other cannot would break the identity.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from assets.ledger.model import ONE, Instrument, is_fiat

_Answer = TypeVar("_Answer")

USD, EUR = "fiat:USD", "fiat:EUR"
ALWAYS = datetime.min.replace(tzinfo=UTC)
# A currency that is itself a token may be quoted in another token; deeper chains are a mistake in the reference data.
MAX_QUOTE_DEPTH = 3


class Series:
    """Points of one price or rate in order of time."""

    __slots__ = ("currency", "times", "values")

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.times: list[datetime] = []
        self.values: list[Decimal] = []

    def add(self, at: datetime, value: Decimal) -> None:
        """Add a point; points may come in any order, of one instant the last one given counts."""
        if not self.times or at > self.times[-1]:
            self.times.append(at)
            self.values.append(value)
            return
        index = bisect_right(self.times, at)
        if self.times[index - 1] == at and index > 0:
            self.values[index - 1] = value
        else:
            self.times.insert(index, at)
            self.values.insert(index, value)

    def last(self, at: datetime) -> Decimal | None:
        """The last value at or before the instant."""
        index = bisect_right(self.times, at)
        return self.values[index - 1] if index else None


class PriceBook:
    """All prices and rates of a run.

    Args:
        instruments: reference data; an instrument that is not listed stands for itself.
        hubs: base currencies, through which a missing pair is crossed where neither USD nor EUR helps.
        with_token_quotes: whether a price in a token (BTC in USDT) values an instrument, by the token's own price.
    """

    def __init__(
        self, instruments: Iterable[Instrument] = (), hubs: Iterable[str] = (), *, with_token_quotes: bool = True
    ) -> None:
        self.instruments = {i.instrument_id: i for i in instruments}
        self.hubs = (USD, EUR, *sorted(set(hubs) - {USD, EUR}))
        self.with_token_quotes = with_token_quotes
        self._prices: dict[str, Series] = {}
        self._rates: dict[tuple[str, str], Series] = {}
        self._valuations: dict[str, Valuation] = {}

    def add_price(self, instrument_id: str, at: datetime, price: Decimal, currency: str) -> None:
        """Add a price per unit in the instrument's quote currency."""
        series = self._prices.get(instrument_id)
        if series is None:
            series = self._prices[instrument_id] = Series(currency)
        series.add(at, price)

    def add_rate(self, currency: str, quote: str, at: datetime, rate: Decimal) -> None:
        """Add an exchange rate: units of `quote` for 1 `currency`."""
        series = self._rates.get((currency, quote))
        if series is None:
            series = self._rates[currency, quote] = Series(quote)
        series.add(at, rate)

    def canonical(self, instrument_id: str) -> str:
        """The economic asset behind an instrument, the instrument itself if none is linked."""
        instrument = self.instruments.get(instrument_id)
        return (instrument.canonical_instrument if instrument else None) or instrument_id

    def series_of(self, instrument_id: str) -> Series | None:
        """The price series that values an instrument: its own, else that of its canonical instrument."""
        instrument = self.instruments.get(instrument_id)
        if instrument is not None and instrument.pricing_instrument is not None:
            series = self._prices.get(instrument.pricing_instrument)
        else:
            series = self._prices.get(instrument_id) or self._prices.get(self.canonical(instrument_id))
        if series is None or self.with_token_quotes or is_fiat(series.currency):
            return series
        return None

    def quote_currency(self, instrument_id: str) -> str | None:
        """The currency in which the instrument is priced; fiat money in itself."""
        if is_fiat(instrument_id):
            return instrument_id
        series = self.series_of(instrument_id)
        if series is not None:
            return series.currency
        instrument = self.instruments.get(instrument_id)
        return instrument.quote_currency if instrument else None

    def price(self, instrument_id: str, at: datetime) -> Decimal | None:
        """The last price at or before the instant, in the quote currency; fiat money is 1 in itself."""
        if is_fiat(instrument_id):
            return ONE
        series = self.series_of(instrument_id)
        return None if series is None else series.last(at)

    def rate(self, currency: str, base: str, at: datetime, depth: int = 0) -> Decimal | None:
        """Units of `base` for one `currency` (any instrument) as known at the instant, or None."""
        if currency == base:
            return ONE
        if not is_fiat(currency):
            return self._token_rate(currency, base, at, depth)
        rate = self._pair(currency, base, at)
        for hub in self.hubs:
            if rate is not None:
                break
            if hub not in (currency, base):
                first = self._pair(currency, hub, at)
                second = None if first is None else self._pair(hub, base, at)
                rate = None if first is None or second is None else first * second
        return rate

    def rate_known_from(self, currency: str, base: str, depth: int = 0) -> datetime | None:
        """The first instant from which `rate` gives an answer, or None if it never does."""
        if currency == base:
            return ALWAYS
        if not is_fiat(currency):
            return self.value_known_from(currency, base, depth + 1)
        earliest = self._pair_from(currency, base)
        for hub in self.hubs:
            if hub not in (currency, base):
                first, second = self._pair_from(currency, hub), self._pair_from(hub, base)
                if first is not None and second is not None:
                    earliest = min(max(first, second), earliest or max(first, second))
        return earliest

    def value_known_from(self, instrument_id: str, base: str, depth: int = 0) -> datetime | None:
        """The first instant from which the instrument has a price and a rate to base, or None if it never has."""
        if is_fiat(instrument_id):
            return self.rate_known_from(instrument_id, base, depth)
        series = self.series_of(instrument_id)
        if series is None or depth > MAX_QUOTE_DEPTH:
            return None
        rate_from = self.rate_known_from(series.currency, base, depth)
        return None if rate_from is None else max(series.times[0], rate_from)

    def valuation(self, base: str) -> "Valuation":
        """The view of this book in one base currency, shared by all portfolios that have it."""
        view = self._valuations.get(base)
        if view is None:
            view = self._valuations[base] = Valuation(self, base)
        return view

    def _token_rate(self, currency: str, base: str, at: datetime, depth: int) -> Decimal | None:
        series = self.series_of(currency)
        price = None if series is None or depth > MAX_QUOTE_DEPTH else series.last(at)
        if series is None or price is None:
            return None
        rate = self.rate(series.currency, base, at, depth + 1)
        return None if rate is None else price * rate

    def pair_series(self, currency: str, base: str) -> Series | None:
        """The points of a pair of currencies as they were given, None if there are none of it this way round."""
        return self._rates.get((currency, base))

    def _pair(self, currency: str, base: str, at: datetime) -> Decimal | None:
        series = self._rates.get((currency, base))
        rate = None if series is None else series.last(at)
        if rate is not None:
            return rate
        inverse = self._rates.get((base, currency))
        rate = None if inverse is None else inverse.last(at)
        return None if rate is None else ONE / rate

    def _pair_from(self, currency: str, base: str) -> datetime | None:
        found = [self._rates.get((currency, base)), self._rates.get((base, currency))]
        return min((series.times[0] for series in found if series is not None), default=None)


class _Remembered(dict[str, _Answer]):
    """The answer for each instrument that was asked for."""

    def __init__(self, ask: Callable[[str], _Answer]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, instrument_id: str) -> _Answer:
        answer = self[instrument_id] = self._ask(instrument_id)
        return answer


class Valuation:
    """Values in one base currency, with what does not depend on time remembered."""

    def __init__(self, book: PriceBook, base: str) -> None:
        self.book = book
        self.base = base
        self._known_from = _Remembered(lambda instrument_id: book.value_known_from(instrument_id, base))
        self._quotes = _Remembered(book.quote_currency)
        self._pairs = _Remembered(lambda currency: book.pair_series(currency, base) if is_fiat(currency) else None)

    def quote(self, instrument_id: str) -> str | None:
        """The currency in which the instrument is priced."""
        return self._quotes[instrument_id]

    def known_from(self, instrument_id: str) -> datetime | None:
        """The first instant from which the instrument has a value in base currency."""
        return self._known_from[instrument_id]

    def rate(self, currency: str, at: datetime) -> Decimal | None:
        """Base currency for one unit of a currency, which may be any instrument."""
        if currency == self.base:
            return ONE
        pair = self._pairs[currency]
        rate = None if pair is None else pair.last(at)  # the common case, and the first that the book would try
        return self.book.rate(currency, self.base, at) if rate is None else rate

    def unit_value(self, instrument_id: str, at: datetime) -> Decimal | None:
        """Base currency for one unit of the instrument, or None if a price or a rate is missing."""
        return self.rate(instrument_id, at)

    def price_and_rate(self, instrument_id: str, at: datetime) -> tuple[Decimal, Decimal] | None:
        """Price in the quote currency and rate of that currency to base, of the series that values the instrument."""
        if is_fiat(instrument_id):
            rate = self.rate(instrument_id, at)
            return None if rate is None else (ONE, rate)
        series = self.book.series_of(instrument_id)
        price = None if series is None else series.last(at)
        if series is None or price is None:
            return None
        rate = self.rate(series.currency, at)
        return None if rate is None else (price, rate)

    def quote_rate(self, instrument_id: str, at: datetime) -> Decimal | None:
        """Rate of the instrument's quote currency to base, also while the instrument itself has no price yet."""
        quote = self._quotes[instrument_id]
        if quote == self.base:
            return ONE
        return None if quote is None else self.rate(quote, at)
