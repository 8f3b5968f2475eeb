"""Pairs of series against pandas on their common days, and what is no correlation."""

import numpy as np
import pandas as pd
import pytest

from assets.correlation.model import LONGEST_GAP, STANDS_STILL, TOO_FEW_OBSERVATIONS, Levels, fewest_observations
from assets.correlation.pairs import correlate, sum_pairs, undefined_codes
from assets.performance import compiled

DAYS = 366
IS_WEEKEND = np.arange(DAYS) % 7 >= 5


def levels(count: int = 4, seed: int = 3) -> np.ndarray:
    """Random walks; the first two rest at weekends, the third begins after 200 days."""
    generator = np.random.default_rng(seed)
    common = generator.normal(0, 0.01, DAYS)
    values = 100 * np.cumprod(1 + 0.6 * common + generator.normal(0, 0.01, (count, DAYS)), axis=1)
    values[:2, IS_WEEKEND] = np.nan
    values[2, :200] = np.nan
    return values


def expected(one: np.ndarray, other: np.ndarray, window_days: int) -> tuple[float, int]:
    """Correlation of the returns between the days of the window on which both were seen."""
    both = pd.DataFrame({"one": one, "other": other}).iloc[-window_days - 1 :].dropna().pct_change().dropna()
    return both["one"].corr(both["other"]), len(both)


@pytest.mark.parametrize("window_days", [30, 90, 365])
@pytest.mark.parametrize("worth_compiling", [0, 10**12])
def test_correlations_are_those_of_pandas_on_the_common_days(
    window_days: int, worth_compiling: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "WORTH_COMPILING", worth_compiling)
    values = levels()
    found = correlate(Levels(tuple("abcd"), values, np.array([252, 252, 365, 365])), window_days)

    for a in range(4):
        for b in range(4):
            correlation, observations = expected(values[a], values[b], window_days)
            assert found.observations[a, b] == observations
            if observations >= fewest_observations(window_days):
                assert found.matrix[a, b] == pytest.approx(1.0 if a == b else correlation, abs=1e-12)
            else:
                assert np.isnan(found.matrix[a, b])
    assert (found.matrix == found.matrix.T)[~np.isnan(found.matrix)].all()
    own = pd.Series(values[0]).iloc[-window_days - 1 :].dropna().pct_change().dropna().std() * np.sqrt(252)
    assert found.volatilities[0] == pytest.approx(own)


def test_compiled_and_plain_give_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = np.triu_indices(4)
    results = []
    for worth_compiling in (0, 10**12):
        monkeypatch.setattr(compiled, "WORTH_COMPILING", worth_compiling)
        results.append(sum_pairs(levels(), *pairs, 365))
    for name in ("observations", "squares_first", "squares_second", "products"):
        assert np.array_equal(getattr(results[0], name), getattr(results[1], name))


def test_a_coin_beside_a_share_has_the_return_since_fridays_close() -> None:
    """What moves as one moves as one at whatever days it is looked at; day by day it would seem half related."""
    coin = levels()[3]
    share = np.where(IS_WEEKEND, np.nan, 2 * coin)
    found = correlate(Levels(("coin", "share"), np.vstack([coin, share]), np.array([365, 252])), 365)
    assert found.matrix[0, 1] == pytest.approx(1.0, abs=1e-12)


def test_a_gap_is_no_return() -> None:
    """A feed that stopped for longer than any holiday, and a jump after it."""
    values = levels()[2:4]
    values[:, :200] = np.nan
    whole = expected(values[0], values[1], 365)[1]
    values[0, 300 : 300 + LONGEST_GAP] = np.nan
    values[0, 300 + LONGEST_GAP :] *= 5
    found = sum_pairs(values, np.array([0]), np.array([1]), 365)
    assert found.observations[0] == whole - LONGEST_GAP - 1
    assert abs(found.correlations()[0]) > 0.1


def test_too_little_and_what_stands_still_have_a_reason_and_no_number() -> None:
    values = np.vstack([levels()[3], np.full(DAYS, 5.0), np.where(np.arange(DAYS) > 355, levels()[3], np.nan)])
    sums = sum_pairs(values, np.array([0, 0]), np.array([1, 2]), 365)
    assert sums.codes().tolist() == [STANDS_STILL, TOO_FEW_OBSERVATIONS]
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(sums.correlations()).all()
        assert np.isnan(sums.slopes()).all()
    found = correlate(Levels(("a", "b", "c"), values, np.array([365, 365, 365])), 365)
    codes = undefined_codes(found.matrix, found.observations, 365)
    assert codes[0].tolist() == ["", STANDS_STILL, TOO_FEW_OBSERVATIONS]


def test_the_fewest_observations_are_half_of_the_business_days() -> None:
    assert [fewest_observations(days) for days in (30, 90, 365)] == [15, 31, 126]
