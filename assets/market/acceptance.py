"""Which prices may count: every new observation is accepted, held with a reason, or refused with a reason.

Belongs here: the order of the rules and the verdicts. Must not be here: SQL (judging.py), numbers that people
may want to change (thresholds.py), which of several accepted prices counts (dbt).

Refused is what cannot be a price, whatever comes later. Held is what may be one: it is judged again with every later
run, and counts once a second source or the next bar confirms it, or a person does. Numbers are float64 here: verdicts
have tolerances from 0.05 % on, 12 orders above the rounding. Unknown is null or NaN, never 0.
"""

from collections.abc import Mapping, Set
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.market.acceptance_rows import (
    TICK,
    Bools,
    Floats,
    by_class,
    give,
    kinds_of_calendar,
    splits_by_instrument,
    steps_of,
    together,
)
from assets.market.calendars import Days, Sessions, is_week_end, open_days, open_time
from assets.market.comparing import Pairs, count, is_shifted, pairs_of
from assets.market.jumps import Series, suspicions
from assets.market.model import Resolution
from assets.market.thresholds import thresholds_of
from assets.market.verdicts import ACCEPTED, REASONS

#: Clocks differ; a price may be so much ahead of ours.
CLOCK_TOLERANCE = timedelta(minutes=2)
#: At a peg a price that does not move is what was promised.
_PEG = 0.005
#: Another source moved by more while this one repeated itself.
_OTHERS_MOVED = 0.005
#: Held dates that make all dates of an answer doubtful.
_CLOSED_ROWS, _CLOSED_SHARE = 2, 0.05
_OHLC = ("open", "high", "low", "close")


def judge(
    history: pl.DataFrame,
    new: pl.DataFrame,
    calendars: Mapping[str, Sessions],
    other_sources: pl.DataFrame,
    now: datetime,
    actions: pl.DataFrame | None = None,
    currencies: Set[str] | None = None,
) -> pl.DataFrame:
    """Judge new rows, and again those that were held.

    Args:
        history: accepted rows of the same series: WINDOW bars before and one after the new ones, where there are any.
        new: rows to judge, held ones of these series included.
        calendars: sessions of the venues; one that is missing closes no day.
        other_sources: accepted rows around the new ones: of other sources, and of the same ones between them.
        now: the clock, UTC.
        actions: splits by instrument, ratio = new shares for an old one.
        currencies: every instrument id that may be a currency; None = any.

    Returns:
        A row for each of `new` in its order: status, reason (null when accepted), last_good (the last price before it
        that counts, NaN where there is none).
    """
    if new.is_empty():
        return pl.DataFrame(schema={"status": pl.String(), "reason": pl.String(), "last_good": pl.Float64()})
    rows = together(history, new, other_sources)
    reasons = np.full(rows.height, None, dtype=object)
    is_new = rows["part"].to_numpy() == 1
    _judge_alone(rows, reasons, is_new, now, currencies)
    _judge_days(rows, reasons, is_new, calendars)
    last_good = _judge_in_company(rows, reasons, is_new, actions)
    _judge_latest(rows, reasons, is_new, calendars, now)
    verdicts = pl.DataFrame(
        {
            "position": rows["position"],
            "part": rows["part"],
            "reason": pl.Series(reasons.tolist(), dtype=pl.String),
            "last_good": last_good,
        }
    ).filter(pl.col("part") == 1)
    return verdicts.sort("position").select(
        status=pl.col("reason").replace_strict({k: v[0] for k, v in REASONS.items()}, default=ACCEPTED),
        reason=pl.col("reason"),
        last_good=pl.col("last_good"),
    )


def _judge_alone(
    rows: pl.DataFrame, reasons: NDArray[np.object_], is_new: Bools, now: datetime, currencies: Set[str] | None
) -> None:
    """What a row says of itself."""
    prices = {name: rows[name].to_numpy() for name in _OHLC}  # null is NaN
    told = {name: ~rows[name].is_null().to_numpy() for name in _OHLC}
    volume = rows["volume"].to_numpy()
    opened, priced = (rows[name].to_numpy().astype("datetime64[us]") for name in ("opened_at", "priced_at"))
    soonest = np.datetime64((now + CLOCK_TOLERANCE).replace(tzinfo=None), "us")
    steps = steps_of(rows["resolution"])
    tolerance = prices["close"] * by_class(rows, "ohlc_tolerance")
    with np.errstate(invalid="ignore"):
        not_finite = ~np.isfinite(prices["close"])
        not_positive = volume < 0
        wrong_range = np.zeros(rows.height, dtype=bool)
        for name in _OHLC:
            not_finite |= told[name] & ~np.isfinite(prices[name])
            not_positive |= prices[name] <= 0
            wrong_range |= (prices[name] > prices["high"] + tolerance) | (prices[name] < prices["low"] - tolerance)
    key = ["series", "opened_at", "part"]
    repeated = rows.select(pl.struct(key).is_duplicated() & ~pl.struct(key).is_last_distinct()).to_series().to_numpy()
    unknown = np.zeros(rows.height, dtype=bool)
    if currencies is not None:
        unknown = ~rows["currency"].is_in(sorted(currencies)).to_numpy()
    for reason, where in (
        ("not_finite", not_finite),
        ("not_positive", not_positive),
        ("unknown_currency", unknown),
        ("in_the_future", (priced > soonest) | (opened > soonest)),
        ("time_outside_bar", (priced < opened) | ((steps > 0) & (priced > opened + steps.astype("timedelta64[us]")))),
        ("ohlc", wrong_range),
        ("duplicate", repeated),
    ):
        give(reasons, where & is_new, reason)


