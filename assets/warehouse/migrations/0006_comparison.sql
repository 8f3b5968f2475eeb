-- Each portfolio against its benchmark, the equal weight of what it held, and its user's others; this run's scope only.
create unlogged table intermediate.comparison (
    portfolio_id text not null,
    other_id text not null,
    other_kind text not null,
    other_basis text not null,
    period_type text not null,
    period_start date not null,
    period_end date not null,
    return_difference ops.ratio,
    tracking_error ops.ratio,
    beta ops.ratio,
    alpha ops.ratio,
    correlation ops.ratio,
    information_ratio ops.ratio,
    observations integer not null,
    undefined_reason text
);
