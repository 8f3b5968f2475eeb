"""The ledger: transactions and balances become lots, gains, flows, income and fees."""
