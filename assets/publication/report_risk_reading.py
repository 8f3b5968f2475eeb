"""What the report says of a portfolio's risk, read from the published marts only.

Belongs here: queries on portfolio_risk, stress_tests and allocation_risk, and the shape of their answer. Must not be
here: any other schema, arithmetic on money, HTML.
"""

from dataclasses import dataclass
from decimal import Decimal

from assets.risk.reasons import ALL, MEANINGS
from assets.warehouse.database import Connection


@dataclass(frozen=True)
class Risk:
    """Historical value at risk of one day in base currency and the worst stress; `reason` says why a figure is None.

    Attributes:
        var_95: (value, share of the net value) at 95 %.
        var_99: at 99 %.
        worst_name: the scenario that costs most, in words; None: no scenario costs anything.
        worst: (loss, share of the net value).
        limits: the owner's limits, as (verdict, explanation).
    """

    var_95: tuple[Decimal | None, float | None]
    var_99: tuple[Decimal | None, float | None]
    worst_name: str | None
    worst: tuple[Decimal | None, float | None]
    reason: str
    limits: tuple[tuple[str, str], ...]


def read_risk(conn: Connection, portfolio_id: str) -> Risk | None:
    """The figures of one portfolio; None where it was not measured."""
    measured = {
        confidence: (value, share, reason)
        for confidence, value, share, reason in conn.execute(
            "select confidence, var_base, var_ratio, undefined_reason from marts.portfolio_risk"
            " where portfolio_id = %s and horizon_days = 1 and method = 'historical'",
            [portfolio_id],
        )
    }
    if not measured:
        return None
    worst = conn.execute(
        "select scenario_name, loss_base, loss_percent / 100 from marts.stress_tests"
        " where portfolio_id = %s and loss_base > 0 order by loss_base desc, scenario limit 1",
        [portfolio_id],
    ).fetchone()
    name, loss, loss_share = worst or (None, None, None)
    code = (measured[0.99][2] or "").removeprefix(f"{ALL}:")
    limits = conn.execute(
        "select verdict, explanation from marts.allocation_risk where portfolio_id = %s and is_own_limit order by rule",
        [portfolio_id],
    ).fetchall()
    meaning = MEANINGS.get(code, "see docs/metrics.md")
    return Risk(measured[0.95][:2], measured[0.99][:2], name, (loss, loss_share), meaning, tuple(limits))
