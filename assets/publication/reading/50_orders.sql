-- What became of the orders that were sent: known between publications, so read from the log as it stands.

create or replace view marts.orders as
select
    orders.portfolio_id,
    portfolios.user_id,
    orders.client_order_id,
    orders.account_id,
    orders.instrument_id,
    orders.publication_id,
    orders.suggested_as_of,
    orders.broker,
    orders.symbol,
    orders.side,
    orders.suggested_quantity,
    orders.quantity,
    orders.notional_usd,
    orders.status,
    orders.filled_quantity,
    orders.filled_average_price_usd,
    (orders.quantity - orders.filled_quantity)::numeric as open_quantity,
    orders.failure,
    orders.requested_at,
    orders.updated_at
from registry.orders as orders
inner join registry.portfolios as portfolios on orders.portfolio_id = portfolios.id;
comment on view marts.orders is
'Orders that holdfast orders --send --confirm tried to send, with what the broker last said of them; asked again by each '
'holdfast orders --send. Fills reach the ledger by the account''s own activities. Key: client_order_id.';
comment on column marts.orders.portfolio_id is 'Portfolio, as in portfolios.yaml.';
comment on column marts.orders.user_id is 'Owner of the portfolio.';
comment on column marts.orders.client_order_id is 'Id that follows from publication, portfolio, instrument and side.';
comment on column marts.orders.account_id is 'Account at the broker, as in portfolios.yaml.';
comment on column marts.orders.instrument_id is 'Instrument, by its readable id.';
comment on column marts.orders.publication_id is 'Publication that first made the suggestion.';
comment on column marts.orders.suggested_as_of is 'As-of of the publication that the order was sent on.';
comment on column marts.orders.broker is 'Broker: alpaca.';
comment on column marts.orders.symbol is 'The instrument''s symbol at the broker.';
comment on column marts.orders.side is 'buy or sell.';
comment on column marts.orders.suggested_quantity is 'Units that the suggestion has.';
comment on column marts.orders.quantity is 'Units ordered; NULL: ordered for an amount of money.';
comment on column marts.orders.notional_usd is 'Money ordered for, in USD; NULL: ordered by quantity.';
comment on column marts.orders.status is 'pending: it may be at the broker; refused: it is not; else the broker''s own word (new, partially_filled, filled, canceled, expired, rejected ...).';
comment on column marts.orders.filled_quantity is 'Units filled so far.';
comment on column marts.orders.filled_average_price_usd is 'Average price of the fills in USD; NULL: none yet.';
comment on column marts.orders.open_quantity is 'quantity - filled_quantity; NULL: ordered for an amount of money.';
comment on column marts.orders.failure is 'Why it was refused, or is not known to have arrived; NULL: neither.';
comment on column marts.orders.requested_at is 'When it was last tried.';
comment on column marts.orders.updated_at is 'When its status or fills last differed.';
