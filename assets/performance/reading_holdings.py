"""Reads what portfolios held and gained: positions and entries, laid out by portfolio and instrument.

Belongs here: SQL that reads them, their order, their classes of assets. Must not be here: prices and returns
(reading_reference), any formula.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.performance.holdings import CASH_CLASS, Classes, Holdings
from assets.performance.measures import Integers
from assets.performance.packed_days import Records
from assets.performance.reading_days import EPOCH
from assets.performance.reading_reference import Reference
from assets.performance.series import DailySeries
from assets.warehouse.database import Connection

# One row a portfolio, its positions or entries packed, for the same reason; instruments by their place in a list.
_POSITIONS = f"""
    select portfolio_id, string_agg(
        int4send(place::integer) || int4send(valid_from - {EPOCH}) || int4send(coalesce(valid_to, %s + 1) - {EPOCH})
        || float8send(quantity::float8) || float8send(coalesce(cost_base, 0)::float8), '')
    from intermediate.ledger_positions
    inner join unnest(%s::text[]) with ordinality as listed (instrument_id, place) using (instrument_id)
    where portfolio_id = any(%s) and valid_from <= %s
    group by portfolio_id
"""
POSITION = np.dtype(
    [("place", ">i4"), ("valid_from", ">i4"), ("valid_to", ">i4"), ("quantity", ">f8"), ("cost", ">f8")]
)
# what an entry adds to the gain of its day, beside the change of the unrealised gain
_ENTRIES = f"""
    select portfolio_id, string_agg(int4send(place::integer) || int4send(entry_date - {EPOCH}) || float8send((
        case when measure in ('income', 'realized_price', 'realized_currency') then amount_base else -amount_base end
    )::float8), '')
    from intermediate.ledger_entries
    inner join unnest(%s::text[]) with ordinality as listed (instrument_id, place) using (instrument_id)
    where portfolio_id = any(%s) and entry_date <= %s and measure in (
        'income', 'realized_price', 'realized_currency', 'fee', 'tax', 'carried_price', 'carried_currency'
    )
    group by portfolio_id
"""
ENTRY = np.dtype([("place", ">i4"), ("day", ">i4"), ("gain", ">f8")])


@dataclass(frozen=True)
class PackedRows:
    """Positions or entries of many portfolios, in any order.

    Attributes:
        owner: (rows,) index of the portfolio.
        records: (rows,) of type `POSITION` or `ENTRY`; `place` counts from 1.
    """

    owner: Integers
    records: Records


def read_holdings(conn: Connection, series: DailySeries, reference: Reference, as_of_date: date) -> Holdings:
    """Positions and entries of the portfolios of a series, with the rows of their prices."""
    names, ids = sorted(reference.asset_class), series.portfolio_ids
    positions = _read_rows(conn, _POSITIONS, [as_of_date, names, ids, as_of_date], POSITION, ids)
    entries = _read_rows(conn, _ENTRIES, [names, ids, as_of_date], ENTRY, ids)
    return lay_out_holdings(names, positions, entries, series, reference)


def _read_rows(
    conn: Connection, query: str, parameters: Sequence[object], kind: np.dtype, portfolio_ids: Sequence[str]
) -> PackedRows:
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(query.encode(), parameters).fetchall()
    owner_of = {portfolio_id: row for row, portfolio_id in enumerate(portfolio_ids)}
    counts = [len(block) // kind.itemsize for _, block in found]
    owner = np.repeat(np.array([owner_of[portfolio_id] for portfolio_id, _ in found], dtype=np.int64), counts)
    return PackedRows(owner, np.frombuffer(b"".join(block for _, block in found), kind))


def lay_out_holdings(
    names: Sequence[str], positions: PackedRows, entries: PackedRows, series: DailySeries, reference: Reference
) -> Holdings:
    """Positions and entries by portfolio and instrument.

    Within a holding they are sorted by all columns: the last bits of a sum must not depend on the order of a table.

    Args:
        names: instruments, sorted; the first has place 1.
        positions: of type `POSITION`.
        entries: of type `ENTRY`.
        series: whose portfolios they are of.
        reference: prices and classes of the instruments.
    """
    position_key, entry_key = (rows.owner * len(names) + rows.records["place"] - 1 for rows in (positions, entries))
    keys = np.unique(np.concatenate([position_key, entry_key]))
    owner, place = keys // max(len(names), 1), keys % max(len(names), 1)
    instrument_ids = [names[row] for row in place.tolist()]
    bases = [reference.base_currency[portfolio_id] for portfolio_id in series.portfolio_ids]
    pairs = [(bases[portfolio], name) for portfolio, name in zip(owner.tolist(), instrument_ids, strict=True)]
    class_row, classes = _classes(series, reference, instrument_ids, owner)
    position_offsets, held = _sorted(positions.records, np.searchsorted(keys, position_key), len(keys))
    entry_offsets, entered = _sorted(entries.records, np.searchsorted(keys, entry_key), len(keys))
    return Holdings(
        instrument_ids=instrument_ids,
        owner=owner,
        holding_offsets=np.searchsorted(owner, np.arange(len(bases) + 1)).astype(np.int64),
        price_row=np.array([reference.prices.rows.get(pair, -1) for pair in pairs], dtype=np.int64),
        prices=reference.prices.values,
        prices_first_day=reference.prices.first_day,
        position_offsets=position_offsets,
        valid_from=held["valid_from"].astype(np.int64),
        valid_to=held["valid_to"].astype(np.int64),
        quantity=held["quantity"].astype(np.float64),
        cost=held["cost"].astype(np.float64),
        entry_offsets=entry_offsets,
        entry_day=entered["day"].astype(np.int64),
        entry_gain=entered["gain"].astype(np.float64),
        class_row=class_row,
        classes=classes,
    )


def _sorted(records: Records, holding: Integers, count: int) -> tuple[Integers, Records]:
    """(count + 1,) where the records of each holding begin, and the records by holding, then all their columns."""
    columns = [records[name] for name in reversed(records.dtype.names or ()) if name != "place"]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(holding, minlength=count))])
    return offsets, records[np.lexsort((*columns, holding))]


def _classes(
    series: DailySeries, reference: Reference, instrument_ids: Sequence[str], owner: Integers
) -> tuple[Integers, Classes]:
    held = [
        (portfolio, reference.asset_class[instrument])
        for instrument, portfolio in zip(instrument_ids, owner.tolist(), strict=True)
    ]
    own: list[str | None] = [
        reference.asset_class[reference.benchmark[portfolio_id]] if portfolio_id in reference.benchmark else None
        for portfolio_id in series.portfolio_ids
    ]
    listed = {(portfolio, CASH_CLASS) for portfolio in range(len(own))} | set(held)
    listed |= {(portfolio, name) for portfolio, name in enumerate(own) if name is not None}
    rows = sorted(listed)
    place = {pair: row for row, pair in enumerate(rows)}
    owners = np.array([portfolio for portfolio, _ in rows], dtype=np.int64)
    classes = Classes(
        names=[name for _, name in rows],
        owner=owners,
        offsets=np.searchsorted(owners, np.arange(len(own) + 1)).astype(np.int64),
        is_cash=np.array([name == CASH_CLASS for _, name in rows], dtype=np.bool_),
        is_benchmark=np.array([name == own[portfolio] for portfolio, name in rows], dtype=np.bool_),
    )
    return np.array([place[pair] for pair in held], dtype=np.int64), classes
