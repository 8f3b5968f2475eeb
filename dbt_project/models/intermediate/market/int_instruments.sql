-- Every instrument that anything names, with what its id, the owner's instruments.csv and its prices say of it.
with

-- what the owner names counts; what only a chain shows may be worth nothing
named as (

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
    select instrument_id from {{ ref('stg_file_balances') }}
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
    values ('fiat:USD')

),

shown as (

    select instrument_id from {{ ref('int_wallet_cells') }}
    where raw_amount <> 0 or status <> 'zero'
    union
    select instrument_id from {{ ref('int_all_balances') }}
    where origin = 'chain'
    union
    select component_id from {{ source('raw', 'wallet_positions') }}

),

-- a token that the owner gave another id with its chain and address is an instance of that
instances as (

    select native.chain_caip2 || '/erc20:' || declared.address as instrument_id, min(declared.instrument) as declared_as
    from {{ source('registry', 'instruments') }} as declared
    inner join (
        select chain, split_part(instrument_id, '/', 1) as chain_caip2
        from {{ source('ops', 'known_instruments') }}
        where instrument_id like 'eip155:%/slip44:%'
    ) as native on declared.chain = native.chain
    where declared.address is not null and declared.instrument not like 'eip155:%'
    group by native.chain_caip2 || '/erc20:' || declared.address

),

direct as (

    select instrument_id from named
    union
    select instrument_id from shown

),

mentioned as (

    select instrument_id from direct
    union
    select known.canonical_instrument
    from direct
    inner join {{ source('ops', 'known_instruments') }} as known on direct.instrument_id = known.instrument_id

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
        coalesce(custom.name, facts.name) as name,
        custom.asset_class as custom_class,
        coalesce(
            custom.asset_type, facts.asset_type, known.asset_type,
            case when mentioned.instrument_id ~ '/erc(721|1155):' then 'nft' end
        ) as custom_type,
        custom.quote_currency as custom_quote,
        coalesce(custom.category, facts.category, known.category) as category,
        coalesce(custom.protocol, facts.protocol, known.protocol) as protocol,
        -- the chain's own answer counts
        coalesce(facts.decimals, known.decimals, custom.decimals) as decimals,
        custom.annualization_days,
        custom.max_price_age_days,
        split_part(mentioned.instrument_id, ':', 1) as namespace,
        coalesce(custom.chain, known.chain, facts.chain, native.chain) as chain,
        coalesce(
            custom.address, known.address, facts.address,
            substring(mentioned.instrument_id from '/(?:erc20|erc721|erc1155|token|comet|vesting):([^/]+)')
        ) as address,
        coalesce(
            custom.canonical_instrument, known.canonical_instrument, instances.declared_as, mentioned.instrument_id
        ) as canonical_instrument,
        coalesce(
            known.symbol,
            case
                when mentioned.instrument_id ~ '^(eip155|bip122|solana):'
                    then coalesce(facts.symbol, custom.name, facts.protocol, mentioned.instrument_id)
                else split_part(mentioned.instrument_id, ':', 2)
            end
        ) as symbol,
        case
            when
                split_part(mentioned.instrument_id, ':', 1) not in ('eip155', 'bip122', 'solana')
                or custom.instrument is not null
                or known.instrument_id is not null
                or instances.instrument_id is not null
                or named.instrument_id is not null
                or facts.is_position
                then 'trusted'
            -- a token that calls itself an address or a call to act wants a click
            when
                concat_ws(' ', facts.symbol, facts.name)
                ~* (
                    '(https?:|www\.|\.(com|io|org|net|xyz|app|site|gg|vip|top)\M'
                    || '|\m(claim|visit|airdrop|reward|voucher)s?\M)'
                )
                then 'spam'
            else 'unknown'
        end as trust,
        coalesce(facts.is_position, false) as is_position
    from mentioned
    left join named on mentioned.instrument_id = named.instrument_id
    left join instances on mentioned.instrument_id = instances.instrument_id
    left join {{ source('registry', 'instruments') }} as custom on mentioned.instrument_id = custom.instrument
    left join {{ source('ops', 'known_instruments') }} as known on mentioned.instrument_id = known.instrument_id
    left join {{ source('raw', 'token_facts') }} as facts on mentioned.instrument_id = facts.instrument_id
    left join {{ source('ops', 'known_instruments') }} as native
        on split_part(mentioned.instrument_id, '/', 1) || '/slip44:60' = native.instrument_id
    where mentioned.instrument_id is not null and mentioned.instrument_id <> 'held'

),

classified as (

    select
        described.*,
        coalesce(
            described.custom_class,
            case
                when described.namespace in ('eip155', 'bip122', 'solana') then 'crypto' else described.namespace
            end

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
            -- a receipt is worth what it stands for
            when classified.is_position and canonical_quote.has_prices is not true then classified.instrument_id
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
            when classified.namespace in ('eip155', 'bip122', 'solana', 'crypto') then 'token'
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
    classified.trust
from priced as classified
inner join in_money on classified.instrument_id = in_money.instrument_id
