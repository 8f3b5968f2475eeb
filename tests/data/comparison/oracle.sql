-- The definition of marts.portfolio_comparison in SQL, slow and plain: the oracle of tests/integration/test_comparison.py.
with

days as (

    select portfolio_id, user_id, valuation_date, twr_return, is_market_day, trades_daily, risk_free_rate
    from intermediate.int_all_days

),

portfolios as (

    select
        int_portfolios.*,
        count(*) over (partition by int_portfolios.user_id) as portfolios_of_user
    from intermediate.int_portfolios as int_portfolios
    inner join ops.run_scope as scope on int_portfolios.portfolio_id = scope.portfolio_id

),

-- what was held at the close before, equally weighted each day: never today's holdings cast back
equal_weight as (

    select
        portfolios.portfolio_id,
        averages.valuation_date,
        averages.daily_return
    from portfolios
    -- portfolio by portfolio: a join of all positions with all returns would pair every day with every interval
    cross join lateral (
        select
            returns.valuation_date,
            avg(returns.daily_return) as daily_return
        from intermediate.int_instrument_returns as returns
        where
            returns.base_currency = portfolios.base_currency
            and returns.daily_return is not null
            -- each instrument once, however many accounts hold it
            and exists (
                select 1 from intermediate.ledger_positions as held
                where
                    held.portfolio_id = portfolios.portfolio_id and held.instrument_id = returns.instrument_id
                    and held.quantity > 0 and returns.valuation_date > held.valid_from
                    and returns.valuation_date <= coalesce(held.valid_to, 'infinity')
            )
        group by returns.valuation_date
    ) as averages

),

others as (

    select
        portfolios.portfolio_id,
        portfolios.benchmark as other_id,
        'benchmark' as other_kind,
        case
            when portfolios.benchmark in (
                select instrument_id from staging.stg_corporate_actions where kind = 'dividend'
            ) then 'total_return'
            else 'price_return'
        end as other_basis,
        returns.valuation_date,
        returns.daily_return
    from portfolios
    inner join intermediate.int_instrument_returns as returns
        on portfolios.benchmark = returns.instrument_id and portfolios.base_currency = returns.base_currency
    union all
    select
        portfolio_id,
        'equal_weight' as other_id,
        'equal_weight' as other_kind,
        'instruments' as other_basis,
        valuation_date,
        daily_return
    from equal_weight
    union all
    select
        mine.portfolio_id,
        theirs.portfolio_id as other_id,
        'portfolio' as other_kind,
        'own_base_currency' as other_basis,
        days.valuation_date,
        days.twr_return as daily_return
    from portfolios as mine
    inner join portfolios as theirs on mine.user_id = theirs.user_id and mine.portfolio_id <> theirs.portfolio_id
    inner join days on theirs.portfolio_id = days.portfolio_id
    -- one person's portfolios side by side; a user with hundreds of them is an aggregator, not a comparison
    where mine.portfolios_of_user <= 20

),

periods as (

    select
        period_type,
        period_start
    from (
        values
        ('30d', (select r.as_of_date from ops.current_run as c inner join ops.runs as r on c.run_id = r.run_id) - 29),
        ('90d', (select r.as_of_date from ops.current_run as c inner join ops.runs as r on c.run_id = r.run_id) - 89),
        ('1y', (select r.as_of_date from ops.current_run as c inner join ops.runs as r on c.run_id = r.run_id) - 364),
        ('ytd', date_trunc('year', (select r.as_of_date from ops.current_run as c inner join ops.runs as r on c.run_id = r.run_id))::date),
        ('all', '0001-01-01'::date)
    ) as listed (period_type, period_start)

),

paired as (

    select
        days.portfolio_id,
        days.user_id,
        others.other_id,
        others.other_kind,
        others.other_basis,
        periods.period_type,
        days.valuation_date,
        days.twr_return,
        others.daily_return,
        days.is_market_day,
        coalesce(days.risk_free_rate, 0) as risk_free_rate,
        bool_or(days.trades_daily) over (
            partition by days.portfolio_id, others.other_id, periods.period_type
        ) as trades_daily
    from days
    inner join others on days.portfolio_id = others.portfolio_id and days.valuation_date = others.valuation_date
    inner join periods on days.valuation_date >= periods.period_start
    where days.twr_return is not null and others.daily_return is not null

),

measured as (

    select
        portfolio_id,
        user_id,
        other_id,
        other_kind,
        other_basis,
        period_type,
        min(valuation_date) as period_start,
        max(valuation_date) as period_end,
        case when trades_daily then 365 else 252 end as annualization_days,
        ops.product(1 + twr_return) - ops.product(1 + daily_return) as return_difference,
        count(*) filter (where trades_daily or is_market_day) as observations,
        avg(twr_return - daily_return) filter (where trades_daily or is_market_day) as mean_difference,
        stddev_samp(twr_return - daily_return) filter (where trades_daily or is_market_day) as deviation_difference,
        stddev_samp(daily_return) filter (where trades_daily or is_market_day) as deviation_other,
        stddev_samp(twr_return) filter (where trades_daily or is_market_day) as deviation_own,
        regr_slope(twr_return, daily_return) filter (where trades_daily or is_market_day) as slope,
        corr(twr_return, daily_return) filter (where trades_daily or is_market_day) as correlation,
        avg(twr_return) filter (where trades_daily or is_market_day) as mean_own,
        avg(daily_return) filter (where trades_daily or is_market_day) as mean_other,
        avg(risk_free_rate) as risk_free_rate
    from paired
    group by portfolio_id, user_id, other_id, other_kind, other_basis, period_type, trades_daily

)

select
    portfolio_id,
    user_id,
    other_id,
    other_kind,
    other_basis,
    period_type,
    period_start,
    period_end,
    round((return_difference)::numeric, 9)::double precision as return_difference,
    case
        when observations >= 2 then round((deviation_difference * sqrt(annualization_days))::numeric, 9)::double precision
    end as tracking_error,
    case when observations >= 20 and deviation_other > 1e-12 then round((slope)::numeric, 9)::double precision end as beta,
    case
        when observations >= 20 and deviation_other > 1e-12
            then round(((mean_own - risk_free_rate / annualization_days - slope * (mean_other - risk_free_rate / annualization_days)) * annualization_days)::numeric, 9)::double precision
    end as alpha,
    case
        when observations >= 20 and deviation_other > 1e-12 and deviation_own > 1e-12
            then round((correlation)::numeric, 9)::double precision
    end as correlation,
    case
        when observations >= 20 and deviation_difference > 1e-12
            then round((mean_difference / deviation_difference * sqrt(annualization_days))::numeric, 9)::double precision
    end as information_ratio,
    observations::integer as observations,
    nullif(concat_ws(
        ';',
        case when observations < 20 then 'beta:fewer_than_20_days' end,
        case when observations >= 20 and deviation_other <= 1e-12 then 'beta:zero_deviation' end,
        case when observations >= 20 and deviation_difference <= 1e-12 then 'information_ratio:zero_deviation' end
    ), '') as undefined_reason
from measured
