"""Attribution against published examples, and that it adds up on any portfolio."""

import numpy as np
import pytest

from assets.performance import compiled
from assets.performance.attribution import AttributionRows, attributions
from assets.performance.attribution_kernel import day_effects
from assets.performance.contribution import contributions
from assets.performance.holdings import Holdings
from assets.performance.reading_reference import Reference, benchmark_days
from assets.performance.series import DailySeries
from tests.unit.performance.held import BASE, FIRST_DAY, holdings, random_case, reference, series_of
from tests.unit.performance.test_contribution import days, linked

NAN = float("nan")


def attribute(
    series: DailySeries, held: Holdings, shared: Reference, starts: np.ndarray, ends: np.ndarray
) -> AttributionRows:
    _, class_days = contributions(series, held, starts, ends)
    return attributions(series, held.classes, class_days, benchmark_days(series, shared), starts, ends)


def rows_by_class(held: Holdings, rows: AttributionRows, period: int = 0) -> dict[str, dict[str, float]]:
    return {
        held.classes.names[rows.class_row[k]]: {n: float(m.value[k]) for n, m in rows.measures.items()}
        for k in np.flatnonzero(rows.period == period)
    }


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        # weight, return, benchmark weight, benchmark return -> allocation, selection, interaction, all in percent
        ((0.40, 20.0, 0.40, 10.0), (0.0, 4.0, 0.0)),
        ((0.30, -5.0, 0.20, -4.0), (-1.04, -0.2, -0.1)),
        ((0.30, 6.0, 0.40, 8.0), (-0.16, -0.8, 0.2)),
    ],
)
def test_bacon(segment: tuple[float, float, float, float], expected: tuple[float, float, float]) -> None:
    """Bacon, Practical Portfolio Performance Measurement and Attribution, ch. 5: British, Japanese, American equities.

    The portfolio earned 8.3 %, the benchmark 6.4 %: allocation -1.2, selection 3.0, interaction 0.1.
    """
    weight, earned, benchmark_weight, benchmark_return = segment
    found = day_effects(weight, weight * earned, benchmark_weight, benchmark_return, 6.4)
    assert found == pytest.approx(expected, abs=1e-12)


def test_five_bond_sectors() -> None:
    """finfacts.io, Brinson-Fachler A/S/I: 20.0, 42.0 and 8.5 basis points of 70.5 (its table, rounded to 0.1)."""
    sectors = [
        (0.35, 210.0, 0.40, 180.0),
        (0.30, 450.0, 0.25, 380.0),
        (0.15, 320.0, 0.20, 300.0),
        (0.10, 650.0, 0.05, 500.0),
        (0.10, 50.0, 0.10, 40.0),
    ]
    total = sum(w * r for _, _, w, r in sectors)
    effects = np.array([day_effects(w, w * r, bw, br, total) for w, r, bw, br in sectors])
    assert total == pytest.approx(256.0)
    assert effects.sum(axis=0) == pytest.approx([20.0, 42.0, 8.5], abs=0.05)
    assert effects.sum() == pytest.approx(sum(w * r for w, r, _, _ in sectors) - total, abs=1e-10)


def test_a_class_that_one_side_does_not_hold_is_allocation() -> None:
    assert day_effects(0.4, 0.4 * 0.10, 0.0, 0.0, 0.02) == pytest.approx((0.4 * (0.10 - 0.02), 0.0, 0.0))
    assert day_effects(0.0, 0.0, 0.3, 0.05, 0.02) == pytest.approx((-0.3 * 0.03, 0.0, 0.0))


def test_a_day_by_hand() -> None:
    """60 in the benchmark's class rise 5 %, 40 elsewhere rise 10 %, the benchmark rises 4 %.

    7 % - 4 %: other class 0.4 x (10 % - 4 %) = 2.4 %; own class selection 1 %, interaction (0.6 - 1) x 1 % = -0.4 %.
    """
    series = series_of([100.0, 107.0], [100.0, 0.0], [0.0, 0.0])
    shared = reference({"etf:A": [60.0, 63.0], "crypto:B": [40.0, 44.0]}, "etf:X", [0.0, 0.04])
    held = holdings(series, shared, [("etf:A", 0, None, 1.0, 60.0), ("crypto:B", 0, None, 1.0, 40.0)], [])
    found = rows_by_class(held, attribute(series, held, shared, days(1), days(1)))
    assert found["crypto"]["allocation"] == pytest.approx(0.024, abs=1e-15)
    assert found["etf"]["selection"] == pytest.approx(0.01, abs=1e-15)
    assert found["etf"]["interaction"] == pytest.approx(-0.004, abs=1e-15)
    assert found["etf"]["allocation"] == 0.0
    assert found["etf"]["benchmark_return"] == pytest.approx(0.04)
    assert (found["etf"]["portfolio_weight"], found["etf"]["benchmark_weight"]) == (pytest.approx(0.6), 1.0)
    assert found["crypto"]["portfolio_return"] == pytest.approx(0.1)
    assert "fiat" not in found


