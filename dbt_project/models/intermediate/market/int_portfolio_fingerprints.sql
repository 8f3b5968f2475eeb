-- What each active portfolio's numbers are made from, as one hash: a portfolio with a known hash needs no work.
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
        ))::text || ':' || count(*)::text as print
    from {{ ref('int_all_transactions') }}
    group by portfolio_id

),

balance_prints as (

    select
        portfolio_id,
        sum(hashtextextended(
            concat_ws('|', account_id, instrument_id, balance_at, is_date_only, quantity, cost_base), 0
        ))::text || ':' || count(*)::text as print
    from {{ ref('stg_balances') }}
    group by portfolio_id

),

price_prints as (

    select
        instrument_id,
        sum(hashtextextended(concat_ws('|', priced_at, price, currency, source), 0))::text as print
    from {{ ref('int_price_points') }}
    group by instrument_id

),

fx_print as (

    select sum(hashtextextended(concat_ws('|', currency, quote, rated_at, rate), 0))::text as print
    from {{ ref('int_fx_points') }}

),

split_print as (

    select sum(hashtextextended(concat_ws('|', instrument_id, ex_date, ratio), 0))::text as print
    from {{ ref('int_splits') }}

),

-- whatever a portfolio can ask a price of
used as (

    select portfolio_id, instrument_id from {{ ref('int_all_transactions') }}
    union
    select portfolio_id, fee_currency from {{ ref('int_all_transactions') }}
    union
    select portfolio_id, currency from {{ ref('int_all_transactions') }}
    union
    select portfolio_id, instrument_id from {{ ref('stg_balances') }}
    union
    select portfolio_id, benchmark from portfolios
    union
    select portfolio_id, risk_free_rate from portfolios
    union
    select portfolio_id, unnest(universe) from {{ source('registry', 'policies') }}
    union
    select portfolio_id, instrument from {{ source('registry', 'targets') }}

),

used_prints as (

    select
        used.portfolio_id,
        sum(hashtextextended(
            concat_ws(
                '|', instruments.instrument_id, instruments.name, instruments.asset_class, instruments.asset_type,
                instruments.quote_currency, instruments.canonical_instrument, instruments.annualization_days,
                instruments.max_price_age_days, instruments.category, instruments.protocol, instruments.chain,
                price_prints.print
            ), 0
        ))::text as print
    from used
    inner join {{ ref('int_instruments') }} as instruments on used.instrument_id = instruments.instrument_id
    left join price_prints on instruments.pricing_instrument_id = price_prints.instrument_id
    group by used.portfolio_id

)

select
    portfolios.portfolio_id,
    portfolios.user_id,
    md5(concat_ws(
        '#',
        portfolios::text,
        (
            select runs.cutoff_at from {{ source('ops', 'runs') }} as runs
            inner join {{ source('ops', 'current_run') }} as current_run on runs.run_id = current_run.run_id
        ),
        transaction_prints.print,
        balance_prints.print,
        used_prints.print,
        (select fx_print.print from fx_print),
        (select split_print.print from split_print),
        (
            select policies::text from {{ source('registry', 'policies') }} as policies
            where policies.portfolio_id = portfolios.portfolio_id
        ),
        (
            select string_agg(targets::text, ',' order by targets.instrument)
            from {{ source('registry', 'targets') }} as targets
            where targets.portfolio_id = portfolios.portfolio_id
        )
    )) as fingerprint
from portfolios
left join transaction_prints on portfolios.portfolio_id = transaction_prints.portfolio_id
left join balance_prints on portfolios.portfolio_id = balance_prints.portfolio_id
left join used_prints on portfolios.portfolio_id = used_prints.portfolio_id
