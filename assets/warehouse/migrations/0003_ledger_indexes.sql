-- The ledger's results stay from run to run: the rows of a portfolio that is run again are found and deleted by it.
create index on intermediate.ledger_entries (portfolio_id);
create index on intermediate.ledger_flows (portfolio_id);
create index on intermediate.ledger_lots (portfolio_id);
create index on intermediate.ledger_disposals (portfolio_id);
create index on intermediate.ledger_income (portfolio_id);
create index on intermediate.ledger_transactions (portfolio_id);
create index on intermediate.ledger_issues (portfolio_id);
