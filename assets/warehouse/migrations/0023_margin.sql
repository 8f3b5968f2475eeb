-- Accounts in which the owner may borrow money.
alter table registry.accounts add column margin boolean not null default false;
comment on column registry.accounts.margin is
'Cash of this account may be borrowed: a negative balance of a currency is a debt.';
