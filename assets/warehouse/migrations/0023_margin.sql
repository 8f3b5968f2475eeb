-- Accounts whose owner borrows money in them, and whose a portfolio was when it was published.
alter table registry.accounts add column margin boolean not null default false;
comment on column registry.accounts.margin is
'Cash of this account may be borrowed: a negative balance of a currency is a debt.';

-- a portfolio that changes its user leaves others behind that were compared with it
alter table ops.portfolio_fingerprints add column user_id text;
