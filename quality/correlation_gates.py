"""What all that is held must keep together: the stage analytics, as warnings alone."""

from __future__ import annotations

from quality.gate import Gate

CORRELATION_GATES: tuple[Gate, ...] = (
    Gate(
        name="assets_do_not_move_as_one",
        stage="analytics",
        reach="none",
        severity="warn",
        threshold="average correlation 0.75, or 0.25 above that of 365 days, and not so at the publication before",
        description="What is held by all portfolios together does not begin to move as one.",
        next_step="Look at asset_correlations and at each portfolio's diversification_ratio in allocation_risk.",
        # coins alone stand near the limit for months: what the last publication had told is told once
        offenders="""
            with newest as (
                select * from build.correlation_regimes
                where as_of = (select max(as_of) from build.correlation_regimes)),
            told as (
                select distinct on (earlier.window_days) earlier.window_days, earlier.breached
                from build.correlation_regimes as earlier
                inner join newest on earlier.window_days = newest.window_days and earlier.as_of < newest.as_of
                where earlier.as_of <= (select as_of from ops.publications order by publication_id desc limit 1)
                order by earlier.window_days, earlier.as_of desc)
            select null, null, newest.window_days || ' days: average correlation '
                   || round(newest.average_correlation::numeric, 2) || ' of ' || newest.assets || ' assets, '
                   || newest.regime
            from newest left join told on newest.window_days = told.window_days
            where newest.breached and told.breached is not true
            order by newest.window_days""",
    ),
)
