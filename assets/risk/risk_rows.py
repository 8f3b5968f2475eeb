"""Rows of portfolio_risk and risk_contributions from what was measured.

Belongs here: columns, NULLs and their reasons. Must not be here: formulas, SQL.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from assets.risk import reasons
from assets.risk.measures import Measured, Texts
from assets.risk.model import METHODS, Floats, Holdings
from assets.risk.returns import Gains


def risk_frame(holdings: Holdings, found: Gains, measured: Measured) -> pl.DataFrame:
    """A row a portfolio, horizon, confidence and method."""
    excluded = _excluded(holdings, found)
    rate = np.nan if holdings.usd_rate is None else holdings.usd_rate
    frames = []
    for (horizon, confidence), problems in measured.problems.items():
        for method in METHODS:
            estimate = measured.estimates[horizon, confidence, method]
            is_shown = problems == ""
            var, cvar, low, high = (
                np.where(is_shown, values, np.nan)
                for values in (estimate.var, estimate.cvar, estimate.low, estimate.high)
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = np.where(measured.net > 0, var / measured.net, np.nan)
            columns: dict[str, pl.Series] = {
                "portfolio_id": pl.Series(holdings.portfolio_ids, dtype=pl.String),
                "var_base": column(var),
                "cvar_base": column(cvar),
                "var_low_base": column(low),
                "var_high_base": column(high),
                "var_usd": column(var * rate),
                "cvar_usd": column(cvar * rate),
                "var_ratio": column(ratio),
                "observations": pl.Series(measured.observations[horizon]),
                "first_date": _dates(measured),
                "excluded_share": column(measured.excluded_share),
                "excluded": pl.Series(excluded, dtype=pl.String),
                "unpriced_holdings": pl.Series(holdings.unpriced),
                "undefined_reason": pl.Series(
                    _risk_reasons(problems, var, high, measured.net, has_rate=holdings.usd_rate is not None),
                    dtype=pl.String,
                ),
            }
            keys = {"horizon_days": pl.lit(horizon), "confidence": pl.lit(confidence), "method": pl.lit(method)}
            frames.append(pl.DataFrame(columns).with_columns(**keys))
    return pl.concat(frames)


def contribution_frame(holdings: Holdings, found: Gains, measured: Measured) -> pl.DataFrame:
    """A row a holding, horizon and confidence."""
    owner = holdings.owner
    names = pl.Series([one.instrument_id for one in holdings.instruments], dtype=pl.String).gather(holdings.members)
    ids = pl.Series(holdings.portfolio_ids, dtype=pl.String).gather(owner)
    rate = np.nan if holdings.usd_rate is None else holdings.usd_rate
    frames = []
    for (horizon, confidence), problems in measured.problems.items():
        parts, whole = (
            measured.contributions[horizon, confidence],
            measured.estimates[horizon, confidence, "parametric"],
        )
        codes = np.where(problems[owner] != "", problems[owner], np.array(found.reasons, dtype=np.str_))
        is_shown, var = codes == "", whole.var[owner]
        component, marginal, incremental = (
            np.where(is_shown, values, np.nan) for values in (parts.component, parts.marginal, parts.incremental)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(var > 0, component / var, np.nan)
        columns = {
            "portfolio_id": ids,
            "instrument_id": names,
            "value_base": column(holdings.values),
            "component_var_base": column(component),
            "component_var_usd": column(component * rate),
            "incremental_var_base": column(incremental),
            "incremental_var_usd": column(incremental * rate),
            "marginal_var": column(marginal),
            "share": column(share),
            "undefined_reason": pl.Series(
                reasons.texts(
                    len(codes),
                    reasons.marked(reasons.ALL, codes),
                    reasons.where(is_shown & (holdings.usd_rate is None), "component_var_usd", reasons.MISSING_FX),
                    reasons.where(is_shown & (holdings.usd_rate is None), "incremental_var_usd", reasons.MISSING_FX),
                    reasons.where(is_shown & ~(var > 0), "share", reasons.NO_LOSS),
                ),
                dtype=pl.String,
            ),
        }
        keys = {"horizon_days": pl.lit(horizon), "confidence": pl.lit(confidence)}
        frames.append(pl.DataFrame(columns).with_columns(**keys))
    return pl.concat(frames)


def column(values: Floats) -> pl.Series:
    """Numbers with NaN as null, and no negative zero."""
    return pl.Series(values + 0.0, dtype=pl.Float64, nan_to_null=True)


def _dates(measured: Measured) -> pl.Series:
    days = pl.Series(measured.first_day.astype("datetime64[D]"))
    return days.set(pl.Series(measured.first_day == 0), None)


def _excluded(holdings: Holdings, found: Gains) -> list[str | None]:
    """(p,) what is left out, each with its code, by id."""
    listed: dict[int, list[str]] = {}
    owner = holdings.owner
    for place in np.flatnonzero(~found.included).tolist():
        name = holdings.instruments[holdings.members[place]].instrument_id
        listed.setdefault(int(owner[place]), []).append(f"{name}: {found.reasons[place]}")
    return ["; ".join(listed[row]) if row in listed else None for row in range(len(holdings.portfolio_ids))]


def _risk_reasons(problems: Texts, var: Floats, high: Floats, net: Floats, *, has_rate: bool) -> Sequence[str | None]:
    is_shown, is_known = problems == "", np.isfinite(var)
    return reasons.texts(
        len(problems),
        reasons.marked(reasons.ALL, problems),
        reasons.where(is_shown & ~is_known, reasons.ALL, reasons.NOT_MONOTONE),
        reasons.where(is_known & ~np.isfinite(high), "var_high_base", reasons.BEYOND_WORST),
        reasons.where(is_known & (not has_rate), "var_usd", reasons.MISSING_FX),
        reasons.where(is_known & (not has_rate), "cvar_usd", reasons.MISSING_FX),
        reasons.where(is_known & ~(net > 0), "var_ratio", reasons.NO_VALUE),
    )
