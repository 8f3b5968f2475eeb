"""Positions of wallets in known protocols, read at one block over `PinnedChain.call`.

`readers.position_readers(slug)` gives the readers of a chain, `together.read_together` runs them side by side, and
`readers.receipts(slug)` names the tokens that they read, which nobody else may count. `reading` says how a Position
tells what is not known.
"""
