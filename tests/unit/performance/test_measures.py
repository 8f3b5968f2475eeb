"""Measures against published numbers and hand-checked cases; each trap of docs/metrics.md has a test."""

from datetime import date

import numpy as np
import pytest

from assets.performance import amounts, measures, reasons
from assets.performance.compute import PerformanceRows, day_number, performance_rows
from assets.performance.measures import Measure
from assets.performance.series import Range
from tests.unit.performance.daily import daily_rows, daily_series

NAN = np.nan
# quantopian/empyrical, empyrical/tests/test_stats.py (Apache-2.0): the series, in percent there
MIXED = [0.01, 0.10, -0.04, 0.02, 0.03, 0.02, 0.01, -0.10]
POSITIVE = [0.01, 0.02, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01]
NEGATIVE = [0.0, -0.06, -0.07, -0.01, -0.09, -0.02, -0.06, -0.08, -0.05]
ALL_NEGATIVE = [-0.02, -0.06, -0.07, -0.01, -0.09, -0.02, -0.06, -0.08, -0.05]
FLAT = [0.01] * 9


def matrix(*series: list[float]) -> np.ndarray:
    """(days, portfolios), each ending in the last row."""
    width = max(len(one) for one in series)
    return np.array([[*[NAN] * (width - len(one)), *one] for one in series]).T


def row_of(returns: list[float | None], **columns: object) -> PerformanceRows:
    """The whole history of one portfolio, whose first row is the funding day before `returns`."""
    series = daily_series(daily_rows(date(2024, 1, 2), returns, **columns))
    return performance_rows(Range(series, series.first_day, series.last_day))


def after_funding(returns: list[float | None], **columns: object) -> PerformanceRows:
    """From the first day of `returns` on: the funding day is the close before."""
    series = daily_series(daily_rows(date(2024, 1, 2), returns, **columns))
    return performance_rows(Range(series, series.first_day + 1, series.last_day))


def value(rows: PerformanceRows, name: str) -> float:
    return float(rows.measures[name].value[0])


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        (MIXED, -0.1),
        (POSITIVE, 0.0),
        (NEGATIVE, -0.365907303498736),
        (ALL_NEGATIVE, -0.378589157428762),
        ([0.10, -0.10, 0.10], -0.1),
        ([0.01], 0.0),
    ],
)
def test_max_drawdown_of_empyrical(returns: list[float], expected: float) -> None:
    """empyrical test_stats.py test_max_drawdown; all_negative: the start is a candidate peak."""
    assert value(after_funding(list(returns)), "max_drawdown") == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("returns", "expected"),
    [(MIXED, 1.7238613961706866), (POSITIVE, 52.915026221291804), (NEGATIVE, -24.406808633910085)],
)
def test_sharpe_of_empyrical(returns: list[float], expected: float) -> None:
    """empyrical test_stats.py test_sharpe_ratio gives it for 252 periods; 365 multiplies by sqrt(365 / 252)."""
    by_market = after_funding(list(returns), trades_daily=0)
    daily = after_funding(list(returns), trades_daily=1)
    assert by_market.annualization_days[0] == 252
    assert daily.annualization_days[0] == 365
    assert value(by_market, "sharpe_ratio") == pytest.approx(expected, rel=1e-7)
    assert value(daily, "sharpe_ratio") == pytest.approx(expected * np.sqrt(365 / 252), rel=1e-7)


def test_sharpe_with_a_rate_moves_by_rate_over_volatility() -> None:
    at_zero, at_five = after_funding(MIXED), after_funding(MIXED, risk_free_rate=0.05)
    assert value(at_five, "risk_free_rate") == pytest.approx(0.05, abs=1e-15)
    shifted = value(at_five, "sharpe_ratio") + 0.05 / value(at_five, "volatility")
    assert shifted == pytest.approx(value(at_zero, "sharpe_ratio"), rel=1e-12)


def test_sortino_counts_every_observation() -> None:
    """empyrical's downside_risk: the root of the mean over all days, good ones as zero."""
    expected = np.mean(MIXED) / np.sqrt((0.04**2 + 0.1**2) / 8) * np.sqrt(365)
    assert value(after_funding(MIXED), "sortino_ratio") == pytest.approx(expected, rel=1e-12)


def test_flat_series_has_no_ratio_but_a_reason() -> None:
    """+1 % a day has a deviation of 1e-16 in floats, and a Sharpe ratio of 10^15 without the tolerance."""
    rows = after_funding(FLAT)
    for name in ("volatility", "sharpe_ratio"):
        assert np.isnan(value(rows, name))
        assert f"{name}:zero_deviation" in (rows.undefined_reason[0] or "")
    assert "sortino_ratio:zero_downside_deviation" in (rows.undefined_reason[0] or "")


