"""What each day and holding of the candidates must keep before anybody sees them: the stage holdings."""

from __future__ import annotations

from quality.gate import Gate

#: One cent of the base currency: what an identity may be off by.
CENT = "0.01"
#: Share of the published value that may lose its price in one run before prices as a whole are held unsound.
VALUE_LOST_LIMIT = "0.20"

HOLDING_GATES: tuple[Gate, ...] = (
    Gate(
        name="identity_residual",
        stage="holdings",
        reach="portfolio",
        severity="error",
        threshold=f"{CENT} of the base currency a day",
        description="Each day's change of value is flows plus gains plus income less fees and taxes, to the cent.",
        next_step="Report it with the portfolio's transactions: the ledger and the valuation disagree.",
        offenders=f"""
            select portfolio_id, null, valuation_date || ': residual ' || round(residual_base, 4)
            from build.portfolio_daily where abs(residual_base) > {CENT}
            order by portfolio_id, valuation_date""",
    ),
    Gate(
        name="numbers_are_finite",
        stage="holdings",
        reach="portfolio",
        severity="error",
        threshold="no NaN, no infinity",
        description="Every value, flow, return and weight is a finite number or NULL.",
        next_step="Report it with the portfolio's transactions: a model made a number that is none.",
        # 'NaN' > 0 is true in PostgreSQL, so each is asked for by name
        offenders="""
            select portfolio_id, null, valuation_date || ': value ' || value_base || ', return ' || twr_return
            from build.portfolio_daily
            where value_base in ('NaN', 'Infinity', '-Infinity') or residual_base in ('NaN', 'Infinity', '-Infinity')
               or inflow_base in ('NaN', 'Infinity', '-Infinity') or outflow_base in ('NaN', 'Infinity', '-Infinity')
               or twr_return in ('NaN', 'Infinity', '-Infinity') or twr_index in ('NaN', 'Infinity', '-Infinity')
               or drawdown in ('NaN', 'Infinity', '-Infinity') or usd_rate in ('NaN', 'Infinity', '-Infinity')
            union all
            select portfolio_id, instrument_id,
                   'balance ' || balance || ', price ' || price_base || ', weight ' || weight
            from build.portfolio_assets
            where balance in ('NaN', 'Infinity', '-Infinity') or price_base in ('NaN', 'Infinity', '-Infinity')
               or value_base in ('NaN', 'Infinity', '-Infinity') or weight in ('NaN', 'Infinity', '-Infinity')
            order by 1""",
    ),
    Gate(
        name="days_are_complete",
        stage="holdings",
        reach="run",
        severity="error",
        threshold="one row a day",
        description="Each portfolio has one row for every day from its inception to the as-of date.",
        next_step="Report it: a model lost or doubled days.",
        offenders="""
            select portfolio_id, null,
                   count(*) || ' rows for ' || max(valuation_date) - min(valuation_date) + 1 || ' days'
            from build.portfolio_daily
            group by portfolio_id
            having count(*) <> max(valuation_date) - min(valuation_date) + 1
            union all
            select scope.portfolio_id, null, 'no day before ' || scope.from_date
            from ops.run_scope as scope
            where exists (select 1 from intermediate.int_published_days as days
                          where days.portfolio_id = scope.portfolio_id)
              and not exists (select 1 from intermediate.int_published_days as days
                              where days.portfolio_id = scope.portfolio_id
                                and days.valuation_date = scope.from_date - 1)""",
    ),
    Gate(
        name="nothing_looks_ahead",
        stage="holdings",
        reach="run",
        severity="error",
        threshold="0 rows after the as-of",
        description="No number uses a price, a rate or a transaction from after the as-of.",
        next_step="Report it: an observation from the future reached a mart.",
        offenders="""
            with cutoff as (
                select runs.cutoff_at, runs.as_of_date from ops.runs
                inner join ops.current_run on runs.run_id = current_run.run_id)
            select assets.portfolio_id, assets.instrument_id, 'price of ' || assets.price_at
            from build.portfolio_assets as assets cross join cutoff where assets.price_at > cutoff.cutoff_at
            union all
            select days.portfolio_id, null, 'day ' || days.valuation_date
            from build.portfolio_daily as days cross join cutoff where days.valuation_date > cutoff.as_of_date
            union all
            select entries.portfolio_id, entries.instrument_id, entries.type || ' of ' || entries.executed_at
            from build.transactions as entries cross join cutoff where entries.executed_at > cutoff.cutoff_at""",
    ),
    Gate(
        name="values_agree",
        stage="holdings",
        reach="portfolio",
        severity="error",
        threshold=f"{CENT} of the base currency",
        description="The current holdings add up to the last day's value.",
        next_step="Report it: holdings and daily values disagree.",
        offenders=f"""
            select days.portfolio_id, null, 'holdings ' || round(coalesce(held.value_base, 0), 4)
                   || ', daily ' || round(days.value_base, 4)
            from build.portfolio_daily as days
            inner join ops.runs on days.valuation_date = runs.as_of_date
            inner join ops.current_run on runs.run_id = current_run.run_id
            left join (
                select portfolio_id, sum(value_base) as value_base from build.portfolio_assets group by portfolio_id
            ) as held on days.portfolio_id = held.portfolio_id
            where abs(days.value_base - coalesce(held.value_base, 0)) > {CENT}""",
    ),
    Gate(
        name="lots_match_balances",
        stage="holdings",
        reach="portfolio",
        severity="error",
        threshold="1e-9 of a unit, relative",
        description="The open lots of each asset add up to the units held.",
        next_step="Report it with the portfolio's transactions: lots and positions disagree.",
        offenders="""
            with held as (
                select positions.portfolio_id, instruments.canonical_instrument as instrument_id,
                       sum(positions.quantity) as quantity
                from intermediate.ledger_positions as positions
                inner join ops.run_scope using (portfolio_id)
                inner join intermediate.int_instruments as instruments using (instrument_id)
                where positions.valid_to is null and instruments.asset_class <> 'fiat' group by 1, 2),
            lots as (
                select lots.portfolio_id, instruments.canonical_instrument as instrument_id,
                       sum(lots.quantity) as quantity
                from intermediate.ledger_lots as lots
                inner join ops.run_scope using (portfolio_id)
                inner join intermediate.int_instruments as instruments using (instrument_id)
                where instruments.asset_class <> 'fiat' group by 1, 2)
            select coalesce(held.portfolio_id, lots.portfolio_id), coalesce(held.instrument_id, lots.instrument_id),
                   'held ' || coalesce(held.quantity, 0) || ', in lots ' || coalesce(lots.quantity, 0)
            from held full outer join lots using (portfolio_id, instrument_id)
            where abs(coalesce(held.quantity, 0) - coalesce(lots.quantity, 0))
                  > 1e-9 * greatest(1, abs(coalesce(held.quantity, 0)))""",
    ),
    Gate(
        name="value_keeps_its_price",
        stage="holdings",
        reach="run",
        severity="error",
        threshold=f"{VALUE_LOST_LIMIT} of the value held",
        description="Not more than a fifth of the value held loses its price at once.",
        next_step="Check the price files and sources; a whole source may be missing.",
        offenders=f"""
            with lost as (
                select sum(published.value_usd) as total_usd,
                       sum(published.value_usd) filter (where candidate.price_status = 'missing') as lost_usd
                from marts.portfolio_assets as published
                inner join ops.run_scope using (portfolio_id)
                left join build.portfolio_assets as candidate using (portfolio_id, account_id, instrument_id)
                where published.value_usd > 0)
            select null, null, round(100 * lost_usd / total_usd, 1) || ' % of the value lost its price'
            from lost where total_usd > 0 and lost_usd > {VALUE_LOST_LIMIT} * total_usd""",
    ),
    Gate(
        name="stale_price",
        stage="holdings",
        reach="none",
        severity="warn",
        threshold="max_price_age_days of the instrument",
        description="Each holding has a price that is young enough.",
        next_step="Add newer prices for it, of money as of fiat:XXX; or raise max_price_age_days in instruments.csv"
        " if it trades rarely.",
        offenders="""
            select portfolio_id, instrument_id,
                   coalesce('last priced ' || (price_at at time zone 'UTC')::date
                   || ', ' || price_age_seconds / 86400 || ' days before the as-of', 'its exchange rate is too old')
            from build.portfolio_assets where price_status = 'stale' order by portfolio_id, instrument_id""",
    ),
    Gate(
        name="missing_price",
        stage="holdings",
        reach="none",
        severity="warn",
        threshold="0 holdings",
        description="Each holding has a price and an exchange rate.",
        next_step="Add a price (or the exchange rate of its currency); it has no value and stays out of the sums.",
        offenders="""
            select assets.portfolio_id, assets.instrument_id, assets.balance || ' units without a value'
            from build.portfolio_assets as assets
            inner join intermediate.int_instruments as instruments using (instrument_id)
            where assets.price_status = 'missing' and assets.balance <> 0 and instruments.trust = 'trusted'
            order by assets.portfolio_id, assets.instrument_id""",
    ),
    Gate(
        name="large_flow",
        stage="holdings",
        reach="none",
        severity="info",
        threshold="flow above 10 % and price move above 5 %",
        description="No large flow on a day of a large price move, which makes that day's return inexact.",
        next_step="Nothing; the days are flagged in portfolio_daily.twr_flag.",
        offenders="""
            select portfolio_id, null, valuation_date || ': return ' || round((100 * twr_return)::numeric, 2) || ' %'
            from intermediate.int_all_days where twr_flag = 'large_flow' order by portfolio_id, valuation_date""",
    ),
)
