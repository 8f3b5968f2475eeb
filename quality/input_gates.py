"""What prices and files must keep before a model reads them: the stages landing and market."""

from __future__ import annotations

from quality.gate import Gate

INPUT_GATES: tuple[Gate, ...] = (
    Gate(
        name="prices_are_sound",
        stage="landing",
        reach="run",
        severity="error",
        threshold="at most half of a batch refused, or another source for its instruments",
        description="No price batch is mostly refused while nothing else prices its instruments.",
        next_step="Repair the file named here (quality.quarantined_rows lists each refused row), then run again.",
        offenders="""
            select null, null, rejected.path || ': ' || rejected.reason
            from ops.rejected_inputs as rejected
            where rejected.kind = 'prices'
              and exists (
                  select 1 from raw.batches
                  inner join quality.quarantined_rows as refused on batches.batch_id = refused.batch_id
                  where batches.path = rejected.path and batches.status = 'rejected'
                    and not exists (
                        select 1 from raw.prices as other
                        inner join ops.input_files as files on other.batch_id = files.batch_id
                        where other.instrument_id = refused.instrument_id and files.path <> rejected.path))
            order by rejected.path""",
    ),
    Gate(
        name="rows_in_quarantine",
        stage="landing",
        reach="none",
        severity="warn",
        threshold="0 rows",
        description="Every row of the input files that count was accepted.",
        next_step="Look at quality.quarantined_rows, correct the source, run again; the last good price stands in.",
        offenders="""
            select null, refused.instrument_id,
                   refused.path || ' line ' || refused.line || ': ' || refused.reason
            from quality.quarantined_rows as refused
            inner join ops.input_files as files on refused.batch_id = files.batch_id
            order by refused.path, refused.line""",
    ),
    Gate(
        name="accounts_were_read",
        stage="landing",
        reach="none",
        severity="warn",
        threshold="0 accounts",
        description="Every account at an exchange or broker that is to be asked answered completely.",
        next_step="Do what the reason says; the account keeps what it said before and is asked again by the next run.",
        offenders="""
            select states.portfolio_id, null, states.source || ' ' || states.account_id || ': ' || states.failure
            from ops.account_states as states
            inner join registry.accounts
                on states.portfolio_id = accounts.portfolio_id and states.account_id = accounts.id
            where accounts.is_active and states.outcome <> 'ok'
            order by states.portfolio_id, states.account_id""",
    ),
    Gate(
        name="account_records_waiting",
        stage="landing",
        reach="none",
        severity="warn",
        threshold="0 records",
        description="Every record and balance of an account could be read as a transaction or holding.",
        next_step="Do what each remedy says (all are in ops.account_waiting); every run tries them again.",
        offenders="""
            select waiting.portfolio_id, null,
                   waiting.account_id || ', ' || waiting.stream || ' ' || left(waiting.record_id, 60) || ': '
                   || case when waiting.value <> '' then left(waiting.value, 60) || ': ' else '' end
                   || waiting.reason || '; ' || waiting.remedy
            from ops.account_waiting as waiting
            inner join registry.accounts
                on waiting.portfolio_id = accounts.portfolio_id and waiting.account_id = accounts.id
            where accounts.is_active
            order by waiting.portfolio_id, waiting.account_id, waiting.stream, waiting.record_id""",
    ),
    Gate(
        name="source_prices_are_sound",
        stage="market",
        reach="run",
        severity="error",
        threshold="at most half of a source's new prices refused, fewer than 3 instruments, or other prices for them",
        description="No source's newest prices are mostly refused while nothing else prices what it priced.",
        next_step="select * from raw.bars where status = 'refused' order by judged_at desc; then leave the source out "
        "with HOLDFAST_SOURCES, or give prices in prices/*.csv, and run again.",
        offenders="""
            with newest as (
                select distinct on (source) source, batch_id from raw.batches where kind = 'bars'
                order by source, batch_id desc)
            select null, null, bars.source || ': ' || count(*) filter (where bars.status = 'refused') || ' of '
                || count(*) || ' refused, such as ' || min(bars.reason) filter (where bars.status = 'refused')
            from newest
            inner join raw.bars as bars on newest.batch_id = bars.batch_id and newest.source = bars.source
            group by bars.source
            having count(*) filter (where bars.status = 'refused') * 2 > count(*)
                and count(distinct bars.instrument_id) filter (where bars.status = 'refused') >= 3
                and bool_or(bars.status = 'refused' and not exists (
                    select 1 from staging.stg_prices as other where other.instrument_id = bars.instrument_id))
            order by bars.source""",
    ),
    Gate(
        name="prices_held",
        stage="market",
        reach="none",
        severity="warn",
        threshold="0 prices",
        description="No price of a source waits for a second source, the next bar or a person.",
        next_step="holdfast prices review lists them; --release ID and --refuse ID decide.",
        offenders="""
            select null, instrument_id,
                   source || ' ' || priced_at || ': ' || close || ' ' || currency || ', ' || reason
            from raw.bars
            where status = 'held'
              and priced_at <= (select runs.cutoff_at from ops.current_run inner join ops.runs using (run_id))
            order by instrument_id, priced_at""",
    ),
    Gate(
        name="prices_could_not_be_had",
        stage="market",
        reach="none",
        severity="warn",
        threshold="0 instruments",
        description="Every instrument that is held has a source of prices that serves it.",
        next_step="Give its symbol (ccxt_symbol, yfinance_symbol in instruments.csv) or its prices (prices/*.csv).",
        offenders="""
            select null, tracked.instrument_id, last.error
            from registry.tracked_instruments as tracked
            cross join lateral (
                select jobs.status, jobs.error from registry.backfill_jobs as jobs
                where jobs.instrument_id = tracked.instrument_id and not jobs.is_second_look
                order by jobs.id desc limit 1
            ) as last
            where tracked.is_active and last.status = 'failed'
              and not exists (
                  select from raw.prices
                  inner join ops.input_files as files on prices.batch_id = files.batch_id
                  where prices.instrument_id = tracked.instrument_id)
            order by tracked.instrument_id""",
    ),
    Gate(
        name="price_reverts",
        stage="market",
        reach="none",
        severity="warn",
        threshold="a factor of 3 there and back within a week",
        description="No owner's price jumps and comes straight back, as a misplaced decimal point does.",
        next_step="Check the day named here in the price file; if the price is real, nothing needs to be done.",
        offenders="""
            select null, instrument_id,
                   price_date || ': ' || price || ' between ' || before_price || ' and ' || after_price
            from (
                select instrument_id, price_date, price,
                       lag(price) over by_day as before_price, lead(price) over by_day as after_price,
                       price_date - lag(price_date) over by_day as days_before,
                       lead(price_date) over by_day - price_date as days_after
                from intermediate.int_price_points
                window by_day as (partition by instrument_id order by priced_at)
            ) as bars
            where days_before <= 4 and days_after <= 4
              and (price > 3 * greatest(before_price, after_price) or price * 3 < least(before_price, after_price))
            order by instrument_id, price_date""",
    ),
)
