-- Exchange rates for every day, last known at the close: direct where observed, else one cross through USD, EUR or a base currency.
{{ config(indexes=[{'columns': ['currency', 'quote', 'fx_date'], 'unique': true}]) }}
with

daily as (

    select distinct on (currency, quote, rate_date)
        currency, quote, rate_date, rated_at, rate, batch_id, line
    from {{ ref('int_fx_points') }}
    order by currency asc, quote asc, rate_date asc, rated_at desc

),

intervals as (

    select
        daily.*,
        coalesce(
            lead(rate_date) over (partition by currency, quote order by rate_date),
            {{ run_as_of_date() }} + 1
        ) as next_date
    from daily

),

direct as (

    select
        intervals.currency, intervals.quote, days.day::date as fx_date, intervals.rate, intervals.rated_at,
        intervals.batch_id, intervals.line
    from intervals
    cross join
        lateral
        generate_series(intervals.rate_date, intervals.next_date - 1, interval '1 day') as days (day)

),

reported as (

    select base_currency as quote from {{ ref('int_portfolios') }}
    union
    select 'fiat:USD' as quote

),

hubs as (

    {{ fx_hubs() }}

),

-- only into currencies that somebody reports in
crossed as (

    select distinct on (first_leg.currency, second_leg.quote, first_leg.fx_date)
        first_leg.currency,
        second_leg.quote,
        first_leg.fx_date,
        first_leg.rate * second_leg.rate as rate,
        least(first_leg.rated_at, second_leg.rated_at) as rated_at,
        first_leg.batch_id,
        first_leg.line
    from direct as first_leg
    inner join hubs on first_leg.quote = hubs.hub
    inner join direct as second_leg
        on first_leg.quote = second_leg.currency and first_leg.fx_date = second_leg.fx_date
    where
        first_leg.currency <> second_leg.quote
        and second_leg.quote in (select reported.quote from reported)
    order by first_leg.currency, second_leg.quote, first_leg.fx_date, hubs.preference, hubs.hub

),

unioned as (

    select currency, quote, fx_date, rate, rated_at, batch_id, line, 1 as preference from direct
    union all
    select currency, quote, fx_date, rate, rated_at, batch_id, line, 2 as preference from crossed

)

select distinct on (currency, quote, fx_date)
    currency, quote, fx_date, rate, rated_at,
    fx_date - (rated_at at time zone 'UTC')::date as age_days,
    batch_id, line
from unioned
order by currency, quote, fx_date, preference
