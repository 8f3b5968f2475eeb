"""The comparison of two series of returns, and the equal weight of what was held, against numbers worked out by hand."""

from collections import Counter
from datetime import date

import numpy as np
import polars as pl
import pytest

from assets.performance import compiled
from assets.performance.comparison import (
    PERIODS,
    ComparisonRows,
    Others,
    comparisons,
    equal_weight_days,
    others_of,
    together,
)
from assets.performance.compute import day_number
from assets.performance.periods import first_day
from assets.performance.series import DailySeries
from assets.performance.store import chunks
from tests.unit.performance.daily import daily_rows, daily_series
from tests.unit.performance.held import BASE, FIRST, FIRST_DAY, Position, holdings, reference

NAN = float("nan")
LONG_AGO = [FIRST_DAY - 9999]


def series_of(returns: list[float | None], name: str = "p", first: date = FIRST, **columns: object) -> pl.DataFrame:
    """Rows of market days from `first` on; nothing trades daily and cash earns nothing unless said otherwise."""
    defaults = {"trades_daily": 0, "is_market_day": 1, "risk_free_rate": 0.0}
    rows = daily_rows(first, list(returns)[1:], **{"portfolio_id": name, **defaults, **columns})
    return rows.with_columns(
        pl.Series("twr_return", returns, dtype=pl.Float64),
        pl.Series("day", day_number(first) + np.arange(len(returns))),
    )


def against_benchmark(series: DailySeries, benchmark: list[float]) -> Others:
    """Pair 0 is the benchmark; the equal weight has no return."""
    none = np.full(len(benchmark), NAN)
    return others_of(series, {"p": "p"}, {"p": "etf:SPY"}, frozenset(), np.array(benchmark), none)


def row_of(rows: ComparisonRows, row: int = 0) -> dict[str, float]:
    return {name: float(one.value[row]) for name, one in rows.measures.items()}


def test_known_beta() -> None:
    """Own = 0.001 + 2 x benchmark on 24 market days of +1 % and -1 %; the closed day after them is no observation."""
    benchmark = [0.01 * (-1) ** k for k in range(24)]
    series = daily_series(series_of([0.001 + 2 * r for r in benchmark] + [0.5], is_market_day=[1] * 24 + [0]))
    rows = comparisons(series, against_benchmark(series, [*benchmark, 0.0]), LONG_AGO)
    assert rows.observations.tolist() == [24]
    assert rows.undefined_reason == [None]
    found = row_of(rows)
    assert [found[name] for name in ("beta", "alpha", "correlation")] == pytest.approx([2, 252 * 0.001, 1], abs=1e-12)
    # the closed day links: 1.5 times
    own, other = np.prod([1.001 + 2 * r for r in benchmark]) * 1.5, np.prod([1 + r for r in benchmark])
    assert found["return_difference"] == pytest.approx(own - other, abs=1e-12)


def test_two_days() -> None:
    """Differences of +1 % and -1 % deviate by 0.01 x sqrt(2) a day, times sqrt(252); too few days for a beta."""
    series = daily_series(series_of([None, 0.02, 0.01, None]))
    rows = comparisons(series, against_benchmark(series, [NAN, 0.01, 0.02, 0.5]), LONG_AGO)
    found = row_of(rows)
    assert found["return_difference"] == pytest.approx(0, abs=1e-15)
    assert found["tracking_error"] == pytest.approx(0.01 * np.sqrt(2 * 252))
    assert all(np.isnan(found[name]) for name in ("beta", "alpha", "correlation", "information_ratio"))
    assert (rows.observations[0], rows.undefined_reason) == (2, ["beta:fewer_than_20_days"])
    assert [rows.period_start[0] - FIRST_DAY, rows.period_end[0] - FIRST_DAY] == [1, 2]


def test_zero_deviation() -> None:
    """The same every day: no beta of such a benchmark, no information ratio of such a difference."""
    series = daily_series(series_of([0.01] * 20, risk_free_rate=None))
    rows = comparisons(series, against_benchmark(series, [0.01] * 20), LONG_AGO)
    assert rows.undefined_reason == ["beta:zero_deviation;information_ratio:zero_deviation"]
    assert row_of(rows)["tracking_error"] == pytest.approx(0, abs=1e-12)


