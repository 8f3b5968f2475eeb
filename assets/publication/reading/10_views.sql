-- Marts that are computed when read: published quantities times published prices, never rows of their own.

create or replace view marts.holdings_daily as
select
    positions.portfolio_id,
    positions.user_id,
    positions.account_id,
    positions.instrument_id,
    days.day::date as valuation_date,
    positions.quantity,
    (prices.price * rates.rate)::numeric as price_base,
    (positions.quantity * prices.price * rates.rate)::numeric as value_base,
    positions.cost_base,
    days.day::date - prices.valid_from as price_age_days,
    prices.source as price_source,
    prices.batch_id as price_batch_id,
    prices.line as price_line
from marts.positions as positions
inner join marts.portfolios as portfolios on positions.portfolio_id = portfolios.portfolio_id
inner join marts.instruments as instruments on positions.instrument_id = instruments.instrument_id
cross join lateral generate_series(
    positions.valid_from,
    coalesce(positions.valid_to - 1, (portfolios.values_as_of at time zone 'UTC')::date),
    interval '1 day'
) as days (day)
-- a price counts until the next one, so the newest that begins by the day is the only one that can: one row of the index
left join lateral (
    select
        listed.price,
        listed.currency,
        listed.valid_from,
        listed.source,
        listed.batch_id,
        listed.line
    from (
        select
            1 as price, positions.instrument_id as currency, days.day::date as valid_from, null::date as valid_to,
            'unit' as source, null::bigint as batch_id, null::integer as line, 1 as place
        where instruments.asset_class = 'fiat'
        union all
        (
            select
                own.price, own.currency, own.valid_from, own.valid_to, own.source, own.batch_id, own.line, 2 as place
            from marts.prices as own
            where own.instrument_id = positions.instrument_id and own.valid_from <= days.day::date
            order by own.valid_from desc
            limit 1
        )
        union all
        (
            select
                linked.price, linked.currency, linked.valid_from, linked.valid_to, linked.source, linked.batch_id,
                linked.line, 3 as place
            from marts.prices as linked
            where
                linked.instrument_id = instruments.canonical_instrument
                and instruments.canonical_instrument <> positions.instrument_id
                and linked.valid_from <= days.day::date
            order by linked.valid_from desc
            limit 1
        )
    ) as listed
    where listed.valid_to is null or listed.valid_to > days.day::date
    order by listed.place
    limit 1
) as prices on true
left join lateral (
    select 1::numeric as rate
    where prices.currency = 'fiat:' || portfolios.base_currency
    union all
    select newest.rate
    from (
        select published.rate, published.valid_to
        from marts.exchange_rates as published
        where
            prices.currency <> 'fiat:' || portfolios.base_currency
            and published.currency = prices.currency
            and published.quote = 'fiat:' || portfolios.base_currency
            and published.valid_from <= days.day::date
        order by published.valid_from desc
        limit 1
    ) as newest
    where newest.valid_to is null or newest.valid_to > days.day::date
) as rates on true;
comment on view marts.holdings_daily is
'Holdings of every day at that day''s last known price. Key: portfolio_id, account_id, instrument_id, valuation_date.';
comment on column marts.holdings_daily.portfolio_id is 'Portfolio, as in portfolios.yaml.';
comment on column marts.holdings_daily.user_id is 'Owner of the portfolio.';
comment on column marts.holdings_daily.account_id is 'Account within the portfolio.';
comment on column marts.holdings_daily.instrument_id is 'Instrument held.';
comment on column marts.holdings_daily.valuation_date is 'UTC day; values are at its close.';
comment on column marts.holdings_daily.quantity is 'Units held at the close.';
comment on column marts.holdings_daily.price_base is 'Last accepted price at or before the close, in base currency; NULL: never priced, or no exchange rate.';
comment on column marts.holdings_daily.value_base is 'quantity x price_base; NULL as price_base.';
comment on column marts.holdings_daily.cost_base is 'Cost of the open lots in base currency; NULL: unknown.';
comment on column marts.holdings_daily.price_age_days is 'Days since the price was observed.';
comment on column marts.holdings_daily.price_source is 'Who gave the price (unit: a currency is its own price).';
comment on column marts.holdings_daily.price_batch_id is 'Raw batch of the price.';
comment on column marts.holdings_daily.price_line is 'Line of the price within its batch.';

