from decimal import Decimal

import polars as pl
import pytest

from assets.registry.groups import known_groups
from assets.registry.model import RiskScore
from assets.registry.risk_scores_yaml import read_risk_scores

GROUPS = known_groups(pl.DataFrame({"protocol": ["maple", None], "category": [None, None]}))


def _read(scores: str) -> tuple[tuple[RiskScore, ...], list[str]]:
    found, problems = read_risk_scores(f"version: 1\nscores:\n{scores}".encode(), GROUPS)
    return found, [str(problem) for problem in problems]


def test_scores_of_chains_and_protocols_are_read() -> None:
    found, problems = _read(
        "- {by: chain, group: base, score: 0.2, source: our review}\n"
        "- {by: protocol, group: maple, score: 1, source: a rating}\n"
    )
    assert problems == []
    assert found == (
        RiskScore("chain", "base", Decimal("0.2"), "our review"),
        RiskScore("protocol", "maple", Decimal(1), "a rating"),
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("- {by: chain, group: bas, score: 0, source: s}", "did you mean base?"),
        ("- {by: protocol, group: mapel, score: 0, source: s}", "did you mean maple?"),
        ("- {by: asset_class, group: crypto, score: 0, source: s}", "by: one of chain, protocol"),
        ("- {by: chain, group: base, score: 20, source: s}", "a decimal from 0 to 1; fractions, not percent"),
        ("- {by: chain, group: base, score: 0.1}", "the key source in a score"),
        ("  []", "at least one entry in scores; add a score"),
        (
            "- {by: chain, group: base, score: 0, source: s}\n- {by: chain, group: base, score: 1, source: t}",
            "one score for each chain and protocol; keep one of the two",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(line: str, says: str) -> None:
    _, (problem,) = _read(line)
    assert problem.startswith("risk_scores.yaml:")
    assert says in problem
