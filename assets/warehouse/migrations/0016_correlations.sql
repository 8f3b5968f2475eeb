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
