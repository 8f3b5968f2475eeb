-- Current value and weight of each portfolio by bucket of eight dimensions, beside the target where one is known.
{{ config(indexes=[{'columns': ['portfolio_id', 'dimension', 'bucket'], 'unique': true}]) }}
with

described as (

    select
        instruments.instrument_id,
        instruments.canonical_instrument,
        instruments.asset_class,
        instruments.asset_type,
        coalesce(instruments.chain, 'off_chain') as chain,
        coalesce(instruments.protocol, 'none') as protocol,
        coalesce(instruments.category, 'uncategorised') as category,
        instruments.quote_currency
    from {{ ref('int_instruments') }} as instruments

),

holdings as (

    select
        assets.portfolio_id, assets.user_id, assets.instrument_id, assets.account_id,
        assets.value_base, assets.value_usd
    from {{ ref('portfolio_assets') }} as assets
    where assets.value_base is not null

),

-- of each economic asset the target that names it, before one that names a form of it
named as (

    select distinct on (targets.portfolio_id, described.canonical_instrument)
        targets.portfolio_id, described.canonical_instrument, targets.instrument_id
    from {{ ref('int_allocation_targets') }} as targets
    inner join described on targets.instrument_id = described.instrument_id
    order by
        targets.portfolio_id, described.canonical_instrument,
        targets.instrument_id <> described.canonical_instrument, targets.instrument_id

),

-- a form of an asset that no target names counts towards the target of the asset
assigned as (

    select
        holdings.*,
        case
            when own.instrument_id is null and holdings.value_base > 0 then named.instrument_id
        end as target_id
    from holdings
    inner join described on holdings.instrument_id = described.instrument_id
    left join named
        on holdings.portfolio_id = named.portfolio_id and described.canonical_instrument = named.canonical_instrument
    left join {{ ref('int_allocation_targets') }} as own
        on holdings.portfolio_id = own.portfolio_id and holdings.instrument_id = own.instrument_id

),

bucketed as (

    select
        holdings.portfolio_id, holdings.user_id, buckets.dimension, buckets.bucket,
        sum(holdings.value_base) as value_base, sum(holdings.value_usd) as value_usd
    from assigned as holdings
    inner join described on holdings.instrument_id = described.instrument_id
    cross join
        lateral (
            values
            ('asset', coalesce(holdings.target_id, holdings.instrument_id)),
            ('asset_class', described.asset_class),
            ('asset_type', described.asset_type),
            ('chain', described.chain),
            ('protocol', described.protocol),
            ('category', described.category),
            ('account', holdings.account_id),
            ('currency', described.quote_currency)
        ) as buckets (dimension, bucket)
    group by holdings.portfolio_id, holdings.user_id, buckets.dimension, buckets.bucket

),

-- a coin that is targeted by its own name may be held on any chain: then no chain has a target; nor has a protocol or a category
-- where a form that counts towards a target is in another one than what the target names
without_targets as (

    select targets.portfolio_id, 'chain' as dimension
    from {{ ref('int_allocation_targets') }} as targets
    inner join described on targets.instrument_id = described.instrument_id
    where described.chain = 'off_chain' and described.asset_class in ('crypto', 'token')
    union
    select assigned.portfolio_id, buckets.dimension
    from assigned
    inner join described as form on assigned.instrument_id = form.instrument_id
    inner join described as target on assigned.target_id = target.instrument_id
    cross join
        lateral (
            values
            ('protocol', form.protocol, target.protocol),
            ('category', form.category, target.category)
        ) as buckets (dimension, of_form, of_target)
    where buckets.of_form <> buckets.of_target

),

targets as (

    select
        targets.portfolio_id, portfolios.user_id, buckets.dimension, buckets.bucket,
        sum(targets.target_weight) as target_weight
    from {{ ref('int_allocation_targets') }} as targets
    inner join {{ ref('int_portfolios') }} as portfolios on targets.portfolio_id = portfolios.portfolio_id
    inner join described on targets.instrument_id = described.instrument_id
    cross join
        lateral (
            values
            ('asset', targets.instrument_id),
            ('asset_class', described.asset_class),
            ('asset_type', described.asset_type),
            ('chain', described.chain),
            ('protocol', described.protocol),
            ('category', described.category),
            ('currency', described.quote_currency)
        ) as buckets (dimension, bucket)
    where
        not exists (
            select 1 from without_targets
            where
                without_targets.portfolio_id = targets.portfolio_id
                and without_targets.dimension = buckets.dimension
        )
    group by targets.portfolio_id, portfolios.user_id, buckets.dimension, buckets.bucket

),

totals as (

    select portfolio_id, sum(value_base) filter (where value_base > 0) as positive_value_base
    from holdings
    group by portfolio_id

),

has_targets as (

    select distinct portfolio_id, dimension from targets

),

joined as (

    select
        coalesce(bucketed.portfolio_id, targets.portfolio_id) as portfolio_id,
        coalesce(bucketed.user_id, targets.user_id) as user_id,
        coalesce(bucketed.dimension, targets.dimension) as dimension,
        coalesce(bucketed.bucket, targets.bucket) as bucket,
        coalesce(bucketed.value_base, 0) as value_base,
        case when bucketed.portfolio_id is null then 0 else bucketed.value_usd end as value_usd,
        targets.target_weight
    from bucketed
    full outer join targets
        on
            bucketed.portfolio_id = targets.portfolio_id
            and bucketed.dimension = targets.dimension
            and bucketed.bucket = targets.bucket

),

weighted as (

    select
        joined.*,
        case
            when totals.positive_value_base > 0 then (joined.value_base / totals.positive_value_base)::double precision
        end as weight,
        has_targets.portfolio_id is not null as is_targeted
    from joined
    left join totals on joined.portfolio_id = totals.portfolio_id
    left join has_targets
        on joined.portfolio_id = has_targets.portfolio_id and joined.dimension = has_targets.dimension

)

select
    portfolio_id,
    user_id,
    dimension,
    bucket,
    value_base,
    value_usd,
    weight,
    -- where a portfolio has targets, a bucket that none names has the target 0
    case when is_targeted then coalesce(target_weight, 0) end as target_weight,
    case when is_targeted then weight - coalesce(target_weight, 0) end as drift
from weighted
