-- marts.performance_between: the columns of portfolio_performance for any range, from marts.portfolio_daily alone.
-- The standard periods are computed by assets/performance (Python) with the same definitions, reason codes and order of
-- codes; tests/integration/test_performance_between.py compares the two on every column. Change both or neither.

do $$
begin
    if to_regtype('ops.performance_range') is null then
        create type ops.performance_range as (
            portfolio_id text,
            user_id text,
            period_type text,
            period_start date,
            period_end date,
            start_value_base ops.amount,
            end_value_base ops.amount,
            start_value_usd ops.amount,
            end_value_usd ops.amount,
            absolute_gain_base ops.amount,
            absolute_gain_usd ops.amount,
            percentage_gain ops.ratio,
            twr ops.ratio,
            twr_annualized ops.ratio,
            mwr ops.ratio,
            simple_return ops.ratio,
            realized_pnl_base ops.amount,
            realized_pnl_usd ops.amount,
            unrealized_pnl_base ops.amount,
            unrealized_pnl_usd ops.amount,
            income_base ops.amount,
            income_usd ops.amount,
            fees_base ops.amount,
            fees_usd ops.amount,
            taxes_base ops.amount,
            taxes_usd ops.amount,
            currency_effect_base ops.amount,
            currency_effect_usd ops.amount,
            net_flows_base ops.amount,
            net_flows_usd ops.amount,
            mwr_flag text,
            flow_basis text,
            volatility ops.ratio,
            sharpe_ratio ops.ratio,
            sortino_ratio ops.ratio,
            calmar_ratio ops.ratio,
            max_drawdown ops.ratio,
            drawdown_days integer,
            annualization_days integer,
            risk_free_rate ops.ratio,
            undefined_reason text,
            calculated_at timestamptz,
            modified_dietz ops.ratio
        );
    end if;
    -- a newer column is added to the type: the function, the grants on it and the views over it live on
    if not exists (
        select 1 from pg_attribute
        where attrelid = to_regclass('ops.performance_range') and attname = 'modified_dietz' and not attisdropped
    ) then
        alter type ops.performance_range add attribute modified_dietz ops.ratio;
    end if;
end
$$;

-- XIRR of one portfolio. Flows are netted per day, sorted by day, none zero; positions run from 0 (first flow) to 1
-- (last flow); u is the growth over the whole span. The method is that of assets/performance/xirr.py.

-- h(u) = ln(discounted receipts) - ln(discounted payments), and its slope; |u| <= 600 keeps exp() in range
create or replace function ops.xirr_log_ratio(
    growth double precision,
    positions double precision [],
    amounts double precision [],
    out value double precision,
    out slope double precision
) language sql immutable strict parallel safe as $$
    select
        ln(sums.received) - ln(sums.paid),
        sums.paid_moment / sums.paid - sums.received_moment / sums.received
    from (
        select
            sum(discounted) filter (where discounted > 0) as received,
            -sum(discounted) filter (where discounted < 0) as paid,
            sum(discounted * position) filter (where discounted > 0) as received_moment,
            -sum(discounted * position) filter (where discounted < 0) as paid_moment
        from (
            select flow.amount * exp(-growth * flow.position) as discounted, flow.position
            from unnest(positions, amounts) as flow (position, amount)
        ) as flows
    ) as sums
$$;

-- the root in a bracket that holds a sign change: Newton steps that stay inside and halve |h|, else bisection
create or replace function ops.xirr_bracketed_root(
    positions double precision [], amounts double precision [], low double precision, high double precision
) returns double precision language plpgsql immutable strict parallel safe as $$
declare
    sign_low double precision := sign((ops.xirr_log_ratio(low, positions, amounts)).value);
    growth double precision := case when low < 0 and high > 0 then 0 else (low + high) / 2 end;
    previous double precision;
    following double precision;
    step double precision;
    found record;
    is_fast boolean;
