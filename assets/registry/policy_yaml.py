"""The policy of a portfolio: how its target weights are computed.

Belongs here: the policy's keys and their ranges. Must not be here: whether its limits can be met together
(policy_limits), the optimiser.
"""

from collections import defaultdict
from decimal import Decimal

import yaml

from assets.registry.groups import Groups, read_group
from assets.registry.identifiers import instrument_id
from assets.registry.instruments_csv import ASSET_CLASSES
from assets.registry.model import GroupLimit, Policy, View
from assets.registry.policy_limits import require_feasible
from assets.registry.yaml_reader import Fields, Node, YamlReader

_OBJECTIVES = (
    "max_sharpe", "min_volatility", "efficient_risk", "efficient_return", "hrp", "cvar", "cdar", "black_litterman",
    "risk_parity", "herc", "max_diversification",
)  # fmt: skip
_NEEDS_TARGET = {"efficient_risk": "the volatility per year", "efficient_return": "the return per year"}
_KEYS = (
    "objective", "universe", "target", "confidence", "views", "min_weight", "max_weight", "min_assets",
    "lookback_days", "expected_returns", "covariance", "group_limits", "rebalance_band", "min_holding", "max_assets",
    "max_turnover", "trading_costs", "selection", "weight_intervals",
)  # fmt: skip
_DIMENSIONS = ("asset_class", "chain", "protocol", "category")


def read_policy(reader: YamlReader, node: Node, groups: Groups) -> Policy | None:
    """Read a policy; problems go to the reader.

    Args:
        reader: takes the problems.
        node: the policy.
        groups: those that an instrument can belong to (`known_groups`), for group limits.

    Returns:
        The policy, or None when it has no objective that can be read.
    """
    fields = reader.mapping(node, "policy", _KEYS, ("objective",))
    objective = _objective(reader, fields)
    universe = _universe(reader, fields.get("universe"))
    spread, impact = _trading_costs(reader, fields.get("trading_costs"))
    policy = Policy(
        objective=objective or "",
        universe=universe,
        target=reader.decimal(fields.get("target"), "target", "0", "100", is_open=True),
        confidence=reader.decimal(fields.get("confidence"), "confidence", "0", "1", is_open=True),
        views=_views(reader, fields.get("views")),
        min_weight=_or(reader.decimal(fields.get("min_weight"), "min_weight", "0", "1"), Decimal(0)),
        max_weight=_or(reader.decimal(fields.get("max_weight"), "max_weight", "0", "1"), Decimal(1)),
        min_assets=reader.integer(fields.get("min_assets"), "min_assets", 1, 10000) or 1,
        lookback_days=reader.integer(fields.get("lookback_days"), "lookback_days", 2, 36500) or 365,
        expected_returns=reader.choice(fields.get("expected_returns"), "expected_returns", ("mean", "ema", "capm"))
        or "mean",
        covariance=reader.choice(
            fields.get("covariance"), "covariance", ("sample", "exponential", "ledoit_wolf", "oas")
        )
        or "ledoit_wolf",
        group_limits=_group_limits(reader, fields.get("group_limits"), groups),
        rebalance_band=_or(reader.decimal(fields.get("rebalance_band"), "rebalance_band", "0", "1"), Decimal("0.05")),
        min_holding=reader.decimal(fields.get("min_holding"), "min_holding", "0", "1", is_open=True),
        max_assets=reader.integer(fields.get("max_assets"), "max_assets", 1, 10000),
        max_turnover=reader.decimal(fields.get("max_turnover"), "max_turnover", "0", "1"),
        cost_spread=spread,
        cost_impact=impact,
        selection=reader.choice(fields.get("selection"), "selection", ("exact", "annealing")) or "exact",
        weight_intervals=reader.boolean(fields.get("weight_intervals"), "weight_intervals") or False,
    )
    require_feasible(reader, node, fields, policy)
    return policy if objective else None


