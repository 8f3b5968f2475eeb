"""The policy of a portfolio: how its target weights are computed.

Belongs here: the policy's keys, their ranges, and whether the limits can be met at all.
Must not be here: the optimiser.
"""

from collections import defaultdict
from decimal import Decimal

import yaml

from assets.registry.identifiers import instrument_id
from assets.registry.model import GroupLimit, Policy, View
from assets.registry.yaml_reader import Fields, Node, YamlReader

_OBJECTIVES = (
    "max_sharpe", "min_volatility", "efficient_risk", "efficient_return", "hrp", "cvar", "cdar", "black_litterman",
)  # fmt: skip
# Named in the contract, but no solver for them is here yet.
_NOT_YET = ("risk_parity", "herc")
_NEEDS_TARGET = {"efficient_risk": "the volatility per year", "efficient_return": "the return per year"}
_KEYS = (
    "objective", "universe", "target", "confidence", "views", "min_weight", "max_weight", "min_assets",
    "lookback_days", "expected_returns", "covariance", "group_limits", "rebalance_band",
)  # fmt: skip
_DIMENSIONS = ("asset_class", "chain", "protocol", "category")


def read_policy(reader: YamlReader, node: Node) -> Policy | None:
    """Read a policy; problems go to the reader.

    Returns:
        The policy, or None when it has no objective that can be read.
    """
    fields = reader.mapping(node, "policy", _KEYS, ("objective",))
    objective = _objective(reader, fields)
    universe = _universe(reader, fields.get("universe"))
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
        group_limits=_group_limits(reader, fields.get("group_limits")),
        rebalance_band=_or(reader.decimal(fields.get("rebalance_band"), "rebalance_band", "0", "1"), Decimal("0.05")),
    )
    _feasible(reader, node, fields, policy)
    return policy if objective else None


def _objective(reader: YamlReader, fields: Fields) -> str | None:
    node = fields.get("objective")
    if isinstance(node, yaml.ScalarNode) and node.value in _NOT_YET:
        reader.problem(node, f"an objective of: {', '.join(_OBJECTIVES)}", f"{node.value} is not available yet")
        return None
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


def _group_limits(reader: YamlReader, node: Node | None) -> tuple[GroupLimit, ...]:
    if node is None:
        return ()
    limits: list[GroupLimit] = []
    for item in reader.sequence(node, "group_limits"):
        fields = reader.mapping(item, "a group limit", ("by", "group", "min", "max"), ("by", "group"))
        by = reader.choice(fields.get("by"), "by", _DIMENSIONS)
        group = reader.text(fields.get("group"), "group")
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


def _feasible(reader: YamlReader, node: Node, fields: Fields, policy: Policy) -> None:
    """Refuse limits that no set of weights can meet; how many are `held` is not known here."""
    low, high, least = policy.min_weight, policy.max_weight, policy.min_assets
    at = fields.get("max_weight", fields.get("min_weight", fields.get("min_assets", node)))
    if low > high:
        reader.problem(at, "min_weight not above max_weight", "change one", f"min_weight {low}, max_weight {high}")
        return
    if high == 0:
        reader.problem(at, "a max_weight above 0", "raise max_weight")
        return
    if least * low > 1:
        reader.problem(
            at, "min_assets × min_weight of at most 1", "lower one of the two", f"{least} × {low} = {least * low}"
        )
    if policy.universe == ("held",) or not policy.universe:
        return
    count = len(policy.universe)
    if count * high < 1:
        reader.problem(
            at,
            f"a max_weight of at least 1 ÷ {count} instruments of the universe",
            "raise max_weight, or add instruments",
            f"{count} × {high} = {count * high}",
        )
    if count * low > 1:
        reader.problem(
            fields.get("min_weight", node),
            f"a min_weight of at most 1 ÷ {count} instruments of the universe",
            "lower min_weight, or take instruments out",
            f"{count} × {low} = {count * low}",
        )
    if least > count:
        reader.problem(
            fields.get("min_assets", node), f"min_assets of at most {count}, the size of the universe", "lower it"
        )


def _or(value: Decimal | None, default: Decimal) -> Decimal:
    return default if value is None else value
