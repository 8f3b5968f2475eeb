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
        min(instruments.canonical_instrument) as canonical_instrument,
        -- exact: a sum of binary fractions would depend on the order of the rows
        sum(assets.weight::numeric) as weight,
        bool_or(assets.price_status <> 'ok') as is_stale,
        bool_or(instruments.category = 'stablecoin') as is_stablecoin,
        bool_or(instruments.asset_class = 'fiat') as is_cash
    from {{ ref('portfolio_assets') }} as assets
    inner join {{ ref('int_instruments') }} as instruments on assets.instrument_id = instruments.instrument_id
    group by assets.portfolio_id, assets.instrument_id

),

-- an asset and its forms (wrapped, bridged) are one position; what is owed of it is one of its own
positions as (

    select portfolio_id, sum(weight) as weight, bool_or(is_cash) as is_cash
    from assets
    group by portfolio_id, canonical_instrument, weight < 0

),

policies as (

    select portfolio_id, max_weight from {{ source('registry', 'policies') }}

),

-- the owner's thresholds, which take the place of the product's
limits as (

    select portfolio_id, metric as rule, warn, fail from {{ source('registry', 'limits') }}

),

-- a policy's max_weight is that of one candidate: forms of an asset are one or several, as the targets name them
largest_candidates as (

    select allocation.portfolio_id, max(allocation.weight) as weight
    from allocation
    inner join policies on allocation.portfolio_id = policies.portfolio_id
    inner join {{ ref('int_instruments') }} as instruments on allocation.bucket = instruments.instrument_id
    where
        allocation.dimension = 'asset'
        and allocation.target_weight is not null
        and instruments.asset_class <> 'fiat'
        and not exists (
            select 1 from limits
            where limits.portfolio_id = allocation.portfolio_id and limits.rule = 'largest_position'
        )
    group by allocation.portfolio_id

),

-- cash is no exposure; what is owed is one, and a debt in cash is leverage
exposures as (

    select
        held.portfolio_id,
        case when sum(held.value_base) > 0 then sum(held.value_base) end as net_value,
        coalesce(sum(held.value_base) filter (where held.value_base > 0), 0) as assets_value,
        coalesce(sum(held.value_base) filter (
            where held.value_base > 0 and instruments.asset_class <> 'fiat'
        ), 0) as long_value,
        -coalesce(sum(held.value_base) filter (
            where held.value_base < 0 and instruments.asset_class <> 'fiat'
        ), 0) as short_value
    from {{ ref('portfolio_assets') }} as held
    inner join {{ ref('int_instruments') }} as instruments on held.instrument_id = instruments.instrument_id
    -- what only a chain shows is in no total
    where instruments.trust = 'trusted'
    group by held.portfolio_id

),

value_at_risk as (

    select
        risk.portfolio_id,
        risk.var_ratio,
        risk.cvar_base / exposures.net_value as cvar_ratio
    from {{ source('risk', 'portfolio_risk') }} as risk
    inner join exposures on risk.portfolio_id = exposures.portfolio_id
    where risk.horizon_days = 1 and risk.confidence = 0.95 and risk.method = 'historical'

),

stress as (

    select portfolio_id, max(loss_percent) / 100 as worst_loss
    from {{ source('risk', 'stress_tests') }}
    group by portfolio_id

),

drawdowns as (

    -- the other sign would make -0 of 0
    select portfolio_id, abs(drawdown) as drawdown
    from {{ ref('portfolio_daily') }}
    where valuation_date = {{ run_as_of_date() }}

),

fees as (

    select portfolio_id, costs_base, average_value_base
    from {{ source('measures', 'performance') }}
    where period_type = '1y'

),

-- the mean of the owner's scores by value; of what is on no chain or in no protocol there is none
scores as (

    select
        allocation.portfolio_id,
        allocation.dimension,
        case
            when bool_and(scores.score is not null)
                then sum(allocation.weight::numeric * scores.score::numeric) / sum(allocation.weight::numeric)
        end as score,
        string_agg(allocation.bucket, ', ' order by allocation.bucket) filter (where scores.score is null) as unscored
    from allocation
    left join {{ source('registry', 'risk_scores') }} as scores
        on allocation.dimension = scores.dimension and allocation.bucket = scores.bucket
    where
        allocation.weight > 0
        and (allocation.dimension, allocation.bucket) not in (('chain', 'off_chain'), ('protocol', 'none'))
        and allocation.dimension in ('chain', 'protocol')
    group by allocation.portfolio_id, allocation.dimension

),

