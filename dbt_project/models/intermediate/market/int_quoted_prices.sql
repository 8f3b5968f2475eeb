-- Accepted prices in each instrument's quote currency, one per instant. A trade's price counts only on days without another.
with

observations as (

    select
        instrument_id, priced_at, price_date, price, currency, source, batch_id, line, 1 as preference
    from {{ ref('stg_prices') }}
    where instrument_id not like 'fiat:%'

),

trades as (

    select
        transactions.instrument_id,
        case
            when transactions.is_date_only then transactions.executed_at + interval '1 day' - interval '1 microsecond'
            else transactions.executed_at
        end as priced_at,
        transactions.executed_date as price_date,
        coalesce(transactions.price, transactions.amount / transactions.quantity) as price,
        transactions.currency,
        'trade' as source,
        transactions.batch_id,
        transactions.line,
        9 as preference
    from {{ ref('stg_transactions') }} as transactions
    where
        transactions.type in ('BUY', 'SELL')
        and transactions.instrument_id not like 'fiat:%'
        and coalesce(transactions.price, transactions.amount) > 0
        and transactions.executed_at <= {{ run_cutoff_at() }}
        and not exists (
            select 1 from observations
            where
                observations.instrument_id = transactions.instrument_id
                and observations.price_date = transactions.executed_date
        )

),

candidates as (

    select * from observations
    union all
    select * from trades where priced_at <= {{ run_cutoff_at() }}

),

converted as (

    select
        candidates.instrument_id,
        candidates.priced_at,
        candidates.price_date,
        candidates.price * case
            when candidates.currency = instruments.quote_currency then 1
            else fx.rate
        end as price,
        instruments.quote_currency as currency,
        candidates.source,
        candidates.batch_id,
        candidates.line,
        candidates.preference
    from candidates
    inner join {{ ref('int_instruments') }} as instruments on candidates.instrument_id = instruments.instrument_id
    left join lateral (
        select points.rate
        from {{ ref('int_fx_points') }} as points
        where
            candidates.currency <> instruments.quote_currency
            and points.currency = candidates.currency
            and points.quote = instruments.quote_currency
            and points.rated_at <= candidates.priced_at
        order by points.rated_at desc
        limit 1
    ) as fx on true

)

select distinct on (instrument_id, priced_at)
    instrument_id, priced_at, price_date, price, currency, source, batch_id, line
from converted
where price is not null
order by instrument_id asc, priced_at asc, preference asc, batch_id desc, line desc
