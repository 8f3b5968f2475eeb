-- How risky the owner takes chains and protocols to be.
create table registry.risk_scores (
    dimension text not null check (dimension in ('chain', 'protocol')),
    bucket text not null,                 -- as in marts.portfolio_allocation
    score ops.ratio not null check (score between 0 and 1),
    source text not null,
    primary key (dimension, bucket)
);
comment on table registry.risk_scores is 'Risk scores of risk_scores.yaml, for all portfolios: 0 no risk, 1 the utmost.';
