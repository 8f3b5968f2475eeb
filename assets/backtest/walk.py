"""A policy walked forward through prices: what it decides when, what holding that costs and earns.

Belongs here: decisions and the value between them. Must not be here: SQL, how weights are found (assets.allocation),
measures of a finished index (figures).

Nothing is known before its day. A decision sees prices up to its day alone, and is traded at the closes of the first
day by which all that is bought or sold has a new price: weights made from a close cannot be bought at it. Shares
beside coins wait for Monday.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from assets.allocation.estimates import PriceSeries, align_returns, estimate
from assets.allocation.model import AllocationError, AllocationPolicy, FloatArray, make_constraints
from assets.allocation.optimiser import optimise

RHYTHMS = ("weekly", "monthly", "quarterly")
#: Status of a decision on a day before the history reaches over the lookback.
SKIPPED = "skipped"
#: Calendar days that a trade waits for a new price of all that it moves; then what has none goes at its last one.
LONGEST_WAIT = 7


@dataclass(frozen=True)
class Decision:
    """Target weights by instrument, made after the close of `day`; None and the reason where there are none.

    `candidates` are the instruments whose history sufficed; `status` is that of the optimisation.
    """

    day: date
    candidates: tuple[str, ...]
    weights: Mapping[str, float] | None
    status: str
    reason: str | None


@dataclass(frozen=True)
class Calendar:
    """Prices in one currency on the days on which any of them was seen, each carried to the next.

    Attributes:
        labels: (N,).
        days: (D,) datetime64[D].
        prices: (N, D); NaN before the first one.
        is_seen: (N, D) whether the price is of that day.
    """

    labels: tuple[str, ...]
    days: NDArray[np.datetime64]
    prices: FloatArray
    is_seen: NDArray[np.bool_]

    def trading_day(self, day: date, moved: NDArray[np.bool_]) -> int:
        """Place of the day on which a decision of `day` is traded; the number of days: it is not.

        Args:
            day: whose close decided.
            moved: (N,) what is bought, sold or kept.
        """
        asked = np.datetime64(day, "D")
        begin = int(np.searchsorted(self.days, asked, side="right"))
        end = int(np.searchsorted(self.days, asked + np.timedelta64(LONGEST_WAIT, "D"), side="right"))
        renewed = np.logical_or.accumulate(self.is_seen[moved, begin:end], axis=1).all(axis=0)
        if renewed.any():
            return begin + int(np.argmax(renewed))
        # at the end of the prices a new one may still come
        return max(begin, end - 1) if end < len(self.days) else len(self.days)


@dataclass(frozen=True)
class Walk:
    """The value of 1 unit of money from its first trade on, costs paid.

    Attributes:
        days: (D,) datetime64[D].
        index: (D,) 1 less the first costs on the first day.
        traded: (rebalances,) bought plus sold at each, over the value before it; the first is the purchase.
        costs: (rebalances,) share of the value paid at each.
    """

    days: NDArray[np.datetime64]
    index: FloatArray
    traded: FloatArray
    costs: FloatArray


def decision_days(first: date, last: date, rhythm: str) -> list[date]:
    """The last calendar day of each week (Sunday), month or quarter from `first` to before `last`.

    Raises:
        ValueError: the rhythm is none of `RHYTHMS`.
    """
    if rhythm not in RHYTHMS:
        raise ValueError(f"rebalance {rhythm!r}: {', '.join(RHYTHMS)}")
    days = (first + timedelta(days=n) for n in range((last - first).days))
    return [day for day in days if _ends(day, rhythm)]


def _ends(day: date, rhythm: str) -> bool:
    if rhythm == "weekly":
        return day.isoweekday() == 7
    next_day = day + timedelta(days=1)
    return next_day.day == 1 and (rhythm == "monthly" or next_day.month % 3 == 1)


def decide(
    policy: AllocationPolicy,
    series: Sequence[PriceSeries],
    attributes: Mapping[str, Mapping[str, str | None]],
    day: date,
    risk_free_rate: float,
) -> Decision:
    """What the policy wants after the close of `day`, from what was known then.

    Nothing before the history reaches over the whole lookback: a year's estimate of a month is another policy. An
    instrument that begins later joins when `align_returns` takes it.
    """
    start = np.datetime64(day - timedelta(days=policy.lookback_days), "D")
    if not any(len(item.dates) and item.dates[0] <= start for item in series):
        return Decision(day, (), None, SKIPPED, f"no history of {policy.lookback_days} days")
    candidates: tuple[str, ...] = ()
    # made from nothing: a limit on what may be traded would be one on the first purchase
    policy = replace(policy, max_turnover=None, cost_spread=None)
    try:
        aligned = align_returns(series, day, policy.lookback_days)
        candidates = aligned.labels
        estimates = estimate(aligned, policy.expected_returns, policy.covariance, risk_free_rate)
        constraints = make_constraints(policy, aligned.labels, {name: attributes[name] for name in aligned.labels})
        outcome = optimise(policy, estimates, constraints, risk_free_rate)
    except AllocationError as error:
        return Decision(day, candidates, None, "failed", str(error))
    if outcome.weights is None:
        return Decision(day, candidates, None, outcome.status, outcome.reason)
    weights = dict(zip(aligned.labels, outcome.weights.tolist(), strict=True))
    return Decision(day, candidates, weights, outcome.status, outcome.reason)


def equal_weights(decisions: Sequence[Decision]) -> list[Decision]:
    """The same days and candidates, each with the same weight."""
    return [
        Decision(item.day, item.candidates, dict.fromkeys(item.candidates, 1 / len(item.candidates)), "equal", None)
        for item in decisions
        if item.candidates
    ]


def calendar(series: Sequence[PriceSeries], last: date) -> Calendar:
    """The series side by side up to `last`, in order of label."""
    known = sorted(series, key=lambda item: item.label)
    end = np.datetime64(last, "D")
    days = np.unique(np.concatenate([item.dates[item.dates <= end] for item in known]))
    prices = np.full((len(known), len(days)), np.nan)
    for row, item in enumerate(known):
        counts = (item.dates <= end) & np.isfinite(item.prices) & (item.prices > 0)
        prices[row, np.searchsorted(days, item.dates[counts])] = item.prices[counts]
    return Calendar(tuple(item.label for item in known), days, _carried(prices), ~np.isnan(prices))


def _carried(prices: FloatArray) -> FloatArray:
    place = np.where(np.isnan(prices), 0, np.arange(prices.shape[1]))
    np.maximum.accumulate(place, axis=1, out=place)
    carried: FloatArray = np.take_along_axis(prices, place, axis=1)
    return carried


def walk(decisions: Sequence[Decision], market: Calendar, cost: float) -> Walk | None:
    """Hold what was decided, trading on the `trading_day` of each decision; None: nothing was ever bought.

    Between two decisions units stay and weights drift. A decision without weights leaves what is held.

    Args:
        decisions: oldest first.
        market: prices; days after the last decision are walked to their end.
        cost: of each unit of money bought or sold, fraction.
    """
    place = {label: row for row, label in enumerate(market.labels)}
    trades: list[tuple[int, FloatArray]] = []
    for decision in decisions:
        if decision.weights is None:
            continue
        target = np.zeros(len(place))
        for label, weight in decision.weights.items():
            target[place[label]] = weight
        column = market.trading_day(decision.day, (target > 0) | (trades[-1][1] > 0 if trades else False))
        if column < len(market.days):
            trades.append((column, target / target.sum()))
    if not trades:
        return None
    first = trades[0][0]
    index = np.empty(len(market.days) - first)
    traded, costs = np.empty(len(trades)), np.empty(len(trades))
    value, held = 1.0, np.zeros(len(place))
    ends = [column for column, _ in trades[1:]] + [len(market.days) - 1]
    for number, ((column, target), end) in enumerate(zip(trades, ends, strict=True)):
        traded[number] = np.abs(target - held).sum()
        costs[number] = cost * traded[number]
        value *= 1 - costs[number]
        owned = target > 0
        growth = market.prices[owned, column : end + 1] / market.prices[owned, column][:, None]
        parts = target[owned][:, None] * growth
        index[column - first : end + 1 - first] = value * parts.sum(axis=0)
        held = np.zeros(len(place))
        held[owned] = parts[:, -1] / parts[:, -1].sum()
        value = float(index[end - first])
    return Walk(market.days[first:], index, traded, costs)