-- portfolio by portfolio: each one's groups fit into memory, and who asks for the first rows has them at once
create or replace view marts.snapshot_breakdowns as
select
    portfolios.portfolio_id,
    portfolios.user_id,
    parts.snapshot_date,
    parts.dimension,
    parts.bucket,
    parts.value_usd,
    parts.weight
from marts.portfolios as portfolios
cross join lateral (
    select
        valued.snapshot_date,
        valued.dimension,
        valued.bucket,
        valued.value_usd,
        (valued.value_base / sum(valued.positive_value_base) over (
            partition by valued.snapshot_date, valued.dimension
        ))::double precision as weight
    from (
        select
            holdings.valuation_date as snapshot_date,
            buckets.dimension,
            buckets.bucket,
            sum(holdings.value_base * days.usd_rate) as value_usd,
            sum(holdings.value_base) as value_base,
            -- what is owed lessens no whole, as in portfolio_allocation: each dimension would have another one
            sum(holdings.value_base) filter (where holdings.value_base > 0) as positive_value_base
        from marts.holdings_daily as holdings
        inner join marts.portfolio_daily as days
            on holdings.portfolio_id = days.portfolio_id and holdings.valuation_date = days.valuation_date
        inner join marts.instruments as instruments on holdings.instrument_id = instruments.instrument_id
        cross join lateral (
            values
            ('asset', holdings.instrument_id),
            ('chain', coalesce(instruments.chain, 'off_chain')),
            ('category', coalesce(instruments.category, 'uncategorised')),
            ('protocol', coalesce(instruments.protocol, 'none')),
            ('asset_type', instruments.asset_type)
        ) as buckets (dimension, bucket)
        where holdings.portfolio_id = portfolios.portfolio_id and holdings.value_base is not null
        group by holdings.valuation_date, buckets.dimension, buckets.bucket
    ) as valued
) as parts;
comment on view marts.snapshot_breakdowns is
'Value of each day by asset, chain, category, protocol and asset type. Key: portfolio_id, snapshot_date, dimension, bucket. It is computed when read, portfolio by portfolio: ask for some portfolios or for one day.';
comment on column marts.snapshot_breakdowns.portfolio_id is 'Portfolio, as in portfolios.yaml.';
comment on column marts.snapshot_breakdowns.user_id is 'Owner of the portfolio.';
comment on column marts.snapshot_breakdowns.snapshot_date is 'UTC day; values are at its close.';
comment on column marts.snapshot_breakdowns.dimension is 'asset, chain, category, protocol or asset_type.';
comment on column marts.snapshot_breakdowns.bucket is 'Value of the dimension; off_chain, uncategorised and none where there is none.';
comment on column marts.snapshot_breakdowns.value_usd is 'Value in USD at that day''s rate; NULL: no rate.';
comment on column marts.snapshot_breakdowns.weight is 'Share of the positive value of the portfolio (0.5 = 50 %); NULL: no value.';

create or replace view marts.publications as
select
    publication_id,
    as_of,
    published_at,
    (published_at at time zone 'UTC')::date as published_date,
    run_id,
    checks_passed,
    checks_warned,
    portfolios,
    held_portfolios,
    changed_rows,
    table_rows
from ops.publications;
comment on view marts.publications is 'Every publication, newest last. Key: publication_id.';
comment on column marts.publications.publication_id is 'Number of the publication, rising.';
comment on column marts.publications.as_of is 'Moment that the numbers describe.';
comment on column marts.publications.published_at is 'When readers began to see it.';
comment on column marts.publications.published_date is 'UTC day of published_at.';
comment on column marts.publications.run_id is 'Run that made it.';
comment on column marts.publications.checks_passed is 'Checks that passed.';
comment on column marts.publications.checks_warned is 'Checks that did not pass and do not hold the run.';
comment on column marts.publications.portfolios is 'Portfolios published.';
comment on column marts.publications.held_portfolios is 'Portfolios held back; their last rows stand.';
comment on column marts.publications.changed_rows is 'Rows that differ from the publication before.';
comment on column marts.publications.table_rows is 'Current rows by mart, as JSON text.';
