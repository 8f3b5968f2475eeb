"""What the allocation speaks of: a policy in numbers, the limits it puts on weights, and what went wrong.

Belongs here: plain types shared by the estimates, the optimiser, the frontier and the store, and how limits are made of
a policy. Must not be here: SQL, solvers, pandas.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

OBJECTIVES = (
    "max_sharpe", "min_volatility", "efficient_risk", "efficient_return", "hrp", "cvar", "cdar", "black_litterman",
    "risk_parity", "herc", "max_diversification",
)  # fmt: skip
DEFAULT_CONFIDENCE = 0.95
# A weight above this is a holding, where nothing else is asked.
HOLDING_TOLERANCE = 1e-4
# The least weight of the holdings that min_assets asks for.
SMALLEST_HOLDING = 0.01
# He and Litterman's default uncertainty of a view is Idzorek's confidence of one half.
DEFAULT_VIEW_CONFIDENCE = 0.5
# The buckets of marts.portfolio_allocation for instruments that have no such attribute.
GROUP_DEFAULTS = {"chain": "off_chain", "protocol": "none", "category": "uncategorised", "asset_class": "custom"}


class AllocationError(Exception):
    """An optimisation cannot be done; the message is shown as the reason."""


class EstimationError(AllocationError):
    """Prices are too few or too poor to estimate anything from."""


class InfeasibleError(AllocationError):
    """No weights at all keep the policy's limits; nothing can be published."""


class UnsolvedError(AllocationError):
    """This objective has no proven optimum here; another objective may have one."""


@dataclass(frozen=True)
class View:
    """A Black-Litterman view: `instrument` returns `expected_return` a year, more than `over` when that is given."""

    instrument: str
    over: str | None
    expected_return: float
    confidence: float = DEFAULT_VIEW_CONFIDENCE


@dataclass(frozen=True)
class GroupLimit:
    """Weights of the instruments whose attribute `by` is `group` add up to within [minimum, maximum]."""

    by: str
    group: str
    minimum: float = 0.0
    maximum: float = 1.0


@dataclass(frozen=True)
class AllocationPolicy:
    """How targets are computed; weights, costs and rates are fractions, rates per year; None: no such limit or cost."""

    objective: str
    universe: tuple[str, ...] = ("held",)
    target: float | None = None
    confidence: float = DEFAULT_CONFIDENCE
    views: tuple[View, ...] = ()
    min_weight: float = 0.0
    max_weight: float = 1.0
    min_assets: int = 1
    lookback_days: int = 365
    expected_returns: str = "mean"
    covariance: str = "ledoit_wolf"
    group_limits: tuple[GroupLimit, ...] = ()
    rebalance_band: float = 0.05
    min_holding: float | None = None
    max_assets: int | None = None
    max_turnover: float | None = None
    cost_spread: float | None = None
    cost_impact: float | None = None
    selection: str = "exact"
    weight_intervals: bool = False

    @property
    def holding(self) -> float:
        """The least weight of a holding: min_holding, else 1 % (or half of 1 / k if less) where k are asked for."""
        if self.min_holding is not None:
            return self.min_holding
        if self.min_assets > 1 and self.min_weight == 0:
            return max(min(SMALLEST_HOLDING, 0.5 / self.min_assets, self.max_weight), 2 * HOLDING_TOLERANCE)
        return HOLDING_TOLERANCE

    @property
    def is_held_universe(self) -> bool:
        """Whether the candidates are what the portfolio holds, rather than a list."""
        return not self.universe or self.universe == ("held",)


@dataclass(frozen=True)
class GroupBound:
    """One group limit on the weights: `members` (n,) bool, sum of their weights in [minimum, maximum]."""

    name: str
    members: BoolArray
    minimum: float
    maximum: float


@dataclass(frozen=True)
class Turnover:
    """Sales, as shares of the portfolio, add up to at most `limit`; `current` (n,) are the weights held now.

    What `current` lacks to 1 is cash or sold anyway, and pays for purchases; what it has above 1 is debt, whose
    repayment does not count.
    """

    current: FloatArray
    limit: float

    def sold(self, weights: FloatArray) -> float:
        """Sales (fraction) on the way from `current` to `weights` (n,), debt repaid left out."""
        debt = max(float(self.current.sum()) - 1.0, 0.0)
        return max(float(np.maximum(self.current - weights, 0.0).sum()) - debt, 0.0)


