-- Every observed balance beside what was derived for its moment, and what became of the difference.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.account_id,
    handed.instrument_id,
    handed.observed_at,
    handed.is_date_only,
    handed.observed_date,
    handed.observed_quantity,
    handed.derived_quantity,
    handed.difference,
    handed.tolerance,
    handed.difference_base,
    handed.status,
    handed.observed_as,
    handed.flow_id,
    row_number() over (
        partition by handed.portfolio_id, handed.account_id, handed.instrument_id
        -- a bare date is compared at the close of its day; where balances are all there is, it comes before its time stamps
        order by
            handed.observed_date desc,
            handed.is_date_only = (handed.status in ('matched', 'mismatch')) desc,
            handed.observed_at desc
    ) = 1 as is_latest
from {{ source('ledger', 'ledger_reconciliation') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id and scope.runs_ledger