def _judge_days(
    rows: pl.DataFrame, reasons: NDArray[np.object_], is_new: Bools, calendars: Mapping[str, Sessions]
) -> None:
    """Daily bars of days without trading; many of them make every date of that answer doubtful."""
    days: Days = rows["opened_at"].to_numpy().astype("datetime64[D]")
    rules = (
        rows["asset_class"].replace_strict(kinds_of_calendar(rows["asset_class"]), return_dtype=pl.String).to_numpy()
    )
    closed = (rules == "week") & is_week_end(days)
    venues = rows["venue"].to_numpy()
    for venue, sessions in calendars.items():
        at_venue = (rules == "venue") & (venues == venue)
        closed[at_venue] = sessions.is_closed(days[at_venue])
    closed &= is_new & (rows["resolution"].to_numpy() == Resolution.DAY.value) & (reasons == None)  # noqa: E711
    if not closed.any():
        return
    give(reasons, closed, "market_closed")
    series = rows["series"].to_numpy()
    size = int(series[-1]) + 1
    many, judged = np.bincount(series[closed], minlength=size), np.bincount(series[is_new], minlength=size)
    for one in np.flatnonzero((many >= _CLOSED_ROWS) & (many > _CLOSED_SHARE * judged)):
        own = is_new & (series == one)
        row = int(np.argmax(own))
        sessions_of = calendars.get(venues[row]) if rules[row] == "venue" else None
        expected = open_days(days[own].min(), days[own].max(), sessions_of)
        # bars too many leave the others as they are; shifted ones are missing elsewhere
        if expected - int(np.count_nonzero(own & ~closed)) >= many[one] / 2:
            give(reasons, own, "shifted_days")


def _judge_in_company(
    rows: pl.DataFrame, reasons: NDArray[np.object_], is_new: Bools, actions: pl.DataFrame | None
) -> Floats:
    """What the series and the other sources say of a row. Returns the last good price before each."""
    usable = reasons == None  # noqa: E711
    level = np.where(usable, rows["level"].to_numpy(), np.nan)
    position = np.arange(rows.height)
    frame = rows.select("instrument_id", "resolution", "money", "source", "opened_at").with_columns(
        level=level, position=position
    )
    pairs = pairs_of(frame)
    tolerance = by_class(rows, "disagreement")
    alike = pairs.distance <= tolerance[pairs.row]
    _judge_currencies(rows, reasons, is_new, count(pairs, alike, rows.height) > 0)
    last_good = _judge_jumps(rows, reasons, is_new, count(pairs, alike, rows.height) > 0, actions)
    _judge_shifts(rows, reasons, is_new, pairs, np.log(level))
    # a source that is held itself contradicts nobody
    good = reasons == None  # noqa: E711
    counts = good[pairs.other]
    against = count(pairs, counts & ~alike, rows.height)
    for_it = count(pairs, counts & alike, rows.height)
    give(reasons, is_new & (against > for_it), "disagreement")
    _judge_frozen(rows, reasons, is_new, pairs, level)
    return last_good


def _judge_currencies(rows: pl.DataFrame, reasons: NDArray[np.object_], is_new: Bools, is_confirmed: Bools) -> None:
    """A source that told an instrument in one money and now tells it in another, pence say; rates have many."""
    told = rows.filter((pl.col("part") != 1) & (pl.col("asset_class") != "fiat")).select(
        "instrument_id", "resolution", "source", "currency"
    ).unique()  # fmt: skip
    if told.is_empty():
        return
    key = ["instrument_id", "resolution", "source"]
    known = rows.select(*key, "currency", at=pl.int_range(pl.len())).join(told.select(key).unique(), on=key, how="semi")
    changed = known.join(told, on=[*key, "currency"], how="anti")["at"].to_numpy()
    where = np.zeros(rows.height, dtype=bool)
    where[changed] = True
    give(reasons, where & is_new & ~is_confirmed, "currency_changed")


