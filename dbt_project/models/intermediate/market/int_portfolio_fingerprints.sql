-- What each active portfolio's numbers are made from, as hashes by what follows from a difference: other settings compute all of it
-- again, other events its ledger, another price the days from that month on, and the rest what is measured over all days.
with

portfolios as (

    select * from {{ ref('int_portfolios') }}

),

transaction_prints as (

    select
        portfolio_id,
        sum(hashtextextended(
            concat_ws(
                '|',
                transaction_id,
                executed_at,
                is_date_only,
                account_id,
                type,
                instrument_id,
                quantity,
                price,
                amount,
                currency, fx_rate, cash_account, fee, fee_currency, tax, group_id
            ), 0
        ))::text || ':' || count(*)::text as print,
        bool_or(type in ('TRANSFER_IN', 'TRANSFER_OUT') and group_id is not null) as has_transfers
    from {{ ref('int_all_transactions') }}
    group by portfolio_id

),

balance_prints as (

    select
        portfolio_id,
        sum(hashtextextended(
            concat_ws('|', account_id, instrument_id, balance_at, is_date_only, quantity, cost_base), 0
        ))::text || ':' || count(*)::text as print
    from {{ ref('int_all_balances') }}
    group by portfolio_id

),

-- whether a balance could be read is part of what is published; the block that confirms it is not
wallet_prints as (

    select
        portfolio_id,
        sum(hashtextextended(concat_ws('|', account_id, instrument_id, status, raw_amount), 0))::text as print
    from {{ ref('int_wallet_cells') }}
    group by portfolio_id

),

asked_snapshots as (

    select requests.portfolio_id, string_agg(requests.request_id::text, ',' order by requests.request_id) as print
    from {{ source('registry', 'snapshot_requests') }} as requests
    inner join {{ source('ops', 'current_run') }} as current_run on requests.run_id = current_run.run_id
    where requests.published_at is null
    group by requests.portfolio_id

),

-- known instruments alone: nobody held before what the last publication did not know
changed_prices as (

    select
        coalesce(now.instrument_id, before.instrument_id) as instrument_id,
        min(coalesce(now.month, before.month)) as changed_from
    from {{ ref('int_price_prints') }} as now
    full outer join {{ source('ops', 'price_prints') }} as before
        on now.instrument_id = before.instrument_id and now.month = before.month
    where now.print_before is distinct from before.print
    group by coalesce(now.instrument_id, before.instrument_id)

),

known_prices as (

    select
        changed_prices.instrument_id,
        changed_prices.changed_from
    from changed_prices
    inner join {{ source('ops', 'price_prints') }} as known
        on changed_prices.instrument_id = known.instrument_id and known.month = '-infinity'

),

changed_rates as (

    select min(changed_from) as changed_from
    from changed_prices
    where instrument_id like 'fx:%'

),

-- what trading costs: the closed bars of the last 60 days before the as-of day, as assets/rebalancing/loading.py reads them
bar_prints as (

    select
        bars.instrument_id,
        sum(hashtextextended(concat_ws('|', bars.source, bars.opened_at, bars.high, bars.low, bars.volume), 0)) as hash
    from {{ source('raw', 'bars') }} as bars
    where
        bars.resolution = '1d'
        and bars.status = 'accepted'
        and bars.opened_at >= {{ run_as_of_date() }} - 60
        and bars.opened_at < {{ run_as_of_date() }}
    group by bars.instrument_id

),

split_print as (

    select sum(hashtextextended(concat_ws('|', instrument_id, ex_date, ratio), 0))::text as print
    from {{ ref('int_splits') }}

),

-- every portfolio is set against the factors
factor_print as (

    select md5(string_agg(prints.print, ',' order by prints.instrument_id, prints.month)) as print
    from {{ ref('int_price_prints') }} as prints
    where prints.instrument_id in (select factors.instrument_id from {{ ref('int_factors') }} as factors)

),

scenario_print as (

    select string_agg(scenarios::text, ',' order by scenarios.scenario_id) as print
    from {{ source('registry', 'scenarios') }} as scenarios

),

score_print as (

    select string_agg(scores::text, ',' order by scores.dimension, scores.bucket) as print
    from {{ source('registry', 'risk_scores') }} as scores

),

