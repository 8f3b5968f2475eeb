-- Rules on what a portfolio is made of: metric, threshold and verdict, with a sentence that a person understands.
{{ config(indexes=[{'columns': ['portfolio_id', 'rule'], 'unique': true}]) }}
with

allocation as (

    select * from {{ ref('portfolio_allocation') }}

),

portfolios as (

    select distinct portfolio_id, user_id from {{ ref('portfolio_assets') }}

),

assets as (

    select
        assets.portfolio_id,
        assets.instrument_id,
        sum(assets.weight) as weight,
        bool_or(assets.price_status <> 'ok') as is_stale,
        bool_or(instruments.category = 'stablecoin') as is_stablecoin,
        bool_or(instruments.asset_class = 'fiat') as is_cash
    from {{ ref('portfolio_assets') }} as assets
    inner join {{ ref('int_instruments') }} as instruments on assets.instrument_id = instruments.instrument_id
    group by assets.portfolio_id, assets.instrument_id

),

limits as (

    select portfolio_id, max_weight from {{ source('registry', 'policies') }}

),

fees as (

    select portfolio_id, costs_base, average_value_base
    from {{ source('measures', 'performance') }}
    where period_type = '1y'

),

metrics as (

    select
        portfolio_id, 'concentration_hhi' as rule, sum(weight * weight) filter (where weight > 0) as metric,
        0.40 as warn_at, 0.80 as fail_at,
        'sum of squared weights; 1 is everything in one asset' as meaning
    from assets group by portfolio_id
    union all
    select
        assets.portfolio_id, 'largest_position', max(assets.weight),
        coalesce(max(limits.max_weight), 0.50), 0.90,
        'share of the largest position; the limit is the policy''s max_weight where there is one'
    from assets left join limits on assets.portfolio_id = limits.portfolio_id
    where not assets.is_cash
    group by assets.portfolio_id
    union all
    select
        portfolio_id, 'largest_chain', max(weight), 0.80, 1.01, 'share of the largest chain'
    from allocation where dimension = 'chain' and bucket <> 'off_chain' group by portfolio_id
    union all
    select
        portfolio_id, 'largest_protocol', max(weight), 0.40, 0.80, 'share of the largest protocol'
    from allocation where dimension = 'protocol' and bucket <> 'none' group by portfolio_id
    union all
    select
        portfolio_id, 'stablecoin_share', sum(weight * coalesce(is_stablecoin, false)::integer), 0.50, 0.90,
        'share of stablecoins'
    from assets group by portfolio_id
    union all
    select
        portfolio_id, 'buying_power', sum(weight * is_cash::integer), null, null,
        'share of cash, free to buy with'
    from assets group by portfolio_id
    union all
    select
        portfolio_id, 'stale_share', sum(weight * (is_stale and weight > 0)::integer), 0.0001, 0.20,
        'share of value at a price older than its limit'
    from assets group by portfolio_id
    union all
    select
        portfolio_id, 'fee_ratio', case when average_value_base > 0.01 then costs_base / average_value_base end,
        0.01, 0.05, 'fees of the last year over its average value'
    from fees
    union all
    select
        portfolio_id, 'diversification_ratio', {{ rounded("diversification_ratio") }}, null, null,
        'mean volatility of the assets by weight over that of the whole, 365 days; 100 % is no diversification'
        || coalesce(' (' || undefined_reason || ')', '')
    from {{ source('correlation', 'diversification') }}

)

select
    metrics.portfolio_id,
    portfolios.user_id,
    metrics.rule,
    metrics.metric::double precision as metric,
    metrics.warn_at::double precision as threshold,
    case
        when metrics.metric >= metrics.fail_at then 'fail'
        when metrics.metric >= metrics.warn_at then 'warn'
        else 'pass'
    end as verdict,
    metrics.meaning || ': ' || coalesce(round(100 * metrics.metric::numeric, 2)::text || ' %', 'undefined, no value')
    || coalesce(', limit ' || round(100 * metrics.warn_at::numeric, 2)::text || ' %', '') as explanation
from metrics
inner join portfolios on metrics.portfolio_id = portfolios.portfolio_id
