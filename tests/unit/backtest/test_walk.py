"""The walk of a policy: nothing looks ahead, costs are paid, and the value is that of the units held."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from assets.allocation.estimates import PriceSeries
from assets.allocation.model import AllocationPolicy
from assets.backtest.beginning import TOO_LITTLE_HISTORY
from assets.backtest.figures import figures
from assets.backtest.loading import BacktestTask
from assets.backtest.store import (
    BENCHMARK,
    EQUAL_WEIGHT,
    POLICY,
    Settings,
    Strategy,
    backtest,
    last_closed_month,
)
from assets.backtest.walk import Calendar, Decision, calendar, decide, decision_days, equal_weights, walk

FIRST, DAYS = date(2022, 1, 1), 600
ATTRIBUTES: Mapping[str, Mapping[str, str | None]] = {name: {} for name in "ABC"}
POLICY_OF_TEST = AllocationPolicy("min_volatility", lookback_days=120, max_weight=0.7)


def series(label: str, seed: int, first: int = 0, prices: np.ndarray | None = None) -> PriceSeries:
    steps = np.random.default_rng(seed).normal(0.0005, 0.01 * (1 + seed % 3), DAYS)
    values = (100 * np.cumprod(1 + steps) if prices is None else prices)[first:]
    days = np.datetime64(FIRST, "D") + np.arange(first, DAYS)
    return PriceSeries(label, days, values, values, 365, 2)


def task(*histories: PriceSeries, benchmark: PriceSeries | None = None) -> BacktestTask:
    names = tuple(item.label for item in histories)
    return BacktestTask("p", POLICY_OF_TEST, names, histories, ATTRIBUTES, benchmark, 0.0, None)


def settings(cost: float = 0.0, last: int = DAYS - 1) -> Settings:
    return Settings("monthly", cost, FIRST, FIRST + timedelta(days=last))


def named(strategies: list[Strategy]) -> dict[str, Strategy]:
    return {strategy.name: strategy for strategy in strategies}


def test_a_shuffled_future_leaves_the_past_as_it_was() -> None:
    """What is decided and what it was worth up to a day does not know the days after it."""
    split = 400
    generator = np.random.default_rng(0)
    honest = [series("A", 1), series("B", 2), series("C", 5, first=200)]
    other = []
    for item in honest:
        prices = item.prices.copy()
        begin = split + 1 - (DAYS - len(prices))
        prices[begin:] = generator.permutation(prices[begin:]) * 3
        other.append(replace(item, prices=prices, quote_prices=prices))
    for name in (POLICY, EQUAL_WEIGHT):
        walks = [named(backtest(task(*histories), settings(0.001)))[name].walk for histories in (honest, other)]
        assert walks[0] is not None
        assert walks[1] is not None
        until = int(np.searchsorted(walks[0].days, np.datetime64(FIRST, "D") + split, side="right"))
        assert until > 200
        assert np.array_equal(walks[0].index[:until], walks[1].index[:until])
        assert not np.array_equal(walks[0].index[until:], walks[1].index[until:])
    for day in decision_days(FIRST, FIRST + timedelta(days=split), "monthly"):
        both = [decide(POLICY_OF_TEST, histories, ATTRIBUTES, day, 0.0) for histories in (honest, other)]
        assert both[0] == both[1]


def test_a_decision_is_traded_the_day_after_it() -> None:
    """A jump between the close that decides and the next belongs to what was held before."""
    prices = np.full(DAYS, 100.0)
    prices[11:] = 200.0
    market = calendar(
        [series("A", 1, prices=prices), series("B", 1, prices=np.full(DAYS, 50.0))], FIRST + timedelta(days=20)
    )
    decided = [Decision(FIRST + timedelta(days=10), ("A",), {"A": 1.0}, "optimal", None)]
    walked = walk(decided, market, 0.0)
    assert walked is not None
    assert walked.days[0] == np.datetime64(FIRST, "D") + 11
    assert (walked.index == 1.0).all()


def test_a_share_beside_a_coin_is_not_bought_at_the_close_that_decided() -> None:
    """Decided on Friday, nothing of the share is to be had before Monday; one that has gone does not hold up the rest."""
    friday = date(2022, 1, 7)
    days = np.datetime64(friday, "D") + np.arange(20)
    coin, share = np.ones(20), np.full(20, np.nan)
    share[[0, 3, 4, 5]] = [10.0, 20.0, 20.0, 20.0]
    histories = [PriceSeries("coin", days, coin, coin), PriceSeries("share", days, share, share)]
    market = calendar(histories, friday + timedelta(days=19))
    both = {"coin": 0.5, "share": 0.5}
    for decided, traded in ((0, 3), (3, 4), (6, 13)):
        walked = walk([Decision(friday + timedelta(days=decided), tuple(both), both, "optimal", None)], market, 0.0)
        assert walked is not None
        assert walked.days[0] == days[traded]
        assert (walked.index == 1.0).all()
    alone = walk([Decision(friday, ("coin",), {"coin": 1.0}, "optimal", None)], market, 0.0)
    assert alone is not None
    assert alone.days[0] == days[1]
    sold = Decision(friday + timedelta(days=3), ("coin",), {"coin": 1.0}, "optimal", None)
    first = Decision(friday - timedelta(days=1), ("share",), {"share": 1.0}, "optimal", None)
    for day, traded in ((friday, [1.0, 2.0]), (sold.day, [1.0, 2.0])):
        walked = walk([first, replace(sold, day=day)], market, 0.0)
        assert walked is not None
        assert walked.traded.tolist() == traded
        assert walked.index[-1] == 2.0  # sold at Monday's close or later, twice Friday's
    assert walk([Decision(friday + timedelta(days=17), tuple(both), both, "optimal", None)], market, 0.0) is None


def test_costs_and_turnover_by_hand() -> None:
    """Half and half; A doubles, so 2/3 to 1/3; back to halves trades 1/6 of each, 1/3 in all."""
    days = np.datetime64(FIRST, "D") + np.arange(5)
    market = Calendar(("A", "B"), days, np.array([[1.0, 1, 2, 2, 4], [1.0, 1, 1, 1, 1]]), np.ones((2, 5), bool))
    halves = {"A": 0.5, "B": 0.5}
    decisions = [Decision(FIRST + timedelta(days=n), ("A", "B"), halves, "optimal", None) for n in (0, 2)]
    walked = walk(decisions, market, 0.03)
    assert walked is not None
    assert walked.traded == pytest.approx([1.0, 1 / 3])
    assert walked.costs == pytest.approx([0.03, 0.01])
    assert walked.index == pytest.approx([0.97, 0.97 * 1.5, 0.97 * 1.5 * 0.99, 0.97 * 1.5 * 0.99 * 1.5])
    measured = figures(walked, np.zeros(4), 365)
    assert measured.total_return == pytest.approx(0.97 * 1.5 * 0.99 * 1.5 - 1)
    assert measured.turnover == pytest.approx(1 / 6 * 365 / 3)
    assert measured.costs == pytest.approx(0.04)
    assert measured.max_drawdown == pytest.approx(-0.03)
    assert measured.undefined_reason == (
        "annual_return:period_under_365_days;volatility:fewer_than_20_days;sharpe_ratio:fewer_than_20_days"
    )


def test_a_decision_without_weights_leaves_what_is_held() -> None:
    days = np.datetime64(FIRST, "D") + np.arange(5)
    market = Calendar(("A",), days, np.array([[1.0, 1, 2, 3, 4]]), np.ones((1, 5), bool))
    held = Decision(FIRST, ("A",), {"A": 1.0}, "optimal", None)
    failed = Decision(FIRST + timedelta(days=2), ("A",), None, "failed", "why")
    walked = walk([held, failed], market, 0.01)
    assert walked is not None
    assert walked.index == pytest.approx([0.99, 1.98, 2.97, 3.96])
    assert walk([failed], market, 0.01) is None
    assert [item.weights for item in equal_weights([failed])] == [{"A": 1.0}]


def test_what_begins_later_joins_when_it_has_half_of_the_lookback() -> None:
    histories = [series("A", 1), series("B", 2), series("C", 5, first=300)]
    joined = [
        (day - FIRST).days
        for day in decision_days(FIRST, FIRST + timedelta(days=DAYS), "weekly")
        if "C" in decide(POLICY_OF_TEST, histories, ATTRIBUTES, day, 0.0).candidates
    ]
    assert 360 <= joined[0] < 367
    assert len(joined) == len(range(joined[0], DAYS, 7))


def test_nothing_is_decided_before_the_whole_lookback() -> None:
    found = named(backtest(task(series("A", 1), series("B", 2), benchmark=series("C", 4)), settings()))
    assert set(found) == {POLICY, EQUAL_WEIGHT, BENCHMARK}
    first = found[POLICY].figures
    assert first is not None
    # 120 days reach from 1 January to 1 May: the first month end after it is 31 May
    assert first.period_start == date(2022, 6, 1)
    assert {item.figures.period_start for item in found.values() if item.figures} == {first.period_start}
    assert first.undefined_reason == "period_start:too_little_history"
    assert found[POLICY].missed == (
        "a decision on 2022-04-30 needs a price of 2021-12-31 or before (lookback_days 120), the oldest is that of A on"
        " 2022-01-01"
    )
    assert found[BENCHMARK].figures is not None
    assert found[BENCHMARK].figures.rebalances == 1
    short = backtest(task(series("A", 1)), settings(last=100))
    assert [(item.name, item.reason) for item in short] == [(POLICY, TOO_LITTLE_HISTORY)]
    assert short[0].missed.startswith("a decision on 2022-03-31 needs a price of 2021-12-01 or before")
    (none,) = backtest(task(series("A", 1)), settings(last=20))
    assert (none.reason, none.missed) == (
        TOO_LITTLE_HISTORY,
        "no monthly decision falls between 2022-01-01 and 2022-01-21",
    )


def test_an_infeasible_first_decision_is_why_it_begins_late() -> None:
    # one asset cannot make up a whole at 70 % each; the second begins in time for half of the lookback on 31 July
    found = named(backtest(task(series("A", 1), series("B", 2, first=150)), settings()))[POLICY]
    assert found.figures is not None
    assert found.figures.period_start == date(2022, 8, 1)
    assert found.figures.undefined_reason == "period_start:no_weights"
    assert found.missed.startswith("up to 2022-06-30 no decision gave weights: max_weight × 1 instruments is 0.7")


def test_the_index_of_one_asset_is_its_price() -> None:
    """And the measures are those of numpy and of the definitions."""
    only = series("A", 3)
    single = replace(task(only), policy=replace(POLICY_OF_TEST, max_weight=1.0))
    found = named(backtest(single, settings()))[POLICY]
    assert found.walk is not None
    assert found.figures is not None
    prices = only.prices[-len(found.walk.index) :]
    assert found.walk.index == pytest.approx(prices / prices[0])
    returns = prices[1:] / prices[:-1] - 1
    assert found.figures.volatility == pytest.approx(returns.std(ddof=1) * 365**0.5)
    assert found.figures.sharpe_ratio == pytest.approx(returns.mean() / returns.std(ddof=1) * 365**0.5)
    assert found.figures.max_drawdown == pytest.approx((prices / np.maximum.accumulate(prices) - 1).min())
    assert found.figures.costs == 0
    assert found.fallbacks == 0


def test_days_of_decisions() -> None:
    year = (date(2024, 1, 1), date(2025, 1, 1))
    assert len(decision_days(*year, "monthly")) == 12
    assert [str(day) for day in decision_days(*year, "quarterly")] == [
        "2024-03-31",
        "2024-06-30",
        "2024-09-30",
        "2024-12-31",
    ]
    assert {day.isoweekday() for day in decision_days(*year, "weekly")} == {7}
    with pytest.raises(ValueError, match="weekly, monthly, quarterly"):
        decision_days(*year, "daily")
    assert last_closed_month(date(2024, 2, 29)) == date(2024, 2, 29)
    assert last_closed_month(date(2024, 2, 28)) == date(2024, 1, 31)


def test_a_rate_is_the_one_that_its_day_knew() -> None:
    rates = PriceSeries(
        "rate:X", np.array(["2022-01-03", "2022-01-05"], dtype="datetime64[D]"), *[np.array([4.0, 5.0])] * 2
    )
    days = np.array(["2022-01-02", "2022-01-03", "2022-01-04", "2022-01-09"], dtype="datetime64[D]")
    assert replace(task(series("A", 1)), rates=rates).rate_on(days) == pytest.approx([0, 0.04, 0.04, 0.05])
    assert replace(task(series("A", 1)), fixed_rate=0.02).rate_on(days) == pytest.approx([0.02] * 4)
