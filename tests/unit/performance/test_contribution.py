"""Contributions by hand, and that they add up on any portfolio."""

import numpy as np
import pytest

from assets.performance import compiled
from assets.performance.contribution import ContributionRows, contributions
from assets.performance.measures import linked_return
from assets.performance.series import DailySeries, Range
from tests.unit.performance.held import BASE, FIRST_DAY, holdings, random_case, reference, series_of


def days(*numbers: int) -> np.ndarray:
    return np.array([numbers]) + FIRST_DAY


def value(rows: ContributionRows, name: str, holding: int, period: int = 0) -> float:
    (row,) = np.flatnonzero((rows.holding == holding) & (rows.period == period))
    return float(rows.measures[name].value[row])


def linked(series: DailySeries, start: int, end: int) -> float:
    period = Range(series, np.array([FIRST_DAY + start]), np.array([FIRST_DAY + end]))
    return float(linked_return(period.number("twr_return")).value[0])


def test_a_purchase_a_rise_and_a_dividend_by_hand() -> None:
    """1000 in; day 1: 10 units bought at 50 close at 55, 50 / 1000 = 5 %; day 2: they close at 66 and pay 21.

    131 / 1050 of day 2 counts 1.05 times: 13.1 %. Together 18.1 %, as 1000 became 1181.
    """
    series = series_of([1000.0, 1050.0, 1181.0], [1000.0, 0.0, 0.0], [0.0] * 3)
    shared = reference({"equity:A": [50.0, 55.0, 66.0]})
    held = holdings(
        series,
        shared,
        [
            (BASE, 0, 1, 1000.0, 1000.0),
            (BASE, 1, 2, 500.0, 500.0),
            (BASE, 2, None, 521.0, 521.0),
            ("equity:A", 1, None, 10.0, 500.0),
        ],
        [("equity:A", 2, 21.0)],
    )
    rows, _ = contributions(series, held, days(0), days(2))
    assert held.instrument_ids == ["equity:A", BASE]
    assert value(rows, "contribution", 0) == pytest.approx(0.181, abs=1e-15)
    assert value(rows, "contribution", 1) == 0.0
    assert value(rows, "gain_base", 0) == 181.0
    assert value(rows, "start_value_base", 0) == 0.0
    assert value(rows, "end_value_base", 0) == 660.0
    assert value(rows, "average_weight", 0) == pytest.approx((0 + 550 / 1050 + 660 / 1181) / 3)
    assert rows.undefined_reason == [None, None]


def test_a_later_period_starts_from_an_index_of_one() -> None:
    series = series_of([1000.0, 1050.0, 1160.0], [1000.0, 0.0, 0.0], [0.0] * 3)
    shared = reference({"equity:A": [100.0, 105.0, 116.0]})
    held = holdings(series, shared, [("equity:A", 0, None, 10.0, 1000.0)], [])
    rows, _ = contributions(series, held, days(2), days(2))
    assert value(rows, "contribution", 0) == pytest.approx(110 / 1050, abs=1e-15)
    assert value(rows, "start_value_base", 0) == 1050.0


def test_a_gain_on_a_day_without_a_return_is_shown_and_left_out() -> None:
    """A refund of 7 on a day when nothing was invested: a gain, but no return of anything."""
    series = series_of([100.0, 0.0, 7.0], [100.0, 0.0, 0.0], [0.0, 100.0, 0.0])
    held = holdings(
        series,
        reference({"equity:A": [1.0, 1.0, 1.0]}),
        [(BASE, 0, 1, 100.0, 100.0), (BASE, 2, None, 7.0, 7.0)],
        [(BASE, 2, 7.0)],
    )
    rows, _ = contributions(series, held, days(0), days(2))
    assert value(rows, "gain_base", 0) == 7.0
    assert value(rows, "unlinked_gain_base", 0) == 7.0
    assert value(rows, "contribution", 0) == 0.0


def test_of_less_than_a_cent_nobody_has_a_share() -> None:
    """A wei left over: its value is rounding, and so would be what each instrument gave to its return."""
    series = series_of([5e-17, 4e-17, 4e-17], [5e-17, 0.0, 0.0], [0.0] * 3)
    held = holdings(series, reference({"equity:A": [1.0, 0.88, 0.88]}), [("equity:A", 0, None, 5e-17, 5e-17)], [])
    rows, _ = contributions(series, held, days(0), days(2))
    assert np.isnan(value(rows, "contribution", 0))
    assert rows.undefined_reason == ["contribution:tiny_base;coverage:tiny_days"]
    assert value(rows, "end_value_base", 0) > 0


