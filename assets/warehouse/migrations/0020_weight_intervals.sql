-- How far computed weights are known, for policies that ask.
alter table registry.policies add column weight_intervals boolean not null default false;
alter table intermediate.target_weights
    add column weight_low ops.ratio,        -- quantiles of the weights that resampled days give; NULL: not asked, not to be had
    add column weight_high ops.ratio;
