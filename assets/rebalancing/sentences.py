"""What a suggestion and its order say of themselves: sentences for their `reason`.

Belongs here: words, percent. Must not be here: money as text (assets/money_text), what is traded and whether it pays
(suggesting).
"""

from decimal import Decimal

from assets.money_text import money_text
from assets.rebalancing.sizing import Drift
from assets.rebalancing.worth import HORIZON_YEARS


def drift_sentence(drift: Drift, band: float) -> str:
    """How far the weight is off its target; `band` is a fraction."""
    side = "above" if drift.current > drift.target else "below"
    points = 100 * abs(drift.current - drift.target)
    return (
        f"Its weight of {100 * drift.current:.2f} % is {points:.2f} points {side} its target of "
        f"{100 * drift.target:.2f} %, outside the band of {100 * band:g} points."
    )


def loss_sentence(drift: Drift, cost: Decimal, tax: Decimal, gain: Decimal, base_currency: str) -> str:
    """Why a trade does not pay: its cost without tax and its tax, both >= 0, and its gain, in base currency."""
    paid = money_text(cost, base_currency) + (f" and {money_text(tax, base_currency)} of tax" if tax else "")
    years = "a year" if HORIZON_YEARS == 1 else f"{HORIZON_YEARS:g} years"
    if gain < 0:
        text = f"it costs {paid} and leads to more risk, worth a loss of {money_text(-gain, base_currency)} in {years}"
    else:
        worth = money_text(gain, base_currency)
        text = f"it costs {paid}, more than the {worth} that its lower risk is worth in {years}"
    return f"{_not_done(drift)}: {text}."


def unfunded_sentence(drift: Drift) -> str:
    """A purchase that nothing pays for."""
    return f"{_not_done(drift)}: there is no cash and no sale to pay for it."


def lot_sentence(drift: Drift, lot: Decimal | None) -> str:
    """A trade that is rounded down to nothing."""
    size = "" if lot is None else f" of {lot.normalize():,f}"
    return f"{_not_done(drift)}: it is less than one lot{size}."


def share_sentence(share: Decimal) -> str:
    """A purchase of which only a part (a fraction) can be paid."""
    return f"Cash and sales pay for {100 * share:.1f} % of it."


def _not_done(drift: Drift) -> str:
    return "Not sold" if drift.is_sale else "Not bought"