begin
    for round in 1..120 loop
        found := ops.xirr_log_ratio(growth, positions, amounts);
        if sign(found.value) = sign_low then
            low := growth;
        else
            high := growth;
        end if;
        step := case when found.slope <> 0 then found.value / found.slope end;
        is_fast := previous is null or abs(found.value) <= 0.5 * previous;
        following := case
            when step is not null and is_fast and growth - step > low and growth - step < high then growth - step
            else (low + high) / 2
        end;
        exit when abs(found.value) <= 1e-15
            or (step is not null and abs(step) <= 1e-14 * greatest(1, abs(growth)))
            or following = growth
            or high - low <= 1e-14 * abs(growth);
        growth := following;
        previous := case when is_fast then abs(found.value) end;
    end loop;
    return growth;
end
$$;

-- the discounted running balance keeps one sign before the last flow: then the root is the only one (Soper 1959)
create or replace function ops.xirr_is_pure(
    growth double precision, positions double precision [], amounts double precision []
) returns boolean language sql immutable strict parallel safe as $$
    select bool_and(balance <= noise) or bool_and(balance >= -noise)
    from (
        select
            sum(discounted) over from_small_end as balance,
            1e-14 * sum(abs(discounted)) over from_small_end as noise,
            row_number() over from_small_end as rank,
            count(*) over () as flows
        from (
            select
                flow.amount * exp(-growth * flow.position) as discounted,
                -- at a high rate the late terms are tiny and would drown in the sum of the early ones
                case when growth > 0 then -flow.number else flow.number end as reading_order
            from unnest(positions, amounts) with ordinality as flow (position, amount, number)
        ) as terms
        window from_small_end as (order by reading_order rows between unbounded preceding and current row)
    ) as balances
    where rank < flows
$$;

-- all roots: sign changes on a grid that is fine around 0, and its local minima
create or replace function ops.xirr_all_roots(positions double precision [], amounts double precision [])
returns double precision [] language plpgsql immutable strict parallel safe as $$
declare
    golden constant double precision := (sqrt(5::double precision) - 1) / 2;
    grid double precision [];
    heights double precision [];
    roots double precision [] := '{}';
    is_found boolean;
    side double precision;
    low double precision;
    high double precision;
    inner_low double precision;
    inner_high double precision;
    height_low double precision;
    height_high double precision;
    crossing double precision;
begin
    select
        array_agg(points.point order by points.point),
        array_agg((ops.xirr_log_ratio(points.point, positions, amounts)).value order by points.point)
    into grid, heights
    from (
        select sinh(asinh(600::double precision) * step / 200) as point from generate_series(-200, 200) as step
    ) as points;
    for k in 1..401 loop
        if heights[k] = 0 then
            roots := roots || grid[k];
        end if;
        continue when k = 401;
        if sign(heights[k]) * sign(heights[k + 1]) < 0 then
            roots := roots || ops.xirr_bracketed_root(positions, amounts, grid[k], grid[k + 1]);
        end if;
        continue when k = 1;
        side := sign(heights[k]);
        continue when side = 0 or side <> sign(heights[k - 1]) or side <> sign(heights[k + 1])
            or abs(heights[k]) > abs(heights[k - 1]) or abs(heights[k]) > abs(heights[k + 1]);
        -- a local minimum of |h|: two roots when it crosses zero between grid points, one when it touches
        low := grid[k - 1];
        high := grid[k + 1];
        is_found := false;
        for round in 1..60 loop
            inner_low := high - golden * (high - low);
            inner_high := low + golden * (high - low);
            height_low := side * (ops.xirr_log_ratio(inner_low, positions, amounts)).value;
            height_high := side * (ops.xirr_log_ratio(inner_high, positions, amounts)).value;
            if height_low < 0 or height_high < 0 then
                crossing := case when height_low <= height_high then inner_low else inner_high end;
                roots := roots || array[
                    ops.xirr_bracketed_root(positions, amounts, grid[k - 1], crossing),
                    ops.xirr_bracketed_root(positions, amounts, crossing, grid[k + 1])
                ];
                is_found := true;
                exit;
            elsif height_low < height_high then
                high := inner_high;
            else
                low := inner_low;
            end if;
        end loop;
        if not is_found and abs((ops.xirr_log_ratio((low + high) / 2, positions, amounts)).value) <= 1e-12 then
            roots := roots || (low + high) / 2;
        end if;
    end loop;
    return array(select root from unnest(roots) as root order by root);
