-- How what is held moves together. Of the run in progress, the whole of it:
create unlogged table intermediate.asset_correlations (
    as_of timestamptz not null,           -- of the newest price that it knows
    window_days integer not null,
    instrument_a text not null,
    instrument_b text not null,
    correlation ops.ratio,
    observations integer not null,
    undefined_reason text
);
-- and of the portfolios in its scope alone:
create unlogged table intermediate.factor_exposures (
    portfolio_id text not null,
    factor text not null,
    window_days integer not null,
    instrument_id text not null,
    beta ops.ratio,
    t_stat ops.ratio,
    r_squared ops.ratio,
    observations integer not null,
    undefined_reason text
);
create unlogged table intermediate.diversification (
    portfolio_id text not null,
    diversification_ratio ops.ratio,      -- null: unknown, and the reason
    undefined_reason text
);
-- What was read every quarter of an hour and in every run: a chart over time, and what a change is a change from.
create table ops.correlation_readings (
    as_of timestamptz not null,           -- of the newest price that it knows: without a new price no new reading
    window_days integer not null,
    assets integer not null,
    average_correlation ops.ratio,
    first_eigenvalue_share ops.ratio,
    diversification_ratio ops.ratio,
    regime text check (regime in ('low', 'normal', 'high', 'crisis')),
    changed boolean not null,
    breached boolean not null,
    undefined_reason text,
    read_at timestamptz not null default clock_timestamp(),
    primary key (as_of, window_days)
);
-- What each policy would have done, up to the last closed month. It stays until a month closes or its inputs differ.
create table ops.policy_backtests (
    portfolio_id text not null,
    strategy text not null check (strategy in ('policy', 'equal_weight', 'benchmark')),
    fingerprint text not null,            -- of all it was made from
    rhythm text not null,
    cost_rate ops.ratio not null,
    universe_basis text not null check (universe_basis in ('listed', 'held_now')),
    period_start date,
    period_end date,
    total_return ops.ratio,
    annual_return ops.ratio,
    volatility ops.ratio,
    sharpe_ratio ops.ratio,
    max_drawdown ops.ratio,
    turnover ops.ratio,
    costs ops.ratio,
    observations integer,
    rebalances integer,
    fallbacks integer,
    undefined_reason text,
    days date[] not null,
    index_values double precision[] not null,
    primary key (portfolio_id, strategy)
);
