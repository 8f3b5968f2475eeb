-- Accepted prices in each instrument's quote currency, one per instant. A trade's price counts only on days without another. A price in a
-- token is converted at the token's own last price at or before it: a stablecoin is no dollar.
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

quoted as (

    select
        candidates.instrument_id,
        candidates.priced_at,
        candidates.price_date,
        candidates.price,
        candidates.currency,
        candidates.source,
        candidates.batch_id,
        candidates.line,
        candidates.preference,
        instruments.quote_currency,
        case
            when candidates.currency not like 'fiat:%' and candidates.currency <> instruments.quote_currency
                then coalesce(tokens.pricing_instrument_id, candidates.currency)
        end as token_id
    from candidates
    inner join {{ ref('int_instruments') }} as instruments on candidates.instrument_id = instruments.instrument_id
    left join {{ ref('int_instruments') }} as tokens on candidates.currency = tokens.instrument_id

),

in_money_0 as (

    select
        instrument_id, priced_at, price_date, price, currency, quote_currency, source, batch_id, line, preference
    from quoted
    where token_id is null

),
{% for level in [1, 2] %}
-- each price beside the points of its token; `known` counts those at or before it{{ ': here of tokens that are quoted in tokens themselves' if level == 2 }}
    beside_{{ level }} as (

        select
            moments.*,
            count(moments.token_price) over (
                partition by moments.token_id order by moments.priced_at, moments.is_quoted
                rows unbounded preceding
            ) as known
        from (
            select
                quoted.token_id, quoted.priced_at, true as is_quoted, null::numeric as token_price,
                null::text as token_currency, quoted.instrument_id, quoted.price_date, quoted.price,
                quoted.quote_currency,
                quoted.source, quoted.batch_id, quoted.line, quoted.preference
            from quoted
            where
                quoted.token_id is not null
                {{ 'and' if level == 2 else 'and not' }} exists (
                    select 1 from quoted as tokens
                    where tokens.instrument_id = quoted.token_id and tokens.token_id is not null
                )
            union all
            select
                points.instrument_id as token_id, points.priced_at, false as is_quoted, points.price as token_price,
                points.currency as token_currency, null, null, null, null, null, null, null, null
            from (
                select distinct on (instrument_id, priced_at) instrument_id, priced_at, price, currency
                from in_money_{{ level - 1 }}
                where instrument_id in (select tokens.token_id from quoted as tokens)
                order by instrument_id asc, priced_at asc, preference asc, batch_id desc, line desc
            ) as points
        ) as moments

    ),

    in_money_{{ level }} as (

        select
            instrument_id, priced_at, price_date, price, currency, quote_currency, source, batch_id, line, preference
        from in_money_{{ level - 1 }}
        union all
        select
            instrument_id, priced_at, price_date, price * token_price as price, token_currency as currency,
            quote_currency, source, batch_id, line, preference
        from (
            select
                beside.instrument_id, beside.priced_at, beside.price_date, beside.price, beside.quote_currency,
                beside.source, beside.batch_id, beside.line, beside.preference, beside.is_quoted,
                first_value(beside.token_price) over latest as token_price,
                first_value(beside.token_currency) over latest as token_currency
            from beside_{{ level }} as beside
            window latest as (partition by beside.token_id, beside.known order by beside.priced_at, beside.is_quoted)
        ) as with_token
        where is_quoted

    ),
{% endfor %}
hubs as (

    {{ fx_hubs() }}

),

converted as (

    select
        points.instrument_id,
        points.priced_at,
        points.price_date,
        points.price * case
            when points.currency = points.quote_currency then 1
            else coalesce(fx.rate, crossed.rate)
        end as price,
        points.quote_currency as currency,
        points.source,
        points.batch_id,
        points.line,
        points.preference
    from in_money_2 as points
    left join lateral (
        select direct.rate
        from ({{ last_fx_rate('points.currency', 'points.quote_currency', 'points.priced_at') }}) as direct
        where points.currency <> points.quote_currency
    ) as fx on true
    left join lateral (
        {{ crossed_fx_rate(
            'points.currency', 'points.quote_currency', 'points.priced_at',
            'points.currency <> points.quote_currency and fx.rate is null'
        ) }}
    ) as crossed on true

)

select distinct on (instrument_id, priced_at)
    instrument_id, priced_at, price_date, price, currency, source, batch_id, line
from converted
where price is not null
order by instrument_id asc, priced_at asc, preference asc, batch_id desc, line desc
