-- A person's word on single prices, and a short number by which a price is called.

alter table raw.bars add column bar_id bigint generated always as identity;
create unique index on raw.bars (bar_id);

-- Append-only: who decided what about which price, and when. The price as it was then stands beside it.
create table quality.price_reviews (
    review_id bigint generated always as identity primary key,
    bar_id bigint not null,
    instrument_id text not null,
    source text not null,
    resolution text not null,
    opened_at timestamptz not null,
    close ops.amount,
    currency text not null,
    decision text not null check (decision in ('released', 'refused')),
    status_before text not null,
    reason_before text,
    reviewed_by text not null,
    reviewed_at timestamptz not null default now(),
    batch_id bigint not null references raw.batches -- by which the next run knows of it
);
create index on quality.price_reviews (bar_id);