@dataclass(frozen=True)
class Constraints:
    """What weights must keep: they sum to 1, lower <= w <= upper (n,), and each group keeps its bounds.

    A weight of at least `holding` is a holding; there are at least `min_assets` and, where that is given, at most
    `max_assets` of them. With `has_gap` no weight lies between 0 and `holding`. `turnover` limits what is sold.
    """

    labels: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    groups: tuple[GroupBound, ...] = ()
    min_assets: int = 1
    max_assets: int | None = None
    holding: float = HOLDING_TOLERANCE
    has_gap: bool = False
    turnover: Turnover | None = None

    @property
    def counts_holdings(self) -> bool:
        """Whether more is asked than a convex solver knows of: a number of holdings, or none that is too small."""
        return self.min_assets > 1 or self.has_gap

    def convex(self) -> "Constraints":
        """The limits that a convex solver knows of."""
        return replace(self, min_assets=1, max_assets=None, holding=HOLDING_TOLERANCE, has_gap=False)


def make_constraints(
    policy: AllocationPolicy, labels: Sequence[str], attributes: Mapping[str, Mapping[str, str | None]]
) -> Constraints:
    """The policy's limits over `labels`.

    Args:
        policy: its weights, group limits and min_assets.
        labels: instruments, in the order of all arrays.
        attributes: asset_class, chain, protocol, category of each label; a missing one counts as the bucket that
            `marts.portfolio_allocation` shows it in.
    """
    size = len(labels)
    has_gap = policy.min_holding is not None or policy.max_assets is not None
    groups = tuple(
        GroupBound(
            f"{limit.by}={limit.group}",
            np.array([_bucket(attributes.get(label, {}), limit.by) == limit.group for label in labels], dtype=bool),
            limit.minimum,
            limit.maximum,
        )
        for limit in policy.group_limits
    )
    return Constraints(
        labels=tuple(labels),
        lower=np.full(size, policy.min_weight),
        upper=np.full(size, policy.max_weight),
        groups=groups,
        min_assets=policy.min_assets,
        max_assets=policy.max_assets,
        holding=policy.holding,
        has_gap=has_gap and policy.min_weight == 0,
    )


def with_turnover(
    constraints: Constraints, policy: AllocationPolicy, current: Mapping[str, float] | None
) -> Constraints:
    """The limits with the policy's turnover, given the weights held now; one that is not among them is 0."""
    if policy.max_turnover is None:
        return constraints
    held = np.array([(current or {}).get(label, 0.0) for label in constraints.labels], dtype=np.float64)
    return replace(constraints, turnover=Turnover(held, policy.max_turnover))


def _bucket(attributes: Mapping[str, str | None], by: str) -> str | None:
    return attributes.get(by) or GROUP_DEFAULTS.get(by)


def parse_views(documents: Sequence[Mapping[str, Any]]) -> tuple[View, ...]:
    """Views as stored in registry.policies.views: instrument, return, and optionally over and confidence."""
    return tuple(
        View(
            instrument=str(document["instrument"]),
            over=str(document["over"]) if document.get("over") else None,
            expected_return=float(document["return"] if "return" in document else document["return_"]),
            confidence=DEFAULT_VIEW_CONFIDENCE if document.get("confidence") is None else float(document["confidence"]),
        )
        for document in documents
    )


def parse_group_limits(documents: Sequence[Mapping[str, Any]]) -> tuple[GroupLimit, ...]:
    """Group limits as stored in registry.policies.group_limits: by, group, and optionally min and max."""
    return tuple(
        GroupLimit(
            by=str(document["by"]),
            group=str(document["group"]),
            minimum=_number(document, ("min", "minimum"), 0.0),
            maximum=_number(document, ("max", "maximum"), 1.0),
        )
        for document in documents
    )


def _number(document: Mapping[str, Any], names: Sequence[str], default: float) -> float:
    for name in names:
        if document.get(name) is not None:
            return float(document[name])
    return default
