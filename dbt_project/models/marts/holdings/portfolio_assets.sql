-- Current holdings by portfolio, account and instrument, with price, its age and source, value and cost; and what the owner of a
-- wallet named that could never be read, without a balance.
{{ config(indexes=[{'columns': ['portfolio_id', 'account_id', 'instrument_id'], 'unique': true}]) }}
with

held as (

    select portfolio_id, base_currency, account_id, instrument_id, quantity, cost_base
    from {{ ref('int_positions') }}
    where is_current

),

cells as (

    select cells.*
    from {{ ref('int_wallet_cells') }} as cells
    inner join {{ source('ops', 'run_scope') }} as scope on cells.portfolio_id = scope.portfolio_id

),

current_positions as (

    select
        positions.*,
        portfolios.user_id
    from (
        select * from held
        union all
        select
            cells.portfolio_id,
            owners.base_currency,
            cells.account_id,
            cells.instrument_id,
            case when cells.raw_amount = 0 then 0 end as quantity,
            case when cells.raw_amount = 0 then 0 end as cost_base
        from cells
        inner join {{ ref('int_portfolios') }} as owners on cells.portfolio_id = owners.portfolio_id
        -- a zero is no holding; of what the owner declared it is an answer. An amount without decimals has no quantity.
        where
            (cells.raw_amount is distinct from 0 or cells.is_declared)
            and not exists (
                select 1 from held
                where
                    held.portfolio_id = cells.portfolio_id
                    and held.account_id = cells.account_id
                    and held.instrument_id = cells.instrument_id
            )
    ) as positions
    inner join {{ ref('int_portfolios') }} as portfolios on positions.portfolio_id = portfolios.portfolio_id

),

-- a lot's cost in dollars is at the rate of the day it was acquired
lot_costs as (

    select
        lots.portfolio_id,
        lots.account_id,
        lots.instrument_id,
        case
            when
                bool_and(
                    lots.cost_base is not null and (portfolios.base_currency = 'fiat:USD' or usd.rate is not null)
                )
                then sum(lots.cost_base * case when portfolios.base_currency = 'fiat:USD' then 1 else usd.rate end)
        end as cost_basis_usd
    from {{ source('ledger', 'ledger_lots') }} as lots
    inner join {{ ref('int_portfolios') }} as portfolios on lots.portfolio_id = portfolios.portfolio_id
    inner join {{ source('ops', 'run_scope') }} as scope on lots.portfolio_id = scope.portfolio_id
    left join {{ ref('int_fx_daily') }} as usd
        on
            portfolios.base_currency = usd.currency
            and usd.quote = 'fiat:USD'
            and usd.fx_date = (lots.acquired_at at time zone 'UTC')::date
    where lots.instrument_id not like 'fiat:%'
    group by lots.portfolio_id, lots.account_id, lots.instrument_id

),

valued as (

    select
        current_positions.*,
        instruments.pricing_instrument_id,
        instruments.chain,
        instruments.symbol,
        instruments.address,
        instruments.asset_type,
        instruments.protocol,
        instruments.category,
        prices.price_base,
        prices.priced_at,
        prices.source,
        prices.stale_reason,
        current_positions.quantity * prices.price_base as value_base,
        case when current_positions.base_currency = 'fiat:USD' then 1 else usd.rate end as usd_rate
    from current_positions
    inner join {{ ref('int_instruments') }} as instruments
        on current_positions.instrument_id = instruments.instrument_id
    left join {{ ref('int_price_base') }} as prices
        on
            current_positions.instrument_id = prices.instrument_id
            and current_positions.base_currency = prices.base_currency
            and prices.valuation_date = {{ run_as_of_date() }}
    left join {{ ref('int_fx_daily') }} as usd
        on
            current_positions.base_currency = usd.currency
            and usd.quote = 'fiat:USD'
            and usd.fx_date = {{ run_as_of_date() }}

),

totals as (

    select portfolio_id, sum(value_base) filter (where value_base > 0) as positive_value_base
    from valued
    group by portfolio_id

),

-- what a source told last and does not count yet
held_prices as (

    select instrument_id, max(priced_at) as held_at
    from {{ source('raw', 'bars') }}
    where status = 'held' and priced_at <= {{ run_cutoff_at() }}
    group by instrument_id

),

observations as (

    select portfolio_id, account_id, instrument_id, max(balance_at) as observed_at
    from {{ ref('int_all_balances') }}
    group by portfolio_id, account_id, instrument_id

)

select
    valued.portfolio_id,
    valued.user_id,
    valued.account_id,
    valued.instrument_id,
    valued.chain as chain_id,
    valued.symbol as asset_symbol,
    valued.address as asset_address,
    valued.asset_type,
    valued.quantity as balance,
    valued.price_base,
    valued.price_base * valued.usd_rate as price_usd,
    valued.priced_at as price_at,
    valued.source as price_source,
    extract(epoch from {{ run_cutoff_at() }} - valued.priced_at)::bigint as price_age_seconds,
    case
        when valued.price_base is null then 'missing'
        when held_prices.held_at > valued.priced_at then 'held'
        when valued.stale_reason is not null then 'stale'
        else 'ok'
    end as price_status,
    valued.value_base,
    valued.value_base * valued.usd_rate as value_usd,
    case
        when totals.positive_value_base > 0 then (valued.value_base / totals.positive_value_base)::double precision
    end as weight,
    valued.protocol as protocol_name,
    valued.category,
    valued.cost_base,
    case
        when valued.instrument_id like 'fiat:%' then valued.cost_base * valued.usd_rate
        else lot_costs.cost_basis_usd
    end as cost_basis_usd,
    case
        when valued.instrument_id like 'fiat:%' then (valued.value_base - valued.cost_base) * valued.usd_rate
        else valued.value_base * valued.usd_rate - lot_costs.cost_basis_usd
    end as unrealized_pnl_usd,
    case
        -- the chain gave an amount, but not the decimals that make it a quantity
        when valued.quantity is null and cells.raw_amount is not null then 'unsupported'
        else coalesce(cells.status, 'ok')
    end as balance_status,
    greatest(observations.observed_at, cells.observed_at) as observed_at,
    cells.block_number,
    cells.block_hash
from valued
inner join totals on valued.portfolio_id = totals.portfolio_id
left join lot_costs
    on
        valued.portfolio_id = lot_costs.portfolio_id
        and valued.account_id = lot_costs.account_id
        and valued.instrument_id = lot_costs.instrument_id
left join cells
    on
        valued.portfolio_id = cells.portfolio_id
        and valued.account_id = cells.account_id
        and valued.instrument_id = cells.instrument_id
left join held_prices on valued.pricing_instrument_id = held_prices.instrument_id
left join observations
    on
        valued.portfolio_id = observations.portfolio_id
        and valued.account_id = observations.account_id
        and valued.instrument_id = observations.instrument_id