def test_a_purchase_of_the_day_works_from_the_morning_on() -> None:
    """All cash into the benchmark's own class at 50, which closes at 55 as the benchmark does: nothing to explain."""
    series = series_of([1000.0, 1100.0], [1000.0, 0.0], [0.0, 0.0])
    shared = reference({"etf:A": [50.0, 55.0]}, "etf:A", [0.0, 0.1])
    held = holdings(series, shared, [(BASE, 0, 1, 1000.0, 1000.0), ("etf:A", 1, None, 20.0, 1000.0)], [])
    found = rows_by_class(held, attribute(series, held, shared, days(1), days(1)))
    assert found["etf"]["portfolio_weight"] == pytest.approx(1.0)
    assert [found["etf"][name] for name in ("allocation", "selection", "interaction")] == pytest.approx([0.0] * 3)


def test_a_day_without_the_benchmark_leaves_one_row_with_the_reason() -> None:
    series = series_of([100.0, 107.0, 110.0], [100.0, 0.0, 0.0], [0.0] * 3)
    shared = reference({"crypto:B": [100.0, 107.0, 110.0]}, "etf:X", [NAN, NAN, 0.01])
    held = holdings(series, shared, [("crypto:B", 0, None, 1.0, 100.0)], [])
    rows = attribute(series, held, shared, days(0, 2), days(2, 2))
    assert set(rows_by_class(held, rows, 0)) == {"etf"}
    (alone,) = np.flatnonzero(rows.period == 0)
    assert "allocation:missing_benchmark" in (rows.undefined_reason[alone] or "")
    assert np.isnan(rows_by_class(held, rows, 0)["etf"]["selection"])
    assert set(rows_by_class(held, rows, 1)) == {"crypto", "etf"}


def test_without_a_benchmark_there_is_no_row() -> None:
    series = series_of([100.0, 107.0], [100.0, 0.0], [0.0, 0.0])
    shared = reference({"crypto:B": [100.0, 107.0]})
    held = holdings(series, shared, [("crypto:B", 0, None, 1.0, 100.0)], [])
    assert len(attribute(series, held, shared, days(0), days(1)).class_row) == 0


@pytest.mark.parametrize("seed", range(25))
def test_the_effects_add_up_to_the_lead(seed: int) -> None:
    series, held, shared = random_case(seed)
    starts, ends = days(0, 7, 30), days(59, 40, 59)
    rows = attribute(series, held, shared, starts, ends)
    benchmark = benchmark_days(series, shared)
    for period, (start, end) in enumerate(zip(starts[0] - FIRST_DAY, ends[0] - FIRST_DAY, strict=True)):
        effects = rows_by_class(held, rows, period)
        total = sum(row[name] for row in effects.values() for name in ("allocation", "selection", "interaction"))
        has_return = ~np.isnan(series.numbers["twr_return"][start : end + 1])
        theirs = np.prod(1 + benchmark[start : end + 1][has_return]) - 1
        ours = linked(series, start, end)
        if has_return.any():
            assert total == pytest.approx(ours - theirs, abs=1e-9 * (1 + abs(ours) + abs(theirs)))
            assert effects["etf"]["benchmark_return"] == pytest.approx(theirs, abs=1e-12)


def test_compiled_and_plain_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(5):
        series, held, shared = random_case(seed)
        found = []
        for worth in (10**9, 0):
            monkeypatch.setattr(compiled, "WORTH_COMPILING", worth)
            found.append(attribute(series, held, shared, days(0, 30), days(59, 59)))
        for name, measured in found[0].measures.items():
            assert np.array_equal(measured.value, found[1].measures[name].value, equal_nan=True)
