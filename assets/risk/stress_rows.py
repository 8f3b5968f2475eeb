"""Rows of stress_tests: every scenario for every portfolio.

Belongs here: columns, NULLs and their reasons. Must not be here: what a scenario is (scenarios), losses (stress), SQL.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from assets.risk import reasons
from assets.risk.loading import Reference, episode_changes
from assets.risk.measures import Measured, Texts
from assets.risk.model import MAX_EXCLUDED_SHARE, Floats, Holdings
from assets.risk.risk_rows import column
from assets.risk.scenarios import CORRELATION, Scenario, episodes, single_shocks, user_scenario
from assets.risk.stress import Losses, losses, worst_holding

CONFIDENCE = 0.99


def scenarios_of(holdings: Holdings, reference: Reference) -> list[Scenario]:
    """Episodes, single shocks and the owner's scenarios, over the instruments held."""
    base = holdings.base_currency
    past = [
        Scenario(one.scenario, "historical", one.name, episode_changes(holdings, reference, one), reasons.NO_HISTORY)
        for one in episodes()
    ]
    own = [user_scenario(*one, holdings.instruments, base, reference.groups) for one in reference.scenarios]
    return [*past, *single_shocks(holdings.instruments, base), *own]


def stress_frame(holdings: Holdings, scenarios: Sequence[Scenario], measured: Measured) -> pl.DataFrame:
    """A row a portfolio and scenario, correlation to one among them."""
    frames = []
    for scenario in scenarios:
        found = losses(holdings, scenario.changes[holdings.members])
        problems = np.select(
            [~np.isfinite(found.coverage), found.coverage < 1.0 - MAX_EXCLUDED_SHARE],
            [reasons.NO_PRICED_HOLDING, scenario.gap],
            default="",
        )
        frames.append(_frame(holdings, found, problems, measured.net, scenario.scenario, scenario.kind, scenario.name))
    name = "Parametric VaR of one day at 99 % with every correlation at one"
    perfect, problems = _correlated(holdings, measured), measured.problems[1, CONFIDENCE]
    frames.append(_frame(holdings, perfect, problems, measured.net, CORRELATION, "correlation", name))
    return pl.concat(frames)


def _correlated(holdings: Holdings, measured: Measured) -> Losses:
    """The parametric VaR where all move together: the deviations add up, those of what is owed against the others."""
    from scipy.special import ndtri

    quantile = -float(ndtri(1.0 - CONFIDENCE))
    deviation = holdings.values * np.sqrt(measured.shares.variance)
    deviation = np.where(np.isfinite(deviation), deviation, 0.0)
    drift = np.where(np.isfinite(measured.shares.mean), holdings.values * measured.shares.mean, 0.0)
    total = holdings.sums(deviation)
    own = quantile * deviation * np.sign(total)[holdings.owner] - drift
    return Losses(holdings.sums(own), 1.0 - measured.excluded_share, worst_holding(holdings, own))


def _frame(
    holdings: Holdings, found: Losses, problems: Texts, net: Floats, scenario: str, kind: str, name: str
) -> pl.DataFrame:
    is_shown = problems == ""
    loss = np.where(is_shown, found.loss, np.nan)
    worst = [
        holdings.instruments[holdings.members[place]].instrument_id if place >= 0 and shown else None
        for place, shown in zip(found.worst.tolist(), is_shown.tolist(), strict=True)
    ]
    has_rate = holdings.usd_rate is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = np.where(net > 0, 100.0 * loss / net, np.nan)
    return pl.DataFrame(
        {
            "portfolio_id": pl.Series(holdings.portfolio_ids, dtype=pl.String),
            "loss_base": column(loss),
            "loss_usd": column(loss * (holdings.usd_rate if holdings.usd_rate is not None else np.nan)),
            "loss_percent": column(percent),
            "worst_position": pl.Series(worst, dtype=pl.String),
            "coverage": column(found.coverage),
            "undefined_reason": pl.Series(
                reasons.texts(
                    len(worst),
                    reasons.marked(reasons.ALL, problems),
                    reasons.where(is_shown & (not has_rate), "loss_usd", reasons.MISSING_FX),
                    reasons.where(is_shown & ~(net > 0), "loss_percent", reasons.NO_VALUE),
                ),
                dtype=pl.String,
            ),
        }
    ).with_columns(scenario=pl.lit(scenario), kind=pl.lit(kind), scenario_name=pl.lit(name))
