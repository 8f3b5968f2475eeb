"""Trades that lead from what is held to the targets: how much, in which lots, at what cost and tax, whether it pays."""
