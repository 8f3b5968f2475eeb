"""On-chain balances and positions, and the reference data about chains."""
