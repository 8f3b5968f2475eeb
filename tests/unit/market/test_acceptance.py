"""Acceptance: each reason on the smallest case that shows it, and what must never be held."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.market.acceptance import judge
from assets.market.calendars import Sessions, exchange_sessions, is_week_end, open_time
from assets.market.thresholds import thresholds, venue_of
from assets.market.verdicts import REASONS
from tests.unit.market.price_frames import NOW, SPREADS, START, bars, change, none, walk


def reasons(
    new: pl.DataFrame, history: pl.DataFrame | None = None, others: pl.DataFrame | None = None, **more: Any
) -> list[str | None]:
    empty = none()
    verdicts = judge(
        empty if history is None else history, new, more.pop("calendars", {}), empty if others is None else others,
        more.pop("now", NOW), **more,
    )  # fmt: skip
    assert verdicts.height == new.height
    for status, reason in verdicts.select("status", "reason").iter_rows():
        assert status == ("accepted" if reason is None else REASONS[reason][0])
    return verdicts["reason"].to_list()


@pytest.mark.parametrize("asset_class", ["crypto", "equity", "etf", "fiat"])
def test_ordinary_prices_are_accepted_alone_and_beside_another_source(asset_class: str) -> None:
    closes = walk(250, SPREADS[asset_class])
    days = [START + timedelta(days=i) for i in range(360) if (START + timedelta(days=i)).weekday() < 5][:250]
    own = bars(closes, asset_class=asset_class, days=days)
    other = bars(closes * 1.004, asset_class=asset_class, days=days, source="yahoo")

    assert set(reasons(own)) == {None}
    assert set(reasons(own, others=other)) == {None}
    assert set(reasons(own[200:], own[:200], other)) == {None}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"close": None}, "not_finite"), ({"close": float("nan")}, "not_finite"), ({"high": float("inf")}, "not_finite"),
        ({"close": 0.0}, "not_positive"), ({"factor": -1.0}, "not_positive"), ({"volume": -1.0}, "not_positive"),
        ({"currency": "crypto:XYZ"}, "unknown_currency"), ({"opened_at": NOW + timedelta(days=1), "priced_at": NOW + timedelta(days=2)}, "in_the_future"),
        ({"priced_at": START - timedelta(days=3)}, "time_outside_bar"), ({"high": 1.0}, "ohlc"), ({"low": 1e6}, "ohlc"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_price_is_refused_and_costs_no_other_row(values: dict[str, Any], reason: str) -> None:
    found = reasons(change(bars(walk(40, 0.03)), 20, **values), currencies={"fiat:USD"})

    assert found == [None] * 20 + [reason] + [None] * 19


def test_reference_rates_without_open_high_low_and_volume_are_prices() -> None:
    rates = bars(walk(40, 0.004, start=1.1), asset_class="custom").with_columns(
        pl.lit(None, pl.Float64).alias(name) for name in ("open", "high", "low", "volume")
    )

    assert set(reasons(rates)) == {None}


def test_of_one_instant_twice_the_last_row_stays() -> None:
    own = bars(walk(30, 0.03))
    assert reasons(pl.concat([own, own[29:]])) == [None] * 29 + ["duplicate", None]


def test_an_outlier_is_held_until_the_next_bar_stands_beside_it() -> None:
    closes = walk(60, 0.02)
    closes[50:] *= 1.8
    own = bars(closes)

    assert reasons(own[50:51], own[:50]) == ["outlier"]
    assert reasons(own[50:52], own[:50]) == [None, None]
    closes[51:] /= 1.8
    back = bars(closes)
    assert reasons(back[50:55], back[:50]) == ["outlier", None, None, None, None]


def test_an_outlier_is_held_until_another_source_has_it_too() -> None:
    closes = walk(60, 0.02)
    closes[59] *= 1.8
    own, other = bars(closes), bars(closes * 1.01, source="coinbase")

    assert reasons(own[59:], own[:59]) == ["outlier"]
    assert reasons(own[59:], own[:59], other[59:]) == [None]
    # coingecko's price at defillama is the same price again
    gecko, llama = bars(closes, source="coingecko"), bars(closes, source="defillama")
    assert reasons(gecko[59:], gecko[:59], llama[59:]) == ["outlier"]


def test_the_first_price_of_a_series_can_be_the_one_that_is_off() -> None:
    assert reasons(change(bars(walk(30, 0.02)), 0, factor=1.9)) == ["outlier"] + [None] * 29


def test_a_power_of_ten_is_never_believed_of_one_source_however_long_it_lasts() -> None:
    closes = walk(60, 0.01)
    closes[50:] *= 100
    own = bars(closes, asset_class="etf").with_columns(volume=pl.lit(1e6))

    assert reasons(own[50:], own[:50]) == ["suspected_unit"] * 10


def test_a_split_is_held_unless_it_is_known_and_a_crash_is_not_a_split() -> None:
    closes = walk(60, 0.01)
    closes[50:] /= 4
    own = bars(closes, asset_class="equity")  # volume times price as before
    split = pl.DataFrame({"instrument_id": ["crypto:AAA"], "ex_date": [date(2024, 2, 20)], "ratio": [4.0]})

    assert reasons(own[50:], own[:50]) == ["suspected_split"] * 10
    assert reasons(own[50:], own[:50], actions=split) == [None] * 10
    closes[50:] *= 2
    fallen = bars(closes, asset_class="equity")
    crashed = pl.concat([fallen[:50], fallen[50:].with_columns(volume=pl.col("volume") * 8)])
    assert reasons(crashed[50:], crashed[:50]) == [None] * 10


def test_a_fall_to_a_tenth_needs_more_than_the_next_bar() -> None:
    closes = walk(60, 0.03)
    closes[50:] /= 7
    own = bars(closes)

    assert reasons(own[50:], own[:50]) == ["outlier"] * 10
    assert reasons(own[50:], own[:50], bars(closes, source="binance")[50:52]) == [None] * 10


def test_a_rate_the_wrong_way_round() -> None:
    closes = walk(60, 0.003, start=1.25)
    closes[57] = 1 / closes[57]
    own = bars(closes, asset_class="fiat")[56:59]

    assert reasons(own, bars(closes, asset_class="fiat")[:56]) == [None, "suspected_inverse", None]


def test_a_source_that_contradicts_what_counts_is_held_and_a_majority_is_not() -> None:
    closes = walk(40, 0.02)
    right, wrong = bars(closes), bars(closes * 1.4, source="yahoo")
    third = bars(closes * 1.001, source="binance")

    assert reasons(wrong, others=right) == ["disagreement"] * 40
    assert set(reasons(right, others=pl.concat([wrong, third]))) == {None}


def test_token_quotes_are_compared_in_one_money_and_not_at_par() -> None:
    closes = walk(40, 0.02)
    tether = bars(closes / 0.9, source="binance", currency="crypto:USDT", rate=0.9)

    assert set(reasons(tether, others=bars(closes))) == {None}
    unknown = tether.with_columns(rate=pl.lit(None, pl.Float64))
    assert set(reasons(unknown, others=bars(closes))) == {None}  # nothing to compare with


def test_a_feed_that_repeats_itself_is_held_a_peg_and_a_traded_price_are_not() -> None:
    closes = walk(40, 0.02)
    frozen = pl.concat([bars(closes)[:30], *(bars(closes)[29:30].with_columns(opened_at=pl.lit(START + timedelta(days=i), pl.Datetime("us", "UTC")), priced_at=pl.lit(START + timedelta(days=i, hours=23), pl.Datetime("us", "UTC"))) for i in range(30, 40))])  # fmt: skip

    assert reasons(frozen) == [None] * 30 + ["frozen"] * 10
    assert reasons(frozen, others=bars(closes, source="coinbase"))[32] == "frozen", "sooner where another one moves"
    assert set(reasons(bars([1.0] * 40).with_columns(open=1.0, high=1.0, low=1.0, volume=None))) == {None}
    assert set(reasons(bars([5.0] * 40))) == {None}, "it was traded"


def test_days_without_trading_and_calendars_that_do_not_fit() -> None:
    sessions = exchange_sessions(["XNYS"], date(2024, 1, 1), date(2024, 12, 31))
    open_days = [datetime.combine(day, datetime.min.time(), UTC) for day in sessions["XNYS"].days.tolist()][:60]
    own = bars(walk(60, 0.01), asset_class="etf", days=open_days, venue="XNYS")

    assert set(reasons(own, calendars=sessions)) == {None}
    stray = pl.concat(
        [own[:40], bars([100.0], asset_class="etf", venue="XNYS", days=[datetime(2024, 12, 25, tzinfo=UTC)])]
    )
    assert reasons(stray, calendars=sessions)[-1] == "market_closed"
    shifted = own.with_columns(pl.col("opened_at", "priced_at") + pl.duration(days=1))
    found = reasons(shifted, calendars=sessions)
    assert set(found) == {"market_closed", "shifted_days"}
    assert found.count("market_closed") >= 12


def test_days_shifted_against_another_source() -> None:
    closes = walk(60, 0.03)
    shifted = bars(closes[:-1], days=[START + timedelta(days=i) for i in range(1, 60)], source="yahoo")

    assert set(reasons(shifted, others=bars(closes))) <= {"shifted_days"}


def test_another_currency_of_the_same_source_is_held_unless_it_is_worth_the_same() -> None:
    closes = walk(60, 0.01)
    pounds, pence = bars(closes, asset_class="equity", currency="fiat:GBP", rate=1.25), closes * 100

    found = reasons(bars(pence, asset_class="equity", currency="fiat:USD")[50:], pounds[:50])
    assert found == ["currency_changed"] * 10


@pytest.mark.parametrize(
    ("asset_class", "priced_at", "now", "reason"),
    [
        ("crypto", "2024-06-01T10:00", "2024-06-01T10:30", None),
        ("crypto", "2024-06-01T10:00", "2024-06-01T12:30", "stale"),
        ("fiat", "2024-05-31T21:00", "2024-06-02T20:00", None),  # Friday to Sunday
        ("fiat", "2024-05-29T21:00", "2024-05-31T21:30", "stale"),
        ("etf", "2024-05-31T20:00", "2024-06-02T20:00", "stale"),
    ],
)
def test_the_age_of_a_latest_price_is_counted_while_its_market_is_open(
    asset_class: str, priced_at: str, now: str, reason: str | None
) -> None:
    at, clock = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (priced_at, now))
    tick = bars([100.0], asset_class=asset_class, days=[at]).with_columns(
        resolution=pl.lit("tick"), priced_at=pl.col("opened_at"),
        **{name: pl.lit(None, pl.Float64) for name in ("open", "high", "low", "volume")},
    )  # fmt: skip

    assert reasons(tick, now=clock) == [reason]


def test_open_time_of_currencies_and_exchanges() -> None:
    friday, sunday = datetime(2024, 5, 31, 21, tzinfo=UTC), datetime(2024, 6, 2, 22, tzinfo=UTC)
    assert open_time("week", friday, sunday) == timedelta(hours=2)
    assert open_time("always", friday, sunday) == sunday - friday
    days = np.array(["2024-05-31", "2024-06-03"], dtype="datetime64[D]")
    sessions = Sessions(days[0], days[-1], days)
    assert open_time("venue", friday, sunday, sessions) == timedelta(hours=3)
    assert open_time("week", sunday, friday) == timedelta(0)
    assert is_week_end(np.array(["2024-06-01", "2024-06-02", "2024-06-03"], dtype="datetime64[D]")).tolist() == [
        True,
        True,
        False,
    ]


def test_the_reviewed_tables_are_whole() -> None:
    for name, limits in thresholds().items():
        assert 0 < limits.disagreement < limits.least_move < limits.move_without_history, name
        assert limits.calendar in ("always", "week", "venue")
        assert limits.frozen_bars >= 2
    assert venue_of("etf", "VWCE.DE") == "XETR"
    assert venue_of("equity", "BRK-B") == "XNYS"
    assert venue_of("equity", "X.UNKNOWN") is None
    assert venue_of("crypto", "BTC-USD") is None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True, width=64)), min_size=1, max_size=30),
    st.sampled_from(sorted(thresholds())),
)
def test_any_numbers_get_verdicts_and_only_prices_are_accepted(values: list[float | None], asset_class: str) -> None:
    new = bars([100.0] * len(values), asset_class=asset_class).with_columns(
        close=pl.Series(values, dtype=pl.Float64), **{name: pl.lit(None, pl.Float64) for name in ("open", "high", "low")}
    )  # fmt: skip
    found = reasons(new)

    for value, reason in zip(values, found, strict=True):
        assert reason is not None or (value is not None and np.isfinite(value) and value > 0)
    assert found == reasons(new)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 58), st.floats(1e-4, 1e4))
def test_prices_in_another_unit_are_judged_the_same(seed: int, row: int, unit: float) -> None:
    closes = walk(60, 0.03, seed)
    closes[row] *= 3.7
    found = reasons(bars(closes))

    assert reasons(bars(closes * unit)) == found
    assert found[row] == "outlier"
