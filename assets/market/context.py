"""SQL of what acceptance asks besides prices: classes, exchanges, rates, splits, and which currencies are known.

Belongs here: reading the frames that `judge` takes beside a landing's own rows. Must not be here: rules
(acceptance.py), writing (landing.py).
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from assets.market.acceptance_rows import ACTION_COLUMNS
from assets.market.calendars import Sessions, exchange_sessions
from assets.market.model import Instrument
from assets.market.symbols import asset_class_of, yahoo_symbol
from assets.market.thresholds import venue_of
from assets.registry.identifiers import ISO_4217
from assets.warehouse.database import Connection, read_frame

if TYPE_CHECKING:
    import polars as pl

#: A rate of a token older than this says nothing of its value now.
_RATE_AGE = "7d"
_INSTRUMENTS = """
select instrument, asset_class, yfinance_symbol from registry.instruments where instrument = any(%s)
"""
#: What sources told of tokens in money; the latest one before a price is its rate.
_RATES = """
select instrument_id, extract(epoch from priced_at)::numeric * 1000000, close
from raw.bars
where instrument_id = any(%s) and currency = 'fiat:USD' and status = 'accepted'
order by priced_at
"""
#: What one euro is worth at central banks, and what others say of a currency in dollars.
_FIAT_RATES = """
select instrument_id, extract(epoch from priced_at)::numeric * 1000000, close
from raw.bars
where instrument_id = any(%s) and currency = 'fiat:USD' and status = 'accepted'
union all
select crossed.currency, extract(epoch from crossed.priced_at)::numeric * 1000000, dollars.close / crossed.close
from raw.bars as crossed
inner join raw.bars as dollars
    on crossed.source = dollars.source and crossed.resolution = dollars.resolution
        and crossed.instrument_id = dollars.instrument_id and crossed.opened_at = dollars.opened_at
        and dollars.currency = 'fiat:USD' and dollars.status = 'accepted'
where crossed.instrument_id = 'fiat:EUR' and crossed.currency = any(%s) and crossed.status = 'accepted'
order by 2
"""
_SPLITS = """
select instrument_id, ex_date, ratio from raw.source_actions where kind = 'split' and instrument_id = any(%s)
union all
select actions.instrument_id, actions.ex_date, actions.ratio
from raw.corporate_actions as actions
inner join ops.input_files as files on actions.batch_id = files.batch_id
where actions.kind = 'split' and actions.instrument_id = any(%s)
union all
select rows.instrument_id, (rows.executed_at at time zone 'UTC')::date, rows.quantity
from raw.transactions as rows
inner join ops.input_files as files on rows.batch_id = files.batch_id
where rows.type = 'SPLIT' and rows.instrument_id = any(%s)
"""


def describe(conn: Connection, *frames: "pl.DataFrame") -> tuple["pl.DataFrame", ...]:
    """Each frame with asset_class, venue and rate beside its rows.

    Args:
        conn: any.
        frames: with instrument_id, currency and priced_at.
    """
    import polars as pl

    names = sorted({name for frame in frames for name in frame["instrument_id"].unique().to_list()})
    given = {row[0]: row for row in conn.execute(_INSTRUMENTS, [names])}
    instruments = [
        Instrument(name, given[name][1], yfinance_symbol=given[name][2]) if name in given else Instrument(name)
        for name in names
    ]
    classes = {one.id: asset_class_of(one) for one in instruments}
    venues = {}
    for one in instruments:
        symbol = yahoo_symbol(one)
        venues[one.id] = venue_of(classes[one.id], symbol.symbol if symbol else None)
    rates = _rates(conn, sorted({name for frame in frames for name in frame["currency"].unique().to_list()}))
    return tuple(
        frame.with_row_index("row")
        .with_columns(
            asset_class=pl.col("instrument_id").replace_strict(classes, default=None, return_dtype=pl.String),
            venue=pl.col("instrument_id").replace_strict(venues, default=None, return_dtype=pl.String),
        )
        .sort("priced_at")
        .join_asof(
            rates, left_on="priced_at", right_on="rated_at", by="currency", tolerance=_RATE_AGE, check_sortedness=False
        )
        .with_columns(rate=pl.when(pl.col("currency") == "fiat:USD").then(1.0).otherwise(pl.col("rate")))
        .sort("row")
        .drop("row", "rated_at", strict=False)
        for frame in frames
    )


def calendars_of(new: "pl.DataFrame", now: datetime) -> dict[str, Sessions]:
    """The sessions of the exchanges of these rows, a little beyond their times."""
    venues = new["venue"].drop_nulls().unique().to_list()
    if not venues:
        return {}
    first = new["opened_at"].min()
    return exchange_sessions(
        venues,
        (first if isinstance(first, datetime) else now).date() - timedelta(days=7),
        now.date() + timedelta(days=1),
    )


def splits_of(conn: Connection, new: "pl.DataFrame") -> "pl.DataFrame":
    """Splits that anybody told of these instruments: sources, files, owners' own rows."""
    names = new["instrument_id"].unique().to_list()
    schema = {name: type(kind) for name, kind in ACTION_COLUMNS.items()}
    return read_frame(conn, _SPLITS, [names, names, names], schema)


def known_currencies(conn: Connection) -> frozenset[str]:
    """Currencies of ISO 4217, and whatever has a price or a mapping of its own."""
    found = conn.execute(
        "select instrument from registry.instruments union select instrument_id from registry.tracked_instruments"
        " union select unnest(currencies) from registry.tracked_instruments"
    )
    from assets.importers.symbols import currency_symbols

    return frozenset(f"fiat:{code}" for code in ISO_4217) | {row[0] for row in found} | set(currency_symbols().values())


def _rates(conn: Connection, currencies: list[str]) -> "pl.DataFrame":
    """Dollars for one unit, by currency and instant."""
    import polars as pl

    schema: dict[str, type[pl.DataType]] = {"currency": pl.String, "rated_at": pl.Float64, "rate": pl.Float64}
    tokens = [name for name in currencies if not name.startswith("fiat:")]
    money = [name for name in currencies if name.startswith("fiat:") and name != "fiat:USD"]
    parts = [read_frame(conn, _RATES, [tokens], schema)] if tokens else []
    if money:
        parts.append(read_frame(conn, _FIAT_RATES, [money, money], schema))
    rates = pl.concat(parts) if parts else pl.DataFrame(schema=schema)
    return rates.with_columns(pl.col("rated_at").cast(pl.Int64).cast(pl.Datetime("us", "UTC"))).sort("rated_at")
