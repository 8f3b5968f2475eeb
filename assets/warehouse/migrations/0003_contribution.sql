-- A return without daily values beside the time-weighted and the money-weighted one.
alter table intermediate.performance add column modified_dietz ops.ratio;
