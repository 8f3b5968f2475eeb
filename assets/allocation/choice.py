"""The choice of holdings of a policy: the exact or bounded search, and beside it the annealed one.

Belongs here: which of them is used, and what is said of their gap. Must not be here: the searches themselves
(selection, annealing).
"""

from dataclasses import dataclass

import numpy as np

from assets.allocation.annealing import anneal_selection
from assets.allocation.costs import TradingCosts
from assets.allocation.estimates import Estimates
from assets.allocation.model import AllocationError, AllocationPolicy, Constraints, UnsolvedError
from assets.allocation.relaxation import make_relaxation
from assets.allocation.selection import Relaxation, Selected, select

# Values of two searches within this of each other, as a share, are one.
_SAME = 1e-9
# Their QUBO is risk alone.
_WITHOUT_RETURNS = ("min_volatility", "max_diversification")


@dataclass(frozen=True)
class Choice:
    """How the holdings were chosen.

    `kind` is exact (the search came to its end), bounded (it had to stop) or annealing. `gap` is a share of the
    objective: of exact and bounded, what the best choice can gain at most; where a policy asks for annealing, what the
    annealed choice loses against the search (negative: it is better).
    """

    kind: str | None
    gap: float | None
    notes: tuple[str, ...]
    limits: Constraints | None

    @property
    def constraints(self) -> Constraints:
        """Limits under which the optimum has the chosen holdings."""
        if self.limits is None:
            raise ValueError("nothing was chosen")
        return self.limits


NO_CHOICE = Choice(None, None, (), None)


def choose(
    policy: AllocationPolicy,
    estimates: Estimates,
    constraints: Constraints,
    risk_free_rate: float,
    costs: TradingCosts | None,
) -> Choice:
    """Choose the holdings of least objective; of two choices of the same value the annealed one, if asked for.

    Raises:
        InfeasibleError: no choice keeps the limits.
        UnsolvedError: none was found.
    """
    relaxation = make_relaxation(policy, estimates, risk_free_rate, costs)
    searched: Selected | None = None
    failure: UnsolvedError | None = None
    try:
        searched = select(relaxation, constraints)
    except UnsolvedError as error:
        failure = error
    annealed = _annealed(policy, estimates, constraints, risk_free_rate, relaxation)
    if searched is None:
        if annealed is None:
            raise failure or UnsolvedError("no selection of holdings found")
        return Choice("annealing", None, (f"annealed selection used: {failure}",), annealed.constraints)
    kind = "exact" if searched.gap == 0 else "bounded"
    notes = () if searched.gap == 0 else (_stopped(searched),)
    if policy.selection != "annealing":
        return Choice(kind, searched.gap, notes, searched.constraints)
    if annealed is None:
        return Choice(
            kind, None, (*notes, f"annealing found no admissible selection: {kind} one used"), searched.constraints
        )
    gap = (annealed.value - searched.value) / max(abs(searched.value), np.finfo(np.float64).tiny)
    if gap <= _SAME:
        return Choice("annealing", gap, notes, annealed.constraints)
    said = f"annealed selection is {100 * gap:.3g} % worse than the {kind} one, which is used"
    return Choice(kind, gap, (*notes, said), searched.constraints)


def _annealed(
    policy: AllocationPolicy,
    estimates: Estimates,
    constraints: Constraints,
    risk_free_rate: float,
    relaxation: Relaxation,
) -> Selected | None:
    if policy.selection != "annealing" or constraints.max_assets is None:
        return None
    excess = estimates.expected_returns - risk_free_rate
    if policy.objective in _WITHOUT_RETURNS:
        excess = np.zeros_like(excess)
    mask = anneal_selection(estimates.labels, excess, estimates.covariance, constraints.max_assets)
    try:
        return select(relaxation, constraints, mask)
    except AllocationError:
        return None  # what it selected cannot keep the other limits


def _stopped(selected: Selected) -> str:
    return (
        f"holdings searched over {selected.nodes} nodes: the best choice is at most {100 * selected.gap:.3g} % better"
    )
