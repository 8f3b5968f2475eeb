-- What optimisations were made from, one row a version, and which of them PyPortfolioOpt solved again.
create unlogged table intermediate.optimization_inputs (
    inputs_version text primary key,
    base_currency text not null,
    annualization_days integer not null,
    first_day date not null,              -- of the returns
    last_day date not null,
    expected_returns text not null,       -- method
    covariance text not null,             -- method
    instruments text not null,            -- ids in order, separated by ', '
    observations integer not null,
    condition_number ops.ratio,           -- NULL: singular
    smallest_eigenvalue ops.ratio,
    missing_share ops.ratio not null,
    is_repaired boolean not null,
    excluded text                         -- 'id: code (detail)' separated by '; '
);
create unlogged table intermediate.optimization_checks (
    portfolio_id text not null,
    objective text not null,              -- what was compared
    value ops.ratio not null,
    reference ops.ratio not null,         -- PyPortfolioOpt's
    shortfall ops.ratio not null,         -- by how much `value` is worse
    is_agreed boolean not null
);
-- How the interval of the Sharpe ratio was made: analytic | block_bootstrap
alter table intermediate.optimization_runs add column sharpe_interval text;