def test_one_return_has_no_deviation() -> None:
    rows = after_funding([0.01])
    assert np.isnan(value(rows, "sharpe_ratio"))
    for name in ("volatility", "sharpe_ratio", "sortino_ratio"):
        assert f"{name}:too_few_returns" in (rows.undefined_reason[0] or "")


def test_missing_risk_free_rate_is_not_zero() -> None:
    rows = after_funding(MIXED, risk_free_rate=[None, 0.01, None, *[0.01] * 6])
    assert np.isnan(value(rows, "sharpe_ratio"))
    assert np.isnan(value(rows, "risk_free_rate"))
    assert value(rows, "volatility") > 0
    assert "sharpe_ratio:missing_risk_free_rate" in (rows.undefined_reason[0] or "")


def test_days_off_are_left_out_for_252_only() -> None:
    """A closed day's return of 0 would lower the deviation of a stock portfolio."""
    returns = [0.01, 0.0, 0.0, -0.02, 0.03]
    market = [1, 1, 0, 0, 1, 1]
    stocks = after_funding(returns, trades_daily=0, is_market_day=market)
    assert value(stocks, "volatility") == pytest.approx(np.std([0.01, -0.02, 0.03], ddof=1) * np.sqrt(252), rel=1e-12)
    crypto = after_funding(returns, trades_daily=1, is_market_day=market)
    assert value(crypto, "volatility") == pytest.approx(np.std(returns, ddof=1) * np.sqrt(365), rel=1e-12)


def test_one_daily_traded_day_makes_the_year_365() -> None:
    assert after_funding(MIXED, trades_daily=[0] * 8 + [1]).annualization_days[0] == 365


def test_drawdown_recovery_of_portfolio_performance() -> None:
    """portfolio-performance RiskTest: wealth 1.21 on day 2 falls to 0.81 and is back on day 12: ten days."""
    wealth = np.array([1.01, 1.21, 1.11, 0.81, 0.86, 0.91, 0.96, 1.01, 1.06, 1.11, 1.16, 1.21])
    rows = after_funding((wealth[1:] / wealth[:-1] - 1).tolist())
    assert value(rows, "max_drawdown") == pytest.approx(0.81 / 1.21 - 1, abs=1e-12)
    assert value(rows, "drawdown_days") == 10


def test_drawdown_without_recovery_lasts_to_the_end() -> None:
    assert value(after_funding([0.1, 0.0, -0.5, 0.1, 0.1]), "drawdown_days") == 3


def test_deepest_drawdown_counts_not_the_longest() -> None:
    returns = [-0.01, 0.0, 0.0, 0.0, 0.02, -0.5, 1.1]
    assert value(after_funding(returns), "drawdown_days") == 2


def test_a_pause_carries_the_chain_over() -> None:
    """Days without a return (nothing invested) neither break the chain nor count as zero returns."""
    paused = after_funding([0.1, None, None, 0.1])
    assert value(paused, "twr") == pytest.approx(0.21, abs=1e-12)
    assert np.isnan(value(paused, "volatility"))
    assert "volatility:zero_deviation" in (paused.undefined_reason[0] or "")


def test_twr_of_portfolio_performance_excel_sample() -> None:
    """portfolio-performance ClientIndexTest testExcelSample, cumulative and weekly."""
    returns: list[float | None] = [0.023, 0.019175455, -0.0220517, 0.0294117647, 0.0285714286, 0.012261967]
    returns += [-0.0545454545, -0.0865384615]
    series = daily_series(daily_rows(date(2012, 1, 1), returns))
    whole = performance_rows(Range(series, series.first_day + 1, series.last_day))
    week = performance_rows(Range(series, series.first_day + 2, series.last_day))
    assert value(whole, "twr") == pytest.approx(-0.056182678, abs=1e-5)
    assert value(week, "twr") == pytest.approx(-0.077402422, abs=1e-5)


