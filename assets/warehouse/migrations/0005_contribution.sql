-- A return without daily values beside the time-weighted and the money-weighted one.
alter table intermediate.performance add column modified_dietz ops.ratio;

-- What each instrument gave to a portfolio's return, and why it differs from its benchmark's; this run's scope only.
create unlogged table intermediate.contribution (
    portfolio_id text not null,
    period_type text not null,
    instrument_id text not null,
    contribution ops.ratio,
    gain_base ops.amount,
    unlinked_gain_base ops.amount,        -- of it, on days without a return
    start_value_base ops.amount,
    end_value_base ops.amount,
    average_weight ops.ratio,
    undefined_reason text
);
create unlogged table intermediate.attribution (
    portfolio_id text not null,
    period_type text not null,
    asset_class text not null,
    portfolio_weight ops.ratio,
    benchmark_weight ops.ratio,
    portfolio_return ops.ratio,
    benchmark_return ops.ratio,
    allocation ops.ratio,
    selection ops.ratio,
    interaction ops.ratio,
    undefined_reason text
);
