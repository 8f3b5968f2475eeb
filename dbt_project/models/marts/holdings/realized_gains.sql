-- Disposals by the lot that each one used.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.account_id,
    handed.instrument_id,
    handed.disposal_id,
    handed.lot_id,
    handed.disposed_at,
    handed.disposal_date,
    handed.acquired_at,
    handed.quantity,
    handed.proceeds_base,
    handed.cost_base,
    handed.fee_base,
    handed.gain_base,
    handed.gain_currency_base,
    handed.holding_days,
    -- A year is a calendar year: it begins the day after the acquisition and must be over before the day of disposal.
    -- Days would misjudge leap years. The later of two dates, as both ends of a February clamp: bought on 28 February
    -- 2023, the year of 1 March ends on 29 February 2024; bought on the 28th of a leap year, it ends on the 28th.
    case
        when handed.holding_days is null then 'unknown'
        when handed.lot_id like 'short-%' then 'short'
        when
            handed.disposal_date >= greatest(
                ((handed.acquired_at at time zone 'UTC')::date + interval '1 year')::date + 1,
                ((handed.acquired_at at time zone 'UTC')::date + 1 + interval '1 year')::date
            )
            then 'long'
        else 'short'
    end as holding_period,
    handed.method,
    handed.is_missing_acquisition,
    handed.source_transaction
from {{ source('ledger', 'ledger_disposals') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id and scope.runs_ledger
