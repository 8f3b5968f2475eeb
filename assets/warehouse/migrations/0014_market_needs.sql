-- What fixed targets and policies name is followed like what is held; held prices ask a second source.
alter table registry.tracked_instruments
drop constraint tracked_instruments_needed_for_check,
add constraint tracked_instruments_needed_for_check
check (needed_for in ('held', 'benchmark', 'currency', 'risk_free_rate', 'target', 'universe'));

-- Such a job moves nothing of what is known of the history.
alter table registry.backfill_jobs add column is_second_look boolean not null default false;

-- When a dividend is paid, where it is known; it is earned by who holds at the open of the ex-date.
alter table raw.source_actions add column pay_date date check (pay_date >= ex_date);
alter table raw.corporate_actions add column pay_date date check (pay_date >= ex_date);