def test_own_without_deviation_has_a_beta_but_no_correlation() -> None:
    series = daily_series(series_of([0.01] * 20))
    rows = comparisons(series, against_benchmark(series, [0.01 * (-1) ** k for k in range(20)]), LONG_AGO)
    assert row_of(rows)["beta"] == pytest.approx(0, abs=1e-12)
    assert np.isnan(row_of(rows)["correlation"])
    assert rows.undefined_reason == [None]


@pytest.mark.parametrize(("days", "reason"), [(19, "beta:fewer_than_20_days"), (20, None)])
def test_twenty_days_make_a_beta(days: int, reason: str | None) -> None:
    benchmark = [0.01 * (k % 3) for k in range(days)]
    series = daily_series(series_of([r * r for r in benchmark]))
    assert comparisons(series, against_benchmark(series, benchmark), LONG_AGO).undefined_reason == [reason]


def test_one_daily_trading_day_among_the_paired_ones_makes_all_days_count() -> None:
    """Only within the period, and only on a paired day."""
    trades = [1, 0, 0, 1]
    series = daily_series(series_of([0.01, 0.02, 0.03, 0.04], trades_daily=trades, is_market_day=0))
    others = against_benchmark(series, [0.01, 0.02, 0.01, NAN])
    rows = comparisons(series, others, [FIRST_DAY, FIRST_DAY + 1])
    assert rows.observations.tolist() == [3, 0]
    # on none of the days of the second period: the difference of returns is still there
    assert row_of(rows, 1)["return_difference"] == pytest.approx(1.02 * 1.03 - 1.02 * 1.01)
    assert np.isnan(row_of(rows, 1)["tracking_error"])
    assert rows.undefined_reason[1] == "beta:fewer_than_20_days"


def test_unknown_risk_free_rates_count_as_zero() -> None:
    """alpha = (mean own - rf / 252 - beta (mean other - rf / 252)) x 252, rf the mean over all paired days."""
    benchmark = [0.01 * (-1) ** k for k in range(20)]
    rates = [0.04 if k % 2 else None for k in range(20)]
    series = daily_series(series_of([2 * r for r in benchmark], risk_free_rate=rates))
    rows = comparisons(series, against_benchmark(series, benchmark), LONG_AGO)
    assert row_of(rows)["alpha"] == pytest.approx(-0.02 + 2 * 0.02)


def test_without_a_paired_day_there_is_no_row() -> None:
    series = daily_series(series_of([None, 0.01, 0.02]))
    assert len(comparisons(series, against_benchmark(series, [0.01, NAN, NAN]), LONG_AGO).pair) == 0
    later = comparisons(series, against_benchmark(series, [0.01] * 3), [FIRST_DAY + 3])
    assert len(later.pair) == 0


def test_equal_weight_of_what_was_held_at_the_close_before() -> None:
    """A and B on day 1 (2 % and 4 %), A alone on day 2; C begins that day, D is short, fiat has no return of its own."""
    series = daily_series(series_of([None, 0.03, 0.1]))
    names = ["etf:A", "etf:B", "etf:C", "etf:D"]
    positions: list[Position] = [
        *(("etf:A", 0, None, 1.0, 1.0), ("etf:A", 0, None, 7.0, 1.0), ("etf:A", 0, 1, 7.0, 1.0)),
        *(("etf:B", 0, 1, 1.0, 1.0), ("etf:C", 2, None, 1.0, 1.0)),
        *(("etf:D", 0, None, -1.0, 1.0), (BASE, 0, None, 5.0, 5.0)),
    ]
    shared = reference({name: [1.0] * 3 for name in names})
    held = holdings(series, shared, positions, [])
    returns = np.array([[NAN, 0.02, 0.1], [NAN, 0.04, 0.9], [NAN, NAN, 0.9], [NAN, 0.9, 0.9]])
    rows = np.array([names.index(name) if name in names else -1 for name in held.instrument_ids])
    found = equal_weight_days(series, held, rows, returns, FIRST_DAY)
    assert found == pytest.approx([NAN, 0.03, 0.1], nan_ok=True)
    # a table of returns that begins later and ends earlier
    assert equal_weight_days(series, held, rows, returns[:, 1:2], FIRST_DAY + 1) == pytest.approx(
        [NAN, 0.03, NAN], nan_ok=True
    )


