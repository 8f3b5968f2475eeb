-- Every day of the portfolios in scope: the published ones that stand, and those that this run computed.
{{ config(materialized='view') }}
select
    portfolio_id, user_id, valuation_date, value_base, inflow_base, outflow_base,
    twr_return, twr_index, drawdown, income_base, fees_base, taxes_base,
    trade_fees_base, trade_taxes_base, realized_pnl_base, unrealized_change_base,
    currency_effect_base, residual_base, unrealized_pnl_base, coverage_ratio, is_complete,
    incomplete_reason, twr_flag, usd_rate, is_market_day, trades_daily, risk_free_rate,
    flow_basis, positions_held, instruments_held, chains_held, unrealized_price_base,
    twr_peak
from {{ ref('int_published_days') }}
union all
select
    portfolio_id, user_id, valuation_date, value_base, inflow_base, outflow_base,
    twr_return, twr_index, drawdown, income_base, fees_base, taxes_base,
    trade_fees_base, trade_taxes_base, realized_pnl_base, unrealized_change_base,
    currency_effect_base, residual_base, unrealized_pnl_base, coverage_ratio, is_complete,
    incomplete_reason, twr_flag, usd_rate, is_market_day, trades_daily, risk_free_rate,
    flow_basis, positions_held, instruments_held, chains_held, unrealized_price_base,
    twr_peak
from {{ ref('portfolio_daily') }}
