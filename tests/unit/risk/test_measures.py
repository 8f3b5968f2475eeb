"""Parts of the value at risk against the portfolio's own, and when nothing may be said."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from assets.risk.measures import Measured, measure
from assets.risk.model import Holdings
from assets.risk.returns import Gains, gains, returns_by_horizon
from assets.risk.risk_rows import contribution_frame, risk_frame
from tests.unit.risk.books import book, history

NAMES = ("crypto:A", "crypto:B", "crypto:C")
RETURNS = np.random.default_rng(5).normal(0.001, [[0.01], [0.03], [0.05]], (3, 300)) + np.random.default_rng(6).normal(
    0, 0.01, 300
)


def measured(holdings: Holdings, days: int = 300, **problems: str) -> tuple[Gains, Measured]:
    named = {name.replace("__", ":"): code for name, code in problems.items()}
    places = [NAMES.index(item.instrument_id) for item in holdings.instruments]
    known = history(holdings, RETURNS[places, :days], problems=named)
    calendar, by_horizon = returns_by_horizon(known, is_daily=True)
    found = gains(holdings, known, calendar, by_horizon)
    return found, measure(holdings, found, list(range(len(holdings.portfolio_ids))))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).filter(lambda value: abs(value) > 1e-3), min_size=3, max_size=3))
def test_components_add_up_to_the_parametric_value_at_risk(values: list[float]) -> None:
    holdings = book([dict(zip(NAMES, values, strict=True))])
    _, found = measured(holdings)
    for (horizon, confidence), parts in found.contributions.items():
        whole = found.estimates[horizon, confidence, "parametric"].var[0]
        assert parts.component.sum() == pytest.approx(whole, rel=1e-9, abs=1e-9)


def test_incremental_is_the_difference_and_marginal_the_slope() -> None:
    values = {"crypto:A": 1000.0, "crypto:B": -300.0, "crypto:C": 500.0}
    _, found = measured(book([values]))
    parts, whole = found.contributions[10, 0.99], found.estimates[10, 0.99, "parametric"].var[0]
    for place, name in enumerate(NAMES):
        _, without = measured(book([{key: value for key, value in values.items() if key != name}]))
        expected = whole - without.estimates[10, 0.99, "parametric"].var[0]
        assert parts.incremental[place] == pytest.approx(expected, rel=1e-9)
        _, more = measured(book([values | {name: values[name] + 1e-3}]))
        slope = (more.estimates[10, 0.99, "parametric"].var[0] - whole) / 1e-3
        assert parts.marginal[place] == pytest.approx(slope, rel=1e-5)


def test_two_assets_by_the_closed_form() -> None:
    _, found = measured(book([{"crypto:A": 600.0, "crypto:B": 400.0}]))
    covariance = np.cov(RETURNS[:2, 1:])
    mean = RETURNS[:2, 1:].mean(axis=1)
    weights = np.array([600.0, 400.0])
    expected = stats.norm.ppf(0.95) * np.sqrt(weights @ covariance @ weights) - weights @ mean
    assert found.estimates[1, 0.95, "parametric"].var[0] == pytest.approx(expected, rel=1e-9)


def test_too_little_history_says_why() -> None:
    holdings = book([{"crypto:A": 100.0}])
    found, few = measured(holdings, days=60)
    frame = risk_frame(holdings, found, few)
    told = {row["confidence"]: row for row in frame.filter(method="parametric", horizon_days=1).to_dicts()}
    assert told[0.95]["var_base"] > 0
    assert told[0.99]["var_base"] is None
    assert told[0.99]["undefined_reason"] == "all:too_few_observations"
    assert told[0.99]["observations"] == 59


def test_a_tail_that_the_expansion_cannot_follow_says_why_for_that_method_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One day of a coin that loses a seventh: over ten days a tenth of its kurtosis is left."""
    crash = RETURNS.copy()
    crash[0, 200] = -0.14
    monkeypatch.setattr("tests.unit.risk.test_measures.RETURNS", crash)
    holdings = book([{"crypto:A": 100.0}])
    rows = risk_frame(holdings, *measured(holdings)).filter(confidence=0.99).to_dicts()
    told = {(row["method"], row["horizon_days"]): (row["var_base"], row["undefined_reason"]) for row in rows}
    assert told["cornish_fisher", 1] == (None, "all:not_monotone")
    assert told["cornish_fisher", 10][0] > 0
    for method in ("historical", "parametric", "monte_carlo"):
        assert told[method, 1][0] > 0


def test_what_is_left_out_is_told_and_too_much_of_it_leaves_nothing() -> None:
    holdings = book([{"crypto:A": 95.0, "crypto:B": 5.0}, {"crypto:A": 80.0, "crypto:B": 20.0}])
    found, part = measured(holdings, crypto__B="stale")
    rows = risk_frame(holdings, found, part).filter(method="historical", horizon_days=1, confidence=0.95).to_dicts()
    assert [row["excluded_share"] for row in rows] == [0.05, 0.2]
    assert [row["excluded"] for row in rows] == ["crypto:B: stale"] * 2
    assert rows[0]["undefined_reason"] is None
    assert (rows[1]["var_base"], rows[1]["undefined_reason"]) == (None, "all:excluded_share")
    parts = contribution_frame(holdings, found, part).filter(horizon_days=1, confidence=0.95).to_dicts()
    assert [row["undefined_reason"] for row in parts] == [None, "all:stale", "all:excluded_share", "all:excluded_share"]
    assert parts[0]["share"] == pytest.approx(1)


def test_measures_do_not_hang_on_the_company() -> None:
    both = book([{"crypto:A": 95.1, "crypto:B": 5.3}, {"crypto:A": 1 / 3, "crypto:C": 7.7}])
    alone = both.chosen(np.array([1]))
    found, together = measured(both)
    own = gains(alone, history(alone, RETURNS), found.days, found.returns)
    single = measure(alone, own, [1])
    for frame in (risk_frame, contribution_frame):
        assert frame(both, found, together).filter(portfolio_id="p1").equals(frame(alone, own, single))


def test_without_a_rate_there_are_no_dollars() -> None:
    holdings = replace(book([{"crypto:A": 100.0, "crypto:B": -500.0}]), usd_rate=None)
    found, known = measured(holdings)
    row = risk_frame(holdings, found, known).filter(method="parametric", horizon_days=1, confidence=0.95).to_dicts()[0]
    assert (row["var_usd"], row["cvar_usd"], row["var_ratio"]) == (None, None, None)
    assert row["var_base"] > 0
    assert row["undefined_reason"] == "var_usd:missing_fx;cvar_usd:missing_fx;var_ratio:no_value"
    part = contribution_frame(holdings, found, known).to_dicts()[0]
    assert part["undefined_reason"] == "component_var_usd:missing_fx;incremental_var_usd:missing_fx"