def test_a_users_other_portfolios() -> None:
    """Days meet by date: q begins a day later; another user's portfolio is none of theirs."""
    frames = [series_of([0.03, 0.1], "p"), series_of([0.2], "q", FIRST.replace(day=2)), series_of([0.2, 0.2], "r")]
    series = daily_series(pl.concat(frames))
    groups = together({"p": "u", "q": "u", "r": "v"})
    none = np.full(5, NAN)
    others = others_of(series, groups, {}, frozenset(), none, none)
    rows = comparisons(series, others, LONG_AGO)
    names = [(series.portfolio_ids[others.own[k]], others.ids[k]) for k in rows.pair]
    assert names == [("p", "q"), ("q", "p")]
    assert rows.measures["return_difference"].value == pytest.approx([1.1 - 1.2, 1.2 - 1.1])


def test_more_than_twenty_portfolios_are_not_side_by_side() -> None:
    users = {f"a{k}": "a" for k in range(20)} | {f"b{k}": "b" for k in range(21)}
    sizes = Counter(together(users).values())
    assert sorted(sizes.values()) == [1] * 21 + [20]


def test_dividends_make_a_total_return() -> None:
    series = daily_series(pl.concat([series_of([0.1], "p"), series_of([0.1], "q")]))
    none = np.full(2, NAN)
    others = others_of(series, {"p": "p", "q": "q"}, {"p": "etf:A", "q": "etf:B"}, frozenset({"etf:A"}), none, none)
    benchmarks = [others.bases[k] for k, kind in enumerate(others.kinds) if kind == "benchmark"]
    assert benchmarks == ["total_return", "price_return"]


def test_chunks_keep_a_group_together_and_count_the_rectangle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.performance.store.CHUNK_ROWS", 20)
    days = {"a1": 10, "a2": 1, "b": 5, "c": 7, "d": 1}
    groups = {"a1": "a", "a2": "a", "b": "b", "c": "c", "d": "d"}
    assert list(chunks(days, groups)) == [["a1", "a2"], ["c", "b"], ["d"]]
    assert list(chunks({}, {})) == []


def test_periods_are_known() -> None:
    assert [first_day(period, date(2024, 6, 30)) for period in PERIODS] == [
        *(date(2024, 6, 1), date(2024, 4, 2), date(2023, 7, 2), date(2024, 1, 1)),
        date.min,
    ]


@pytest.mark.parametrize("seed", range(5))
def test_compiled_and_plain_give_the_same_bits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(seed)
    frames = []
    for name in ("p", "q", "r"):
        days = int(generator.integers(1, 80))
        returns = [None if generator.random() < 0.1 else float(generator.normal(0, 0.02)) for _ in range(days)]
        flags = {name: generator.integers(0, 2, days) for name in ("is_market_day", "trades_daily")}
        frames.append(series_of(returns, name, FIRST.replace(day=int(generator.integers(1, 28))), **flags))
    series = daily_series(pl.concat(frames))
    extra = generator.normal(0, 0.01, (2, int(series.offsets[-1])))
    others = others_of(series, dict.fromkeys("pqr", "u"), dict.fromkeys("pqr", "etf:A"), frozenset(), *extra)
    found = []
    for worth_compiling in (10**9, 0):
        monkeypatch.setattr(compiled, "WORTH_COMPILING", worth_compiling)
        found.append(comparisons(series, others, [FIRST_DAY - 9, FIRST_DAY + 30]))
    plain, fast = found
    assert plain.observations.tolist() == fast.observations.tolist()
    for name, one in plain.measures.items():
        assert np.array_equal(one.value, fast.measures[name].value, equal_nan=True), name
