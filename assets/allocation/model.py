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
    """How targets are computed; weights and rates are fractions, rates per year."""

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
class Constraints:
    """The polytope that weights live in: they sum to 1, lower <= w <= upper (n,), and each group keeps its bounds."""

    labels: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    groups: tuple[GroupBound, ...] = ()
    min_assets: int = 1

    def raised(self, lower: FloatArray) -> "Constraints":
        """The same limits with other lower bounds."""
        return replace(self, lower=lower)


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
    )


def _bucket(attributes: Mapping[str, str | None], by: str) -> str:
    return attributes.get(by) or GROUP_DEFAULTS[by]


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