def test_a_day_that_begins_with_less_than_a_cent_has_no_parts() -> None:
    """100 rise to 110; what is left of them rises by half and contributes nothing; 200 more rise by 10 %."""
    series = series_of([110.0, 0.004, 0.006, 220.0], [100.0, 0.0, 0.0, 199.994], [0.0, 109.996, 0.0, 0.0])
    held = holdings(
        series,
        reference({"equity:A": [1.1, 1.1, 1.65, 1.815]}),
        [
            ("equity:A", 0, 1, 100.0, 100.0),
            ("equity:A", 1, 3, 0.004 / 1.1, 0.004),
            ("equity:A", 3, None, 220 / 1.815, 199.998),
        ],
        [("equity:A", 1, 10.0)],  # left with the withdrawal
    )
    rows, _ = contributions(series, held, days(0, 2, 3), days(3, 2, 3))
    assert value(rows, "contribution", 0) == pytest.approx(0.1 + 1.1 * 0.1)
    assert np.isnan(value(rows, "contribution", 0, period=1))
    assert value(rows, "contribution", 0, period=2) == pytest.approx(0.1)
    assert rows.undefined_reason[2] is None


def test_without_a_price_nothing_is_known() -> None:
    series = series_of([100.0, 100.0], [100.0, 0.0], [0.0, 0.0])
    shared = reference({"equity:A": [float("nan")] * 2})
    held = holdings(series, shared, [(BASE, 0, None, 100.0, 100.0), ("equity:A", 1, None, 3.0, 0.0)], [])
    rows, _ = contributions(series, held, days(0), days(1))
    assert np.isnan(value(rows, "contribution", 0))
    assert np.isnan(value(rows, "gain_base", 0))
    assert "contribution:missing_price;gain_base:missing_price" in (rows.undefined_reason[0] or "")
    assert rows.undefined_reason[1] is None


def test_no_return_at_all_has_a_reason() -> None:
    series = series_of([0.0, 0.0], [0.0, 0.0], [0.0, 0.0])
    held = holdings(series, reference({"equity:A": [1.0, 1.0]}), [], [("equity:A", 0, 0.5), ("equity:A", 1, -0.5)])
    rows, _ = contributions(series, held, days(0), days(1))
    assert rows.undefined_reason == ["contribution:no_returns;average_weight:no_value"]


def test_an_instrument_sold_before_the_period_has_no_row() -> None:
    series = series_of([100.0, 100.0, 100.0], [100.0, 0.0, 0.0], [0.0] * 3)
    held = holdings(
        series,
        reference({"equity:A": [10.0] * 3}),
        [("equity:A", 0, 1, 10.0, 100.0), (BASE, 1, None, 100.0, 100.0)],
        [],
    )
    rows, _ = contributions(series, held, days(0, 1, 2), days(2, 2, 2))
    assert sorted(zip(rows.holding.tolist(), rows.period.tolist(), strict=True)) == [
        *((0, 0), (0, 1)),  # held at the close before the second period
        *((1, 0), (1, 1), (1, 2)),
    ]


@pytest.mark.parametrize("seed", range(25))
def test_they_add_up_to_the_return_and_to_the_gain(seed: int) -> None:
    series, held, _ = random_case(seed)
    starts, ends = days(0, 7, 30, 59), days(59, 40, 59, 59)
    rows, _ = contributions(series, held, starts, ends)
    value_base = series.numbers["value_base"]
    net_flow = series.numbers["inflow_base"] - series.numbers["outflow_base"]
    for period, (start, end) in enumerate(zip(starts[0] - FIRST_DAY, ends[0] - FIRST_DAY, strict=True)):
        part = rows.period == period
        total = np.nansum(rows.measures["contribution"].value[part])
        expected = np.nan_to_num(linked(series, start, end))
        assert total == pytest.approx(expected, abs=1e-9 * (1 + abs(expected)))
        before = value_base[start - 1] if start else 0.0
        gain = value_base[end] - before - net_flow[start : end + 1].sum()
        assert np.nansum(rows.measures["gain_base"].value[part]) == pytest.approx(gain, abs=1e-9)


def test_compiled_and_plain_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        series, held, _ = random_case(seed)
        found = []
        for worth in (10**9, 0):
            monkeypatch.setattr(compiled, "WORTH_COMPILING", worth)
            found.append(contributions(series, held, days(0, 30), days(59, 59))[0])
        for name, measured in found[0].measures.items():
            assert np.array_equal(measured.value, found[1].measures[name].value, equal_nan=True)
