-- Every day of the portfolios in scope: the published ones that stand, and those that this run computed.
{{ config(materialized='view') }}
select * from {{ ref('int_published_days') }}
union all
select * from {{ ref('portfolio_daily') }}