metrics as (

    select
        portfolio_id, 'concentration_hhi' as rule, sum(weight * weight) filter (where weight > 0) as metric,
        0.40 as warn_at, 0.80 as fail_at,
        'sum of squared weights; 1 is everything in one asset' as meaning
    from positions group by portfolio_id
    union all
    select
        positions.portfolio_id, 'largest_position', coalesce(max(largest_candidates.weight), max(positions.weight)),
        coalesce(max(policies.max_weight), 0.50), 0.90,
        'share of the largest position; limited by the owner, else by the policy''s max_weight'
    from positions
    left join policies on positions.portfolio_id = policies.portfolio_id
    left join largest_candidates on positions.portfolio_id = largest_candidates.portfolio_id
    where not positions.is_cash
    group by positions.portfolio_id
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
        portfolio_id, 'buying_power',
        case when sum(weight * is_cash::integer) < 0 then 0 else sum(weight * is_cash::integer) end, null, null,
        'share of cash, less what is owed of it, free to buy with'
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
    union all
    select
        portfolio_id, 'effective_positions', 1 / nullif(sum(weight * weight) filter (where weight > 0), 0), null, null,
        'one over the sum of squared weights: how many equal positions would be as concentrated'
    from positions group by portfolio_id
    union all
    select
        exposures.portfolio_id, measured.rule, measured.part / exposures.net_value, null, null, measured.meaning
    from exposures
    cross join
        lateral (
            values
            ('long_exposure', exposures.long_value, 'what is held besides cash over the net value'),
            ('short_exposure', exposures.short_value, 'what is owed besides cash over the net value'),
            ('gross_exposure', exposures.long_value + exposures.short_value, 'long and short exposure together'),
            ('net_exposure', exposures.long_value - exposures.short_value, 'long less short exposure'),
            ('leverage', exposures.assets_value, 'all that is held, cash included, over the net value')
        ) as measured (rule, part, meaning)
    union all
    select
        portfolio_id, 'var_95_1d', var_ratio, null, null,
        'historical value at risk of one day at 95 % over the net value'
    from value_at_risk
    union all
    select
        portfolio_id, 'cvar_95_1d', cvar_ratio, null, null,
        'historical expected shortfall of one day at 95 % over the net value'
    from value_at_risk
    union all
    select
        portfolio_id, 'worst_stress', worst_loss, null, null, 'largest loss of all stress tests over the net value'
    from stress
    union all
    select
        portfolio_id, 'current_drawdown', drawdown, null, null, 'fall of the linked return below its highest point'
    from drawdowns
    union all
    select
        portfolio_id, case dimension when 'chain' then 'chain_risk_score' else 'protocol_risk_score' end, score, null,
        null,
        'mean risk score of its ' || dimension || 's by value, by your risk_scores.yaml; 100 % is the utmost'
        || coalesce(' (no score of ' || unscored || ')', '')
    from scores

),

-- of some measures little is the danger, and one is a number rather than a share
judged as (

    select
        metrics.portfolio_id,
        metrics.rule,
        metrics.metric,
        metrics.meaning,
        limits.rule is not null as is_own_limit,
        case when limits.rule is null then metrics.warn_at else limits.warn end as warn_at,
        case when limits.rule is null then metrics.fail_at else limits.fail end as fail_at,
        case when metrics.rule in ('buying_power', 'effective_positions', 'diversification_ratio') then -1 else 1 end
            as direction,
        metrics.rule = 'effective_positions' as is_number
    from metrics
    left join limits on metrics.portfolio_id = limits.portfolio_id and metrics.rule = limits.rule

)

select
    judged.portfolio_id,
    portfolios.user_id,
    judged.rule,
    judged.metric::double precision as metric,
    coalesce(judged.warn_at, judged.fail_at)::double precision as threshold,
    judged.fail_at::double precision as fail_threshold,
    judged.is_own_limit,
    case
        when judged.direction * judged.metric >= judged.direction * judged.fail_at then 'fail'
        when judged.direction * judged.metric >= judged.direction * judged.warn_at then 'warn'
        -- the owner asked for a verdict that cannot be given
        when judged.metric is null and judged.is_own_limit then 'warn'
        else 'pass'
    end as verdict,
    judged.meaning || ': ' || coalesce(
        case
            when judged.is_number then round(judged.metric::numeric, 2)::text
            else round(100 * judged.metric::numeric, 2)::text || ' %'
        end,
        'undefined, no value'
    )
    || coalesce(
        ', limit '
        || case
            when judged.is_number then round(coalesce(judged.warn_at, judged.fail_at)::numeric, 2)::text
            else round(100 * coalesce(judged.warn_at, judged.fail_at)::numeric, 2)::text || ' %'
        end,
        ''
    ) as explanation
from judged
inner join portfolios on judged.portfolio_id = portfolios.portfolio_id
