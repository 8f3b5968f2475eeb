"""risk_scores.yaml: how risky the owner takes chains and protocols to be, for all portfolios.

Belongs here: the keys of the file and what must hold between them. Must not be here: what a portfolio scores
(dbt_project/models/marts/allocation/allocation_risk.sql), YAML itself (yaml_reader), the database.

The product has no scores of its own: no public source of them is reviewed and free to ship.
"""

from assets.registry.groups import Groups, read_group
from assets.registry.model import RiskScore
from assets.registry.problems import Problem
from assets.registry.yaml_reader import Node, YamlReader

FILE = "risk_scores.yaml"
DIMENSIONS = ("chain", "protocol")


def read_risk_scores(data: bytes, groups: Groups) -> tuple[tuple[RiskScore, ...], list[Problem]]:
    """Read risk_scores.yaml.

    Args:
        data: the file's bytes.
        groups: those that an instrument can belong to, by dimension; one that is missing is not checked.

    Returns:
        The scores that could be read; all problems, each with line and column.
    """
    reader = YamlReader(FILE)
    found: dict[tuple[str, str], RiskScore] = {}
    for node in reader.entries(data, "scores", "add a score"):
        score = _score(reader, node, groups)
        if score is not None and (score.by, score.group) in found:
            reader.problem(node, "one score for each chain and protocol", "keep one of the two", score.group)
        elif score is not None:
            found[score.by, score.group] = score
    return tuple(found.values()), list(reader.problems)


def _score(reader: YamlReader, node: Node, groups: Groups) -> RiskScore | None:
    keys = ("by", "group", "score", "source")
    fields = reader.mapping(node, "a score", keys, keys)
    by = reader.choice(fields.get("by"), "by", DIMENSIONS)
    group = None if by is None or "group" not in fields else read_group(reader, fields["group"], by, groups)
    score = reader.decimal(fields.get("score"), "score", "0", "1")
    source = reader.text(fields.get("source"), "source")
    if by is None or group is None or score is None or source is None:
        return None
    return RiskScore(by, group, score, source)