def _objective(reader: YamlReader, fields: Fields) -> str | None:
    node = fields.get("objective")
    objective = reader.choice(node, "objective", _OBJECTIVES)
    if node is not None and objective in _NEEDS_TARGET and "target" not in fields:
        reader.problem(node, f"the key target with {objective}", f"add target: {_NEEDS_TARGET[objective]}")
    if node is not None and objective == "black_litterman" and "views" not in fields:
        reader.problem(node, "the key views with black_litterman", "add at least one view")
    return objective


def _universe(reader: YamlReader, node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ("held",)
    if isinstance(node, yaml.ScalarNode):
        reader.choice(node, "universe (or a list of instruments)", ("held",))
        return ("held",)
    nodes = reader.sequence(node, "universe", "name instruments, or write held")
    listed: list[str] = []
    for item in nodes:
        instrument = reader.checked(item, "an instrument of the universe", instrument_id)
        if instrument in listed:
            reader.problem(item, "each instrument once in universe", "remove one of the two")
        elif instrument is not None:
            listed.append(instrument)
    return tuple(listed)


def _views(reader: YamlReader, node: Node | None) -> tuple[View, ...]:
    if node is None:
        return ()
    nodes = reader.sequence(node, "views", "add a view, or leave views out")
    views = []
    for item in nodes:
        fields = reader.mapping(
            item, "a view", ("instrument", "over", "return", "confidence"), ("instrument", "return")
        )
        instrument = reader.checked(fields.get("instrument"), "a view's instrument", instrument_id)
        over = reader.checked(fields.get("over"), "over", instrument_id)
        expected = reader.decimal(fields.get("return"), "a view's return", "-1", "100", is_open=True)
        confidence = reader.decimal(fields.get("confidence"), "a view's confidence", "0", "1", is_open=True)
        if instrument is not None and instrument == over:
            reader.problem(item, "a view over another instrument", "change over", over)
        if instrument is not None and expected is not None:
            views.append(View(instrument, over, expected, confidence))
    return tuple(views)


def _group_limits(reader: YamlReader, node: Node | None, groups: Groups) -> tuple[GroupLimit, ...]:
    if node is None:
        return ()
    limits: list[GroupLimit] = []
    for item in reader.sequence(node, "group_limits"):
        fields = reader.mapping(item, "a group limit", ("by", "group", "min", "max"), ("by", "group"))
        by = reader.choice(fields.get("by"), "by", _DIMENSIONS)
        group = _group(reader, fields["group"], by, groups) if by is not None and "group" in fields else None
        low = _or(reader.decimal(fields.get("min"), "min", "0", "1"), Decimal(0))
        high = _or(reader.decimal(fields.get("max"), "max", "0", "1"), Decimal(1))
        if low > high:
            reader.problem(item, "min not above max in a group limit", "change one of them", f"min {low}, max {high}")
        if by is None or group is None:
            continue
        if any((limit.by, limit.group) == (by, group) for limit in limits):
            reader.problem(item, "one limit for each group", "keep one of the two", group)
        limits.append(GroupLimit(by, group, low, high))
    least: dict[str, Decimal] = defaultdict(Decimal)
    for limit in limits:
        least[limit.by] += limit.minimum
    for by, total in least.items():
        if total > 1:
            reader.problem(node, f"minima by {by} that add up to at most 1", "lower some of them", f"sum {total}")
    return tuple(limits)


def _group(reader: YamlReader, node: Node, by: str, groups: Groups) -> str | None:
    return reader.choice(node, "group", ASSET_CLASSES) if by == "asset_class" else read_group(reader, node, by, groups)


def _trading_costs(reader: YamlReader, node: Node | None) -> tuple[Decimal | None, Decimal | None]:
    if node is None:
        return None, None
    fields = reader.mapping(node, "trading_costs", ("spread", "impact"), ("spread",))
    spread = reader.decimal(fields.get("spread"), "spread", "0", "1")
    return spread, reader.decimal(fields.get("impact"), "impact", "0", "100")


def _or(value: Decimal | None, default: Decimal) -> Decimal:
    return default if value is None else value
