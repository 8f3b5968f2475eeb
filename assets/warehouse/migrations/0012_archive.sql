-- The Parquet archive: a file counts from the moment it stands here, and that is the transaction which deletes its rows.
create table ops.archive_files (
    path text primary key,                -- within HOLDFAST_HOME/archive
    dataset text not null check (dataset in ('bars', 'snapshots')),
    series text not null,                 -- resolution of bars, type of snapshots
    month date not null,
    row_count bigint not null,
    digest text not null,                 -- of its rows, as read back
    archived_at timestamptz not null default now()
);