end
$$;

-- growth over the span -> rate per year; above -1 and below what a float holds (null: too large)
create or replace function ops.xirr_rate(growth double precision, scale double precision)
returns double precision language sql immutable strict parallel safe as $$
    select case
        when growth * scale > 700 then null
        when growth * scale < -36 then -1 + 2::double precision ^ (-53)
        else greatest(exp(growth * scale) - 1, -1 + 2::double precision ^ (-53))
    end
$$;

-- days ascending, amounts from the owner's side: paid in < 0, received > 0; several flows of one day are netted
create or replace function ops.xirr(
    days integer [],
    amounts double precision [],
    out rate double precision,
    out flag text,
    out reason text
) language plpgsql immutable parallel safe as $$
declare
    net double precision [];
    positions double precision [];
    roots double precision [];
    growth double precision;
    scale double precision;
    capital double precision;
    wealth double precision;
    reference double precision;
begin
    reason := 'no_sign_change';
    select
        array_agg(flow.amount order by flow.day),
        array_agg(
            (flow.day - flow.first_day)::double precision / greatest(flow.last_day - flow.first_day, 1)
            order by flow.day
        ),
        365 / greatest(max(flow.last_day - flow.first_day), 1)::double precision
    into net, positions, scale
    from (
        select kept.day, kept.amount, min(kept.day) over () as first_day, max(kept.day) over () as last_day
        from (
            select given.day, sum(given.amount) as amount, max(abs(sum(given.amount))) over () as largest
            from unnest(days, amounts) as given (day, amount)
            group by given.day
        ) as kept
        -- what rounding left of 0.1 + 0.2 - 0.3 is no flow
        where abs(kept.amount) > 1e-12 * kept.largest
    ) as flow;
    if not coalesce((select min(amount) < 0 and max(amount) > 0 from unnest(net) as amount), false) then
        return;
    end if;
    if (ops.xirr_log_ratio(-600, positions, net)).value * (ops.xirr_log_ratio(600, positions, net)).value < 0 then
        growth := ops.xirr_bracketed_root(positions, net, -600, 600);
        if not ops.xirr_is_pure(growth, positions, net) then
            growth := null;
        end if;
    end if;
    if growth is null then
        roots := array(
            select root from unnest(ops.xirr_all_roots(positions, net)) as root where root * scale <= 700 order by root
        );
        select -sum(flow.amount * (1 - flow.position)) into capital
        from unnest(positions, net) as flow (position, amount);
        wealth := case when capital > 0 then 1 + (select sum(amount) from unnest(net) as amount) / capital end;
        -- of several roots the one nearest the annualised Modified Dietz rate; nearest 0 where that has no capital
        reference := case
            when wealth is null then 0
            when wealth <= 0 then -1
            else ops.xirr_rate(least(ln(greatest(wealth, 1e-300)), 700 / scale), scale)
        end;
        select root into growth
        from unnest(roots) as root order by abs(ops.xirr_rate(root, scale) - reference), root limit 1;
        if cardinality(roots) > 1 then
            flag := 'several_roots';
        end if;
    end if;
    rate := ops.xirr_rate(growth, scale);
    reason := case when rate is null then 'no_root' end;
end
$$;

create or replace function marts.performance_between(portfolio_id text, start_date date, end_date date)
returns setof ops.performance_range
language plpgsql stable security definer set search_path = pg_catalog, pg_temp rows 1 as $$
#variable_conflict use_column
declare
    result ops.performance_range;
    history record;
    base record;
    s record;
    fall record;
    flows record;
    mwr_reason text;
    days integer;
    wealth double precision;
    capital numeric;
    simple_reason text;
    dietz_reason text;
    annualized_reason text;
    ratio_reason text;
    sortino_reason text;
    calmar_reason text;