-- whatever a portfolio can ask a price of
used as (

    select portfolio_id, instrument_id from {{ ref('int_all_transactions') }}
    union
    select portfolio_id, fee_currency from {{ ref('int_all_transactions') }}
    union
    select portfolio_id, currency from {{ ref('int_all_transactions') }}
    union
    select portfolio_id, instrument_id from {{ ref('int_all_balances') }}
    union
    select portfolio_id, benchmark from portfolios
    union
    select portfolio_id, risk_free_rate from portfolios
    union
    select portfolio_id, unnest(universe) from {{ source('registry', 'policies') }}
    union
    select portfolio_id, instrument from {{ source('registry', 'targets') }}

),

-- how it may be traded: the owner's lots, and brokers that sell parts of shares
trading_prints as (

    select
        used.portfolio_id,
        concat_ws(
            '|', sum(bar_prints.hash)::text,
            string_agg(declared.instrument || declared.lot_size::text, ',' order by declared.instrument)
        ) as print
    from used
    inner join {{ ref('int_instruments') }} as instruments on used.instrument_id = instruments.instrument_id
    left join bar_prints on instruments.pricing_instrument_id = bar_prints.instrument_id
    left join {{ source('registry', 'instruments') }} as declared on used.instrument_id = declared.instrument
    group by used.portfolio_id

),

used_prices as (

    select
        used.portfolio_id,
        min(least(own.changed_from, pricing.changed_from)) as changed_from
    from used
    inner join {{ ref('int_instruments') }} as instruments on used.instrument_id = instruments.instrument_id
    left join known_prices as own on instruments.instrument_id = own.instrument_id
    left join known_prices as pricing on instruments.pricing_instrument_id = pricing.instrument_id
    where own.changed_from is not null or pricing.changed_from is not null
    group by used.portfolio_id

)

select
    portfolios.portfolio_id,
    portfolios.user_id,
    md5(concat_ws(
        '#', portfolios.user_id, portfolios.base_currency, portfolios.cost_basis, portfolios.lot_scope,
        portfolios.cash_mode, portfolios.allow_short, portfolios.risk_free_rate,
        (
            select string_agg(accounts.id, ',' order by accounts.id)
            from {{ source('registry', 'accounts') }} as accounts
            where accounts.portfolio_id = portfolios.portfolio_id and accounts.is_active and accounts.margin
        ),
        -- rates cross through every base currency: another one may give a portfolio a rate that it lacked
        (select string_agg(distinct every.base_currency, ',' order by every.base_currency) from portfolios as every)
    )) as settings,
    md5(concat_ws('#', transaction_prints.print, balance_prints.print)) as events,
    -- its lots may come from another portfolio of its user, or go there
    coalesce(transaction_prints.has_transfers, false) as has_transfers,
    md5(concat_ws(
        '#', portfolios.name, portfolios.benchmark,
        (select split_print.print from split_print),
        (select factor_print.print from factor_print),
        wallet_prints.print, asked_snapshots.print, trading_prints.print,
        (
            select concat_ws('|', owned.tax_rate_short, owned.tax_rate_long)
            from {{ source('registry', 'portfolios') }} as owned
            where owned.id = portfolios.portfolio_id
        ),
        (
            select string_agg(accounts.broker, ',' order by accounts.broker)
            from {{ source('registry', 'accounts') }} as accounts
            where accounts.portfolio_id = portfolios.portfolio_id and accounts.is_active
        ),
        (
            select policies::text from {{ source('registry', 'policies') }} as policies
            where policies.portfolio_id = portfolios.portfolio_id
        ),
        (
            select string_agg(targets::text, ',' order by targets.instrument)
            from {{ source('registry', 'targets') }} as targets
            where targets.portfolio_id = portfolios.portfolio_id
        ),
        (
            select string_agg(limits::text, ',' order by limits.metric)
            from {{ source('registry', 'limits') }} as limits
            where limits.portfolio_id = portfolios.portfolio_id
        ),
        (select scenario_print.print from scenario_print),
        (select score_print.print from score_print)
    )) as analysis,
    -- null: no price that it can ask differs from what the last publication knew
    least(used_prices.changed_from, (select changed_rates.changed_from from changed_rates)) as changed_from
from portfolios
left join transaction_prints on portfolios.portfolio_id = transaction_prints.portfolio_id
left join balance_prints on portfolios.portfolio_id = balance_prints.portfolio_id
left join wallet_prints on portfolios.portfolio_id = wallet_prints.portfolio_id
left join asked_snapshots on portfolios.portfolio_id = asked_snapshots.portfolio_id
left join trading_prints on portfolios.portfolio_id = trading_prints.portfolio_id
left join used_prices on portfolios.portfolio_id = used_prices.portfolio_id
