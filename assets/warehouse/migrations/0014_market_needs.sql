-- What fixed targets and policies name is followed like what is held; held prices ask a second source.
alter table registry.tracked_instruments
drop constraint tracked_instruments_needed_for_check,
add constraint tracked_instruments_needed_for_check
check (needed_for in ('held', 'benchmark', 'currency', 'risk_free_rate', 'target', 'universe'));

-- Such a job moves nothing of what is known of the history.
alter table registry.backfill_jobs add column is_second_look boolean not null default false;
