{{ config(materialized='table', unlogged=true) }}
-- Transactions that count: current batches only; of one transaction in several files the newer batch wins.
-- A table: eight queries of a run read it, and each would rank every transaction again.
with

source as (

    select * from {{ source('raw', 'transactions') }}

),

current_files as (

    select * from {{ source('ops', 'input_files') }}

),

ranked as (

    select
        source.*,
        current_files.path,
        row_number() over (
            partition by source.transaction_id
            order by source.batch_id desc, source.line asc
        ) as recency
    from source
    inner join current_files on source.batch_id = current_files.batch_id

)

select
    transaction_id,
    portfolio_id,
    account_id,
    executed_at,
    is_date_only,
    (executed_at at time zone 'UTC')::date as executed_date,
    type,
    instrument_id,
    quantity,
    price,
    amount,
    currency,
    fx_rate,
    cash_account,
    fee,
    fee_currency,
    tax,
    group_id,
    external_id,
    note,
    batch_id,
    line,
    path
from ranked
where recency = 1
