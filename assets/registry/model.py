"""What portfolios.yaml, scenarios.yaml and risk_scores.yaml say, as plain values.

Belongs here: the shapes that the reader makes and the landing writes. Must not be here: parsing, SQL.
"""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a portfolio; `address` (EIP-55) and `chains` (slugs) only for wallets.

    `margin`: its cash may be borrowed.
    """

    id: str
    kind: str
    address: str | None = None
    chains: tuple[str, ...] = ()
    exchange: str | None = None
    broker: str | None = None
    credentials_env: str | None = None
    margin: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A Black-Litterman view: `instrument` returns `return_` a year, more than `over` when that is given."""

    instrument: str
    over: str | None
    return_: Decimal
    confidence: Decimal | None


@dataclass(frozen=True, slots=True)
class GroupLimit:
    """Weights of one group stay in [minimum, maximum] (fractions)."""

    by: str
    group: str
    minimum: Decimal
    maximum: Decimal


@dataclass(frozen=True, slots=True)
class Policy:
    """How targets are computed; weights and costs are fractions, `target` per year; None: no such limit or cost."""

    objective: str
    universe: tuple[str, ...] = ("held",)
    target: Decimal | None = None
    confidence: Decimal | None = None
    views: tuple[View, ...] = ()
    min_weight: Decimal = Decimal(0)
    max_weight: Decimal = Decimal(1)
    min_assets: int = 1
    lookback_days: int = 365
    expected_returns: str = "mean"
    covariance: str = "ledoit_wolf"
    group_limits: tuple[GroupLimit, ...] = ()
    rebalance_band: Decimal = Decimal("0.05")
    min_holding: Decimal | None = None
    max_assets: int | None = None
    max_turnover: Decimal | None = None
    cost_spread: Decimal | None = None
    cost_impact: Decimal | None = None
    selection: str = "exact"
    weight_intervals: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """The owner's thresholds for a rule of marts.allocation_risk; at least one is given."""

    metric: str
    warn: Decimal | None
    fail: Decimal | None


@dataclass(frozen=True, slots=True)
class Shock:
    """Instruments whose `by` is `target` change by `change`, a fraction."""

    by: str
    target: str
    change: Decimal


@dataclass(frozen=True, slots=True)
class Scenario:
    """A stress scenario of scenarios.yaml."""

    id: str
    name: str
    shocks: tuple[Shock, ...]


@dataclass(frozen=True, slots=True)
class RiskScore:
    """How risky the owner takes the chain or protocol `group` to be: 0 not at all, 1 utterly; and who says so."""

    by: str
    group: str
    score: Decimal
    source: str


@dataclass(frozen=True, slots=True)
class Portfolio:
    """One portfolio; `base_currency` is an ISO 4217 code, `line` where it stands in the file."""

    id: str
    user_id: str
    name: str
    base_currency: str
    cost_basis: str = "FIFO"
    lot_scope: str = "account"
    cash: str = "ledger"
    allow_short: bool = False
    benchmark: str | None = None
    risk_free_rate: str = "0"
    accounts: tuple[Account, ...] = ()
    targets: dict[str, Decimal] = field(default_factory=dict)
    policy: Policy | None = None
    tax_rate_short: Decimal | None = None
    tax_rate_long: Decimal | None = None
    limits: tuple[Limit, ...] = ()
    line: int = 0


@dataclass(frozen=True, slots=True)
class PriceSettings:
    """Stored resolution of price history and the order of sources within a class (empty = the product's own)."""

    resolution: str = "1d"
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PortfoliosFile:
    """All of portfolios.yaml."""

    base_currency: str
    prices: PriceSettings
    portfolios: tuple[Portfolio, ...]


@dataclass(frozen=True, slots=True)
class KnownPortfolios:
    """What transactions and balances may refer to: accounts and cash mode by portfolio id.

    Also holds portfolios that have problems of their own, so that one mistake is not reported at every row.
    """

    accounts: dict[str, frozenset[str]]
    cash: dict[str, str]
