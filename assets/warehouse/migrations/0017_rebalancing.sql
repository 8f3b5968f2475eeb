-- What rebalancing needs to know of the owner, what a suggestion says of cost, gain and tax, and the orders made of suggestions.

alter table registry.portfolios
add column tax_rate_short ops.amount check (tax_rate_short >= 0 and tax_rate_short < 1),
add column tax_rate_long ops.amount check (tax_rate_long >= 0 and tax_rate_long < 1),
add constraint tax_rates_together check ((tax_rate_short is null) = (tax_rate_long is null));
alter table registry.instruments add column lot_size ops.amount check (lot_size > 0);

alter table intermediate.rebalancing_suggestions
add column spread_cost_usd ops.amount,
add column impact_cost_usd ops.amount,
add column cost_method text,
add column realized_gain_base ops.amount,
add column short_gain_base ops.amount,
add column long_gain_base ops.amount,
add column estimated_tax_base ops.amount,
add column expected_gain_usd ops.amount,
add column cash_after_base ops.amount;

-- One row per order that was ever tried. It is written before the order leaves, so that an answer that never came back is known.
create table registry.orders (
    client_order_id text primary key,
    portfolio_id text not null references registry.portfolios,
    account_id text not null,
    instrument_id text not null,
    publication_id bigint not null,       -- of the suggestion
    suggested_as_of timestamptz not null, -- what that publication describes
    broker text not null,
    symbol text not null,
    side text not null check (side in ('buy', 'sell')),
    suggested_quantity ops.amount not null,
    quantity ops.amount,                  -- ordered in units, or
    notional_usd ops.amount,              -- in money
    status text not null,                 -- pending: it may be at the broker; refused: it is not; else the broker's own word
    broker_order_id text,
    filled_quantity ops.amount not null default 0,
    filled_average_price_usd ops.amount,
    failure text,                         -- our own words; never the broker's
    requested_at timestamptz not null,
    updated_at timestamptz not null,
    check ((quantity is null) <> (notional_usd is null))
);
create index on registry.orders (portfolio_id, requested_at);
