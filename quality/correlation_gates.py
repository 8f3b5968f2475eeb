"""What all that is held must keep together: the stage analytics, as warnings alone."""

from __future__ import annotations

from quality.gate import Gate

CORRELATION_GATES: tuple[Gate, ...] = (
    Gate(
        name="assets_do_not_move_as_one",
        stage="analytics",
        reach="none",
        severity="warn",
        threshold="average correlation 0.75, or 0.25 above that of 365 days",
        description="What is held by all portfolios together is still diversified.",
        next_step="Look at asset_correlations and at each portfolio's diversification_ratio in allocation_risk.",
        offenders="""
            select null, null, window_days || ' days: average correlation ' || round(average_correlation::numeric, 2)
                   || ' of ' || assets || ' assets, ' || regime
            from build.correlation_regimes
            where breached and as_of = (select max(as_of) from build.correlation_regimes) order by window_days""",
    ),
)
