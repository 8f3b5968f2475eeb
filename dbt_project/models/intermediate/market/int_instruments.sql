-- Every instrument that anything names, with what its id, the owner's instruments.csv and its prices say of it.
with

mentioned as (

    select instrument as instrument_id from {{ source('registry', 'instruments') }}
    union
    select canonical_instrument from {{ source('registry', 'instruments') }}
    union
    select instrument_id from {{ ref('stg_transactions') }}
    union
    select currency from {{ ref('stg_transactions') }}
    union
    select fee_currency from {{ ref('stg_transactions') }}
    union
    select instrument_id from {{ ref('stg_prices') }}
    union
    select currency from {{ ref('stg_prices') }}
    union
    select instrument_id from {{ ref('stg_balances') }}
    union
    select instrument_id from {{ ref('stg_corporate_actions') }}
    union
    select base_currency from {{ ref('int_portfolios') }}
    union
    select benchmark from {{ ref('int_portfolios') }}
    union
    select risk_free_rate from {{ ref('int_portfolios') }} where risk_free_rate like '%:%'
    union
    select instrument from {{ source('registry', 'targets') }}
    union
    select unnest(universe) from {{ source('registry', 'policies') }}
    union
    select canonical_instrument from {{ ref('int_native_coins') }}
    union
    values ('fiat:USD')

),

-- an instrument is quoted in what its own prices are in; a trade's currency is the last resort
quoted as (

    select distinct on (instrument_id)
        instrument_id,
        currency,
        preference = 1 as has_prices
    from (
        select instrument_id, currency, 1 as preference, count(*) as observations
        from {{ ref('stg_prices') }}
        group by instrument_id, currency
        union all
        select instrument_id, currency, 2 as preference, count(*) as observations
        from {{ ref('stg_transactions') }}
        where type in ('BUY', 'SELL') and currency is not null
        group by instrument_id, currency
    ) as seen
    -- a price in a token is converted: money comes first
    order by instrument_id, preference, (currency like 'fiat:%') desc, observations desc, currency

),

described as (

    select
        mentioned.instrument_id,
        custom.name,
        custom.asset_class as custom_class,
        custom.asset_type as custom_type,
        custom.quote_currency as custom_quote,
        custom.category,
        custom.protocol,
        custom.decimals,
        custom.annualization_days,
        custom.max_price_age_days,
        split_part(mentioned.instrument_id, ':', 1) as namespace,
        coalesce(custom.chain, native.chain) as chain,
        coalesce(
            custom.address,
            case
                when mentioned.instrument_id like '%/erc20:%' then split_part(mentioned.instrument_id, '/erc20:', 2)
            end
        ) as address,
        coalesce(custom.canonical_instrument, native.canonical_instrument, mentioned.instrument_id)
            as canonical_instrument,
        coalesce(
            native.symbol,
            case
                when mentioned.instrument_id like 'eip155:%' then coalesce(custom.name, mentioned.instrument_id)
                else split_part(mentioned.instrument_id, ':', 2)
            end
        ) as symbol,
        custom.instrument is not null or native.instrument_id is not null as is_declared
    from mentioned
    left join {{ source('registry', 'instruments') }} as custom on mentioned.instrument_id = custom.instrument
    left join {{ ref('int_native_coins') }} as native on mentioned.instrument_id = native.instrument_id
    where mentioned.instrument_id is not null and mentioned.instrument_id <> 'held'

),

classified as (

    select
        described.*,
        coalesce(
            described.custom_class, case when described.namespace = 'eip155' then 'crypto' else described.namespace end
        )
            as asset_class
    from described

),

-- where its price comes from: its own prices, else those of its economic asset, else what it was traded at
priced as (

    select
        classified.*,
        case
            when own_quote.has_prices then classified.instrument_id
            when canonical_quote.has_prices or own_quote.instrument_id is null then classified.canonical_instrument
            else classified.instrument_id
        end as pricing_instrument_id,
        coalesce(classified.custom_quote, own_quote.currency) as own_quote_currency
    from classified
    left join quoted as own_quote on classified.instrument_id = own_quote.instrument_id
    left join quoted as canonical_quote on classified.canonical_instrument = canonical_quote.instrument_id

),

-- in which currency or token it is quoted, null where nothing says so
quotes as (

    select
        priced.instrument_id,
        coalesce(pricing.own_quote_currency, priced.own_quote_currency) as quote
    from priced
    left join priced as pricing on priced.pricing_instrument_id = pricing.instrument_id

),

-- what is quoted in a token is valued in the money that the token is quoted in, through one more token at most; int_price_points converts
in_money as (

    select
        quotes.instrument_id,
        case
            when quotes.quote like 'fiat:%' then quotes.quote
            when token.quote like 'fiat:%' then token.quote
            when second_token.quote like 'fiat:%' then second_token.quote
            else quotes.quote
        end as quote
    from quotes
    left join quotes as token on quotes.quote = token.instrument_id
    left join quotes as second_token on token.quote = second_token.instrument_id

)

select
    classified.instrument_id,
    classified.symbol,
    coalesce(classified.name, classified.symbol) as name,
    classified.asset_class,
    coalesce(
        classified.custom_type,
        case
            when classified.namespace in ('eip155', 'crypto') then 'token'
            when classified.asset_class = 'rate' then 'index'
            when classified.asset_class in ('token', 'equity', 'etf', 'bond', 'commodity', 'index', 'fiat', 'custom')
                then classified.asset_class
            else 'custom'
        end
    ) as asset_type,
    case
        when classified.asset_class = 'fiat' then classified.instrument_id
        else coalesce(in_money.quote, 'fiat:USD')
    end as quote_currency,
    classified.canonical_instrument,
    classified.chain,
    classified.address,
    classified.decimals,
    classified.category,
    classified.protocol,
    coalesce(
        classified.annualization_days,
        case when classified.asset_class in ('crypto', 'token') then 365 else 252 end
    ) as annualization_days,
    coalesce(
        classified.max_price_age_days,
        case
            when classified.asset_class in ('crypto', 'token') then 2
            when classified.asset_class = 'custom' then 400
            else 5
        end
    ) as max_price_age_days,
    classified.pricing_instrument_id,
    case
        when classified.namespace <> 'eip155' or classified.is_declared then 'trusted'
        else 'unknown'
    end as trust
from priced as classified
inner join in_money on classified.instrument_id = in_money.instrument_id