begin
    select min(daily.valuation_date) as first_day, max(daily.valuation_date) as last_day
    into history
    from marts.portfolio_daily as daily where daily.portfolio_id = $1;
    if history.first_day is null then
        return;
    end if;
    result.portfolio_id := $1;
    result.user_id := (
        select daily.user_id from marts.portfolio_daily as daily
        where daily.portfolio_id = $1 and daily.valuation_date = history.last_day
    );
    result.period_type := 'range';
    result.calculated_at := now();
    result.period_start := greatest($2, history.first_day);
    result.period_end := least($3, history.last_day);
    if $2 > $3 or result.period_start > result.period_end then
        result.undefined_reason := case when $2 > $3 then 'all:empty_range' else 'all:no_history' end;
        result.period_start := $2;
        result.period_end := $3;
        return next result;
        return;
    end if;
    days := result.period_end - result.period_start + 1;

    -- the close before the range; nothing before inception
    select coalesce(max(at_base.value_base), 0) as value_base, max(at_base.usd_rate) as usd_rate,
        count(at_base.value_base) < count(*) as is_unknown
    into base
    from marts.portfolio_daily as at_base
    where at_base.portfolio_id = $1 and at_base.valuation_date = result.period_start - 1;

    -- `count(x) = count(*)`: an unknown amount makes the sum unknown, where sum() alone would leave it out
    with daily as (
        select
            listed.*,
            listed.inflow_base - listed.outflow_base as net_flow_base,
            case when bool_or(listed.trades_daily) over () then 365 else 252 end as periods_per_year
        from marts.portfolio_daily as listed
        where listed.portfolio_id = $1 and listed.valuation_date between result.period_start and result.period_end
    ),
    marked as (
        select
            daily.*,
            case when daily.periods_per_year = 365 or daily.is_market_day then daily.twr_return end as counted_return,
            daily.risk_free_rate / daily.periods_per_year as daily_risk_free,
            -- at the day's own rate; nothing needs no rate
            case when net_flow_base = 0 then 0 else net_flow_base * usd_rate end as net_flows_in_usd,
            case when realized_pnl_base = 0 then 0 else realized_pnl_base * usd_rate end as realized_pnl_in_usd,
            case
                when unrealized_change_base = 0 then 0 else unrealized_change_base * usd_rate
            end as unrealized_pnl_in_usd,
            case when income_base = 0 then 0 else income_base * usd_rate end as income_in_usd,
            case when fees_base = 0 then 0 else fees_base * usd_rate end as fees_in_usd,
            case when taxes_base = 0 then 0 else taxes_base * usd_rate end as taxes_in_usd,
            case when currency_effect_base = 0 then 0 else currency_effect_base * usd_rate end as currency_effect_in_usd
        from daily
    )
    select
        max(value_base) filter (where valuation_date = result.period_end) as end_base,
        max(usd_rate) filter (where valuation_date = result.period_end) as end_rate,
        max(periods_per_year) as periods_per_year,
        coalesce(bool_or(flow_basis = 'observed'), false) as is_observed,
        bool_or(not coalesce(is_complete, false)) as is_incomplete,
        case when count(inflow_base) = count(*) then sum(inflow_base) end as inflows,
        case when count(net_flow_base) = count(*) then sum(net_flow_base) end as net_flows_base,
        -- an inflow works from the start of its day, an outflow until its end
        case when count(net_flow_base) = count(*) then sum(
            inflow_base * (result.period_end - valuation_date + 1)
            - outflow_base * (result.period_end - valuation_date)
        ) end as flow_days,
        case when count(net_flows_in_usd) = count(*) then sum(net_flows_in_usd) end as net_flows_usd,
        case when count(realized_pnl_base) = count(*) then sum(realized_pnl_base) end as realized_pnl_base,
        case when count(realized_pnl_in_usd) = count(*) then sum(realized_pnl_in_usd) end as realized_pnl_usd,
        case when count(unrealized_change_base) = count(*) then sum(unrealized_change_base) end as unrealized_pnl_base,
        case when count(unrealized_pnl_in_usd) = count(*) then sum(unrealized_pnl_in_usd) end as unrealized_pnl_usd,
        case when count(income_base) = count(*) then sum(income_base) end as income_base,
        case when count(income_in_usd) = count(*) then sum(income_in_usd) end as income_usd,
        case when count(fees_base) = count(*) then sum(fees_base) end as fees_base,
        case when count(fees_in_usd) = count(*) then sum(fees_in_usd) end as fees_usd,
        case when count(taxes_base) = count(*) then sum(taxes_base) end as taxes_base,
        case when count(taxes_in_usd) = count(*) then sum(taxes_in_usd) end as taxes_usd,
        case when count(currency_effect_base) = count(*) then sum(currency_effect_base) end as currency_effect_base,
        case when count(currency_effect_in_usd) = count(*) then sum(currency_effect_in_usd) end as currency_effect_usd,
        count(twr_return) as returns,
        ops.product(1 + twr_return order by valuation_date) as wealth,
        count(counted_return) as observations,
        stddev_samp(counted_return) as deviation,
        count(*) filter (where counted_return is not null and risk_free_rate is null) as unknown_risk_free,
        avg(risk_free_rate) filter (where counted_return is not null) as risk_free_rate,
        avg(counted_return - daily_risk_free) as mean_excess,
        -- least() skips nulls: without the filter a day that does not count would be an excess of 0
        sqrt(
            avg(least(counted_return - daily_risk_free, 0) ^ 2) filter (where counted_return is not null)
        ) as downside
    into s
    from marked;

    result.annualization_days := s.periods_per_year;
    result.flow_basis := case when s.is_observed then 'observed' else 'ledger' end;

    -- money
    result.start_value_base := case when not base.is_unknown then base.value_base end;
    result.start_value_usd := case
        when base.is_unknown then null when base.value_base = 0 then 0 else base.value_base * base.usd_rate
    end;
    result.end_value_base := s.end_base;
    result.end_value_usd := case when s.end_base = 0 then 0 else s.end_base * s.end_rate end;
    result.net_flows_base := s.net_flows_base;
    result.net_flows_usd := s.net_flows_usd;
    result.realized_pnl_base := s.realized_pnl_base;
    result.realized_pnl_usd := s.realized_pnl_usd;
    result.unrealized_pnl_base := s.unrealized_pnl_base;
    result.unrealized_pnl_usd := s.unrealized_pnl_usd;
    result.income_base := s.income_base;
    result.income_usd := s.income_usd;
    result.fees_base := s.fees_base;
    result.fees_usd := s.fees_usd;
    result.taxes_base := s.taxes_base;
    result.taxes_usd := s.taxes_usd;
    result.currency_effect_base := s.currency_effect_base;
    result.currency_effect_usd := s.currency_effect_usd;
    result.absolute_gain_base := result.end_value_base - result.start_value_base - result.net_flows_base;
    result.absolute_gain_usd := result.end_value_usd - result.start_value_usd - result.net_flows_usd;
    simple_reason := case
        when result.absolute_gain_base is null or s.inflows is null then 'missing_value'
        when result.start_value_base + s.inflows <= 0 then 'zero_base'
        when result.start_value_base + s.inflows < 0.01 then 'tiny_base'
    end;
    if simple_reason is null then
        result.simple_return := (result.absolute_gain_base / (result.start_value_base + s.inflows))::double precision;
        result.percentage_gain := 100 * result.simple_return;
    end if;

    capital := result.start_value_base + s.flow_days / days;
    dietz_reason := case
        when result.absolute_gain_base is null or capital is null then 'missing_value' when capital < 0.01 then 'no_capital'
    end;
    if dietz_reason is null then
        result.modified_dietz := (result.absolute_gain_base / capital)::double precision;
    end if;

    -- time-weighted return and drawdown
    if s.returns > 0 then
        wealth := s.wealth;
        result.twr := wealth - 1;
    end if;
    annualized_reason := case
        when days < 365 then 'period_under_365_days'
        when s.returns = 0 then 'no_returns'
        when wealth < 0 then 'negative_wealth'
    end;
    if annualized_reason is null then
        result.twr_annualized := power(wealth, 365 / days::double precision) - 1;
    end if;
    if s.returns > 0 then
        with indexed as (
            select result.period_start - 1 as day, 1::double precision as height
            union all
            select
                daily.valuation_date,
                ops.product(1 + coalesce(daily.twr_return, 0)) over (
                    order by daily.valuation_date rows between unbounded preceding and current row
                )
            from marts.portfolio_daily as daily
            where daily.portfolio_id = $1 and daily.valuation_date between result.period_start and result.period_end
        ),
        peaked as (
            select
                indexed.day,
                indexed.height,
                max(indexed.height) over (order by indexed.day rows between unbounded preceding and current row) as peak
            from indexed
        ),
        fallen as materialized (
            select peaked.day, peaked.height, peaked.peak, peaked.height / peaked.peak - 1 as fall from peaked
        ),
        trough as (
            select fallen.day, fallen.peak, fallen.fall from fallen order by fallen.fall, fallen.day limit 1
        )
        select
            trough.fall,
            -- 1e-12: the way back to a peak is a product of rounded factors
            (
                select max(fallen.day) from fallen where fallen.day <= trough.day and fallen.fall >= -1e-12
            ) as peak_day,
            (
                select min(fallen.day) from fallen
                where fallen.day > trough.day and fallen.height >= trough.peak * (1 - 1e-12::double precision)
            ) as back_day
        into fall
        from trough;
        result.max_drawdown := case when fall.fall < -1e-12 then fall.fall else 0 end;
        result.drawdown_days := case
            when fall.fall < -1e-12 then coalesce(fall.back_day, result.period_end) - fall.peak_day else 0
        end;
    end if;
    calmar_reason := case
        when days < 365 then 'period_under_365_days'
        when s.returns = 0 then 'no_returns'
        when annualized_reason is not null then annualized_reason
        when result.max_drawdown = 0 then 'zero_drawdown'
    end;
    if calmar_reason is null then
        result.calmar_ratio := result.twr_annualized / abs(result.max_drawdown);
    end if;

    -- deviation and ratios
    if s.observations >= 2 and s.deviation > 1e-12 then
        result.volatility := s.deviation * sqrt(s.periods_per_year);
    end if;
    ratio_reason := case
        when s.observations < 2 then 'too_few_returns'
        when s.unknown_risk_free > 0 then 'missing_risk_free_rate'
        when s.deviation <= 1e-12 then 'zero_deviation'
    end;
    if ratio_reason is null then
        result.sharpe_ratio := s.mean_excess / s.deviation * sqrt(s.periods_per_year);
    end if;
    sortino_reason := case
        when s.observations < 2 then 'too_few_returns'
        when s.unknown_risk_free > 0 then 'missing_risk_free_rate'
        when s.downside <= 1e-12 then 'zero_downside_deviation'
    end;
    if sortino_reason is null then
        result.sortino_ratio := s.mean_excess / s.downside * sqrt(s.periods_per_year);
    end if;
    if s.observations > 0 and s.unknown_risk_free = 0 then
        result.risk_free_rate := s.risk_free_rate;
    end if;

    -- money-weighted return: the start value is paid in the day before, the end value received on the last day
    if result.start_value_base is null or result.end_value_base is null or result.net_flows_base is null then
        mwr_reason := 'missing_value';
    else
        select
            array_agg(listed.day) as days,
            array_agg(listed.amount) as amounts
        into flows
        from (
            select 0 as day, -base.value_base::double precision as amount where base.value_base <> 0
            union all
            select
                daily.valuation_date - result.period_start + 1,
                (daily.outflow_base - daily.inflow_base)::double precision
            from marts.portfolio_daily as daily
            where
                daily.portfolio_id = $1
                and daily.valuation_date between result.period_start and result.period_end
                and daily.outflow_base <> daily.inflow_base
            union all
            select days, s.end_base::double precision where s.end_base <> 0
        ) as listed;
        select found.rate, found.flag, found.reason into result.mwr, result.mwr_flag, mwr_reason
        from ops.xirr(flows.days, flows.amounts) as found;
    end if;

    result.undefined_reason := nullif(concat_ws(
        ';',
        case when result.start_value_base is null then 'start_value_base:missing_value' end,
        case when result.end_value_base is null then 'end_value_base:missing_value' end,
        case
            when result.start_value_base is null then 'start_value_usd:missing_value'
            when result.start_value_usd is null then 'start_value_usd:missing_fx'
        end,
        case
            when result.end_value_base is null then 'end_value_usd:missing_value'
            when result.end_value_usd is null then 'end_value_usd:missing_fx'
        end,
        case when result.absolute_gain_base is null then 'absolute_gain_base:missing_value' end,
        case
            when result.absolute_gain_base is null then 'absolute_gain_usd:missing_value'
            when result.absolute_gain_usd is null then 'absolute_gain_usd:missing_fx'
        end,
        'percentage_gain:' || simple_reason,
        case when s.returns = 0 then 'twr:no_returns' end,
        'twr_annualized:' || annualized_reason,
        'mwr:' || mwr_reason,
        'simple_return:' || simple_reason,
        case when result.realized_pnl_base is null then 'realized_pnl_base:missing_value' end,
        case
            when result.realized_pnl_base is null then 'realized_pnl_usd:missing_value'
            when result.realized_pnl_usd is null then 'realized_pnl_usd:missing_fx'
        end,
        case when result.unrealized_pnl_base is null then 'unrealized_pnl_base:missing_value' end,
        case
            when result.unrealized_pnl_base is null then 'unrealized_pnl_usd:missing_value'
            when result.unrealized_pnl_usd is null then 'unrealized_pnl_usd:missing_fx'
        end,
        case when result.income_base is null then 'income_base:missing_value' end,
        case
            when result.income_base is null then 'income_usd:missing_value'
            when result.income_usd is null then 'income_usd:missing_fx'
        end,
        case when result.fees_base is null then 'fees_base:missing_value' end,
        case
            when result.fees_base is null then 'fees_usd:missing_value'
            when result.fees_usd is null then 'fees_usd:missing_fx'
        end,
        case when result.taxes_base is null then 'taxes_base:missing_value' end,
        case
            when result.taxes_base is null then 'taxes_usd:missing_value'
            when result.taxes_usd is null then 'taxes_usd:missing_fx'
        end,
        case when result.currency_effect_base is null then 'currency_effect_base:missing_value' end,
        case
            when result.currency_effect_base is null then 'currency_effect_usd:missing_value'
            when result.currency_effect_usd is null then 'currency_effect_usd:missing_fx'
        end,
        case when result.net_flows_base is null then 'net_flows_base:missing_value' end,
        case
            when result.net_flows_base is null then 'net_flows_usd:missing_value'
            when result.net_flows_usd is null then 'net_flows_usd:missing_fx'
        end,
        case
            when s.observations < 2 then 'volatility:too_few_returns'
            when s.deviation <= 1e-12 then 'volatility:zero_deviation'
        end,
        'sharpe_ratio:' || ratio_reason,
        'sortino_ratio:' || sortino_reason,
        'calmar_ratio:' || calmar_reason,
        case when s.returns = 0 then 'max_drawdown:no_returns' end,
        case when s.returns = 0 then 'drawdown_days:no_returns' end,
        case
            when s.observations = 0 then 'risk_free_rate:no_returns'
            when s.unknown_risk_free > 0 then 'risk_free_rate:missing_risk_free_rate'
        end,
        'modified_dietz:' || dietz_reason,
        case when s.is_incomplete then 'coverage:incomplete_days' end
    ), '');
    return next result;
end
$$;

comment on function marts.performance_between(text, date, date) is
'Return, gain and risk of one portfolio over any range of days, end inclusive; the columns of portfolio_performance. '
'It starts from the close of the day before start_date, or at inception, and ends with the last published day at the '
'latest. NULL comes with a reason in undefined_reason. An unknown portfolio gives no row.';
-- whoever may use schema marts may call it (bi_reader): it reads with its owner's rights, published rows only
