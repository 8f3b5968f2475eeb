"""Why a back-test begins later than asked, or not at all.

Belongs here: the code and the sentence for decisions that gave no weights. Must not be here: the decisions (walk).
"""

from collections.abc import Sequence
from datetime import timedelta

from assets.allocation.estimates import PriceSeries
from assets.backtest.walk import SKIPPED, Decision

TOO_LITTLE_HISTORY, NO_WEIGHTS = "too_little_history", "no_weights"


def missed(decisions: Sequence[Decision], series: Sequence[PriceSeries], lookback_days: int) -> tuple[str, str]:
    """The code and the sentence of days that decided nothing; both empty where there are none.

    Args:
        decisions: oldest first, all without weights.
        series: what they saw.
        lookback_days: of the policy.
    """
    if not decisions:
        return "", ""
    last = decisions[-1]
    code = TOO_LITTLE_HISTORY if all(item.status == SKIPPED for item in decisions) else NO_WEIGHTS
    if last.status != SKIPPED:
        return code, f"up to {last.day} no decision gave weights: {last.reason}"
    needed = last.day - timedelta(days=lookback_days)
    begun = [(str(item.dates[0]), item.label) for item in series if len(item.dates)]
    first = "there is none" if not begun else "the oldest is that of {1} on {0}".format(*min(begun))
    return (
        code,
        f"a decision on {last.day} needs a price of {needed} or before (lookback_days {lookback_days}), {first}",
    )
