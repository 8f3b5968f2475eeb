"""What goes into the optimisation of many portfolios and what comes out of it, one object a portfolio.

Belongs here: plain types. Must not be here: solving (engine, batch), SQL, rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from assets.allocation.estimates import Exclusion
from assets.allocation.frontier import Frontier
from assets.allocation.model import AllocationPolicy, FloatArray
from assets.allocation.optimiser import Outcome
from assets.rebalancing.model import Holding

ANALYTIC, BLOCK_BOOTSTRAP = "analytic", "block_bootstrap"
Attributes = Mapping[str, Mapping[str, str | None]]

#: how much worse than PyPortfolioOpt's an objective may be, relative to 1 + its size
AGREEMENT = 1e-6


@dataclass(frozen=True)
class Job:
    """One portfolio: `candidates` sorted; `previous` are the last published weights, `holdings` what is held now.

    `traded_base`: value traded a day by instrument, in base currency, where the policy asks and a volume is stored.
    `is_rate_unknown`: nothing says the risk-free rate, and it stands as 0.
    """

    portfolio_id: str
    user_id: str
    policy: AllocationPolicy
    candidates: tuple[str, ...]
    risk_free_rate: float
    previous: Mapping[str, float] | None = None
    holdings: tuple[Holding, ...] = ()
    is_rate_unknown: bool = False
    traded_base: Mapping[str, float] = field(default_factory=dict)


class InputsUsed(NamedTuple):
    """What a version of inputs is: see the mart optimization_inputs."""

    version: str
    policy: AllocationPolicy
    labels: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]
    frequency: int
    first_day: np.datetime64
    last_day: np.datetime64
    observations: int
    condition_number: float
    smallest_eigenvalue: float
    missing_share: float
    is_repaired: bool


@dataclass(frozen=True)
class Check:
    """A compiled answer beside PyPortfolioOpt's: the objective of both (a distance for hrp, which has none)."""

    portfolio_id: str
    objective: str
    value: float
    reference: float
    shortfall: float

    @property
    def agrees(self) -> bool:
        """Whether the compiled answer is not worse than the reference beyond the tolerance."""
        return self.shortfall <= AGREEMENT * (1.0 + abs(self.reference))


class Answer(NamedTuple):
    """What came of one portfolio.

    `sharpe_interval` names how the interval of its Sharpe ratio was made; `weight_interval` (n, 2) bounds the weights.
    """

    outcome: Outcome
    frontier: Frontier | None = None
    exclusions: tuple[Exclusion, ...] = ()
    inputs: InputsUsed | None = None
    check: Check | None = None
    sharpe_interval: str = ANALYTIC
    weight_interval: FloatArray | None = None
