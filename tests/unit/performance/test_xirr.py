"""XIRR against published numbers and against pyxirr, and its borders: no root, several roots, hard brackets."""

from datetime import date, timedelta

import numpy as np
import pytest
import pyxirr
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.performance.xirr import Rates, xirr

EPOCH = date(2000, 1, 1)


def solve(*portfolios: list[tuple[date, float]]) -> Rates:
    flows = [flow for portfolio in portfolios for flow in portfolio]
    offsets = np.cumsum([0, *(len(portfolio) for portfolio in portfolios)])
    return xirr(
        np.array([amount for _, amount in flows], dtype=np.float64),
        np.array([day.toordinal() for day, _ in flows], dtype=np.int64),
        offsets,
    )


def after(days: int) -> date:
    return EPOCH + timedelta(days)


def net_value(flows: list[tuple[date, float]], rate: float) -> float:
    first = min(day for day, _ in flows)
    return sum(amount / (1 + rate) ** ((day - first).days / 365) for day, amount in flows)


def test_excel_documentation() -> None:
    """Microsoft's example of XIRR: 0.373362535, which Excel documents as right within 0.000001 percent (1e-8)."""
    flows = [
        (date(2008, 1, 1), -10_000.0),
        (date(2008, 3, 1), 2_750.0),
        (date(2008, 10, 30), 4_250.0),
        (date(2009, 2, 15), 3_250.0),
        (date(2009, 4, 1), 2_750.0),
    ]
    found = solve(flows)
    assert found.rate[0] == pytest.approx(0.373362535, abs=1e-8)
    assert abs(net_value(flows, found.rate[0])) < 1e-9
    assert found.code[0] == ""
    assert not found.has_several_roots[0]


def test_day_count_of_pyxirr() -> None:
    """Anexen/pyxirr tests/test_scheduled.rs test_xirr_day_count, act/365F; MathWorks' xirr example."""
    flows = [
        (date(2007, 1, 12), -10_000.0),
        (date(2008, 2, 14), 2_500.0),
        (date(2008, 3, 3), 2_000.0),
        (date(2008, 6, 14), 3_000.0),
        (date(2008, 12, 1), 4_000.0),
    ]
    assert solve(flows).rate[0] == pytest.approx(0.10064378342638, abs=1e-12)


def test_portfolio_performance_excel() -> None:
    """portfolio-performance IRRTest: 200 paid in, 210 out 364 days later; Excel says 0.050140747 (to 1e-8)."""
    flows = [(date(2010, 1, 1), -200.0), (date(2010, 12, 31), 210.0)]
    rate = solve(flows).rate[0]
    assert rate == pytest.approx(0.050140747, abs=1e-8)
    assert rate == pytest.approx(1.05 ** (365 / 364) - 1, abs=1e-14)


def test_order_and_netting_within_a_day_do_not_matter() -> None:
    plain = [(after(0), -100.0), (after(200), -50.0), (after(400), 170.0)]
    shuffled = [(after(400), 200.0), (after(200), -80.0), (after(0), -100.0), (after(400), -30.0), (after(200), 30.0)]
    found = solve(plain, shuffled)
    assert found.rate[1] == pytest.approx(found.rate[0], abs=1e-14)


def test_only_payments_have_no_rate() -> None:
    found = solve([(after(0), -100.0), (after(9), -1.0)], [(after(0), 5.0)], [], [(after(0), -5.0), (after(0), 7.0)])
    assert np.isnan(found.rate).all()
    assert found.code.tolist() == ["no_sign_change"] * 4


def test_what_rounding_leaves_is_no_flow() -> None:
    """0.1 + 0.2 - 0.3 is 5.6e-17 in floats: without the limit it would be a receipt and give a rate of -1."""
    found = solve([(after(0), -1.0), (after(300), 0.1), (after(300), 0.2), (after(300), -0.3)])
    assert found.code[0] == "no_sign_change"


def test_no_root() -> None:
    """100 - 100 x + 100 x^2 has no real root."""
    flows = [(after(0), 100.0), (after(365), -100.0), (after(730), 100.0)]
    found = solve(flows)
    assert np.isnan(found.rate[0])
    assert found.code[0] == "no_root"


def test_unknown_flow() -> None:
    found = solve(
        [(after(0), -100.0), (after(5), float("nan")), (after(365), 110.0)], [(after(0), -1.0), (after(365), 2.0)]
    )
    assert found.code.tolist() == ["missing_value", ""]
    assert found.rate[1] == pytest.approx(1.0, abs=1e-12)


