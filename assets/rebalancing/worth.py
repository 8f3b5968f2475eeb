"""What a trade is worth: the certainty equivalent that it wins back in a year.

Belongs here: the one formula, for fixed and for computed targets alike. Must not be here: costs, estimation.

An owner of risk aversion g values weights w at w'mu - g/2 w'Sw (S the covariance a year). Where the targets t are the
best weights, being off by d = w - t loses exactly g/2 d'Sd, whatever mu is (Leland, "Optimal Portfolio Implementation
with Transactions Costs and Capital Gains Taxes", 2000, section 3); where a limit binds at t it loses that at least. For
fixed targets the same number is the price of the tracking variance d'Sd. Cash has no variance.
"""

import numpy as np
from numpy.typing import NDArray

#: He and Litterman, "The Intuition Behind Black-Litterman Model Portfolios" (1999): the world's average.
RISK_AVERSION = 2.5
#: How long a trade is thought to do good before the next one: costs are paid once and set against this many years.
HORIZON_YEARS = 1.0


def expected_gains(
    covariance: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each trade's part of g/2 (before'S before - after'S after), a fraction of the portfolio's value.

    The part of trade i is g/2 (before_i - after_i) (S (before + after))_i: what it wins if all trades are made together
    at one pace. The parts add up to the whole; what is not traded has 0.

    Args:
        covariance: (n, n) a year, no NaN.
        before: (n,) weights less targets now.
        after: (n,) the same after all trades.
    """
    moved: NDArray[np.float64] = before - after
    return RISK_AVERSION / 2 * HORIZON_YEARS * moved * (covariance @ (before + after))


def shared_gains(
    gains: NDArray[np.float64], moved: NDArray[np.float64], costs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same gains, with sales credited for what their money does on the buying side; the sum stays.

    A sale alone leaves cash, which is never what it is made for: away from cash every risky asset looks worth keeping.
    So the surplus of the money that goes from sales to purchases (gains less costs of both) is halved between the two
    sides; within a side by value.

    Args:
        gains: (n,) of `expected_gains`.
        moved: (n,) what is bought, negative = sold, fractions of the portfolio's value.
        costs: (n,) >= 0, fractions of the portfolio's value.
    """
    bought, sold = np.maximum(moved, 0.0), np.maximum(-moved, 0.0)
    purchases, sales = _sum(bought), _sum(sold)
    if not purchases or not sales:
        return gains
    surplus = gains - costs
    of_purchases = _sum(surplus[moved > 0.0]) / purchases
    of_sales = _sum(surplus[moved < 0.0]) / sales
    credit = min(purchases, sales) * (of_purchases - of_sales) / 2
    result: NDArray[np.float64] = gains + credit * (sold / sales - bought / purchases)
    return result


def _sum(values: NDArray[np.float64]) -> float:
    # an array's own sum() takes twice as long where there are ten
    return float(np.add.reduce(values))
