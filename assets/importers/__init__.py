"""Exports of other products, read into the canonical ledger."""