def test_several_roots_take_the_one_nearest_modified_dietz() -> None:
    """Paid 1000, received 2300, paid 1320: 10 % and 20 %. Modified Dietz has no capital (1000 - 1150): nearest 0."""
    found = solve([(after(0), -1000.0), (after(365), 2300.0), (after(730), -1320.0)])
    assert found.rate[0] == pytest.approx(0.10, abs=1e-9)
    assert found.has_several_roots[0]


def test_several_roots_with_a_reference() -> None:
    """100 x^2 - 140 x + 45 has x = 0.9 and 0.5. Modified Dietz: -5 / (100 - 70), a year -8.7 %: -10 % is nearer."""
    found = solve([(after(0), -100.0), (after(365), 140.0), (after(730), -45.0)])
    assert found.rate[0] == pytest.approx(-0.10, abs=1e-9)
    assert found.has_several_roots[0]


def test_double_root() -> None:
    """Paid 100, received 220, paid 121: 10 % touches zero without crossing it."""
    found = solve([(after(0), -100.0), (after(365), 220.0), (after(730), -121.0)])
    assert found.rate[0] == pytest.approx(0.10, abs=1e-7)


def test_three_roots_far_apart() -> None:
    """A rate of 10^12 hides the late flows from the early ones: uniqueness must not be claimed from their sum."""
    polynomial = -np.poly([1e12, 0.875, 4e-4])
    flows = [(after(365 * year), float(amount)) for year, amount in enumerate(polynomial)]
    found = solve(flows)
    assert found.has_several_roots[0]


@pytest.mark.parametrize(
    ("received", "days", "expected"),
    [
        (1e-8, 3650, 1e-11**0.1 - 1),
        (1e9, 3650, 1e6**0.1 - 1),
        (999.0, 1, 0.999**365 - 1),
        (2000.0, 1, 2.0**365 - 1),
        (1.0, 7, 0.001 ** (365 / 7) - 1),
    ],
)
def test_extreme_rates_in_closed_form(received: float, days: int, expected: float) -> None:
    rate = solve([(after(0), -1000.0), (after(days), received)]).rate[0]
    assert rate == pytest.approx(expected, rel=1e-9)
    assert rate > -1


def test_rate_beyond_floats_is_no_root() -> None:
    assert solve([(after(0), -1.0), (after(1), 10.0)]).code[0] == "no_root"


def test_zero_gain_is_exactly_zero() -> None:
    assert solve([(after(0), -100.0), (after(90), -100.0), (after(200), 200.0)]).rate[0] == pytest.approx(
        0.0, abs=1e-15
    )


def test_equals_pyxirr_on_many_savings_plans() -> None:
    generator = np.random.default_rng(3)
    portfolios = []
    for _ in range(400):
        days = np.unique(generator.integers(0, 4000, generator.integers(2, 60)))
        paid = -generator.lognormal(5, 1, len(days))
        paid[1:] *= np.where(generator.random(len(days) - 1) < 0.2, -0.1, 1.0)
        end = abs(paid.sum()) * generator.lognormal(0.2, 0.6)
        portfolios.append([*((after(int(d)), float(a)) for d, a in zip(days, paid, strict=True)), (after(4000), end)])
    found = solve(*portfolios)
    single = ~found.has_several_roots & (found.code == "")
    assert single.sum() > 380
    for flows, rate in zip(np.array(portfolios, dtype=object)[single], found.rate[single], strict=True):
        expected = pyxirr.xirr([day for day, _ in flows], [amount for _, amount in flows])
        assert rate == pytest.approx(expected, abs=1e-9, rel=1e-9)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5000), st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: abs(x) > 0.01)),
        min_size=2,
        max_size=25,
    )
)
def test_a_rate_found_balances_the_flows(flows: list[tuple[int, float]]) -> None:
    dated = [(after(day), amount) for day, amount in flows]
    rate = solve(dated).rate[0]
    if not np.isnan(rate) and -0.99 < rate < 1e6:
        size = net_value([(day, abs(amount)) for day, amount in dated], rate)
        assert abs(net_value(dated, rate)) <= 1e-7 * size


def test_chunks_do_not_change_the_last_bit() -> None:
    """A rerun over other portfolios must not publish "changes"."""
    generator = np.random.default_rng(5)
    portfolios = [
        [
            (after(0), -100.0),
            (after(int(generator.integers(1, 900))), -20.0),
            (after(1000), float(generator.lognormal(5))),
        ]
        for _ in range(60)
    ]
    together = solve(*portfolios).rate
    assert together.tolist() == [solve(flows).rate[0] for flows in portfolios]
