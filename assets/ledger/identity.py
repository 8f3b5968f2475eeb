"""The identity of value, checked from the ledger's own output.

Belongs here: an independent evaluation, day by day, of V1 - V0 against the entries. Must not be here: anything that
posts.

It reads positions, entries and prices as SQL reads them, so a mistake in the engine's bookkeeping cannot hide from
it.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal, localcontext

from assets.ledger.books import Books
from assets.ledger.model import LEDGER_CONTEXT, MEASURE_SIGN, ZERO, PositionRow, end_of_day
from assets.ledger.price_book import Valuation

Totals = tuple[Decimal, Decimal, Decimal]
"""Value, unrealised gain of price, unrealised gain of currency."""


def daily_residuals(books: Books, valuation: Valuation, first: date, last: date) -> Iterator[tuple[date, Decimal]]:
    """What the entries of each day leave unexplained, in base currency; all zero when the ledger is right.

    V1 - V0 = in - out + realised price + (dU price - carried price) + income - fees - taxes
              + (dU currency + realised currency - carried currency)

    Args:
        books: a finished portfolio.
        valuation: prices in its base currency.
        first: first day, at or before the first event.
        last: last day.
    """
    by_day: dict[date, Decimal] = defaultdict(lambda: ZERO)
    with localcontext(LEDGER_CONTEXT):
        for entry in books.entries:
            by_day[entry.entry_date] += MEASURE_SIGN[entry.measure] * entry.amount_base
        before = (ZERO, ZERO, ZERO)
        day = first
        while day <= last:
            now = totals_at(books.positions_rows, valuation, day)
            explained = by_day[day] + (now[1] - before[1]) + (now[2] - before[2])
            yield day, now[0] - before[0] - explained
            before = now
            day += timedelta(days=1)


def totals_at(positions: list[PositionRow], valuation: Valuation, day: date) -> Totals:
    """Value and unrealised gains of all positions that have a price and a rate at the close of the day."""
    value = of_price = of_currency = ZERO
    close = end_of_day(day)
    for row in positions:
        if row.valid_from > day or (row.valid_to is not None and row.valid_to <= day):
            continue
        found = valuation.price_and_rate(row.instrument_id, close)
        if found is None:
            continue
        price, rate = found
        if row.cost_base is None or row.quantity_at_cost_fx is None:
            raise ValueError(f"{row.instrument_id} has a price on {day}, but its position has no cost: {row}")
        worth = row.quantity * price * rate
        at_cost_fx = price * row.quantity_at_cost_fx
        value += worth
        of_price += at_cost_fx - row.cost_base
        of_currency += worth - at_cost_fx
    return value, of_price, of_currency
