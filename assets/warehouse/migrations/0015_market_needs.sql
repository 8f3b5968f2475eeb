-- What fixed targets and policies name is followed like what is held.
alter table registry.tracked_instruments
drop constraint tracked_instruments_needed_for_check,
add constraint tracked_instruments_needed_for_check
check (needed_for in ('held', 'benchmark', 'currency', 'risk_free_rate', 'target', 'universe'));
