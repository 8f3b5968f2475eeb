"""What a scenario would cost each portfolio, and which holding most.

Belongs here: arithmetic on holdings and changes. Must not be here: which scenarios there are (scenarios), SQL.
"""

from dataclasses import dataclass

import numpy as np

from assets.risk.model import Floats, Holdings, Integers


@dataclass(frozen=True)
class Losses:
    """(p,) each; a loss is positive.

    Attributes:
        loss: in base currency, of what is covered; 0 where nothing is.
        coverage: share of the gross value whose change is known; NaN: nothing is held.
        worst: place of the holding that loses most; -1: none loses.
    """

    loss: Floats
    coverage: Floats
    worst: Integers


def losses(holdings: Holdings, change: Floats) -> Losses:
    """Losses where each holding changes by (k,) fractions, NaN: not known."""
    is_known = np.isfinite(change)
    own = -holdings.values * np.where(is_known, change, 0.0)
    gross = holdings.sums(np.abs(holdings.values))
    known = holdings.sums(np.where(is_known, np.abs(holdings.values), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        coverage = np.where(gross > 0, known / gross, np.nan)
    return Losses(holdings.sums(own) + 0.0, coverage, worst_holding(holdings, own))


def worst_holding(holdings: Holdings, loss: Floats) -> Integers:
    """(p,) place of the largest of (k,) losses above 0, the first of equal ones; -1: none."""
    worst = np.full(len(holdings.portfolio_ids), -1, dtype=np.int64)
    places = np.flatnonzero(loss > 0)
    # the last written stays: smallest loss first, and of equal ones the last place
    order = places[np.lexsort((-places, loss[places]))]
    worst[holdings.owner[order]] = order
    return worst
