-- Risk of the portfolios of this run's scope, and what the owner asks to be judged: limits and scenarios.
create table registry.limits (
    portfolio_id text not null references registry.portfolios,
    metric text not null,                 -- a rule of marts.allocation_risk
    warn ops.ratio,
    fail ops.ratio,
    primary key (portfolio_id, metric),
    check (warn is not null or fail is not null)
);
comment on table registry.limits is 'The owner''s thresholds for rules of marts.allocation_risk.';
create table registry.scenarios (
    scenario_id text primary key,
    name text not null,
    shocks jsonb not null                 -- [{"by": "asset_class", "target": "crypto", "change": -0.3}]
);
comment on table registry.scenarios is 'Stress scenarios of scenarios.yaml, for all portfolios.';

create unlogged table intermediate.portfolio_risk (
    portfolio_id text not null,
    horizon_days integer not null,
    confidence ops.ratio not null,
    method text not null,                 -- historical | parametric | monte_carlo | cornish_fisher
    var_base ops.amount,
    cvar_base ops.amount,
    var_low_base ops.amount,
    var_high_base ops.amount,
    var_usd ops.amount,
    cvar_usd ops.amount,
    var_ratio ops.ratio,                  -- of the net value
    observations integer not null,
    first_date date,
    excluded_share ops.ratio,
    excluded text,
    unpriced_holdings integer not null,
    undefined_reason text
);
create unlogged table intermediate.risk_contributions (
    portfolio_id text not null,
    instrument_id text not null,
    horizon_days integer not null,
    confidence ops.ratio not null,
    value_base ops.amount not null,
    component_var_base ops.amount,
    component_var_usd ops.amount,
    incremental_var_base ops.amount,
    incremental_var_usd ops.amount,
    marginal_var ops.ratio,
    share ops.ratio,
    undefined_reason text
);
create unlogged table intermediate.stress_tests (
    portfolio_id text not null,
    scenario text not null,
    kind text not null,                   -- historical | shock | correlation | user
    scenario_name text not null,
    loss_base ops.amount,
    loss_usd ops.amount,
    loss_percent ops.ratio,
    worst_position text,
    coverage ops.ratio,
    undefined_reason text
);
