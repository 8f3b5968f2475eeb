"""Whether a policy's limits can be met at all, and whether its keys suit its objective.

Belongs here: what one key says of another. Must not be here: the keys' own ranges (policy_yaml), the optimiser.
"""

from assets.registry.model import Policy
from assets.registry.yaml_reader import Fields, Node, YamlReader

# They give a weight to every instrument: nothing to select.
_HOLDS_ALL = ("hrp", "herc", "risk_parity")
# Their objective speaks of returns, so that a cost can be taken off.
_WITH_RETURNS = ("max_sharpe", "efficient_risk", "efficient_return", "black_litterman")
# Solved in microseconds, so that they can be solved again for resampled days.
_WITH_INTERVALS = ("min_volatility", "max_sharpe", "efficient_risk", "efficient_return")
_NO_ANNEALING = (*_HOLDS_ALL, "cvar", "cdar")


def require_feasible(reader: YamlReader, node: Node, fields: Fields, policy: Policy) -> None:
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
    _countable(reader, node, fields, policy)
    _suited(reader, fields, policy)
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


def _countable(reader: YamlReader, node: Node, fields: Fields, policy: Policy) -> None:
    """Refuse numbers of holdings that contradict each other or the weights."""
    holding, most = policy.min_holding, policy.max_assets
    at_holding, at_most = fields.get("min_holding", node), fields.get("max_assets", node)
    if holding is not None and holding > policy.max_weight:
        reader.problem(at_holding, f"min_holding not above max_weight {policy.max_weight}", "lower min_holding")
    if holding is not None and policy.min_weight > 0:
        remedy = "keep one: min_weight is for every instrument of the universe, min_holding for those that are held"
        reader.problem(at_holding, "min_holding or min_weight, not both", remedy)
    if holding is not None and policy.min_assets * holding > 1:
        product = f"{policy.min_assets} × {holding} = {policy.min_assets * holding}"
        reader.problem(at_holding, "min_assets × min_holding of at most 1", "lower one of the two", product)
    if most is None:
        return
    if most < policy.min_assets:
        reader.problem(at_most, f"max_assets of at least min_assets {policy.min_assets}", "raise it")
    if most * policy.max_weight < 1:
        product = f"{most} × {policy.max_weight} = {most * policy.max_weight}"
        reader.problem(at_most, "max_assets × max_weight of at least 1", "raise one of the two", product)
    if policy.min_weight > 0:
        reader.problem(at_most, "max_assets without min_weight, which holds every instrument", "use min_holding")


def _suited(reader: YamlReader, fields: Fields, policy: Policy) -> None:
    """Refuse keys that the objective has no use for: they would be without effect."""
    objective = policy.objective
    if "max_assets" in fields and objective in _HOLDS_ALL:
        expected = f"no max_assets with {objective}, which holds every instrument"
        reader.problem(fields["max_assets"], expected, "name fewer instruments in universe")
    if "trading_costs" in fields and objective not in _WITH_RETURNS:
        expected = f"trading_costs with an objective of: {', '.join(_WITH_RETURNS)}"
        reader.problem(fields["trading_costs"], expected, "use max_turnover, or another objective", objective)
    if policy.weight_intervals and objective not in _WITH_INTERVALS:
        expected = f"weight_intervals with an objective of: {', '.join(_WITH_INTERVALS)}"
        reader.problem(fields["weight_intervals"], expected, "leave weight_intervals out", objective)
    if policy.selection == "exact":
        return
    if objective in _NO_ANNEALING:
        expected = f"selection: exact with {objective}"
        reader.problem(fields["selection"], expected, "leave selection out")
    elif policy.max_assets is None:
        expected = "the key max_assets with selection: annealing"
        reader.problem(fields["selection"], expected, "say how many instruments may be held")
    elif policy.cost_spread is not None:
        reader.problem(fields["selection"], "selection: exact with trading_costs", "leave one of the two out")
