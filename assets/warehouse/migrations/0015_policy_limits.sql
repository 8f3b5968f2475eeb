-- What a policy may further ask of its weights, and what came of a selection. NULL: not asked.
alter table registry.policies
    add column min_holding ops.ratio,       -- a weight is 0 or at least this
    add column max_assets integer,          -- at most so many weights above 0
    add column max_turnover ops.ratio,      -- sold at most, as a share of the portfolio
    add column cost_spread ops.ratio,       -- cost of a trade, as a share of its value
    add column cost_impact ops.ratio,       -- b of b x volatility a day x sqrt(value / value traded a day)
    add column selection text not null default 'exact' check (selection in ('exact', 'annealing'));
alter table intermediate.optimization_runs
    add column selection text,              -- how the instruments were chosen
    add column selection_gap double precision;
