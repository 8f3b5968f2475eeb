"""Which observations may count.

Belongs here: rules over frames. Must not be here: SQL, requests, the choice between sources (dbt).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl


def judge(
    history: pl.DataFrame, new: pl.DataFrame, calendars: Mapping[str, Any], other_sources: pl.DataFrame, now: datetime
) -> pl.DataFrame:
    """A verdict for each new row, in its order: `status` accepted, held or refused, and `reason` unless accepted.

    Args:
        history: accepted bars of the same instrument, resolution, source and currency before the new ones.
        new: bars as received; a null `close` was no finite number.
        calendars: by instrument.
        other_sources: accepted bars of the same instruments by other sources, around the new ones.
        now: the clock, UTC.
    """
    is_number = pl.col("close").is_not_null() & (pl.col("close") > 0)
    return new.select(
        status=pl.when(is_number).then(pl.lit("accepted")).otherwise(pl.lit("refused")),
        reason=pl.when(is_number).then(pl.lit(None, pl.String)).otherwise(pl.lit("not_positive")),
    )
