"""The limits of a portfolio: the owner's thresholds for rules of marts.allocation_risk.

Belongs here: the keys of a limit, and what must hold between them. Must not be here: what a rule measures
(dbt_project/models/marts/allocation/allocation_risk.sql).
"""

from assets.registry.model import Limit
from assets.registry.yaml_reader import Node, YamlReader

#: Rules whose danger is too much of something.
AT_MOST = (
    "concentration_hhi", "largest_position", "largest_chain", "largest_protocol", "stablecoin_share", "stale_share",
    "fee_ratio", "long_exposure", "short_exposure", "gross_exposure", "net_exposure", "leverage", "var_95_1d",
    "cvar_95_1d", "worst_stress", "current_drawdown", "chain_risk_score", "protocol_risk_score",
)  # fmt: skip
#: Rules whose danger is too little of it.
AT_LEAST = ("buying_power", "effective_positions", "diversification_ratio")
#: Shares of a whole, which cannot pass 1: a limit in percent would never be reached.
SHARES = (
    "concentration_hhi", "largest_position", "largest_chain", "largest_protocol", "stablecoin_share", "stale_share",
    "current_drawdown", "chain_risk_score", "protocol_risk_score",
)  # fmt: skip


def read_limits(reader: YamlReader, node: Node | None) -> tuple[Limit, ...]:
    """Read the limits of a portfolio; problems go to the reader."""
    if node is None:
        return ()
    limits: dict[str, Limit] = {}
    for item in reader.sequence(node, "limits", "add e.g. {metric: var_95_1d, fail: 0.05}, or leave limits out"):
        fields = reader.mapping(item, "a limit", ("metric", "warn", "fail"), ("metric",))
        metric = reader.choice(fields.get("metric"), "metric", (*AT_MOST, *AT_LEAST))
        low, high = ("0", "1") if metric in SHARES else ("-1000", "1000")
        warn = reader.decimal(fields.get("warn"), "warn", low, high)
        fail = reader.decimal(fields.get("fail"), "fail", low, high)
        if not {"warn", "fail"} & fields.keys():
            reader.problem(item, "the key warn or fail in a limit", "add at least one of them")
        if metric is None:
            continue
        if metric in limits:
            reader.problem(item, "one limit for each metric", "keep one of the two", metric)
        if warn is not None and fail is not None and (fail < warn if metric in AT_MOST else fail > warn):
            order = "not above" if metric in AT_MOST else "not below"
            reader.problem(item, f"warn {order} fail in a limit of {metric}", "swap them", f"warn {warn}, fail {fail}")
        limits[metric] = Limit(metric, warn, fail)
    return tuple(limits.values())