def _judge_jumps(
    rows: pl.DataFrame,
    reasons: NDArray[np.object_],
    is_new: Bools,
    is_confirmed: Bools,
    actions: pl.DataFrame | None,
) -> Floats:
    """Outliers, series by series; only those with a large move anywhere are walked through."""
    close = np.where(reasons == None, rows["close"].to_numpy(), np.nan)  # noqa: E711
    part, series = rows["part"].to_numpy(), rows["series"].to_numpy()
    with np.errstate(invalid="ignore"):
        logs = np.log(close)
    days = rows["opened_at"].to_numpy().astype("datetime64[us]").astype(np.int64) / 86_400e6
    least = by_class(rows, "least_move")
    filled = pl.DataFrame({"series": series, "log": logs}).select(
        pl.col("log").fill_nan(None).forward_fill().over("series")
    ).to_series().to_numpy()  # fmt: skip
    starts = np.flatnonzero(np.r_[True, series[1:] != series[:-1]])
    before = np.r_[np.nan, filled[:-1]]
    before[starts] = np.nan
    last_good: Floats = np.exp(before)
    with np.errstate(invalid="ignore"):
        jumped = np.abs(logs - before) > least
    ends = np.r_[starts[1:], len(series)]
    suspects = np.add.reduceat(jumped, starts) > 0
    judged = np.add.reduceat(is_new, starts) > 0
    volumes = rows["volume"].to_numpy()
    step_days = np.maximum(steps_of(rows["resolution"]) / 86_400e6, 1.0)
    splits = splits_by_instrument(actions)
    for start, end in zip(starts[suspects & judged], ends[suspects & judged], strict=True):
        within = slice(start, end)
        asset_class, instrument = rows["asset_class"][int(start)], rows["instrument_id"][int(start)]
        found, references = suspicions(
            Series(
                days[within], logs[within], volumes[within], part[within] != 1, is_confirmed[within],
                float(step_days[start]), asset_class, splits.get(instrument, ()),
            ),
            thresholds_of(asset_class),
        )  # fmt: skip
        last_good[within] = np.exp(references)
        for offset, reason in enumerate(found):
            if reason is not None and is_new[start + offset] and reasons[start + offset] is None:
                reasons[start + offset] = reason
    return last_good


def _judge_shifts(rows: pl.DataFrame, reasons: NDArray[np.object_], is_new: Bools, pairs: Pairs, logs: Floats) -> None:
    """Series whose moves are those of another source one bar earlier or later."""
    series, part = rows["series"].to_numpy(), rows["part"].to_numpy()
    of = pl.DataFrame({"own": series[pairs.row], "other": series[pairs.other], "row": pairs.row, "beside": pairs.other})
    of = of.filter(pl.Series(is_new[pairs.row] & (part[pairs.other] != 1)))
    bars = of.filter(pl.Series((rows["resolution"] != TICK).to_numpy()[of["row"].to_numpy()]))
    for (own, _), group in bars.sort("own", "other", "row").group_by("own", "other", maintain_order=True):
        if is_shifted(logs[group["row"].to_numpy()], logs[group["beside"].to_numpy()]):
            give(reasons, is_new & (series == own), "shifted_days")


def _judge_frozen(rows: pl.DataFrame, reasons: NDArray[np.object_], is_new: Bools, pairs: Pairs, level: Floats) -> None:
    """Rows that repeat the one before: too many of them, or some while another source moved."""
    same = np.ones(rows.height, dtype=bool)
    same[0] = False
    with np.errstate(invalid="ignore"):
        for name in (*_OHLC, "volume"):
            values = rows[name].to_numpy()
            same[1:] &= (values[1:] == values[:-1]) | (np.isnan(values[1:]) & np.isnan(values[:-1]))
        closes, low, high = (rows[name].to_numpy() for name in ("close", "low", "high"))
        flat = np.isnan(high) | (high == low)
        quiet = np.nan_to_num(rows["volume"].to_numpy()) == 0.0
        same[1:] |= (closes[1:] == closes[:-1]) & flat[1:] & quiet[1:]
    series = rows["series"].to_numpy()
    same[1:] &= series[1:] == series[:-1]
    # the time that a source does not tell is ours, so its repeats are of a quiet market as well as of a dead feed
    same &= rows["is_time_told"].fill_null(True).to_numpy()
    index = np.arange(rows.height)
    run_start = np.maximum.accumulate(np.where(same, 0, index))
    run = index - run_start
    # the first repeats are of the same dead feed as the later ones
    length = np.bincount(run_start, minlength=rows.height)[run_start] - 1
    pegged = np.isin(rows["asset_class"].to_numpy(), ("crypto", "token")) & (np.abs(level - 1.0) <= _PEG)
    frozen = (run >= 1) & (length >= by_class(rows, "frozen_bars"))
    beside = np.full(rows.height, np.nan)
    beside[pairs.row] = level[pairs.other]
    with np.errstate(invalid="ignore"):
        frozen |= (run >= 2) & (np.abs(np.log(beside) - np.log(beside[run_start])) > _OTHERS_MOVED)
    give(reasons, frozen & is_new & ~pegged, "frozen")


def _judge_latest(
    rows: pl.DataFrame, reasons: NDArray[np.object_], is_new: Bools, calendars: Mapping[str, Sessions], now: datetime
) -> None:
    """Latest prices that are too old, counted in the time that their market was open."""
    for i in np.flatnonzero(is_new & (rows["resolution"].to_numpy() == TICK)):
        if reasons[i] is None:
            row = rows.row(int(i), named=True)
            limits = thresholds_of(row["asset_class"])
            sessions = calendars.get(row["venue"]) if row["venue"] else None
            if open_time(limits.calendar, row["priced_at"], now, sessions) > limits.latest_age:
                reasons[i] = "stale"
