-- Which source counts first, by asset class: the owner's order before the product's own, which was reviewed by hand. Exchanges that
-- trade in dollars come before those that trade in tokens, aggregators after exchanges; central banks before traders of currencies.
with

reviewed as (

    select classes.asset_class, sources.source, sources.position
    from (
        values
        ('crypto', array['kraken', 'coinbase', 'binance', 'coingecko', 'defillama', 'chainlink', 'yahoo']),
        ('token', array['coingecko', 'defillama', 'chainlink', 'kraken', 'coinbase', 'binance']),
        ('fiat', array['ecb', 'yahoo', 'kraken', 'coinbase', 'binance']),
        ('equity', array['yahoo']),
        ('etf', array['yahoo']),
        ('bond', array['yahoo']),
        ('commodity', array['yahoo']),
        ('index', array['yahoo']),
        ('rate', array['yahoo']),
        ('custom', array['yahoo', 'kraken', 'coinbase', 'binance', 'coingecko', 'defillama', 'chainlink', 'ecb'])
    ) as classes (asset_class, ordered)
    cross join lateral unnest(classes.ordered) with ordinality as sources (source, position)

),

own as (

    select sources.source, sources.position
    from {{ source('registry', 'price_settings') }} as settings
    cross join lateral unnest(settings.sources) with ordinality as sources (source, position)

),

classes as (

    select distinct asset_class from reviewed

),

-- a source that nobody ranked comes last, in order of its name
named as (

    select source from own
    union
    select source from reviewed
    union
    select source from {{ source('raw', 'bars') }}
    union
    select source from {{ source('raw', 'source_actions') }}

)

select
    classes.asset_class,
    named.source,
    row_number() over (
        partition by classes.asset_class
        order by own.position nulls last, reviewed.position nulls last, named.source
    ) as priority
from classes
cross join named
left join own on named.source = own.source
left join reviewed on classes.asset_class = reviewed.asset_class and named.source = reviewed.source
