-- The published days of the portfolios in scope that this run does not compute again.
{{ config(materialized='view') }}
select
    days.portfolio_id, days.user_id, days.valuation_date, days.value_base, days.inflow_base, days.outflow_base,
    days.twr_return, days.twr_index, days.drawdown, days.income_base, days.fees_base, days.taxes_base,
    days.trade_fees_base, days.trade_taxes_base, days.realized_pnl_base, days.unrealized_change_base,
    days.currency_effect_base, days.residual_base, days.unrealized_pnl_base, days.coverage_ratio, days.is_complete,
    days.incomplete_reason, days.twr_flag, days.usd_rate, days.is_market_day, days.trades_daily, days.risk_free_rate,
    days.flow_basis, days.positions_held, days.instruments_held, days.chains_held, days.unrealized_price_base,
    days.twr_peak
from history.portfolio_daily as days
inner join {{ source('ops', 'run_scope') }} as scope
    on days.portfolio_id = scope.portfolio_id and days.valuation_date < scope.from_date
where days.published_to is null
