"""What each portfolio would have gained or lost on the days of its history, with what it holds now.

Belongs here: calendars, returns over a horizon, which histories count and what is left out. Must not be here: measures
of the gains (value_at_risk), SQL.

A portfolio whose assets all trade every day has all days, any other Monday to Friday: a Monday's return of a coin then
spans the weekend, and a day off of one exchange is a day without a change there. Prices are carried, never guessed: a
return that is not known leaves the day out.
"""

from dataclasses import dataclass

import numpy as np

from assets.risk.model import (
    CASH_PREFIX,
    HORIZONS,
    MIN_HISTORY_SHARE,
    Booleans,
    Floats,
    Histories,
    Holdings,
    Integers,
)

BUSINESS_DAYS_PER_YEAR = 252


@dataclass(frozen=True)
class Gains:
    """Hypothetical gains of some portfolios on one calendar.

    Attributes:
        days: (t,) day numbers.
        returns: horizon -> (n, t) returns of the instruments over the horizon that ends on the day, NaN: none.
        included: (k,) whether a holding's history counts.
        reasons: (k,) why it does not; empty where it does.
        gains: horizon -> (p, t) in base currency, NaN where an included holding has no return.
    """

    days: Integers
    returns: dict[int, Floats]
    included: Booleans
    reasons: list[str]
    gains: dict[int, Floats]


def daily_calendar(holdings: Holdings) -> Booleans:
    """(p,) whether everything that a portfolio holds besides cash trades every day, and there is such a thing."""
    is_cash = np.array([item.instrument_id.startswith(CASH_PREFIX) for item in holdings.instruments], dtype=bool)
    trades = np.array([item.annualization_days > BUSINESS_DAYS_PER_YEAR for item in holdings.instruments], dtype=bool)
    seldom = holdings.sums((~is_cash & ~trades)[holdings.members].astype(np.float64))
    always = holdings.sums((~is_cash & trades)[holdings.members].astype(np.float64))
    is_daily: Booleans = (seldom == 0) & (always > 0)
    return is_daily


def returns_by_horizon(histories: Histories, *, is_daily: bool) -> tuple[Integers, dict[int, Floats]]:
    """The days of a calendar, and (n, t) simple returns over each of `HORIZONS` of its days.

    A span with an unknown daily return has none; nor has one that begins before the first known price.
    """
    known = np.isfinite(histories.returns)
    days = histories.first_day + np.arange(histories.returns.shape[1])
    logs = np.cumsum(np.where(known, np.log1p(np.where(known, histories.returns, 0.0)), 0.0), axis=1)
    unknown = np.cumsum(~known, axis=1)
    if not is_daily:
        # day 0 is a Thursday
        at = np.flatnonzero((days + 3) % 7 < 5)
        days, logs, unknown = days[at], logs[:, at], unknown[:, at]
    found = {}
    for horizon in HORIZONS:
        values = np.full(logs.shape, np.nan)
        is_whole = unknown[:, horizon:] == unknown[:, :-horizon]
        values[:, horizon:] = np.where(is_whole, np.expm1(logs[:, horizon:] - logs[:, :-horizon]), np.nan)
        values[histories.is_base] = 0.0
        values[:, :horizon] = np.nan
        found[horizon] = values
    return days, found


def gains(holdings: Holdings, histories: Histories, days: Integers, returns: dict[int, Floats]) -> Gains:
    """Revalue what is held now over the history of its returns.

    A holding is left out with `no_history`, `stale`, `too_sparse` (see `Histories.problems`) or `too_short`: fewer
    returns than `MIN_HISTORY_SHARE` of the longest history in its portfolio. Nothing takes its place.
    """
    counts = np.isfinite(returns[1]).sum(axis=1)
    is_sound = np.array([not problem for problem in histories.problems], dtype=bool)
    is_base = histories.is_base[holdings.members]
    own = np.where(is_sound, counts, 0)[holdings.members]
    longest = np.zeros(len(holdings.portfolio_ids))
    np.maximum.at(longest, holdings.owner, np.where(is_base, 0, own))
    is_long = own >= MIN_HISTORY_SHARE * longest[holdings.owner]
    included = is_base | (is_sound[holdings.members] & is_long & (own > 0))
    reasons = [
        "" if counts_too else histories.problems[member] or "too_short"
        for counts_too, member in zip(included.tolist(), holdings.members.tolist(), strict=True)
    ]
    exposure = _matrix(holdings, np.where(included, holdings.values, 0.0), included)
    return Gains(days, returns, included, reasons, {horizon: exposure @ found for horizon, found in returns.items()})


def _matrix(holdings: Holdings, values: Floats, included: Booleans):  # type: ignore[no-untyped-def]
    """(p, n) sparse, with an entry for what is included and no other: a missing return must not reach the rest."""
    from scipy import sparse

    counts = np.bincount(holdings.owner[included], minlength=len(holdings.portfolio_ids))
    offsets = np.concatenate([[0], np.cumsum(counts)])
    shape = (len(holdings.portfolio_ids), len(holdings.instruments))
    return sparse.csr_matrix((values[included], holdings.members[included], offsets), shape=shape)
