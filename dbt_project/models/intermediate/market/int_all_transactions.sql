{{ config(materialized='table', indexes=[{'columns': ['portfolio_id']}]) }}
-- Every transaction that counts at the as-of, splits of corporate actions included, in the order in which the ledger takes them.
with

own as (

    select
        transaction_id, portfolio_id, account_id, executed_at, is_date_only, executed_date, type, instrument_id,
        quantity, price, amount, currency, fx_rate, cash_account, fee, fee_currency, tax, group_id, external_id,
        note, batch_id, line, path
    from {{ ref('stg_transactions') }}
    where executed_at <= {{ run_cutoff_at() }}

),

actions as (

    select
        instrument_id, ex_date, kind, ratio, amount, currency, pay_date, batch_id, line,
        lead(ex_date) over (partition by instrument_id, kind order by ex_date) as next_ex_date
    from {{ ref('stg_corporate_actions') }}

),

-- a corporate action reaches each account that ever traded the instrument, unless the owner booked it within 10 days, a dividend
-- also on its pay date, weeks later; the ledger knows what the account held at the ex-date, and pays on the pay date if it is known
corporate_actions as (

    select
        concat_ws(
            '-', steps.prefix, accounts.portfolio_id, accounts.account_id, actions.instrument_id, actions.ex_date
        ) as transaction_id,
        accounts.portfolio_id,
        accounts.account_id,
        steps.step_date::timestamp at time zone 'UTC' as executed_at,
        steps.step_date as executed_date,
        steps.type,
        actions.instrument_id,
        case when actions.kind = 'split' then actions.ratio else actions.amount end as quantity,
        actions.currency,
        case
            when actions.pay_date > actions.ex_date then concat_ws('-', actions.instrument_id, actions.ex_date)
        end as group_id,
        actions.batch_id,
        actions.line
    from actions
    inner join (
        select distinct portfolio_id, account_id, instrument_id from own
    ) as accounts on actions.instrument_id = accounts.instrument_id
    cross join
        lateral (
            values
            ('split', 'SPLIT', case when actions.kind = 'split' then actions.ex_date end),
            (
                'entitlement', 'DIVIDEND_ENTITLEMENT',
                case when actions.kind = 'dividend' and actions.pay_date > actions.ex_date then actions.ex_date end
            ),
            (
                'dividend', 'DIVIDEND_PER_UNIT',
                case when actions.kind = 'dividend' then greatest(actions.ex_date, actions.pay_date) end
            )
        ) as steps (prefix, type, step_date)
    where
        steps.step_date::timestamp at time zone 'UTC' <= {{ run_cutoff_at() }}
        and not exists (
            select 1 from own
            where
                own.type = case when actions.kind = 'split' then 'SPLIT' else 'DIVIDEND' end
                and own.portfolio_id = accounts.portfolio_id
                and own.account_id = accounts.account_id
                and own.instrument_id = actions.instrument_id
                and own.executed_date >= actions.ex_date - 10
                and own.executed_date <= case
                    when actions.kind = 'split' then actions.ex_date + 10
                    else greatest(
                        actions.ex_date + 10, least(actions.ex_date + 90, actions.next_ex_date - 11)
                    )
                end
        )

),

unioned as (

    select *, 1 as origin from own
    union all
    select
        transaction_id, portfolio_id, account_id, executed_at, true as is_date_only, executed_date, type, instrument_id,
        quantity, null as price, null as amount, currency, null as fx_rate, null as cash_account,
        null as fee, null as fee_currency, null as tax, group_id, null as external_id,
        'corporate action' as note, batch_id, line, '' as path, 0 as origin
    from corporate_actions

)

select
    -- bare dates come first and keep file order; at one equal time stamp, in before out
    row_number() over (
        order by
            executed_at,
            not is_date_only,
            case
                when is_date_only then 1
                when type in ('SPLIT') then 0
                when type in ('BUY', 'SWAP_IN') then 2
                when type in ('SELL', 'SWAP_OUT', 'WITHDRAWAL', 'TRANSFER_OUT', 'FEE', 'TAX', 'INTEREST_CHARGE') then 3
                else 1
            end,
            origin, path, line, transaction_id
    ) as sequence,
    transaction_id, portfolio_id, account_id, executed_at, is_date_only, executed_date, type, instrument_id,
    quantity, price, amount, currency, fx_rate, cash_account, fee, fee_currency, tax, group_id, external_id,
    note, batch_id, line
from unioned
