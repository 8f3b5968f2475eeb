"""Prices and exchange rates as they were known at an instant.

Belongs here: looking up the last price or rate at or before an instant, and valuing an instrument in a base currency.
Must not be here: deciding what a missing price means, cleaning prices, reading the database.

Rules: never a later point (no look-ahead); what is missing is None, never 1 and never 0; an exchange rate is the pair
itself, else its inverse, else one cross through USD; an instrument without own points takes those of its canonical
instrument.
"""

from bisect import bisect_right
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from assets.ledger.model import ONE, Instrument, is_fiat

USD = "fiat:USD"
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
    """

    def __init__(self, instruments: Iterable[Instrument] = ()) -> None:
        self.instruments = {i.instrument_id: i for i in instruments}
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

    def series_of(self, instrument_id: str) -> list[Series]:
        """The price series that may value an instrument, its own first."""
        found = [self._prices.get(instrument_id)]
        canonical = self.canonical(instrument_id)
        if canonical != instrument_id:
            found.append(self._prices.get(canonical))
        return [series for series in found if series is not None]

    def quote_currency(self, instrument_id: str) -> str | None:
        """The currency in which the instrument is priced; fiat money in itself."""
        if is_fiat(instrument_id):
            return instrument_id
        series = self.series_of(instrument_id)
        if series:
            return series[0].currency
        instrument = self.instruments.get(instrument_id)
        return instrument.quote_currency if instrument else None

    def price(self, instrument_id: str, at: datetime) -> Decimal | None:
        """The last price at or before the instant, in the quote currency; fiat money is 1 in itself."""
        if is_fiat(instrument_id):
            return ONE
        for series in self.series_of(instrument_id):
            price = series.last(at)
            if price is not None:
                return price
        return None

    def rate(self, currency: str, base: str, at: datetime, depth: int = 0) -> Decimal | None:
        """Units of `base` for one `currency` (any instrument) as known at the instant, or None."""
        if currency == base:
            return ONE
        if not is_fiat(currency):
            return self._token_rate(currency, base, at, depth)
        direct = self._pair(currency, base, at)
        if direct is not None or USD in (currency, base):
            return direct
        first = self._pair(currency, USD, at)
        second = None if first is None else self._pair(USD, base, at)
        return None if first is None or second is None else first * second

    def rate_known_from(self, currency: str, base: str, depth: int = 0) -> datetime | None:
        """The first instant from which `rate` gives an answer, or None if it never does."""
        if currency == base:
            return ALWAYS
        if not is_fiat(currency):
            return self.value_known_from(currency, base, depth + 1)
        direct = self._pair_from(currency, base)
        if USD in (currency, base):
            return direct
        first, second = self._pair_from(currency, USD), self._pair_from(USD, base)
        cross = None if first is None or second is None else max(first, second)
        return _earliest(direct, cross)

    def value_known_from(self, instrument_id: str, base: str, depth: int = 0) -> datetime | None:
        """The first instant from which the instrument has a price and a rate to base, or None if it never has."""
        if is_fiat(instrument_id):
            return self.rate_known_from(instrument_id, base, depth)
        if depth > MAX_QUOTE_DEPTH:
            return None
        earliest: datetime | None = None
        for series in self.series_of(instrument_id):
            rate_from = self.rate_known_from(series.currency, base, depth)
            if rate_from is not None:
                earliest = _earliest(earliest, max(series.times[0], rate_from))
        return earliest

    def valuation(self, base: str) -> "Valuation":
        """The view of this book in one base currency, shared by all portfolios that have it."""
        view = self._valuations.get(base)
        if view is None:
            view = self._valuations[base] = Valuation(self, base)
        return view

    def _token_rate(self, currency: str, base: str, at: datetime, depth: int) -> Decimal | None:
        if depth > MAX_QUOTE_DEPTH:
            return None
        for series in self.series_of(currency):
            price = series.last(at)
            rate = None if price is None else self.rate(series.currency, base, at, depth + 1)
            if price is not None and rate is not None:
                return price * rate
        return None

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


class Valuation:
    """Values in one base currency, with what does not depend on time remembered."""

    def __init__(self, book: PriceBook, base: str) -> None:
        self.book = book
        self.base = base
        self._known_from: dict[str, datetime | None] = {}
        self._quotes: dict[str, str | None] = {}

    def quote(self, instrument_id: str) -> str | None:
        """The currency in which the instrument is priced."""
        if instrument_id not in self._quotes:
            self._quotes[instrument_id] = self.book.quote_currency(instrument_id)
        return self._quotes[instrument_id]

    def known_from(self, instrument_id: str) -> datetime | None:
        """The first instant from which the instrument has a value in base currency."""
        if instrument_id not in self._known_from:
            self._known_from[instrument_id] = self.book.value_known_from(instrument_id, self.base)
        return self._known_from[instrument_id]

    def rate(self, currency: str, at: datetime) -> Decimal | None:
        """Base currency for one unit of a currency, which may be any instrument."""
        return ONE if currency == self.base else self.book.rate(currency, self.base, at)

    def unit_value(self, instrument_id: str, at: datetime) -> Decimal | None:
        """Base currency for one unit of the instrument, or None if a price or a rate is missing."""
        return self.rate(instrument_id, at)

    def price_and_rate(self, instrument_id: str, at: datetime) -> tuple[Decimal, Decimal] | None:
        """Price in the quote currency and rate of that currency to base, of the series that values the instrument."""
        if is_fiat(instrument_id):
            rate = self.rate(instrument_id, at)
            return None if rate is None else (ONE, rate)
        for series in self.book.series_of(instrument_id):
            price = series.last(at)
            rate = None if price is None else self.rate(series.currency, at)
            if price is not None and rate is not None:
                return price, rate
        return None

    def quote_rate(self, instrument_id: str, at: datetime) -> Decimal | None:
        """Rate of the instrument's quote currency to base, also while the instrument itself has no price yet."""
        quote = self.quote(instrument_id)
        if quote == self.base:
            return ONE
        found = self.price_and_rate(instrument_id, at)
        if found is not None:
            return found[1]
        return None if quote is None else self.rate(quote, at)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)
