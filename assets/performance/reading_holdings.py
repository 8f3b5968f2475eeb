"""Reads what portfolios held and gained: positions and entries, laid out by portfolio and instrument.

Belongs here: SQL that reads them, their order, their classes of assets. Must not be here: prices and returns
(reading_reference), any formula.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from assets.performance.holdings import CASH_CLASS, Classes, Holdings
from assets.performance.measures import Floats, Integers
from assets.performance.reading_days import EPOCH
from assets.performance.reading_reference import Reference
from assets.performance.series import DailySeries
from assets.warehouse.database import Connection

# One row a holding, its positions or entries packed, for the same reason.
_POSITIONS = f"""
    select portfolio_id, instrument_id, string_agg(
        int4send(valid_from - {EPOCH}) || int4send(coalesce(valid_to, %s + 1) - {EPOCH})
        || float8send(quantity::float8) || float8send(coalesce(cost_base, 0)::float8), '')
    from intermediate.ledger_positions where portfolio_id = any(%s) and valid_from <= %s
    group by portfolio_id, instrument_id
"""
POSITION = np.dtype([("valid_from", ">i4"), ("valid_to", ">i4"), ("quantity", ">f8"), ("cost", ">f8")])
# what an entry adds to the gain of its day, beside the change of the unrealised gain
_ENTRIES = f"""
    select portfolio_id, instrument_id, string_agg(int4send(entry_date - {EPOCH}) || float8send((
        case when measure in ('income', 'realized_price', 'realized_currency') then amount_base else -amount_base end
    )::float8), '')
    from intermediate.ledger_entries
    where portfolio_id = any(%s) and entry_date <= %s and measure in (
        'income', 'realized_price', 'realized_currency', 'fee', 'tax', 'carried_price', 'carried_currency'
    )
    group by portfolio_id, instrument_id
"""
ENTRY = np.dtype([("day", ">i4"), ("gain", ">f8")])


def read_holdings(conn: Connection, series: DailySeries, reference: Reference, as_of_date: date) -> Holdings:
    """Positions and entries of the portfolios of a series, with the rows of their prices."""
    ids = series.portfolio_ids
    positions = _read_records(conn, _POSITIONS, [as_of_date, ids, as_of_date], POSITION)
    entries = _read_records(conn, _ENTRIES, [ids, as_of_date], ENTRY)
    return holdings_from_frames(positions, entries, series, reference)


def _read_records(conn: Connection, query: str, parameters: Sequence[object], kind: np.dtype) -> pl.DataFrame:
    """One row a record of a query's rows of portfolio, instrument and packed records."""
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(query.encode(), parameters).fetchall()
    portfolio_ids, instrument_ids, blocks = zip(*found, strict=True) if found else ((), (), ())
    records = np.frombuffer(b"".join(blocks), kind)
    row = np.repeat(np.arange(len(blocks)), [len(block) // kind.itemsize for block in blocks])
    return pl.DataFrame(
        {
            "portfolio_id": pl.Series(portfolio_ids, dtype=pl.String).gather(row),
            "instrument_id": pl.Series(instrument_ids, dtype=pl.String).gather(row),
            **{name: records[name].astype(kind[name].newbyteorder("=")) for name in kind.names or ()},
        }
    )


def holdings_from_frames(
    positions: pl.DataFrame, entries: pl.DataFrame, series: DailySeries, reference: Reference
) -> Holdings:
    """Lay out positions and entries by portfolio and instrument.

    Within a holding they are sorted by all columns: the last bits of a sum must not depend on the order of a table.
    """
    key = ["portfolio_id", "instrument_id"]
    found = pl.concat([positions.select(key), entries.select(key)]).unique()
    found = found.join(_ranks(series.portfolio_ids), on="portfolio_id").sort("owner", "instrument_id")
    found = found.with_row_index("holding").with_columns(pl.col("holding").cast(pl.Int64))
    positions = positions.join(found, on=key).sort("holding", "valid_from", "valid_to", "quantity", "cost")
    entries = entries.join(found, on=key).sort("holding", "day", "gain")
    instrument_ids, owner = found["instrument_id"].to_list(), _integers(found["owner"])
    bases = [reference.base_currency[portfolio_id] for portfolio_id in series.portfolio_ids]
    pairs = [(bases[portfolio], instrument) for portfolio, instrument in zip(owner, instrument_ids, strict=True)]
    class_row, classes = _classes(series, reference, instrument_ids, owner)
    return Holdings(
        instrument_ids=instrument_ids,
        owner=owner,
        holding_offsets=_offsets(found["owner"], len(series.portfolio_ids)),
        price_row=np.array([reference.prices.rows.get(pair, -1) for pair in pairs], dtype=np.int64),
        prices=reference.prices.values,
        prices_first_day=reference.prices.first_day,
        position_offsets=_offsets(positions["holding"], found.height),
        valid_from=_integers(positions["valid_from"]),
        valid_to=_integers(positions["valid_to"]),
        quantity=_floats(positions["quantity"]),
        cost=_floats(positions["cost"]),
        entry_offsets=_offsets(entries["holding"], found.height),
        entry_day=_integers(entries["day"]),
        entry_gain=_floats(entries["gain"]),
        class_row=class_row,
        classes=classes,
    )


def _classes(
    series: DailySeries, reference: Reference, instrument_ids: Sequence[str], owner: Integers
) -> tuple[Integers, Classes]:
    held = [
        (int(portfolio), reference.asset_class[instrument])
        for instrument, portfolio in zip(instrument_ids, owner, strict=True)
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


def _ranks(portfolio_ids: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"portfolio_id": list(portfolio_ids), "owner": np.arange(len(portfolio_ids), dtype=np.int64)})


def _offsets(sorted_groups: pl.Series, count: int) -> Integers:
    return np.searchsorted(sorted_groups.to_numpy(), np.arange(count + 1)).astype(np.int64)


def _integers(column: pl.Series) -> Integers:
    return np.ascontiguousarray(column.cast(pl.Int64).to_numpy())


def _floats(column: pl.Series) -> Floats:
    return np.ascontiguousarray(column.cast(pl.Float64).to_numpy())
