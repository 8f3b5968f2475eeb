-- Views shaped like the documents that applications read: JSONB and percent, by the published marts alone.

create or replace view api.portfolio_snapshots as
select
    snapshots.portfolio_id,
    snapshots.user_id,
    snapshots.snapshot_type,
    snapshots.snapshot_timestamp,
    snapshots.total_value_usd,
    snapshots.total_assets_count,
    snapshots.total_chains_count,
    snapshots.daily_change_usd,
    snapshots.daily_change_percent,
    breakdowns.chain_breakdown,
    breakdowns.asset_breakdown,
    breakdowns.category_breakdown,
    breakdowns.protocol_breakdown
from marts.portfolio_snapshots as snapshots
left join lateral (
    select
        jsonb_object_agg(bucket, value_usd) filter (where dimension = 'chain') as chain_breakdown,
        jsonb_object_agg(bucket, value_usd) filter (where dimension = 'asset') as asset_breakdown,
        jsonb_object_agg(bucket, value_usd) filter (where dimension = 'category') as category_breakdown,
        jsonb_object_agg(bucket, value_usd) filter (where dimension = 'protocol') as protocol_breakdown
    from marts.snapshot_breakdowns as parts
    where parts.portfolio_id = snapshots.portfolio_id and parts.snapshot_date = snapshots.snapshot_date
) as breakdowns on true;
comment on view api.portfolio_snapshots is 'Snapshots with their breakdowns as JSONB, computed from quantities and prices when read.';

create or replace view api.portfolio_performance as
select
    portfolio_id,
    user_id,
    period_type,
    period_start,
    period_end,
    start_value_usd,
    end_value_usd,
    absolute_gain_usd,
    percentage_gain,
    100 * twr as twr_percent,
    100 * mwr as mwr_percent,
    100 * volatility as volatility_percent,
    100 * max_drawdown as max_drawdown_percent,
    sharpe_ratio,
    sortino_ratio,
    undefined_reason,
    calculated_at
from marts.portfolio_performance;
comment on view api.portfolio_performance is 'Performance with returns in percent, as applications show it.';
