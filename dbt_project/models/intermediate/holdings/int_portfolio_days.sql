-- One row per portfolio and day that this run computes, from inception to the as-of date: value, flows and the parts of the gain,
-- before returns.
{{ config(indexes=[{'columns': ['portfolio_id', 'valuation_date'], 'unique': true}]) }}
with

starts as (

    select portfolio_id, min(started) as inception_date
    from (
        select portfolio_id, min(valid_from) as started
        from {{ source('ledger', 'ledger_positions') }}
        group by portfolio_id
        union all
        select portfolio_id, min(entry_date) as started
        from {{ source('ledger', 'ledger_entries') }}
        group by portfolio_id
    ) as firsts
    group by portfolio_id

),

days as (

    select
        starts.portfolio_id,
        portfolios.user_id,
        portfolios.base_currency,
        portfolios.risk_free_rate,
        series.day::date as valuation_date
    from starts
    inner join {{ ref('int_portfolios') }} as portfolios on starts.portfolio_id = portfolios.portfolio_id
    inner join {{ source('ops', 'run_scope') }} as scope on starts.portfolio_id = scope.portfolio_id
    cross join
        lateral generate_series(
            greatest(starts.inception_date, scope.from_date), {{ run_as_of_date() }}, interval '1 day'
        ) as series (day)

),

computed_entries as (

    select entries.*
    from {{ source('ledger', 'ledger_entries') }} as entries
    inner join {{ source('ops', 'run_scope') }} as scope
        on
            entries.portfolio_id = scope.portfolio_id
            and entries.entry_date >= coalesce(scope.from_date, '-infinity')

),

entries as (

    select
        portfolio_id,
        entry_date,
        sum(amount_base) filter (where measure = 'inflow') as inflow_base,
        sum(amount_base) filter (where measure = 'outflow') as outflow_base,
        sum(amount_base) filter (where measure = 'income') as income_base,
        sum(amount_base) filter (where measure = 'fee') as fees_base,
        sum(amount_base) filter (where measure = 'tax') as taxes_base,
        sum(amount_base) filter (where measure = 'trade_fee') as trade_fees_base,
        sum(amount_base) filter (where measure = 'trade_tax') as trade_taxes_base,
        sum(amount_base) filter (where measure = 'realized_price') as realized_price_base,
        sum(amount_base) filter (where measure = 'realized_currency') as realized_currency_base,
        sum(amount_base) filter (where measure = 'carried_price') as carried_price_base,
        sum(amount_base) filter (where measure = 'carried_currency') as carried_currency_base
    from computed_entries
    group by portfolio_id, entry_date

),

-- balances that a chain did not give this time: what is held by them is as old as their last reading
unread as (

    select
        cells.portfolio_id,
        count(positions.instrument_id) filter (
            where cells.status = 'stale' and prices.price_base is not null and prices.stale_reason is null
        ) as positions_else_fresh,
        bool_or(cells.status = 'stale' and positions.instrument_id is not null) as is_balance_stale,
        bool_or(cells.raw_amount is null) as is_balance_unread
    from {{ ref('int_wallet_cells') }} as cells
    left join {{ ref('int_positions') }} as positions
        on
            cells.portfolio_id = positions.portfolio_id
            and cells.account_id = positions.account_id
            and cells.instrument_id = positions.instrument_id
            and positions.is_current
            and positions.is_counted
    left join {{ ref('int_price_base') }} as prices
        on
            positions.instrument_id = prices.instrument_id
            and positions.base_currency = prices.base_currency
            and prices.valuation_date = {{ run_as_of_date() }}
    where cells.status not in ('ok', 'zero')
    group by cells.portfolio_id

)

select
    days.portfolio_id,
    days.user_id,
    days.base_currency,
    days.risk_free_rate,
    days.valuation_date,
    coalesce(totals.value_base, 0) as value_base,
    coalesce(totals.cost_base, 0) as cost_base,
    -- stock of unrealised gain: the price part at the acquisition rate, the rest is currency
    coalesce(totals.value_at_cost_fx - totals.cost_base, 0) as unrealized_price_base,
    coalesce(totals.value_base - totals.value_at_cost_fx, 0) as unrealized_currency_base,
    coalesce(entries.inflow_base, 0) as inflow_base,
    coalesce(entries.outflow_base, 0) as outflow_base,
    coalesce(entries.income_base, 0) as income_base,
    coalesce(entries.fees_base, 0) as fees_base,
    coalesce(entries.taxes_base, 0) as taxes_base,
    coalesce(entries.trade_fees_base, 0) as trade_fees_base,
    coalesce(entries.trade_taxes_base, 0) as trade_taxes_base,
    coalesce(entries.realized_price_base, 0) as realized_price_base,
    coalesce(entries.realized_currency_base, 0) as realized_currency_base,
    coalesce(entries.carried_price_base, 0) as carried_price_base,
    coalesce(entries.carried_currency_base, 0) as carried_currency_base,
    coalesce(totals.positions_held, 0) as positions_held,
    coalesce(totals.positions_valued, 0) as positions_valued,
    coalesce(totals.positions_fresh, 0) - coalesce(unread.positions_else_fresh, 0) as positions_fresh,
    coalesce(totals.instruments_held, 0) as instruments_held,
    coalesce(totals.chains_held, 0) as chains_held,
    coalesce(totals.is_market_day, false) as is_market_day,
    coalesce(totals.trades_daily, false) as trades_daily,
    coalesce(totals.is_observed, false) as is_observed,
    nullif(
        concat_ws(
            ';',
            case when totals.is_price_missing then 'missing_price' end,
            case when totals.is_fx_missing then 'missing_fx' end,
            case when totals.is_price_stale then 'stale_price' end,
            case when totals.is_fx_stale then 'stale_fx' end,
            case when unread.is_balance_stale then 'stale_balance' end,
            case when unread.is_balance_unread then 'missing_balance' end
        ), ''
    ) as incomplete_reason
from days
left join {{ ref('int_position_totals') }} as totals
    on days.portfolio_id = totals.portfolio_id and days.valuation_date = totals.valuation_date
left join entries
    on days.portfolio_id = entries.portfolio_id and days.valuation_date = entries.entry_date
left join unread
    on days.portfolio_id = unread.portfolio_id and days.valuation_date = {{ run_as_of_date() }}
