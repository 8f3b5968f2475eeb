"""The demo of wallets: local chains with made-up balances, real ids and addresses. Nothing here is part of a run."""