@pytest.mark.parametrize(("days", "is_annualised"), [(364, False), (365, True)])
def test_annualised_from_365_days_on(days: int, is_annualised: bool) -> None:
    returns = [0.001, -0.0005] * (days // 2) + [0.001] * (days % 2)
    rows = after_funding(list(returns))
    if is_annualised:
        assert value(rows, "twr_annualized") == pytest.approx(value(rows, "twr"), rel=1e-12)
        assert value(rows, "calmar_ratio") == pytest.approx(
            value(rows, "twr_annualized") / -value(rows, "max_drawdown"), rel=1e-12
        )
    else:
        assert np.isnan(value(rows, "twr_annualized"))
        for name in ("twr_annualized", "calmar_ratio"):
            assert f"{name}:period_under_365_days" in (rows.undefined_reason[0] or "")


def test_total_loss_is_minus_one_a_year() -> None:
    rows = after_funding([0.0] * 400 + [-1.0])
    assert value(rows, "twr") == -1.0
    assert value(rows, "twr_annualized") == -1.0


def test_loss_beyond_everything_has_no_annual_rate() -> None:
    linked = measures.linked_return(matrix([0.1, -1.5]))
    found = measures.annualized_return(linked, np.array([400]))
    assert found.code[0] == "negative_wealth"
    assert np.isnan(found.value[0])


def test_calmar_without_drawdown() -> None:
    rows = after_funding([0.001] * 400)
    assert value(rows, "max_drawdown") == 0
    assert "calmar_ratio:zero_drawdown" in (rows.undefined_reason[0] or "")


def test_a_period_starts_from_the_close_before_it() -> None:
    rows = after_funding([0.1, 0.1])
    assert value(rows, "start_value_base") == 1_000_000
    assert value(rows, "net_flows_base") == 0
    assert value(rows, "absolute_gain_base") == pytest.approx(210_000)
    assert value(rows, "percentage_gain") == pytest.approx(21.0)


def test_inception_starts_from_nothing() -> None:
    rows = row_of([0.1, 0.1])
    assert value(rows, "start_value_base") == 0
    assert value(rows, "net_flows_base") == 1_000_000
    assert value(rows, "absolute_gain_base") == pytest.approx(210_000)
    assert value(rows, "simple_return") == pytest.approx(0.21)


def test_usd_takes_each_amount_at_its_own_day() -> None:
    """1000 in at 1.10, worth 1000 at 1.20 at the end: no gain in base, 100 in USD; the income at its day's 1.15."""
    rows = row_of([0.0, 0.0], start=1000.0, usd_rate=[1.10, 1.15, 1.20], income_base=[0.0, 10.0, 0.0])
    assert value(rows, "absolute_gain_base") == 0
    assert value(rows, "end_value_usd") == pytest.approx(1200)
    assert value(rows, "net_flows_usd") == pytest.approx(1100)
    assert value(rows, "absolute_gain_usd") == pytest.approx(100)
    assert value(rows, "income_usd") == pytest.approx(11.5)


def test_missing_rate_is_never_one_and_spares_the_base() -> None:
    rows = row_of([0.1, 0.1], usd_rate=[1.1, 1.1, None])
    text = rows.undefined_reason[0] or ""
    assert np.isnan(value(rows, "end_value_usd"))
    assert "end_value_usd:missing_fx" in text
    assert "absolute_gain_usd:missing_fx" in text
    assert value(rows, "end_value_base") == pytest.approx(1_210_000)
    assert value(rows, "net_flows_usd") == pytest.approx(1_100_000), "a day without flows needs no rate"
    assert "missing_value" not in text


@pytest.mark.parametrize(
    ("base", "reason"), [(0.0, "zero_base"), (-5.0, "zero_base"), (0.009, "tiny_base"), (0.01, "")]
)
def test_percent_of_nothing(base: float, reason: str) -> None:
    def plain(amount: float) -> Measure:
        return measures.measure(np.array([amount]))

    found = amounts.simple_return(plain(3.0), plain(base), plain(0.0))
    assert found.code[0] == reason
    assert np.isnan(found.value[0]) == bool(reason)


def test_incomplete_days_are_said_last() -> None:
    rows = after_funding(MIXED, is_complete=[1, 1, 0, 1, 1, 1, 1, 1, 1])
    assert (rows.undefined_reason[0] or "").endswith(";coverage:incomplete_days")
    assert "coverage" not in (after_funding(MIXED).undefined_reason[0] or "")


def test_an_incomplete_day_outside_the_period_does_not_count() -> None:
    assert "coverage" not in (after_funding(MIXED, is_complete=[0, *[1] * 8]).undefined_reason[0] or "")


def test_observed_flows_are_said() -> None:
    assert after_funding(MIXED).flow_basis == ["ledger"]
    assert after_funding(MIXED, is_observed=[0, 0, 1, 0, 0, 0, 0, 0, 0]).flow_basis == ["observed"]


def test_mwr_pays_the_start_value_the_day_before() -> None:
    """1,000,000 becomes 1,210,000 over the 2 days after the close before: not over 1."""
    assert value(after_funding([0.001, 0.001]), "mwr") == pytest.approx(1.001**365 - 1, rel=1e-12)


def test_mwr_agrees_with_modified_dietz_on_a_calm_month() -> None:
    inflows = np.zeros((1, 30))
    inflows[0, 9] = 10_000.0
    returns: list[float | None] = [0.0001] * 30
    frame = daily_rows(date(2024, 1, 2), returns, start=100_000.0)
    values = [100_000.0]
    for day in range(30):
        values.append((values[-1] + inflows[0, day]) * 1.0001)
    series = daily_series(frame.with_columns(value_base=np.array(values), inflow_base=np.array([1e5, *inflows[0]])))
    rows = performance_rows(Range(series, series.first_day + 1, series.last_day))
    # XIRR dates the inflow by its day, Dietz by its morning: a day of 0.01 % on a tenth of the capital
    assert (1 + value(rows, "mwr")) ** (30 / 365) - 1 == pytest.approx(value(rows, "modified_dietz"), abs=1.1e-5)


def test_modified_dietz_of_wikipedia() -> None:
    """Wikipedia, "Modified Dietz method": 100 at the start, 50 in at half time, 300 at the end is 150 / 125 = 120 %."""
    inflows = np.zeros((730, 1))
    inflows[365, 0] = 50.0
    found = amounts.modified_dietz(np.array([150.0]), np.array([100.0]), inflows, np.zeros((730, 1)), np.array([730]))
    assert found.value[0] == 1.2


def test_modified_dietz_of_one_day_is_its_return() -> None:
    """Inflow 500 in the morning, outflow 200 in the evening: (1280 + 200) / (900 + 500) - 1, as twr_return is defined."""
    one = np.array([[500.0]]), np.array([[200.0]])
    found = amounts.modified_dietz(np.array([1280.0 - 900.0 - 300.0]), np.array([900.0]), *one, np.array([1]))
    assert found.value[0] == pytest.approx(1480 / 1400 - 1, rel=1e-15)


@pytest.mark.parametrize(("start", "reason"), [(0.0, "no_capital"), (-5.0, "no_capital"), (NAN, "missing_value")])
def test_modified_dietz_needs_capital(start: float, reason: str) -> None:
    flows = np.zeros((1, 2)), np.zeros((1, 2))
    found = amounts.modified_dietz(np.array([1.0]), np.array([start]), *flows, np.array([2]))
    assert found.code[0] == reason
    assert np.isnan(found.value[0])


def test_modified_dietz_without_flows_is_the_twr() -> None:
    rows = after_funding(MIXED)
    assert value(rows, "modified_dietz") == pytest.approx(value(rows, "twr"), abs=1e-15)


def test_every_null_has_a_reason_and_every_reason_is_documented() -> None:
    cases = [
        row_of([0.1, 0.1], usd_rate=None),
        row_of([0.1, 0.1], income_base=None, risk_free_rate=None),
        row_of([None, None], start=0.0, twr_return=None),
        after_funding([0.0] * 3),
    ]
    for rows in cases:
        text = rows.undefined_reason[0] or ""
        named = [pair.split(":")[0] for pair in text.split(";")]
        nulls = [name for name in reasons.METRICS if np.isnan(value(rows, name))]
        assert [name for name in named if name != reasons.COVERAGE] == nulls
        assert {pair.split(":")[1] for pair in text.split(";")} <= set(reasons.MEANINGS)


def test_an_undocumented_code_is_refused() -> None:
    with pytest.raises(KeyError, match="documented list"):
        reasons.pair("twr", "because")


def test_company_in_the_matrix_does_not_change_the_last_bit() -> None:
    """A rerun with other portfolios beside it must not publish "changes"."""
    generator = np.random.default_rng(8)
    lengths = [3, 17, 130, 1000]
    series = [generator.normal(0.0005, 0.02, length).tolist() for length in lengths]
    together = matrix(*series)
    rate = np.full_like(together, 0.0001)
    fields = [
        lambda part, r: measures.linked_return(part).value,
        lambda part, r: measures.sample_deviation(part).value,
        lambda part, r: measures.sortino_ratio(part, r, np.full(part.shape[1], 365)).value,
    ]
    for field in fields:
        alone = [field(matrix(one), np.full((len(one), 1), 0.0001))[0] for one in series]
        assert field(together, rate).tolist() == alone


def test_day_numbers_are_those_of_numpy() -> None:
    assert np.datetime64(day_number(date(2024, 2, 29)), "D") == np.datetime64("2024-02-29")
